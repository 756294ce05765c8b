//! Against forgetting: a validator that restarts proposes nothing until others have told it what they hold from it.
//!
//! A validator whose store is older than itself (its disk was lost, a backup was restored) may have sent blocks that it does
//! not know of; a second block of such a round would convict it. Nothing on its own disk can tell. Its peers can.
//!
//! **Ordinary start.** It proposes once q - 1 others were heard of whom none holds a block of it above its log. It costs no
//! progress: without q - 1 others no round gets a quorum of blocks, so nobody can wait for it in vain. What a greeting
//! claims beyond the log is not believed, and the greeting does not count: a liar would stop everybody with it. If
//! it is true, the peer's answer to it is the block, under the own signature, and then the store *is* older than the validator.
//!
//! **Lost.** When the operator says that the store is not the newest, or a peer shows an own block that the log lacks, it
//! proposes once greetings of q *others* count, and only above all of: the rounds they hold from it, and the round after their
//! own rounds. A greeting counts when the own DAG has come up to it, since a round that honest members reached is
//! reached here too; so nobody can push it into a future that never comes.
//!
//! Why that is enough, with n members of which f lie, n > 3f, q >= n - f. Let r be the round of the last block that it ever
//! sent. The block has parents by q authors at r - 1; less itself and liars, at least q - f - 1 honest others were at
//! r - 1 or above before the loss. At most n - 1 - q others are not heard, and q - f - 1 > n - 1 - q, for 2q >= 2n - 2f >
//! n + f. So one honest other that was at r - 1 or above is heard, after the loss, and counts: the bound is r at least.
//! Nothing that liars hide matters.
//!
//! A vote needs no such care: the share over a height's header is the only one that execution can lead to, whatever was
//! forgotten. Being lost, and the bound once it is known, are records of the log: a crash in between changes nothing.

use std::collections::BTreeMap;

use quorate_types::{Round, ValidatorIndex};

/// What a peer said of itself and of this validator when a connection was made. A validator that starts proposes nothing
/// before it has enough of them; why, and how many, stands in `docs/adr/0010-amnesia-guard.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Greeting {
    /// The highest round of this validator's blocks that the peer holds.
    pub held: Round,
    /// The round of the peer's own last block.
    pub round: Round,
}

/// Keeps proposals back until it is known that they repeat none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Guard {
    quorum: usize,
    /// The highest round of an own block that is known here.
    own: Round,
    lost: bool,
    open: bool,
    /// The latest of every peer since the start.
    greetings: BTreeMap<ValidatorIndex, Greeting>,
}

impl Guard {
    /// Closed. `lost`: own blocks may have left that the log does not have.
    pub(crate) const fn new(quorum: u16, lost: bool) -> Self {
        Self {
            quorum: quorum as usize,
            own: Round(0),
            lost,
            open: false,
            greetings: BTreeMap::new(),
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    pub(crate) const fn is_lost(&self) -> bool {
        self.lost
    }

    /// The log says that it was lost before.
    pub(crate) const fn recover_lost(&mut self) {
        self.lost = true;
    }

    /// The log says that the bound was found before.
    pub(crate) const fn recover_bound(&mut self) {
        self.lost = false;
    }

    /// An own block is known here, made or read back.
    pub(crate) fn know_own(&mut self, round: Round) {
        self.own = self.own.max(round);
    }

    /// A peer shows an own block. Whether that is how this validator learns that it has forgotten it.
    pub(crate) fn shown_own(&mut self, round: Round) -> bool {
        let forgotten = round > self.own;
        self.own = self.own.max(round);
        let news = forgotten && (self.open || !self.lost);
        if forgotten {
            self.lost = true;
            self.open = false;
        }
        news
    }

    pub(crate) fn greet(&mut self, from: ValidatorIndex, greeting: Greeting) {
        self.greetings.insert(from, greeting);
    }

    /// Opens if enough is known: no block may be proposed at the round returned, or below. `quorum_round` is the highest
    /// round at which the DAG here has blocks of a quorum.
    pub(crate) fn open(&mut self, quorum_round: Round) -> Option<Round> {
        if self.open {
            return None;
        }
        let bound = if self.lost {
            self.bound_of_lost(quorum_round)?
        } else {
            let honest = self.greetings.values();
            let heard = honest.filter(|greeting| greeting.held <= self.own).count();
            (heard + 1 >= self.quorum).then_some(self.own)?
        };
        self.open = true;
        Some(bound)
    }

    fn bound_of_lost(&self, quorum_round: Round) -> Option<Round> {
        // A peer at round R has a quorum at R - 1, and so has this validator once it has come up.
        let reached = quorum_round.forward(2);
        let claims = self.greetings.values();
        let claims = claims.map(|greeting| greeting.held.max(greeting.round.forward(1)));
        let counted: Vec<Round> = claims.filter(|claim| *claim <= reached).collect();
        if counted.len() < self.quorum {
            return None;
        }
        counted.into_iter().chain([self.own]).max()
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(held: u64, round: u64) -> Greeting {
        Greeting {
            held: Round(held),
            round: Round(round),
        }
    }

    fn guard(own: u64, lost: bool, greetings: &[(u64, u64)]) -> Guard {
        let mut guard = Guard::new(3, lost);
        guard.know_own(Round(own));
        for (peer, (held, round)) in (1..).zip(greetings) {
            guard.greet(ValidatorIndex(peer), greeting(*held, *round));
        }
        guard
    }

    #[test]
    fn it_opens_when_enough_others_were_heard() {
        /// Own round, whether lost, greetings, round of the DAG, bound.
        type Case = (u64, bool, &'static [(u64, u64)], u64, Option<u64>);
        let cases: [Case; 14] = [
            (0, false, &[], 0, None),
            (0, false, &[(0, 0)], 0, None),
            (0, false, &[(0, 0), (0, 0)], 0, Some(0)),
            (9, false, &[(9, 12), (7, 10)], 9, Some(9)),
            // Who claims more than the log has does not count, liar or not.
            (9, false, &[(10, 12), (7, 10)], 9, None),
            (9, false, &[(1 << 60, 12), (9, 12), (7, 10)], 9, Some(9)),
            (9, true, &[(9, 12), (7, 10)], 20, None),
            (9, true, &[(9, 12), (7, 10), (8, 11)], 20, Some(13)),
            (0, true, &[(0, 0), (0, 0), (0, 0)], 0, Some(1)),
            (9, true, &[(30, 12), (7, 10), (8, 11)], 28, Some(30)),
            // Not before the DAG has come up to what is said.
            (9, true, &[(30, 12), (7, 10), (8, 11)], 27, None),
            (9, true, &[(9, 12), (7, 10), (8, 11)], 10, None),
            (9, true, &[(9, 12), (7, 10), (8, 11)], 11, Some(13)),
            (40, true, &[(9, 12), (7, 10), (8, 11)], 11, Some(40)),
        ];
        for (number, (own, lost, greetings, dag, bound)) in cases.into_iter().enumerate() {
            let mut guard = guard(own, lost, greetings);
            assert_eq!(guard.open(Round(dag)), bound.map(Round), "case {number}");
            assert_eq!(guard.is_open(), bound.is_some());
            assert_eq!(guard.open(Round(dag)), None, "it opens once");
        }
    }

    #[test]
    fn an_own_block_that_the_log_lacks_closes_it_again() {
        let mut guard = guard(9, false, &[(9, 12), (7, 10)]);
        assert_eq!(guard.open(Round(9)), Some(Round(9)));
        assert!(!guard.shown_own(Round(9)), "known");
        assert!(guard.is_open());
        assert!(guard.shown_own(Round(10)));
        assert!(guard.is_lost() && !guard.is_open());
        assert!(!guard.shown_own(Round(11)), "told once");
        guard.greet(ValidatorIndex(3), greeting(11, 11));
        assert_eq!(guard.open(Round(12)), Some(Round(13)));
        assert!(guard.shown_own(Round(20)), "yet another");
        assert!(!guard.is_open());
    }

    /// Everything that the argument allows, for all committees up to 16: the bound is never below the last block sent.
    #[test]
    fn the_bound_reaches_the_last_block_whatever_liars_hide() {
        for size in 4u64..=16 {
            let faults = (size - 1) / 3;
            for quorum in size - faults..=size - 1 {
                let last = 50;
                let others = size - 1;
                // The fewest honest others that were at last - 1; the rest had made no block at all.
                let seen = quorum - faults - 1;
                // Heard are liars and those that know nothing first.
                let heard = (0..quorum).map(|number| {
                    let knows = number + seen >= others;
                    greeting(0, if knows { last - 1 } else { 0 })
                });
                let mut guard = Guard::new(u16::try_from(quorum).unwrap(), true);
                for (peer, greeting) in (1..).zip(heard) {
                    guard.greet(ValidatorIndex(peer), greeting);
                }
                let bound = guard.open(Round(100)).unwrap();
                assert!(bound >= Round(last), "n = {size}, q = {quorum}: {bound}");
            }
        }
    }

    #[test]
    fn a_greeting_from_the_end_of_time_does_not_count() {
        let end = u64::MAX;
        let mut guard = guard(4, true, &[(4, 4), (end, end), (0, end), (3, 4)]);
        assert_eq!(guard.open(Round(9)), None);
        guard.greet(ValidatorIndex(2), greeting(4, 5));
        assert_eq!(guard.open(Round(9)), Some(Round(6)));
    }
}
