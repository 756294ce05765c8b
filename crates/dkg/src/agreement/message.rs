//! What the members of one binary agreement tell each other.

use quorate_types::{CodecError, Decode, Encode, Reader};

/// The highest round. A ceremony that has not decided by then has met an event of probability 2^-64.
pub const ROUND_MAX: u32 = 128;

/// A message of one binary agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// The sender's estimate, or a value that more than f members sent.
    Echo1 {
        /// The round, from 0.
        round: u32,
        /// The value.
        value: bool,
    },
    /// The first value that the sender saw approved: sent by n - f members.
    Echo2 {
        /// The round, from 0.
        round: u32,
        /// The value.
        value: bool,
    },
    /// A value of which the sender holds n - f second echoes, or `None` if it saw both values approved before.
    Echo3 {
        /// The round, from 0.
        round: u32,
        /// The value, or none.
        value: Option<bool>,
    },
    /// The sender decided.
    Finish {
        /// What it decided.
        value: bool,
        /// The round whose coin decided, after which the sender enters no other; `None` if it took the word of more
        /// than f members, and goes on.
        round: Option<u32>,
    },
}

impl Message {
    /// The round it belongs to; for [`Message::Finish`], the one it names.
    #[must_use]
    pub const fn round(&self) -> Option<u32> {
        match self {
            Self::Echo1 { round, .. } | Self::Echo2 { round, .. } | Self::Echo3 { round, .. } => {
                Some(*round)
            }
            Self::Finish { round, .. } => *round,
        }
    }
}

/// One byte for kind and value, then the round (4), which a finish without one does not have.
impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        let kind: u8 = match self {
            Self::Echo1 { value, .. } => u8::from(*value),
            Self::Echo2 { value, .. } => 2 + u8::from(*value),
            Self::Echo3 { value, .. } => value.map_or(6, |value| 4 + u8::from(value)),
            Self::Finish { value, round } => {
                let base = if round.is_some() { 7 } else { 9 };
                base + u8::from(*value)
            }
        };
        kind.encode(out);
        if let Some(round) = self.round() {
            round.encode(out);
        }
    }
}

impl Decode for Message {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let kind = u8::decode(reader)?;
        if kind > 10 {
            let value = "agreement message";
            return Err(CodecError::Variant { value, found: kind });
        }
        if kind > 8 {
            let (value, round) = (kind == 10, None);
            return Ok(Self::Finish { value, round });
        }
        let round = u32::decode(reader)?;
        if round > ROUND_MAX {
            return Err(CodecError::TooMany {
                field: "agreement rounds",
                count: u64::from(round),
                limit: u64::from(ROUND_MAX),
            });
        }
        let value = matches!(kind, 1 | 3 | 5 | 8);
        Ok(match kind {
            0 | 1 => Self::Echo1 { round, value },
            2 | 3 => Self::Echo2 { round, value },
            4 | 5 => Self::Echo3 {
                round,
                value: Some(value),
            },
            6 => Self::Echo3 { round, value: None },
            _ => Self::Finish {
                value,
                round: Some(round),
            },
        })
    }
}

/// Why a message is refused. No honest member sends such a message, so each tells of a lying sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// The sender is no member, or is the receiver itself.
    #[error("the sender is no peer of this agreement")]
    Sender,
    /// The round is above [`ROUND_MAX`].
    #[error("round {0} is above the limit")]
    Round(u32),
    /// The sender sent this message, or one that excludes it, before.
    #[error("sent before, or excluded by what was sent before")]
    Repeated,
    /// The sender said that it enters no round after an earlier one.
    #[error("round {round} comes after the sender's last, {last}")]
    AfterFinish {
        /// The message's round.
        round: u32,
        /// The round that the sender called its last.
        last: u32,
    },
}
