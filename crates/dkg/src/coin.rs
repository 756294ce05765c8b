//! The coin of one round of one binary agreement.
//!
//! It is the lowest bit of a hash of a threshold signature under the low-lane keys of the proposal's own dealings, at
//! threshold f + 1 (Das, Yurek, Xiang, Miller, Kokoris-Kogias and Ren, "Practical Asynchronous Distributed Key
//! Generation", S&P 2022): nobody knows it before an honest member reveals its share, which it does only once the round's
//! output is bound.

use std::collections::BTreeMap;

use quorate_types::{Blake3, CeremonyId, DomainTag, Encode, Signature, ValidatorIndex};

use crate::member_set::MemberSet;
use crate::message::MessageError;

/// The shares of one coin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coin {
    shares: BTreeMap<ValidatorIndex, Signature>,
    /// The round has an output, so the own share may be revealed.
    pub(crate) wanted: bool,
    /// The own share is being made.
    pub(crate) signing: bool,
    /// A combination is being made.
    pub(crate) combining: bool,
    /// The agreement has it.
    pub(crate) known: bool,
}

impl Coin {
    /// Takes a share; a member sends one.
    pub(crate) fn add(
        &mut self,
        from: ValidatorIndex,
        share: Signature,
    ) -> Result<(), MessageError> {
        if self.shares.contains_key(&from) {
            return Err(MessageError::Repeated);
        }
        self.shares.insert(from, share);
        Ok(())
    }

    /// Drops the shares of a liar. It can send no others.
    pub(crate) fn drop_share(&mut self, of: ValidatorIndex) {
        self.shares.remove(&of);
    }

    /// Whose shares there are.
    pub(crate) fn have(&self) -> MemberSet {
        self.shares.keys().copied().collect()
    }

    /// The shares to combine, if there are `least` and nothing is under way.
    pub(crate) fn due(&self, least: usize) -> Option<Vec<(ValidatorIndex, Signature)>> {
        let due = self.wanted && !self.combining && !self.known && self.shares.len() >= least;
        due.then(|| {
            self.shares
                .iter()
                .map(|(from, share)| (*from, *share))
                .collect()
        })
    }
}

/// What members sign: tag, ceremony, proposer, its proposal, round.
pub(crate) fn message(
    ceremony: &CeremonyId,
    proposer: ValidatorIndex,
    set: MemberSet,
    round: u32,
) -> Vec<u8> {
    let mut message = DomainTag::CeremonyCoin.bytes().to_vec();
    ceremony.encode(&mut message);
    proposer.encode(&mut message);
    set.encode(&mut message);
    round.encode(&mut message);
    message
}

/// The coin that a signature stands for.
pub(crate) fn bit(signature: &Signature) -> bool {
    let hash = Blake3::new(DomainTag::CeremonyCoinBit)
        .chain(signature.0)
        .finish();
    hash[0] & 1 == 1
}
