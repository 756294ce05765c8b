//! What members of a key generation tell each other.
//!
//! Every message is a broadcast: its sender appends it to its outbox, from which all peers read. So a message names no
//! receiver, and its sender is whose outbox it was read from.

use quorate_types::{
    CodecError, DealingHash, Decode, Encode, IdentitySignature, Reader, Signature, TranscriptHash,
    ValidatorIndex, encode_list,
};

use crate::agreement;
use crate::dealing::{DealingFault, SignedDealing};
use crate::member_set::{MEMBERS_MAX, MemberSet, NoSuchMember};

/// A message of a key generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The sender's dealing, once.
    Dealing(SignedDealing),
    /// The sender holds this dealing, found it valid and will keep it; once for each dealer.
    Echo {
        /// Whose dealing.
        dealer: ValidatorIndex,
        /// The dealing.
        hash: DealingHash,
        /// The dealer's, as in [`SignedDealing::signature`]: two echoes of different dealings convict the dealer.
        signature: IdentitySignature,
    },
    /// The sender knows that no other dealing of this dealer can be delivered; once for each dealer.
    Ready {
        /// Whose dealing.
        dealer: ValidatorIndex,
        /// The dealing.
        hash: DealingHash,
    },
    /// The sender's proposal, once: dealers whose dealings it holds and knows that everybody will hold.
    Proposal {
        /// The dealers, at least n - f.
        set: MemberSet,
    },
    /// The sender holds all dealings of this proposal; once for each proposer.
    ProposalEcho {
        /// Who proposed.
        proposer: ValidatorIndex,
        /// What.
        set: MemberSet,
    },
    /// The sender knows that no other proposal of this proposer can be delivered; once for each proposer.
    ProposalReady {
        /// Who proposed.
        proposer: ValidatorIndex,
        /// What.
        set: MemberSet,
    },
    /// About whether a proposal is accepted.
    Agreement {
        /// Whose proposal.
        proposer: ValidatorIndex,
        /// The message.
        message: agreement::Message,
    },
    /// The sender's share of an agreement's coin, once for each round from 2.
    CoinShare {
        /// Whose proposal the agreement is about.
        proposer: ValidatorIndex,
        /// The round.
        round: u32,
        /// The share.
        share: Signature,
    },
    /// The sender holds its share of the new key, and signed the transcript with it; once.
    CompletionShare {
        /// The transcript.
        transcript: TranscriptHash,
        /// The share of its certificate.
        share: Signature,
    },
    /// The result, which proves itself; once, as the sender's last message.
    Complete {
        /// The dealers that made the key, at least n - f.
        set: MemberSet,
        /// Their dealings, ascending by dealer.
        hashes: Vec<DealingHash>,
        /// The transcript's certificate.
        certificate: Signature,
    },
}

/// Why a message is refused. But for [`MessageError::Position`] no honest member sends such a message; its sender is
/// not listened to from then on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Messages of an outbox are to be handed in one after another.
    #[error("position {found} comes, {expected} is next")]
    Position {
        /// The next position.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The outbox is longer than an honest member's can get.
    #[error("an outbox has at most {limit} messages")]
    OutboxFull {
        /// The limit.
        limit: u64,
    },
    /// The sender, the dealer or the proposer is no member, or the sender is the receiver.
    #[error("no peer {0}")]
    UnknownMember(ValidatorIndex),
    /// A set names somebody who is no member.
    #[error(transparent)]
    Set(#[from] NoSuchMember),
    /// A proposal or a result has too few dealers.
    #[error("{found} dealers, {needed} needed")]
    TooFewDealers {
        /// How many there are.
        found: usize,
        /// n - f.
        needed: usize,
    },
    /// A result does not have one dealing for each of its dealers.
    #[error("{hashes} dealings of {dealers} dealers")]
    Count {
        /// How many hashes there are.
        hashes: usize,
        /// How many dealers there are.
        dealers: usize,
    },
    /// The sender sent a dealing of somebody else as its own.
    #[error("the dealing of {0}, sent by somebody else")]
    NotTheDealer(ValidatorIndex),
    /// A dealing is invalid, or its dealer did not sign it.
    #[error(transparent)]
    Dealing(#[from] DealingFault),
    /// The sender answered a request with another dealing.
    #[error("another dealing than the one asked for")]
    WrongDealing,
    /// The sender sent this message, or one that excludes it, before.
    #[error("sent before, or excluded by what was sent before")]
    Repeated,
    /// A message of a binary agreement is refused.
    #[error(transparent)]
    Agreement(#[from] agreement::AgreementError),
    /// There is no coin in this round.
    #[error("no coin in round {0}")]
    CoinRound(u32),
    /// A share of a coin does not verify.
    #[error("bad share of the coin of round {round} on the proposal of {proposer}")]
    CoinShare {
        /// Whose proposal.
        proposer: ValidatorIndex,
        /// The round.
        round: u32,
    },
    /// A share of the certificate does not verify, or is about another transcript.
    #[error("bad share of the certificate")]
    CompletionShare,
    /// The result's certificate does not verify.
    #[error("the result proves nothing")]
    Complete,
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Dealing(dealing) => {
                0u8.encode(out);
                dealing.encode(out);
            }
            Self::Echo {
                dealer,
                hash,
                signature,
            } => {
                1u8.encode(out);
                dealer.encode(out);
                hash.encode(out);
                signature.encode(out);
            }
            Self::Ready { dealer, hash } => {
                2u8.encode(out);
                dealer.encode(out);
                hash.encode(out);
            }
            Self::Proposal { set } => {
                3u8.encode(out);
                set.encode(out);
            }
            Self::ProposalEcho { proposer, set } => {
                4u8.encode(out);
                proposer.encode(out);
                set.encode(out);
            }
            Self::ProposalReady { proposer, set } => {
                5u8.encode(out);
                proposer.encode(out);
                set.encode(out);
            }
            Self::Agreement { proposer, message } => {
                6u8.encode(out);
                proposer.encode(out);
                message.encode(out);
            }
            Self::CoinShare {
                proposer,
                round,
                share,
            } => {
                7u8.encode(out);
                proposer.encode(out);
                round.encode(out);
                share.encode(out);
            }
            Self::CompletionShare { transcript, share } => {
                8u8.encode(out);
                transcript.encode(out);
                share.encode(out);
            }
            Self::Complete {
                set,
                hashes,
                certificate,
            } => {
                9u8.encode(out);
                set.encode(out);
                encode_list(hashes, out);
                certificate.encode(out);
            }
        }
    }
}

impl Decode for Message {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(match u8::decode(reader)? {
            0 => Self::Dealing(Decode::decode(reader)?),
            1 => Self::Echo {
                dealer: Decode::decode(reader)?,
                hash: Decode::decode(reader)?,
                signature: Decode::decode(reader)?,
            },
            2 => Self::Ready {
                dealer: Decode::decode(reader)?,
                hash: Decode::decode(reader)?,
            },
            3 => Self::Proposal {
                set: Decode::decode(reader)?,
            },
            4 => Self::ProposalEcho {
                proposer: Decode::decode(reader)?,
                set: Decode::decode(reader)?,
            },
            5 => Self::ProposalReady {
                proposer: Decode::decode(reader)?,
                set: Decode::decode(reader)?,
            },
            6 => Self::Agreement {
                proposer: Decode::decode(reader)?,
                message: Decode::decode(reader)?,
            },
            7 => Self::CoinShare {
                proposer: Decode::decode(reader)?,
                round: Decode::decode(reader)?,
                share: Decode::decode(reader)?,
            },
            8 => Self::CompletionShare {
                transcript: Decode::decode(reader)?,
                share: Decode::decode(reader)?,
            },
            9 => Self::Complete {
                set: Decode::decode(reader)?,
                hashes: reader.list("dealings of a result", u32::from(MEMBERS_MAX))?,
                certificate: Decode::decode(reader)?,
            },
            found => {
                let value = "ceremony message";
                return Err(CodecError::Variant { value, found });
            }
        })
    }
}
