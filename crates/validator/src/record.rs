//! What the log holds: everything that binds a validator, and what it needs to come back to where it was.

use bytes::Bytes;
use quorate_consensus::VerifiedBlock;
use quorate_types::{
    Block, CodecError, Decode, Encode, HeaderHash, Height, Reader, Round, Signature,
};

const BLOCK: u8 = 1;
const COIN: u8 = 2;
const VOTE: u8 = 3;
const LOST: u8 = 4;
const PROPOSED_PAST: u8 = 5;
const DOUBTFUL: u8 = 6;

/// A record to append to the log.
#[derive(Clone, Debug)]
pub enum Record {
    /// A block accepted into the DAG, own or received. An own block binds: no other may be sent for its round.
    Block(VerifiedBlock),
    /// A coin that became known, so that recovery needs no pairing.
    Coin {
        /// The coin's round.
        round: Round,
        /// The combined signature.
        signature: Signature,
    },
    /// The header this validator is about to sign. Binds: no other header may be signed for the height.
    Vote {
        /// The height.
        height: Height,
        /// The header's hash.
        header_hash: HeaderHash,
    },
    /// Own blocks may have left that this log does not have: nothing is proposed until a bound is known.
    Lost,
    /// The bound: no block may be proposed at this round or below, whatever the log has.
    ProposedPast {
        /// The round.
        round: Round,
    },
    /// Of a loss that is mended: own blocks up to this round may be missing from the log for ever, and may carry what older
    /// ones carry. A bound that ends a loss says so too.
    Doubtful {
        /// The round.
        round: Round,
    },
}

impl Record {
    /// The record's kind in the log.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Block(_) => BLOCK,
            Self::Coin { .. } => COIN,
            Self::Vote { .. } => VOTE,
            Self::Lost => LOST,
            Self::ProposedPast { .. } => PROPOSED_PAST,
            Self::Doubtful { .. } => DOUBTFUL,
        }
    }

    /// The record's bytes in the log. A block's are shared, not copied.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        match self {
            Self::Block(block) => block.bytes().clone(),
            Self::Coin { round, signature } => {
                let mut bytes = round.to_bytes();
                signature.encode(&mut bytes);
                bytes.into()
            }
            Self::Vote {
                height,
                header_hash,
            } => {
                let mut bytes = height.to_bytes();
                header_hash.encode(&mut bytes);
                bytes.into()
            }
            Self::Lost => Bytes::new(),
            Self::ProposedPast { round } | Self::Doubtful { round } => round.to_bytes().into(),
        }
    }
}

/// A record read back from the log.
#[derive(Clone, Debug)]
pub enum Logged {
    /// See [`Record::Block`].
    Block(Box<Block>),
    /// See [`Record::Coin`].
    Coin {
        /// The coin's round.
        round: Round,
        /// The combined signature.
        signature: Signature,
    },
    /// See [`Record::Vote`].
    Vote {
        /// The height.
        height: Height,
        /// The header's hash.
        header_hash: HeaderHash,
    },
    /// See [`Record::Lost`].
    Lost,
    /// See [`Record::ProposedPast`].
    ProposedPast {
        /// The round.
        round: Round,
    },
    /// See [`Record::Doubtful`].
    Doubtful {
        /// The round.
        round: Round,
    },
}

/// Why a record of the log cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoggedError {
    /// Written by a newer program, or not by this one.
    #[error("log record of unknown kind {kind}")]
    Kind {
        /// The kind found.
        kind: u8,
    },
    /// The bytes are no canonical record.
    #[error("log record of kind {kind}: {error}")]
    Codec {
        /// The record's kind.
        kind: u8,
        /// What is wrong.
        error: CodecError,
    },
}

impl Logged {
    /// Reads a record back.
    ///
    /// # Errors
    /// [`LoggedError`].
    pub fn decode(kind: u8, bytes: Bytes) -> Result<Self, LoggedError> {
        let codec = |error| LoggedError::Codec { kind, error };
        match kind {
            BLOCK => Ok(Self::Block(Box::new(Block::decode(bytes).map_err(codec)?))),
            COIN => {
                let (round, signature) = pair(&bytes).map_err(codec)?;
                Ok(Self::Coin { round, signature })
            }
            VOTE => {
                let (height, header_hash) = pair(&bytes).map_err(codec)?;
                Ok(Self::Vote {
                    height,
                    header_hash,
                })
            }
            LOST => {
                Reader::new(&bytes).finish().map_err(codec)?;
                Ok(Self::Lost)
            }
            PROPOSED_PAST => {
                let round = Round::from_bytes(&bytes).map_err(codec)?;
                Ok(Self::ProposedPast { round })
            }
            DOUBTFUL => {
                let round = Round::from_bytes(&bytes).map_err(codec)?;
                Ok(Self::Doubtful { round })
            }
            kind => Err(LoggedError::Kind { kind }),
        }
    }

    /// The round of a block, from a record that is not decoded otherwise; `None` for other records, and for what does not
    /// begin as a block does.
    #[must_use]
    pub fn block_round(kind: u8, bytes: &[u8]) -> Option<Round> {
        (kind == BLOCK)
            .then(|| Block::encoded_round(bytes).ok())
            .flatten()
    }

    /// The round of a block or coin; records below the checkpoint's garbage-collection round are not needed again.
    #[must_use]
    pub const fn round(&self) -> Option<Round> {
        match self {
            Self::Block(block) => Some(block.round()),
            Self::Coin { round, .. } => Some(*round),
            Self::Vote { .. } | Self::Lost | Self::ProposedPast { .. } | Self::Doubtful { .. } => {
                None
            }
        }
    }
}

fn pair<A: Decode, B: Decode>(bytes: &[u8]) -> Result<(A, B), CodecError> {
    let mut reader = Reader::new(bytes);
    let pair = (A::decode(&mut reader)?, B::decode(&mut reader)?);
    reader.finish()?;
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_records_survive_the_log_and_bad_ones_do_not() {
        let coin = Record::Coin {
            round: Round(7),
            signature: Signature([5; 48]),
        };
        let vote = Record::Vote {
            height: Height(9),
            header_hash: HeaderHash([6; 32]),
        };
        assert!(matches!(
            Logged::decode(coin.kind(), coin.payload()),
            Ok(Logged::Coin { round: Round(7), signature }) if signature == Signature([5; 48])
        ));
        assert!(matches!(
            Logged::decode(vote.kind(), vote.payload()),
            Ok(Logged::Vote { height: Height(9), header_hash }) if header_hash == HeaderHash([6; 32])
        ));
        assert!(matches!(
            Logged::decode(77, coin.payload()),
            Err(LoggedError::Kind { kind: 77 })
        ));
        let past = Record::ProposedPast { round: Round(11) };
        assert!(matches!(
            Logged::decode(past.kind(), past.payload()),
            Ok(Logged::ProposedPast { round: Round(11) })
        ));
        assert!(matches!(
            Logged::decode(Record::Lost.kind(), Record::Lost.payload()),
            Ok(Logged::Lost)
        ));
        let doubtful = Record::Doubtful { round: Round(12) };
        assert!(matches!(
            Logged::decode(doubtful.kind(), doubtful.payload()),
            Ok(Logged::Doubtful { round: Round(12) })
        ));
        for kind in [BLOCK, COIN, VOTE, LOST, PROPOSED_PAST, DOUBTFUL] {
            let short = Logged::decode(kind, Bytes::from_static(&[1, 0, 3]));
            assert!(
                matches!(short, Err(LoggedError::Codec { .. })),
                "kind {kind}"
            );
        }
        let mut long = vote.payload().to_vec();
        long.push(0);
        assert!(Logged::decode(VOTE, long.into()).is_err());
    }
}
