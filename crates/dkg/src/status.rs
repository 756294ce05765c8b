//! How far a key generation is, and what it waits for: for people.

use std::fmt;

use quorate_types::ValidatorIndex;

use crate::engine::Role;
use crate::io::JobFailure;
use crate::member_set::MemberSet;
use crate::message::MessageError;

/// How far a member is in a key generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How it takes part.
    pub role: Role,
    /// What it is at.
    pub phase: Phase,
    /// Dealers whose dealing was received and found valid.
    pub dealings_valid: MemberSet,
    /// Dealers whose dealing is delivered, and here.
    pub dealings_delivered: MemberSet,
    /// Members whose proposal is delivered.
    pub proposals_delivered: MemberSet,
    /// Members whose proposal was accepted.
    pub proposals_accepted: MemberSet,
    /// Members whose proposal was rejected.
    pub proposals_rejected: MemberSet,
    /// The highest round of any agreement, from 0.
    pub round_max: Option<u32>,
    /// Members whose share of the certificate is here.
    pub completion_shares: MemberSet,
    /// How many messages this member said.
    pub outbox: u64,
    /// Peers that lied, and how.
    pub refused: Vec<(ValidatorIndex, MessageError)>,
    /// Peers that claim to have read more than this member said.
    pub doubted_by: MemberSet,
    /// Jobs that could not be done here.
    pub failures: Vec<JobFailure>,
}

/// What a member is at in a key generation. Phases overlap; this is the first that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The log is being read back.
    Recovering,
    /// Dealings arrive.
    Dealing,
    /// Proposals arrive.
    Proposing,
    /// Binary agreements run.
    Agreeing,
    /// The certificate is being made.
    Completing,
    /// The result is here.
    Complete,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recovering => "recovering",
            Self::Dealing => "dealing",
            Self::Proposing => "proposing",
            Self::Agreeing => "agreeing",
            Self::Completing => "completing",
            Self::Complete => "complete",
        })
    }
}

/// Something that a member waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What.
    pub what: Awaited,
    /// Who would have to do something, ascending. Empty if that is this member itself.
    pub on: Vec<ValidatorIndex>,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The log's end.
    Recovery,
    /// A dealing, from its dealer.
    Dealing {
        /// Who deals.
        dealer: ValidatorIndex,
    },
    /// The verdict on a dealing that was received.
    Validation {
        /// Whose dealing.
        dealer: ValidatorIndex,
    },
    /// Echoes for a dealing.
    DealingEchoes {
        /// Whose dealing.
        dealer: ValidatorIndex,
        /// How many there are.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// Readies for a dealing.
    DealingReadies {
        /// Whose dealing.
        dealer: ValidatorIndex,
        /// How many there are.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// A delivered dealing's bytes, from those who have it.
    Body {
        /// Whose dealing.
        dealer: ValidatorIndex,
        /// Who is asked now.
        asked: Option<ValidatorIndex>,
    },
    /// A proposal, from its proposer.
    Proposal {
        /// Who proposes.
        proposer: ValidatorIndex,
    },
    /// The dealings of a proposal; see what is waited for about each.
    ProposalDealings {
        /// Whose proposal.
        proposer: ValidatorIndex,
    },
    /// Echoes for a proposal.
    ProposalEchoes {
        /// Whose proposal.
        proposer: ValidatorIndex,
        /// How many there are.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// Readies for a proposal.
    ProposalReadies {
        /// Whose proposal.
        proposer: ValidatorIndex,
        /// How many there are.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// A phase of an agreement's round.
    AgreementEchoes {
        /// Whose proposal.
        proposer: ValidatorIndex,
        /// The round.
        round: u32,
        /// Which echo, 1 to 3.
        phase: u8,
        /// How many members sent one.
        have: usize,
        /// How many it takes at least.
        need: usize,
    },
    /// Shares of an agreement's coin.
    CoinShares {
        /// Whose proposal.
        proposer: ValidatorIndex,
        /// The round.
        round: u32,
        /// How many there are.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// Shares of the certificate.
    CompletionShares {
        /// How many there are.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// The result, from anybody: this member takes no part.
    Result,
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovery => write!(f, "the log is being read back"),
            Self::Dealing { dealer } => write!(f, "dealing of member {dealer} not received"),
            Self::Validation { dealer } => {
                write!(f, "dealing of member {dealer} is being validated")
            }
            Self::DealingEchoes { dealer, have, need } => {
                write!(f, "echoes for dealing {dealer}: have {have} of {need}")
            }
            Self::DealingReadies { dealer, have, need } => {
                write!(f, "readies for dealing {dealer}: have {have} of {need}")
            }
            Self::Body { dealer, asked } => {
                write!(f, "dealing of member {dealer} is agreed on, but not here")?;
                match asked {
                    Some(peer) => write!(f, "; asking member {peer}"),
                    None => Ok(()),
                }
            }
            Self::Proposal { proposer } => {
                write!(f, "proposal of member {proposer} not received")
            }
            Self::ProposalDealings { proposer } => {
                write!(f, "dealings of proposal {proposer} not delivered")
            }
            Self::ProposalEchoes {
                proposer,
                have,
                need,
            } => write!(f, "echoes for proposal {proposer}: have {have} of {need}"),
            Self::ProposalReadies {
                proposer,
                have,
                need,
            } => write!(f, "readies for proposal {proposer}: have {have} of {need}"),
            Self::AgreementEchoes {
                proposer,
                round,
                phase,
                have,
                need,
            } => {
                let which = match phase {
                    1 => "first",
                    2 => "second",
                    _ => "third",
                };
                write!(
                    f,
                    "agreement on proposal {proposer} round {round}: {which} echoes: have {have} of {need}"
                )
            }
            Self::CoinShares {
                proposer,
                round,
                have,
                need,
            } => write!(
                f,
                "agreement on proposal {proposer} round {round}: coin shares: have {have} of {need}"
            ),
            Self::CompletionShares { have, need } => {
                write!(f, "completion shares: have {have} of {need}")
            }
            Self::Result => write!(f, "the result, as this member takes no part"),
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)?;
        for (number, member) in self.on.iter().enumerate() {
            let before = match number {
                0 if self.on.len() == 1 => "; missing member",
                0 => "; missing members",
                _ => ",",
            };
            write!(f, "{before} {member}")?;
        }
        Ok(())
    }
}
