//! The public keys that dealings add up to.

use std::collections::BTreeMap;

use quorate_crypto::bls::{G2, Scalar, ShareIndex, lagrange_at_zero};
use quorate_crypto::pvss::Dealing;
use quorate_crypto::{KeysError, ThresholdPublic};
use quorate_types::limits::COMMITTEE_MAX;
use quorate_types::{
    CodecError, Decode, Encode, Reader, ThresholdKey, ValidatorIndex, encode_list,
};

use crate::ceremony::Ceremony;

/// A group key and its members' share keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// What signatures verify under.
    pub group: ThresholdKey,
    /// Every member's share key, in order of index.
    pub shares: Vec<ThresholdKey>,
}

impl Keys {
    /// Adds up one lane of the dealings of distinct dealers: as they are for a fresh key, weighted by the dealers'
    /// Lagrange coefficients in a resharing, which interpolates the previous key. The order does not matter; a dealer
    /// that comes twice counts once.
    ///
    /// With no dealings, all keys are the identity, which nothing accepts as a key.
    ///
    /// # Panics
    /// If the dealings have no such lane, or are for fewer members than the ceremony.
    #[must_use]
    pub fn of<'a>(
        ceremony: &Ceremony,
        lane: usize,
        dealings: impl Iterator<Item = (ValidatorIndex, &'a Dealing)>,
    ) -> Self {
        let dealings: BTreeMap<ValidatorIndex, &Dealing> = dealings.collect();
        let weights = ceremony.is_reshare().then(|| weights(dealings.keys()));
        let key = |k: u16| {
            let points = dealings.values().map(|dealing| dealing.commitment(lane, k));
            let sum = match &weights {
                None => G2::sum(points),
                Some(weights) => G2::multi_scalar(&points.copied().collect::<Vec<_>>(), weights),
            };
            ThresholdKey(sum.to_bytes())
        };
        Self {
            group: key(0),
            shares: (1..=ceremony.size()).map(key).collect(),
        }
    }

    /// Parses the keys and makes sure that any `threshold` members sign for the group.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn parse(&self, threshold: u16) -> Result<ThresholdPublic, KeysError> {
        ThresholdPublic::parse(&self.group, &self.shares, usize::from(threshold))
    }
}

/// The Lagrange coefficients at zero of distinct dealers.
pub(crate) fn weights<'a>(dealers: impl Iterator<Item = &'a ValidatorIndex>) -> Vec<Scalar> {
    let points: Vec<ShareIndex> = dealers.map(|dealer| (*dealer).into()).collect();
    lagrange_at_zero(&points).expect("dealers are keys of a map, so they are distinct")
}

impl Encode for Keys {
    fn encode(&self, out: &mut Vec<u8>) {
        self.group.encode(out);
        encode_list(&self.shares, out);
    }
}

impl Decode for Keys {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            group: Decode::decode(reader)?,
            shares: reader.list("share keys", u32::from(COMMITTEE_MAX))?,
        })
    }
}
