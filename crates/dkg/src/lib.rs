//! Key ceremonies with no clock and no coin: asynchronous distributed key generation, and resharing over an ordered
//! list of dealings.
//!
//! - [`Definition`], [`Enrolment`], [`Ceremony`]: who takes part, signed by all and by the organiser.
//! - [`Engine`]: one member's part in making a fresh key. Members deal ([`SignedDealing`]), broadcast dealings and
//!   proposals reliably, decide by one binary [`agreement`] a proposal which proposals count, and sign the union's
//!   [`Transcript`] with the new key. [`KeyHolder`] does what is expensive or needs a secret.
//! - [`reshare`]: the same key for other members, where an ordered list (a chain) takes the place of agreement.
//! - [`DealerEvidence`]: what convicts a dealer.
//!
//! Model: n = 4 to 128 members of which f = floor((n-1)/3) lie, an adversary that chooses them beforehand and orders all
//! messages, and channels that deliver each message of an honest member to each honest member in the end. Nothing waits
//! on time: a member goes on with n - f of n.
//!
//! It does no I/O, reads no clock and starts no thread. What a member says is one append-only log, its *outbox*, which
//! peers read from a position; entries are durable before they are seen, and a restart replays them.
//!
//! ```
//! # use std::{collections::VecDeque, sync::Arc};
//! # use quorate_crypto::{IdentitySecret, pvss::{ChunkTable, EncryptionSecret, Sequential}};
//! # use quorate_types::ValidatorIndex;
//! # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! use quorate_dkg::{
//!     Ceremony, Definition, Effect, Engine, Enrolment, Input, KeyHolder, Purpose, Record, Role,
//! };
//!
//! // Real members take their randomness from the system and keep their secrets to themselves.
//! let mut rng = ChaCha20Rng::seed_from_u64(1);
//! let secrets: Vec<_> = (0..4)
//!     .map(|_| (Arc::new(IdentitySecret::generate(&mut rng)), Arc::new(EncryptionSecret::generate(&mut rng))))
//!     .collect();
//! let mut members = Vec::new();
//! for (index, (identity, encryption)) in secrets.iter().enumerate() {
//!     let (name, address) = (format!("member {index}"), format!("m{index}.example:7103"));
//!     members.push(Enrolment::new(identity, encryption, name, address, &mut rng)?);
//! }
//! let organiser = &secrets[0].0;
//! let definition = Definition::sign("example".into(), Purpose::Genesis, 0, None, members, organiser);
//! let ceremony = Arc::new(Ceremony::new(definition)?);
//!
//! // Four drivers in one loop: jobs are done at once, and messages delivered in the order in which they are said.
//! let table = ChunkTable::new();
//! let mut outcomes = Vec::new();
//! let mut nodes = Vec::new();
//! let mut inputs = VecDeque::new();
//! for (index, (identity, encryption)) in (0..).map(ValidatorIndex).zip(&secrets) {
//!     let engine = Engine::new(ceremony.clone(), index, Role::Member);
//!     nodes.push((engine, KeyHolder::new(&ceremony, identity.clone(), encryption.clone())?));
//!     inputs.push_back((index, Input::Start));
//! }
//! while let Some((me, input)) = inputs.pop_front() {
//!     let (engine, holder) = &mut nodes[me.position()];
//!     let before = engine.outbox_len();
//!     let mut effects = Vec::new();
//!     engine.step(input, &mut effects);
//!     let mut positions = before..;
//!     for effect in effects {
//!         match effect {
//!             Effect::Persist(Record::Outgoing(message)) => {
//!                 let position = positions.next().expect("endless");
//!                 for to in ceremony.indices().filter(|to| *to != me) {
//!                     let message = message.clone();
//!                     inputs.push_back((to, Input::Received { from: me, position, message }));
//!                 }
//!             }
//!             Effect::Compute(job) => {
//!                 let result = holder.perform(&ceremony, job, &table, &Sequential, &mut rng);
//!                 inputs.push_back((me, Input::Done(result)));
//!             }
//!             Effect::Complete(outcome) => outcomes.push((me, outcome)),
//!             _ => {}
//!         }
//!     }
//! }
//! for (me, outcome) in outcomes {
//!     let share = nodes[me.position()].1.share().expect("it could be decrypted");
//!     assert_eq!(share.public_key(), outcome.transcript.keys.shares[me.position()]);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
