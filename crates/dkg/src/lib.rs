//! Key ceremonies with no clock and no coin: asynchronous distributed key generation, and resharing over an ordered
//! list of dealings.
#![forbid(unsafe_code)]

pub mod agreement;
mod ceremony;
mod dealing;
mod definition;
mod evidence;
mod keys;
mod member_set;
mod recovery;
pub mod reshare;
mod transcript;

pub use ceremony::{Ceremony, HIGH, LOW};
pub use dealing::{
    DEALING_BYTES_MAX, DealFault, DealingFault, SignedDealing, verify_hash_signature,
};
pub use definition::{
    AddressError, Definition, DefinitionError, Enrolment, EnrolmentError, NameError, Previous,
    PreviousError, Purpose,
};
pub use evidence::{DealerEvidence, EvidenceError, SignedHash};
pub use keys::Keys;
pub use member_set::{MEMBERS_MAX, MemberSet, NoSuchMember};
pub use recovery::{RecoverError, Recovered};
pub use transcript::{Transcript, TranscriptError, VerifiedTranscript, transcript_hash};
