//! Values to make seeds of: a small chain with real keys, and a key ceremony.

pub(crate) mod ceremony;
pub(crate) mod chain;
