//! The tables of the chain, and what is in them.

use quorate_store::tables::{Batch, Table, Tables};
use quorate_types::{
    Certificate, CodecError, Decode, Encode, Header, Height, Outcome, Reader, Receipt, RejectCode,
    Signature,
};

use super::super::error::NodeError;

pub(crate) const PLACE: Table = Table("place");
pub(crate) const HEADERS: Table = Table("headers");
pub(crate) const CERTIFICATES: Table = Table("certificates");
pub(crate) const RECEIPTS: Table = Table("receipts");
pub(crate) const OUTCOMES: Table = Table("outcomes");
pub(crate) const STATE: Table = Table("state");

/// Key in [`PLACE`] of the last checkpoint of agreement.
pub(crate) const CHECKPOINT: &[u8] = b"checkpoint";
/// Key in [`PLACE`] of the position in the log from which a restart replays.
pub(crate) const REPLAY_FROM: &[u8] = b"replay_from";

/// Key in [`PLACE`] of the lowest height from which on all certificates are stored; absent while that is 1.
pub(crate) const LOWEST: &[u8] = b"lowest";
/// Key in [`PLACE`] of the lowest and the highest height of older certificates, below a gap that state sync left.
pub(crate) const BELOW: &[u8] = b"below";

/// Most receipts that one height's stored list is read back with: as many as its blocks may hold.
const RECEIPTS_MAX: u32 = u32::MAX;

/// Where a transaction stands, and what that says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) height: Height,
    pub(crate) index: u32,
    pub(crate) standing: Standing,
}

/// How much an outcome says. The same transaction may be ordered several times: too early and refused, then executed,
/// then refused again as a replay. What moved money counts; then a refusal for a reason of its own; a refusal that any
/// replay gets says least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    Replay,
    Rejected,
    Applied,
}

impl Standing {
    pub(crate) const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Applied { .. } => Self::Applied,
            Outcome::Rejected {
                code: RejectCode::BadSequence | RejectCode::AccountExists,
            } => Self::Replay,
            Outcome::Rejected { .. } => Self::Rejected,
        }
    }
}

impl Place {
    /// The place that counts: the later one, unless it says less.
    pub(crate) fn better(self, later: Self) -> Self {
        if later.standing >= self.standing {
            later
        } else {
            self
        }
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.height.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes.push(match self.standing {
            Standing::Replay => 0,
            Standing::Rejected => 1,
            Standing::Applied => 2,
        });
        bytes
    }

    pub(crate) fn from_bytes(stored: &[u8]) -> Option<Self> {
        let (height, rest) = stored.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        Some(Self {
            height: Height(u64::from_be_bytes(*height)),
            index: u32::from_be_bytes(*index),
            standing: match rest {
                [0] => Standing::Replay,
                [1] => Standing::Rejected,
                [2] => Standing::Applied,
                _ => return None,
            },
        })
    }
}

pub(crate) fn stored_header(tables: &Tables, height: Height) -> Result<Option<Header>, NodeError> {
    tables
        .get(HEADERS, &height.0.to_be_bytes())?
        .map(|bytes| Header::from_bytes(&bytes))
        .transpose()
        .map_err(NodeError::stored("header"))
}

pub(crate) fn stored_signature(
    tables: &Tables,
    height: Height,
) -> Result<Option<Signature>, NodeError> {
    tables
        .get(CERTIFICATES, &height.0.to_be_bytes())?
        .map(|bytes| Signature::from_bytes(&bytes))
        .transpose()
        .map_err(NodeError::stored("certificate"))
}

pub(crate) fn stored_certificate(
    tables: &Tables,
    height: Height,
) -> Result<Option<Certificate>, NodeError> {
    let header = stored_header(tables, height)?;
    let signature = stored_signature(tables, height)?;
    let both = header.zip(signature);
    Ok(both.map(|(header, signature)| Certificate { header, signature }))
}

pub(crate) fn put_certificate(batch: &mut Batch, certificate: &Certificate) {
    let key = certificate.header.height.0.to_be_bytes();
    batch.put(HEADERS, key, certificate.header.to_bytes());
    batch.put(CERTIFICATES, key, certificate.signature.0);
}

/// Notes that certificates below a gap are stored; nothing, if there are none.
pub(crate) fn put_below(batch: &mut Batch, lowest: Height, highest: Height) {
    if lowest <= highest {
        let mut range = lowest.to_bytes();
        highest.encode(&mut range);
        batch.put(PLACE, BELOW, range);
    }
}

pub(crate) fn stored_lowest(tables: &Tables) -> Result<Height, NodeError> {
    let stored = tables.get(PLACE, LOWEST)?;
    let lowest = stored.map(|bytes| Height::from_bytes(&bytes)).transpose();
    Ok(lowest
        .map_err(NodeError::stored("lowest height"))?
        .unwrap_or(Height(1)))
}

/// Lowest and highest height of the certificates below a gap.
pub(crate) fn stored_below(tables: &Tables) -> Result<Option<(Height, Height)>, NodeError> {
    let Some(bytes) = tables.get(PLACE, BELOW)? else {
        return Ok(None);
    };
    let mut reader = Reader::new(&bytes);
    let mut both = || {
        let range = (Height::decode(&mut reader)?, Height::decode(&mut reader)?);
        reader.finish()?;
        Ok(range)
    };
    both()
        .map(Some)
        .map_err(NodeError::stored("heights below a gap"))
}

/// The highest height up to `limit` such that it and all below have stored certificates. Certificates are stored in order
/// of height, so the first gap from above is the only one.
pub(crate) fn certified_prefix(tables: &Tables, limit: Height) -> Result<Height, NodeError> {
    let last = tables
        .last(CERTIFICATES)?
        .and_then(|(key, _)| key.try_into().ok());
    let last = last.map_or(0, u64::from_be_bytes);
    Ok(Height(last.min(limit.0)))
}

pub(crate) fn encode_receipts(receipts: &[Receipt]) -> Vec<u8> {
    let count = u32::try_from(receipts.len()).expect("a commit has far fewer transactions");
    let mut bytes = count.to_bytes();
    for receipt in receipts {
        receipt.encode(&mut bytes);
    }
    bytes
}

pub(crate) fn decode_receipts(bytes: &[u8]) -> Result<Vec<Receipt>, CodecError> {
    let mut reader = Reader::new(bytes);
    let receipts = reader.list("receipts", RECEIPTS_MAX)?;
    reader.finish()?;
    Ok(receipts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(height: u64, standing: Standing) -> Place {
        Place {
            height: Height(height),
            index: 3,
            standing,
        }
    }

    #[test]
    fn what_moved_money_counts_whenever_it_was_refused_besides() {
        let early = place(
            1,
            Standing::of(&Outcome::Rejected {
                code: RejectCode::BadSequence,
            }),
        );
        let applied = place(2, Standing::of(&Outcome::Applied { deltas: Vec::new() }));
        let replayed = place(
            3,
            Standing::of(&Outcome::Rejected {
                code: RejectCode::AccountExists,
            }),
        );
        assert_eq!(early.better(applied), applied);
        assert_eq!(applied.better(replayed), applied);
        let refused = place(
            2,
            Standing::of(&Outcome::Rejected {
                code: RejectCode::InsufficientFree,
            }),
        );
        assert_eq!(refused.better(replayed), refused);
        assert_eq!(early.better(refused), refused);
        assert_eq!(refused.better(applied), applied);
    }

    #[test]
    fn places_survive_the_tables() {
        for standing in [Standing::Replay, Standing::Rejected, Standing::Applied] {
            let place = place(7, standing);
            assert_eq!(Place::from_bytes(&place.to_bytes()), Some(place));
        }
        assert_eq!(
            Place::from_bytes(&[0; 13]).map(|place| place.height),
            Some(Height(0))
        );
        assert_eq!(Place::from_bytes(&[9; 13]), None);
        assert_eq!(Place::from_bytes(&[0; 12]), None);
    }
}
