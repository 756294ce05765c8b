//! Coins, commits and garbage collection.

use quorate_types::{Commit, Evidence, Round, Signature, ValidatorIndex};

use super::Consensus;
use super::receive::Arrival;
use crate::coin::leaders;
use crate::dag::lowest_at;
use crate::io::Effect;
#[cfg(any(test, feature = "mutants"))]
use crate::options::Mutation;
use crate::rule::{Decision, Place};
use crate::verify::VerifiedBlock;

impl Consensus {
    /// The round whose slots the coin of `round` names: w-1 below it.
    fn named_by(&self, round: Round) -> Option<Round> {
        let below = u64::from(self.options.rule.wave) - 1;
        let named = round.0.checked_sub(below)?;
        (named > 0).then_some(Round(named))
    }

    /// The round whose coin names the slots of `round`.
    fn naming(&self, round: Round) -> Round {
        round.forward(u64::from(self.options.rule.wave) - 1)
    }

    /// Asks for the coin of `round` if there are shares enough and its slots are not named yet.
    pub(super) fn ask_coin(&mut self, round: Round, out: &mut Vec<Effect>) {
        let wanted = self
            .named_by(round)
            .is_some_and(|named| self.committer.wants_leaders(named));
        if self.recovering
            || !wanted
            || self.dag.authors_at(round) < self.committee.quorum()
            || !self.coins.wants_shares(round)
        {
            return;
        }
        let held = self.dag.coin_shares(round);
        if let Some(shares) = self.coins.request(round, held) {
            out.push(Effect::CombineCoin { round, shares });
        }
    }

    pub(super) fn learn_coin(&mut self, round: Round, signature: Signature, out: &mut Vec<Effect>) {
        if round < self.gc_round() || !self.coins.learn(round, signature) {
            return;
        }
        self.counters.coins += 1;
        if !self.recovering {
            out.push(Effect::CoinKnown { round, signature });
        }
        if let Some(named) = self.named_by(round) {
            let order = leaders(&signature, self.committee.size(), self.options.rule.leaders);
            self.committer.name_leaders(&self.dag, named, &order);
        }
    }

    pub(super) fn refuse_shares(
        &mut self,
        round: Round,
        bad: &[ValidatorIndex],
        out: &mut Vec<Effect>,
    ) {
        for author in self.coins.refuse(round, bad) {
            self.emit_evidence(Evidence::BadCoinShare { author, round }, out);
        }
    }

    /// Outputs the decided prefix of the slots. What a commit forgets may release blocks that waited for it, and they
    /// may decide more.
    pub(super) fn commit_decided(&mut self, out: &mut Vec<Effect>) {
        while let Some(decision) = self.committer.take_next() {
            if let Decision::Commit(leader) = decision {
                self.commit(leader, out);
                let gc_round = leader.round.back(self.options.rule.gc_depth);
                self.collect_garbage(gc_round, out);
            }
        }
    }

    fn commit(&mut self, leader: Place, out: &mut Vec<Effect>) {
        let least = self.least_output(leader);
        let block = self.dag.vertex(leader).block.clone();
        let timestamp_ms = self.timestamp_ms(&block, least);
        let blocks = self.dag.take_output(leader, least);
        self.height = self.height.next();
        self.leader_round = leader.round;
        self.counters.output_blocks += blocks.len() as u64;
        out.push(Effect::Commit(Commit {
            height: self.height,
            leader: block.reference(),
            timestamp_ms,
            coin: self.coins.known(self.naming(leader.round)),
            blocks: blocks.iter().map(VerifiedBlock::shared).collect(),
        }));
    }

    /// The round below which a leader orders nothing: a function of the leader, so that all leave out the same.
    fn least_output(&self, leader: Place) -> Round {
        #[cfg(any(test, feature = "mutants"))]
        if self.options.mutation == Some(Mutation::GarbageByOwnRound) {
            return self.dag.highest_round().back(self.options.rule.gc_depth);
        }
        leader.round.back(self.options.rule.gc_depth)
    }

    /// The lower median of what the leader's parents claim. Parents below `least` do not count: some members may have
    /// forgotten them. The others are held by all, and more than half of them are honest, since at least a quorum
    /// stands at the round before and each is of a different author.
    fn timestamp_ms(&self, leader: &VerifiedBlock, least: Round) -> u64 {
        let parents = leader.parents().iter();
        let mut claims: Vec<u64> = parents
            .filter(|parent| parent.round >= least)
            .filter_map(|parent| self.block(parent))
            .map(|parent| parent.timestamp_ms())
            .collect();
        claims.sort_unstable();
        let middle = claims.len().saturating_sub(1) / 2;
        claims.get(middle).copied().unwrap_or(leader.timestamp_ms())
    }

    fn collect_garbage(&mut self, gc_round: Round, out: &mut Vec<Effect>) {
        if gc_round <= self.gc_round() {
            return;
        }
        for own in self.dag.forget_below(gc_round, self.me) {
            out.push(Effect::Dropped { own });
        }
        self.coins.forget_below(gc_round);
        self.restored_output = self.restored_output.split_off(&lowest_at(gc_round));
        let (settled, unwanted) = self.intake.forget_below(gc_round);
        for block in settled.iter().chain(&unwanted) {
            self.fetcher.settle(block);
        }
        for parent in settled {
            let released = self.intake.release(&parent).into_iter();
            let arrivals = released.map(|waiting| Arrival {
                block: waiting.block,
                source: None,
                stored: waiting.stored,
            });
            self.admit(arrivals.collect(), out);
        }
    }
}
