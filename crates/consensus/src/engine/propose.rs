//! When to make a block, of which round, and on which parents.
//!
//! The round. Let o be the round of the last own block and u the round of the first undecided slot. The next own round
//! is max(o + 1, u), once blocks of a quorum of authors are held at the round before.
//!
//! - Never twice: it is above o, and above every round at which a peer ever showed an own block or the driver says
//!   that there may be one.
//! - Rounds o+1 to u-1 are left out only when u > o + 1, and then every slot of theirs is decided, since all slots
//!   below u are: what CONSENSUS, Rounds asks for. Waves that may still need this validator's votes start at u or later;
//!   the votes for a slot at u stand at u + w - 2, so none is withheld.
//! - It never waits for ever. If o + 1 >= u, the own block at o is there, and round o has, or will have, a quorum, as
//!   others are no further behind than that or are ahead; if u > o + 1, round u - 1 is decided, which takes a
//!   quorum of blocks two rounds above it at least, all of whose ancestors are held, and so a quorum at u - 1. A node
//!   whose checkpoint came from elsewhere may lack those blocks at first; they are parents of what its peers send.
//! - A validator back from a pause goes to u at once and then, round by round, as fast as it can sign, to the tip: while
//!   a quorum is already at the round of the next own block, nothing paces it.
//!
//! The interval. See [`Pacing`](crate::Pacing): it delays a block by a bounded time, and the tip of others cuts it
//! short.

use quorate_types::{BlockRef, Round, Timestamp};

use super::Consensus;
use crate::io::Effect;

impl Consensus {
    pub(super) fn propose(&mut self, out: &mut Vec<Effect>) {
        let Some((at, round)) = self.next_proposal() else {
            return;
        };
        if at > self.now {
            return;
        }
        self.proposer.outstanding = Some(round);
        self.proposer.last_proposal = Some(self.now);
        let parents = self.parents(round);
        out.push(Effect::Propose { round, parents });
    }

    /// The next own round, if nothing but time is missing, and from when.
    pub(super) fn next_proposal(&self) -> Option<(Timestamp, Round)> {
        let undecided = self.committer.next().0;
        let round = self.round().next().max(undecided);
        let bound = undecided.forward(self.options.undecided_rounds_max);
        let quorum = self.committee.quorum();
        let allowed = !self.proposer.held_back
            && self.proposer.outstanding.is_none()
            && round > self.proposer.past
            && round <= bound
            && self.dag.authors_at(round.back(1)) >= quorum;
        allowed.then(|| (self.paced(round), round))
    }

    fn paced(&self, round: Round) -> Timestamp {
        let pacing = self.options.pacing;
        if self.dag.authors_at(round) >= self.committee.quorum() {
            return Timestamp(0);
        }
        let busy = self.proposer.payload_waiting
            || self.dag.has_unordered_payload()
            || self.dag.highest_round() >= round;
        let interval = if busy {
            pacing.busy_interval_micros
        } else {
            pacing.idle_interval_micros
        };
        let last = self.proposer.last_proposal;
        let after_last = last.map_or(Timestamp(0), |last| last.plus_micros(interval));
        let before = round.back(1);
        let all = self.dag.authors_at(before) == self.committee.size();
        let quorum_at = self.dag.quorum_at(before).filter(|_| !all);
        let after_quorum =
            quorum_at.map_or(Timestamp(0), |at| at.plus_micros(pacing.quorum_wait_micros));
        after_last.max(after_quorum)
    }

    /// The own previous block, unless it is forgotten; then, ascending by author, the blocks of the round before and,
    /// of authors without one, the newest that no own block has as an ancestor: late blocks are ordered all the same.
    fn parents(&self, round: Round) -> Vec<BlockRef> {
        let before = round.back(1);
        let gc_round = self.gc_round();
        let own = match self.proposer.last {
            Some(own) => (own.round >= gc_round).then_some(own),
            None => (gc_round == Round(0)).then(|| self.committee.genesis_block(self.me)),
        };
        let others = self.committee.indices().filter(|author| *author != self.me);
        let others = others.filter_map(|author| {
            if before == Round(0) {
                return Some(self.committee.genesis_block(author));
            }
            self.dag.parent_candidate(author, round)
        });
        own.into_iter().chain(others).collect()
    }

    /// An own block is in the DAG.
    pub(super) fn note_own(&mut self, own: BlockRef) {
        if own.round > self.round() {
            self.proposer.last = Some(own);
        }
        self.proposer.past = self.proposer.past.max(own.round);
    }
}
