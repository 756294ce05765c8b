//! Key ceremonies with no clock and no coin: asynchronous distributed key generation, and resharing over an ordered
//! list of dealings.
#![forbid(unsafe_code)]

pub mod agreement;
mod definition;
mod member_set;

pub use definition::{
    AddressError, Definition, DefinitionError, Enrolment, EnrolmentError, NameError, Previous,
    PreviousError, Purpose,
};
pub use member_set::{MEMBERS_MAX, MemberSet, NoSuchMember};
