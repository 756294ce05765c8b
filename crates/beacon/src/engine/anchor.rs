//! Shards' certificates in the beacon's log, and certificates that contradict each other.

use alloc::boxed::Box;
use alloc::vec::Vec;

use quorate_types::{Certificate, Height, ShardId};

use super::Beacon;
use super::effect::Effect;
use super::error::BeaconError;
use super::state::{Anchor, Ended, Shard, Term};
use super::verifier::Verifier;
#[cfg(test)]
use crate::tests::Mutation;

impl<V: Verifier> Beacon<V> {
    /// Anchors a certificate: from then on it is irrevocable, even if the shard is retired. A term's last certificate hands
    /// over to the next committee.
    pub(super) fn anchor(
        &mut self,
        certificate: &Certificate,
        effects: &mut Vec<Effect>,
    ) -> Result<(), BeaconError> {
        let header = &certificate.header;
        let shard = header.shard;
        self.require_chain(header.chain)?;
        let state = self.shard(shard)?;
        let frozen = state.frozen.is_some();
        #[cfg(test)]
        let frozen = frozen && !self.is_mutant(Mutation::AnchorFrozen);
        if frozen {
            return Err(BeaconError::Frozen { shard });
        }
        if state.forked {
            return Err(BeaconError::Forked { shard });
        }
        let key = state.term.key;
        if header.epoch != key.epoch {
            return Err(self.refuse_other_term(state, certificate));
        }
        self.require_above(state, certificate)?;
        self.require_certified(&state.term, certificate)?;
        let anchor = Anchor {
            height: header.height,
            hash: Some(header.hash()),
            epoch: self.state.record.epoch,
        };
        let Some(found) = header.successor() else {
            self.shard_mut(shard).anchor = anchor;
            return Ok(());
        };
        let next = state
            .successor
            .as_ref()
            .filter(|next| next.committee.hash() == found);
        let Some(next) = next else {
            return Err(BeaconError::OtherSuccessor { shard, found });
        };
        let term = Term::new(next.committee.clone(), header.height.next());
        effects.push(Effect::HandedOver {
            shard,
            last: header.height,
            key: Box::new(term.key),
        });
        let ended = Ended {
            term: state.term.clone(),
            last: header.height,
            header: anchor.hash,
            forked: false,
        };
        let state = self.shard_mut(shard);
        *state = Shard {
            term,
            ended: Some(ended),
            anchor,
            successor: None,
            frozen: None,
            forked: false,
            aborted: state.aborted,
        };
        self.issue_if_all_turned(effects);
        Ok(())
    }

    /// Refuses a height at which, or above which, something of the shard is anchored.
    fn require_above(&self, state: &Shard, certificate: &Certificate) -> Result<(), BeaconError> {
        let (shard, found) = (certificate.header.shard, certificate.header.height);
        #[cfg(test)]
        if self.is_mutant(Mutation::AnchorBack) {
            return Ok(());
        }
        let anchored = state.anchor.height;
        if found >= state.term.key.first && found > anchored {
            return Ok(());
        }
        let same = state.anchor.hash == Some(certificate.header.hash());
        if found == anchored && found >= state.term.key.first && !same {
            self.require_certified(&state.term, certificate)?;
            return Err(BeaconError::TwoCertificates {
                shard,
                height: found,
            });
        }
        Err(BeaconError::AnchorBehind {
            shard,
            anchored,
            found,
        })
    }

    /// Why a certificate of another term than the running one is refused.
    fn refuse_other_term(&self, state: &Shard, certificate: &Certificate) -> BeaconError {
        let header = &certificate.header;
        let shard = header.shard;
        let wrong = BeaconError::WrongTerm {
            shard,
            expected: state.term.key.epoch,
            found: header.epoch,
        };
        let Some(ended) = &state.ended else {
            return wrong;
        };
        if header.epoch != ended.term.key.epoch {
            return wrong;
        }
        if let Err(error) = self.require_certified(&ended.term, certificate) {
            return error;
        }
        let last = ended.last;
        if header.successor().is_some() && ended.header.is_some_and(|hash| hash != header.hash()) {
            return BeaconError::TwoLast { shard, last };
        }
        if header.height > last {
            return BeaconError::AboveLast {
                shard,
                last,
                found: header.height,
            };
        }
        BeaconError::AnchorBehind {
            shard,
            anchored: last,
            found: header.height,
        }
    }

    /// Checks a certificate's signature under a term's key, and that there are heights above it.
    pub(super) fn require_certified(
        &self,
        term: &Term,
        certificate: &Certificate,
    ) -> Result<(), BeaconError> {
        let shard = certificate.header.shard;
        let message = certificate.header.hash().signing_bytes();
        let key = &term.key.group_key;
        if !self
            .verifier
            .threshold(key, &message, &certificate.signature)
        {
            return Err(BeaconError::ShardSignature { shard });
        }
        if certificate.header.height == Height(u64::MAX) {
            return Err(BeaconError::HighestHeight { shard });
        }
        Ok(())
    }

    /// Convicts a term by two certificates: of one height, or one of them above the other, which is the last.
    ///
    /// A running term stops counting. One that is over is only told of: what is anchored of it stands, and whoever stole its
    /// old key must not be able to stop the committee that came after.
    pub(super) fn fraud(
        &mut self,
        first: &Certificate,
        second: &Certificate,
        effects: &mut Vec<Effect>,
    ) -> Result<(), BeaconError> {
        let shard = first.header.shard;
        self.require_chain(first.header.chain)?;
        self.require_chain(second.header.chain)?;
        let state = self.shard(shard)?;
        let term = self.known_term(shard, first)?;
        let epoch = term.key.epoch;
        let known = if state.term.key.epoch == epoch {
            state.forked
        } else {
            state.ended.as_ref().is_some_and(|ended| ended.forked)
        };
        if known {
            return Err(BeaconError::Forked { shard });
        }
        if !contradict(first, second) {
            return Err(BeaconError::NoContradiction);
        }
        self.require_certified(term, first)?;
        self.require_certified(term, second)?;
        let state = self.shard_mut(shard);
        match &mut state.ended {
            Some(ended) if ended.term.key.epoch == epoch => ended.forked = true,
            _ => state.forked = true,
        }
        effects.push(Effect::Forked { shard, epoch });
        Ok(())
    }

    /// The running term or the one before, whichever a certificate names.
    fn known_term(&self, shard: ShardId, certificate: &Certificate) -> Result<&Term, BeaconError> {
        let state = self.shard(shard)?;
        let ended = state.ended.as_ref().map(|ended| &ended.term);
        let found = certificate.header.epoch;
        [Some(&state.term), ended]
            .into_iter()
            .flatten()
            .find(|term| term.key.epoch == found)
            .ok_or(BeaconError::WrongTerm {
                shard,
                expected: state.term.key.epoch,
                found,
            })
    }
}

/// Whether an honest committee never certifies both.
fn contradict(first: &Certificate, second: &Certificate) -> bool {
    let (one, other) = (&first.header, &second.header);
    if (one.shard, one.epoch) != (other.shard, other.epoch) {
        return false;
    }
    let above = |header: &quorate_types::Header, last: Height| header.height > last;
    let past_the_end = (one.successor().is_some() && above(other, one.height))
        || (other.successor().is_some() && above(one, other.height));
    past_the_end || (one.height == other.height && one.hash() != other.hash())
}
