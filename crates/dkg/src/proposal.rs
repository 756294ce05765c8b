//! One member's proposal: its broadcast, the agreement on whether it is accepted, and that agreement's coins.

use std::collections::BTreeMap;

use quorate_types::ValidatorIndex;

use crate::agreement::Agreement;
use crate::broadcast::{Broadcast, Thresholds};
use crate::coin::Coin;
use crate::member_set::MemberSet;

/// What is known about one proposal.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    /// What the proposer itself said.
    pub(crate) announced: Option<MemberSet>,
    /// Of the proposed set, which every message carries.
    pub(crate) broadcast: Broadcast<MemberSet>,
    /// Whether it is accepted.
    pub(crate) agreement: Agreement,
    /// By round.
    pub(crate) coins: BTreeMap<u32, Coin>,
}

impl Proposal {
    pub(crate) fn new(members: u16, faults: u16, me: ValidatorIndex) -> Self {
        Self {
            announced: None,
            broadcast: Broadcast::new(),
            agreement: Agreement::new(members, faults, me),
            coins: BTreeMap::new(),
        }
    }

    /// What `me` should echo now: the announced set, once all its dealings are `available` here, unless it echoed.
    pub(crate) fn due_echo(&self, me: ValidatorIndex, available: MemberSet) -> Option<MemberSet> {
        let echoed = self.broadcast.echo_senders().contains(me);
        self.announced
            .filter(|set| !echoed && set.is_subset(available))
    }

    /// The delivered set, if all its dealings are `available` here: then its coins can be signed and checked.
    pub(crate) fn usable(&self, thresholds: Thresholds, available: MemberSet) -> Option<MemberSet> {
        let delivered = self.broadcast.delivered(thresholds)?;
        delivered.is_subset(available).then_some(delivered)
    }
}
