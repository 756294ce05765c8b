//! Shards that stall or fork: abort what waits for them, freeze them, retire their term.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use quorate_types::{Height, ShardId};

use super::Beacon;
use super::effect::Effect;
use super::error::BeaconError;
use super::operation::FreezeAck;
use super::state::{Anchor, Consumed, Ended, Shard, Term};
use super::verifier::Verifier;
#[cfg(test)]
use crate::tests::Mutation;

impl<V: Verifier> Beacon<V> {
    /// Whether a shard let so many records pass without a new anchor that it counts as stalled.
    fn require_stalled(&self, shard: ShardId) -> Result<(), BeaconError> {
        let anchored = self.shard(shard)?.anchor.epoch;
        let epoch = self.state.record.epoch;
        let silent = epoch.0.saturating_sub(anchored.0);
        #[cfg(test)]
        if self.is_mutant(Mutation::FreezeAnybody) {
            return Ok(());
        }
        if silent >= self.state.parameters.stall_epochs {
            return Ok(());
        }
        Err(BeaconError::NotStalled {
            shard,
            anchored,
            epoch,
        })
    }

    /// Lets all deciders abort what waits for a stalled shard, once an epoch.
    pub(super) fn force_abort(
        &mut self,
        shard: ShardId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), BeaconError> {
        self.require_stalled(shard)?;
        let epoch = self.state.record.epoch;
        let state = self.shard_mut(shard);
        if state.aborted == Some(epoch) {
            return Err(BeaconError::OrderedAlready { epoch });
        }
        state.aborted = Some(epoch);
        effects.push(Effect::ForceAbort { shard, epoch });
        Ok(())
    }

    /// Freezes a stalled or forked shard.
    pub(super) fn freeze_shard(
        &mut self,
        shard: ShardId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), BeaconError> {
        let state = self.shard(shard)?;
        if state.frozen.is_some() {
            return Err(BeaconError::Frozen { shard });
        }
        if !state.forked {
            self.require_stalled(shard)?;
        }
        let state = self.shard_mut(shard);
        state.frozen = Some(BTreeMap::new());
        effects.push(Effect::Freeze {
            shard,
            epoch: state.term.key.epoch,
        });
        Ok(())
    }

    /// Takes a shard's word of what it consumed of a frozen term.
    pub(super) fn freeze_ack(&mut self, ack: &FreezeAck) -> Result<(), BeaconError> {
        let (shard, from) = (ack.shard, ack.from);
        self.shard(from)?;
        let state = self.shard(shard)?;
        let Some(acks) = &state.frozen else {
            return Err(BeaconError::NotFrozen { shard });
        };
        let expected = state.term.key.epoch;
        if ack.epoch != expected {
            return Err(BeaconError::WrongTerm {
                shard,
                expected,
                found: ack.epoch,
            });
        }
        if from == shard {
            return Err(BeaconError::OwnFreeze { shard });
        }
        if acks.contains_key(&from) {
            return Err(BeaconError::AcknowledgedAlready { shard, from });
        }
        let height = self.consumed_height(state, ack)?;
        let acks = self
            .shard_mut(shard)
            .frozen
            .as_mut()
            .expect("looked at before");
        acks.insert(from, Consumed { height });
        Ok(())
    }

    /// The height of the certificate that an acknowledgement carries, which must be one of the frozen term.
    fn consumed_height(
        &self,
        state: &Shard,
        ack: &FreezeAck,
    ) -> Result<Option<Height>, BeaconError> {
        let Some(certificate) = &ack.consumed else {
            return Ok(None);
        };
        let header = &certificate.header;
        let (shard, key) = (ack.shard, &state.term.key);
        self.require_chain(header.chain)?;
        if (header.shard, header.epoch) != (shard, key.epoch) || header.height < key.first {
            return Err(BeaconError::WrongTerm {
                shard,
                expected: key.epoch,
                found: header.epoch,
            });
        }
        self.require_certified(&state.term, certificate)?;
        Ok(Some(header.height))
    }

    /// Ends a frozen term above everything that anybody consumed of it, and puts the committee that is ready in its place.
    pub(super) fn retire(
        &mut self,
        shard: ShardId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), BeaconError> {
        let state = self.shard(shard)?;
        let Some(acks) = &state.frozen else {
            return Err(BeaconError::NotFrozen { shard });
        };
        let needed = self.state.parameters.shards.saturating_sub(1);
        let found = u32::try_from(acks.len()).unwrap_or(u32::MAX);
        let missing = found < needed;
        #[cfg(test)]
        let missing = missing && !self.is_mutant(Mutation::RetireEarly);
        if missing {
            return Err(BeaconError::Unacknowledged {
                shard,
                found,
                needed,
            });
        }
        let Some(next) = &state.successor else {
            return Err(BeaconError::NoSuccessor { shard });
        };
        let consumed = acks.values().filter_map(|consumed| consumed.height).max();
        let before = Height(state.term.key.first.0.saturating_sub(1));
        let last = state
            .anchor
            .height
            .max(before)
            .max(consumed.unwrap_or(before));
        let term = Term::new(next.committee.clone(), last.next());
        effects.push(Effect::Retire {
            shard,
            epoch: state.term.key.epoch,
            last,
            committee: term.key.committee,
            key: Box::new(term.key),
        });
        let anchor = Anchor {
            height: last,
            epoch: self.state.record.epoch,
            hash: state.anchor.hash.filter(|_| state.anchor.height == last),
        };
        let ended = Ended {
            term: state.term.clone(),
            last,
            header: None,
            forked: state.forked,
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
}
