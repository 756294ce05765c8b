//! Where a validator without history can join.

use quorate_consensus::leaders;
use quorate_crypto::{GroupKey, PointError as KeyError};
use quorate_types::{
    Certificate, Committee, Decode, Encode, Header, Height, Reader, Round, RuleParameters,
    Signature,
};

/// A certified height, and the coin that named its leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPoint {
    /// The certificate.
    pub certificate: Certificate,
    /// The coin of the round w-1 above the leader's.
    pub coin: Signature,
}

/// A [`SyncPoint`] that was verified: where agreement goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The certified header.
    pub header: Header,
    /// Its certificate's signature.
    pub signature: Signature,
    /// Round of the first slot after the leader's.
    pub slot_round: Round,
    /// Position of that slot among the slots of its round.
    pub slot_position: u16,
    /// Blocks below this round are forgotten: the leader's round less the depth of garbage collection.
    pub gc_round: Round,
}

/// What a validator knows for certain: the committee and the rule.
#[derive(Clone, Debug)]
pub struct Trust<K = GroupKey> {
    committee: Committee,
    rule: RuleParameters,
    key: K,
}

/// A group key, or what stands in for one in a simulation.
pub trait VerifiesGroup {
    /// Whether the committee signed a message.
    fn verifies(&self, message: &[u8], signature: &Signature) -> bool;
}

impl VerifiesGroup for GroupKey {
    fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        self.verify(message, signature).is_ok()
    }
}

/// Why a point, or a certificate, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// The header is another chain's, shard's or epoch's.
    #[error("the header belongs to another chain, shard or epoch")]
    Foreign,
    /// Height 0 is genesis: everybody has it, and nothing certifies it.
    #[error("the header is that of genesis")]
    Genesis,
    /// The certificate's signature is not the committee's.
    #[error("the certificate of height {height} does not verify")]
    Certificate {
        /// The height.
        height: Height,
    },
    /// The coin is not the committee's signature over its round.
    #[error("the coin of round {round} does not verify")]
    Coin {
        /// The round.
        round: Round,
    },
    /// The coin does not name the header's leader.
    #[error("the coin does not name the leader of height {height}")]
    Leader {
        /// The height.
        height: Height,
    },
}

impl Trust {
    /// Trust in a committee's group key.
    ///
    /// # Errors
    /// The key does not parse.
    pub fn new(committee: Committee, rule: RuleParameters) -> Result<Self, KeyError> {
        let key = GroupKey::parse(committee.group_key())?;
        Ok(Self::with_key(committee, rule, key))
    }

    /// The group key, prepared.
    pub(crate) const fn key(&self) -> &GroupKey {
        &self.key
    }
}

impl<K: VerifiesGroup> Trust<K> {
    /// Trust in the key that the caller says is the committee's.
    pub const fn with_key(committee: Committee, rule: RuleParameters, key: K) -> Self {
        Self {
            committee,
            rule,
            key,
        }
    }

    pub(crate) fn is_ours(&self, header: &Header) -> bool {
        let ours = &self.committee;
        (header.chain, header.shard, header.epoch) == (ours.chain(), ours.shard(), ours.epoch())
    }

    /// Checks a certificate alone.
    ///
    /// # Errors
    /// [`PointError`].
    pub fn certificate(&self, certificate: &Certificate) -> Result<(), PointError> {
        let header = &certificate.header;
        if !self.is_ours(header) {
            return Err(PointError::Foreign);
        }
        if header.height == Height(0) {
            return Err(PointError::Genesis);
        }
        let message = header.hash().signing_bytes();
        if !self.key.verifies(&message, &certificate.signature) {
            return Err(PointError::Certificate {
                height: header.height,
            });
        }
        Ok(())
    }

    /// Checks a point. What was committed there is final, and agreement goes on at the place returned.
    ///
    /// # Errors
    /// [`PointError`].
    pub fn point(&self, point: &SyncPoint) -> Result<Place, PointError> {
        self.certificate(&point.certificate)?;
        let header = point.certificate.header.clone();
        let round = header.leader_round.forward(u64::from(self.rule.wave) - 1);
        let message = self.committee.coin_message(round);
        if !self.key.verifies(&message, &point.coin) {
            return Err(PointError::Coin { round });
        }
        let order = leaders(&point.coin, self.committee.size(), self.rule.leaders);
        let leader = order
            .iter()
            .position(|author| *author == header.leader_author);
        let leader = leader.ok_or(PointError::Leader {
            height: header.height,
        })?;
        let (slot_round, slot_position) = if leader + 1 == order.len() {
            (header.leader_round.next(), 0)
        } else {
            let next = u16::try_from(leader + 1).expect("a committee is far smaller");
            (header.leader_round, next)
        };
        Ok(Place {
            gc_round: header.leader_round.back(self.rule.gc_depth),
            header,
            signature: point.certificate.signature,
            slot_round,
            slot_position,
        })
    }
}

impl Encode for SyncPoint {
    fn encode(&self, out: &mut Vec<u8>) {
        self.certificate.encode(out);
        self.coin.encode(out);
    }
}

impl Decode for SyncPoint {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, quorate_types::CodecError> {
        Ok(Self {
            certificate: Decode::decode(reader)?,
            coin: Decode::decode(reader)?,
        })
    }
}
