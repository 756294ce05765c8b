//! Key ceremonies with no clock and no coin: asynchronous distributed key generation, and resharing over an ordered
//! list of dealings.
#![forbid(unsafe_code)]

pub mod agreement;
mod bodies;
mod broadcast;
mod ceremony;
mod coin;
mod completion;
mod dealing;
mod definition;
mod engine;
mod evidence;
mod io;
mod key_holder;
mod keys;
mod member_set;
mod message;
mod proposal;
mod recovery;
pub mod reshare;
mod status;
mod transcript;

pub use ceremony::{Ceremony, HIGH, LOW};
pub use dealing::{
    DEALING_BYTES_MAX, DealFault, DealingFault, SignedDealing, verify_hash_signature,
};
pub use definition::{
    AddressError, Definition, DefinitionError, Enrolment, EnrolmentError, NameError, Previous,
    PreviousError, Purpose,
};
pub use engine::{Engine, Role};
pub use evidence::{DealerEvidence, EvidenceError, SignedHash};
pub use io::{CoinJob, DealingName, Effect, Input, Job, JobFailure, JobResult, Outcome, Record};
pub use key_holder::{KeyHolder, KeyHolderError};
pub use keys::Keys;
pub use member_set::{MEMBERS_MAX, MemberSet, NoSuchMember};
pub use message::{Message, MessageError};
pub use recovery::{RecoverError, Recovered};
pub use status::{Awaited, Phase, Status, Waiting};
pub use transcript::{Transcript, TranscriptError, VerifiedTranscript, transcript_hash};
