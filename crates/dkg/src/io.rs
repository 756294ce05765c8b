//! What goes into the engine and what comes out of it.

use quorate_types::{
    CodecError, DealingHash, Decode, Encode, Reader, Signature, TranscriptHash, ValidatorIndex,
};

use crate::dealing::{DealFault, DealingFault, SignedDealing};
use crate::evidence::DealerEvidence;
use crate::keys::Keys;
use crate::member_set::MemberSet;
use crate::message::{Message, MessageError};
use crate::transcript::Transcript;

/// One entry of a member's log.
///
/// The driver appends entries in the order in which they come out, and shows an outgoing message to peers only once
/// it is durable. The i-th [`Record::Outgoing`] of the log, from 0, is position i of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A message to everybody.
    Outgoing(Message),
    /// Another dealer's dealing, which was found valid: to be served to peers from then on.
    Body(SignedDealing),
}

/// Everything the engine reacts to.
#[derive(Clone, Debug)]
pub enum Input {
    /// An entry of the own log, read back: all of them, in order, before [`Input::Start`].
    Recovered(Record),
    /// Begin. If the log is empty, it is wise to hand in the claims of n - f - 1 peers before: a member that lost its
    /// log and starts anew would deal a second time, which convicts it.
    Start,
    /// A message from a peer's outbox. Positions are consecutive from 0, after a restart too; see
    /// [`Engine::next_position`](crate::Engine::next_position).
    Received {
        /// Whose outbox.
        from: ValidatorIndex,
        /// Where in it.
        position: u64,
        /// The message.
        message: Message,
    },
    /// The answer to [`Effect::Fetch`].
    Fetched {
        /// Who was asked.
        from: ValidatorIndex,
        /// Whose dealing.
        dealer: ValidatorIndex,
        /// Which.
        hash: DealingHash,
        /// The dealing; `None` if the peer did not have it or did not answer in the time that the driver gives it.
        dealing: Option<SignedDealing>,
    },
    /// What a [`Job`] came to.
    Done(JobResult),
    /// A peer said how many messages of this member's outbox it has read.
    PeerClaims {
        /// Who.
        from: ValidatorIndex,
        /// How many.
        held: u64,
    },
}

/// Everything the engine asks of its driver, in the order in which it is to be done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Append to the log.
    Persist(Record),
    /// Ask a peer for a dealing, and answer with [`Input::Fetched`] in any case. On `None` the engine asks the next
    /// peer at once, and begins anew after the last: pacing is the driver's. An answer that comes after the driver gave
    /// it up is welcome.
    Fetch {
        /// Whom to ask.
        from: ValidatorIndex,
        /// Whose dealing.
        dealer: ValidatorIndex,
        /// Which.
        hash: DealingHash,
    },
    /// Do this, see [`KeyHolder::perform`](crate::KeyHolder::perform), and answer with [`Input::Done`].
    Compute(Job),
    /// A peer lied: disconnect it. After [`MessageError::Position`] it may come again, from the right position; after
    /// all others the engine takes nothing from it any more.
    Refused {
        /// Who.
        from: ValidatorIndex,
        /// How.
        error: MessageError,
    },
    /// A dealer is convicted. Once for each dealer and kind, and again after a restart.
    Evidence(DealerEvidence),
    /// This member's log is older than what its peers have read of it. It says nothing more in this ceremony, as it
    /// might contradict itself, and waits for the result; its own share comes out of that.
    Amnesia,
    /// The ceremony is over. Once, and again after a restart. The outbox and the dealings are still to be served.
    Complete(Box<Outcome>),
}

/// The result of a ceremony.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What everybody can check.
    pub transcript: Transcript,
    /// Its hash.
    pub hash: TranscriptHash,
}

/// A dealing by name: dealer and hash.
pub type DealingName = (ValidatorIndex, DealingHash);

/// Work that is expensive or needs a secret. Dealings named in a job were validated by an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Make the own dealing.
    Deal,
    /// Validate a dealing, keep it, and decrypt the own shares.
    Validate(SignedDealing),
    /// Sign a coin with the shares from these dealings.
    SignCoin(CoinJob),
    /// Combine these shares of a coin.
    CombineCoin {
        /// Which coin.
        coin: CoinJob,
        /// More than f, ascending by member, not verified.
        shares: Vec<(ValidatorIndex, Signature)>,
    },
    /// Add up the keys and the own share, and sign the transcript.
    SignCompletion {
        /// All accepted dealings, ascending by dealer.
        dealings: Vec<DealingName>,
    },
    /// Combine these shares of the certificate.
    CombineCompletion {
        /// All accepted dealings, ascending by dealer.
        dealings: Vec<DealingName>,
        /// At least the quorum, ascending by member, not verified.
        shares: Vec<(ValidatorIndex, Signature)>,
    },
    /// Check a result that somebody claims.
    CheckComplete {
        /// Its dealings, ascending by dealer.
        dealings: Vec<DealingName>,
        /// Its certificate.
        certificate: Signature,
    },
}

/// Which coin: of a round of the agreement on a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoinJob {
    /// Who proposed.
    pub proposer: ValidatorIndex,
    /// What it proposed.
    pub set: MemberSet,
    /// The proposed dealings, ascending by dealer.
    pub dealings: Vec<DealingName>,
    /// The round.
    pub round: u32,
}

/// What a [`Job`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// Of [`Job::Deal`].
    Dealt(SignedDealing),
    /// Of [`Job::Validate`].
    Validated {
        /// The dealing.
        dealing: DealingName,
        /// The same at every member.
        verdict: Result<(), DealingFault>,
        /// What its decryption showed, if the dealer cheated this member.
        evidence: Vec<DealerEvidence>,
    },
    /// Of [`Job::SignCoin`].
    CoinSigned {
        /// Who proposed.
        proposer: ValidatorIndex,
        /// The round.
        round: u32,
        /// The share.
        share: Signature,
    },
    /// Of [`Job::CombineCoin`].
    CoinCombined {
        /// Who proposed.
        proposer: ValidatorIndex,
        /// The round.
        round: u32,
        /// The coin; `None` if too few shares were good.
        coin: Option<bool>,
        /// Whose shares are bad.
        bad: Vec<ValidatorIndex>,
    },
    /// Of [`Job::SignCompletion`].
    CompletionSigned {
        /// The transcript.
        transcript: TranscriptHash,
        /// The new keys.
        keys: Keys,
        /// The own share of the certificate.
        share: Signature,
    },
    /// Of [`Job::CombineCompletion`].
    CompletionCombined {
        /// The certificate; `None` if too few shares were good.
        certificate: Option<Signature>,
        /// Whose shares are bad.
        bad: Vec<ValidatorIndex>,
    },
    /// Of [`Job::CheckComplete`].
    CompleteChecked {
        /// As in the job.
        dealings: Vec<DealingName>,
        /// As in the job.
        certificate: Signature,
        /// The keys, if the result is right.
        keys: Option<Keys>,
    },
    /// The job could not be done, through no fault of peers. The engine goes on without what was asked for.
    Failed(JobFailure),
}

/// Why a job could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobFailure {
    /// The own dealing could not be made.
    #[error("the own dealing: {0}")]
    Deal(#[from] DealFault),
    /// A valid dealing could not be decrypted, or its shares are not what it commits to. Either its proofs were
    /// forged, or the encryption key, the program or the machine is not what it should be: nothing that depends on it
    /// is signed. Keep the log.
    #[error("the dealing of {dealer} is valid, but decrypts to nothing usable")]
    Decrypt {
        /// Whose dealing.
        dealer: ValidatorIndex,
    },
    /// A job names a dealing that was not validated: the driver lost a job, or mixed up ceremonies.
    #[error("the dealing of {dealer} was never validated here")]
    UnknownDealing {
        /// Whose dealing.
        dealer: ValidatorIndex,
    },
    /// Valid dealings add up to no usable key. Negligible, unless proofs are forged.
    #[error("the dealings add up to no usable key")]
    Keys,
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Outgoing(message) => {
                0u8.encode(out);
                message.encode(out);
            }
            Self::Body(dealing) => {
                1u8.encode(out);
                dealing.encode(out);
            }
        }
    }
}

impl Decode for Record {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match u8::decode(reader)? {
            0 => Self::Outgoing(Decode::decode(reader)?),
            1 => Self::Body(Decode::decode(reader)?),
            found => {
                let value = "ceremony record";
                return Err(CodecError::Variant { value, found });
            }
        })
    }
}
