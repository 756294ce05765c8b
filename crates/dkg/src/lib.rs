//! Key ceremonies with no clock and no coin: asynchronous distributed key generation, and resharing over an ordered
//! list of dealings.
#![forbid(unsafe_code)]
