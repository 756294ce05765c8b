//! Key ceremonies with no clock and no coin: asynchronous distributed key generation, and resharing over an ordered
//! list of dealings.
#![forbid(unsafe_code)]

pub mod agreement;
mod ceremony;
mod dealing;
mod definition;
mod evidence;
mod io;
mod keys;
mod member_set;
mod message;
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
pub use io::{CoinJob, DealingName, Effect, Input, Job, JobFailure, JobResult, Outcome, Record};
pub use keys::Keys;
pub use member_set::{MEMBERS_MAX, MemberSet, NoSuchMember};
pub use message::{Message, MessageError};
pub use recovery::{RecoverError, Recovered};
pub use transcript::{Transcript, TranscriptError, VerifiedTranscript, transcript_hash};
