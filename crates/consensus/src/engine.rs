//! The engine: one validator's DAG, what it has decided, and what it should do next.

mod commit;
mod propose;
mod receive;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use quorate_types::{
    BlockRef, Committee, Evidence, Height, Round, Signature, Timestamp, ValidatorIndex,
};

use crate::checkpoint::Checkpoint;
use crate::coin::Coins;
use crate::committer::Committer;
use crate::dag::Dag;
use crate::fetch::Fetcher;
use crate::intake::Intake;
use crate::io::{Effect, Input};
use crate::options::Options;
#[cfg(any(test, feature = "test-utils"))]
use crate::rule::Decision;
use crate::rule::Rule;
#[cfg(any(test, feature = "test-utils"))]
use crate::status::Verdict;
use crate::status::{Refused, Status};
use crate::verify::VerifiedBlock;

/// One validator's view of the DAG and what it has decided.
///
/// [`Consensus::step`] is the only way in, its effects the only way out; same inputs, same effects.
#[derive(Debug)]
pub struct Consensus {
    committee: Committee,
    me: ValidatorIndex,
    options: Options,
    /// The latest time handed in.
    now: Timestamp,
    /// Until [`Consensus::start`].
    recovering: bool,
    dag: Dag,
    intake: Intake,
    fetcher: Fetcher,
    coins: Coins,
    committer: Committer,
    height: Height,
    /// Round of the last committed leader.
    leader_round: Round,
    /// Output blocks of the checkpoint that were not read back from the log yet.
    restored_output: BTreeSet<BlockRef>,
    proposer: Proposer,
    counters: Counters,
}

/// What decides about the next own block, besides the DAG.
#[derive(Debug, Default)]
struct Proposer {
    /// The last own block in the DAG.
    last: Option<BlockRef>,
    /// No block is proposed at this round or below: there is one, or may be.
    past: Round,
    /// The round of a proposal that is not answered yet.
    outstanding: Option<Round>,
    last_proposal: Option<Timestamp>,
    payload_waiting: bool,
    /// Nothing is proposed for now.
    held_back: bool,
}

#[derive(Debug, Default)]
struct Counters {
    refused: Refused,
    coins: u64,
    bad_coin_shares: u64,
    equivocations: u64,
    output_blocks: u64,
}

impl Consensus {
    /// Begins at a checkpoint, or at genesis, in recovery: the driver hands in the log as
    /// [`Source::Recovered`](crate::Source::Recovered) and [`Input::Coin`], and no [`Effect::Propose`],
    /// [`Effect::Fetch`] or [`Effect::CombineCoin`] comes out before [`Consensus::start`].
    ///
    /// # Panics
    /// If `options.rule` is not valid for the committee (see [`quorate_types::Genesis::validate`]) or `me` is no
    /// member.
    #[must_use]
    pub fn new(
        committee: Committee,
        me: ValidatorIndex,
        options: Options,
        checkpoint: Option<Checkpoint>,
    ) -> Self {
        let size = committee.size();
        assert!(
            (4..=5).contains(&options.rule.wave),
            "a wave has 4 or 5 rounds"
        );
        assert!(
            (1..=size).contains(&options.rule.leaders),
            "a round has 1 to n leader slots"
        );
        assert!(
            options.rule.gc_depth > u64::from(options.rule.wave),
            "undecided slots and their waves are kept"
        );
        assert!(me.0 < size, "the validator is a member");
        let rule = Rule {
            wave: u64::from(options.rule.wave),
            size,
            quorum: committee.quorum(),
            #[cfg(any(test, feature = "mutants"))]
            mutation: options.mutation,
        };
        let checkpoint = checkpoint.unwrap_or_else(Checkpoint::genesis);
        Self {
            me,
            now: Timestamp(0),
            recovering: true,
            dag: Dag::new(rule, checkpoint.gc_round),
            intake: Intake::new(&options, size),
            fetcher: Fetcher::new(options.fetch, me, size),
            coins: Coins::new(committee.quorum()),
            committer: Committer::new(rule, checkpoint.slot_round, checkpoint.slot_position),
            height: checkpoint.height,
            leader_round: checkpoint.leader_round,
            restored_output: checkpoint.output,
            proposer: Proposer::default(),
            counters: Counters::default(),
            committee,
            options,
        }
    }

    /// Ends recovery: asks for what is missing and begins to propose.
    pub fn start(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        self.now = self.now.max(now);
        self.recovering = false;
        let wave = u64::from(self.options.rule.wave);
        let first = self.committer.next().0.forward(wave - 1);
        for round in first.0..=self.dag.highest_round().0 {
            self.ask_coin(Round(round), out);
        }
        self.act(out);
    }

    /// Makes sure that no block is proposed at `round` or below: for a validator that lost its log and has asked its
    /// peers for the highest round they hold from it.
    pub fn propose_past(&mut self, round: Round) {
        self.proposer.past = self.proposer.past.max(round);
    }

    /// Whether proposals are held back: for a validator that does not know yet what it proposed before a restart. A
    /// proposal that was asked for already is not called back.
    pub const fn hold_proposals(&mut self, held_back: bool) {
        self.proposer.held_back = held_back;
    }

    /// No block is proposed at this round or below.
    #[must_use]
    pub const fn proposed_past(&self) -> Round {
        self.proposer.past
    }

    /// Takes one input and appends what is to be done to `out`, in the order in which it is to be done. Time that runs
    /// backwards counts as standing still.
    pub fn step(&mut self, now: Timestamp, input: Input, out: &mut Vec<Effect>) {
        self.now = self.now.max(now);
        match input {
            Input::Block { source, block } => self.receive(source, block, out),
            Input::Coin {
                round,
                signature,
                bad,
            } => {
                self.refuse_shares(round, &bad, out);
                self.learn_coin(round, signature, out);
            }
            Input::CoinShort { round, bad } => {
                self.refuse_shares(round, &bad, out);
                self.ask_coin(round, out);
            }
            Input::PayloadWaiting(waiting) => self.proposer.payload_waiting = waiting,
            Input::Tick => {}
        }
        self.commit_decided(out);
        self.act(out);
    }

    /// When to hand in [`Input::Tick`], if nothing else comes before. `None` while only an input other than time can
    /// make a difference. Changes with every step.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        if self.recovering {
            return None;
        }
        let proposal = self.next_proposal().map(|(at, _)| at);
        proposal.into_iter().chain(self.fetcher.deadline()).min()
    }

    /// Round of the last own block in the DAG.
    #[must_use]
    pub fn round(&self) -> Round {
        self.proposer.last.map_or(Round(0), |own| own.round)
    }

    /// Highest round with a block in the DAG.
    #[must_use]
    pub fn highest_round(&self) -> Round {
        self.dag.highest_round()
    }

    /// Height of the last commit.
    #[must_use]
    pub const fn committed_height(&self) -> Height {
        self.height
    }

    /// Blocks below this round are forgotten.
    #[must_use]
    pub const fn gc_round(&self) -> Round {
        self.dag.gc_round()
    }

    /// The rounds whose blocks are not refused. A driver does better to read a peer's stream no further than this than
    /// to have blocks refused and to ask for them again.
    #[must_use]
    pub fn window(&self) -> RangeInclusive<Round> {
        let undecided = self.committer.next().0;
        let ahead = self.dag.quorum_round().max(undecided);
        let known = ahead.forward(self.options.rounds_ahead_max);
        let bound = undecided.forward(self.options.undecided_rounds_max);
        self.gc_round()..=known.min(bound)
    }

    /// A block of the DAG, to answer a peer's fetch. What is below the garbage-collection round is in the log alone.
    #[must_use]
    pub fn block(&self, reference: &BlockRef) -> Option<&VerifiedBlock> {
        let place = self.dag.place(reference)?;
        Some(&self.dag.vertex(place).block)
    }

    /// The coin of a round at or above the garbage-collection round, if it is known.
    #[must_use]
    pub fn coin(&self, round: Round) -> Option<Signature> {
        self.coins.known(round)
    }

    /// What a restart needs besides the log: the state after all effects so far.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let (slot_round, slot_position) = self.committer.next();
        let restored = self.restored_output.iter().copied();
        Checkpoint {
            height: self.height,
            slot_round,
            slot_position,
            leader_round: self.leader_round,
            gc_round: self.gc_round(),
            output: self.dag.output().chain(restored).collect(),
        }
    }

    /// State and counters.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            round: self.round(),
            highest_round: self.highest_round(),
            quorum_round: self.dag.quorum_round(),
            undecided_round: self.committer.next().0,
            gc_round: self.gc_round(),
            committed_height: self.height,
            held_blocks: self.dag.held(),
            waiting_blocks: self.intake.waiting_count(),
            waiting_bytes: self.intake.waiting_bytes(),
            missing_blocks: self.fetcher.len(),
            unreferenced_twins: self.intake.twin_count(),
            refused: self.counters.refused,
            decided: self.committer.decided(),
            coins: self.counters.coins,
            bad_coin_shares: self.counters.bad_coin_shares,
            equivocations: self.counters.equivocations,
            output_blocks: self.counters.output_blocks,
        }
    }

    /// Proposes and fetches what is due.
    fn act(&mut self, out: &mut Vec<Effect>) {
        if self.recovering {
            return;
        }
        self.propose(out);
        let intake = &self.intake;
        let requests = self
            .fetcher
            .requests(self.now, |block| intake.dependent_authors(block));
        for (peer, blocks) in requests {
            out.push(Effect::Fetch { peer, blocks });
        }
    }

    fn emit_evidence(&mut self, evidence: Evidence, out: &mut Vec<Effect>) {
        match evidence {
            Evidence::Equivocation { .. } => self.counters.equivocations += 1,
            Evidence::BadCoinShare { .. } => self.counters.bad_coin_shares += 1,
            Evidence::BadFinalityShare { .. } => {}
        }
        out.push(Effect::Evidence(evidence));
    }
}

/// Looking deeper and choosing leaders, for tests.
#[cfg(any(test, feature = "test-utils"))]
impl Consensus {
    /// What was decided about a slot and how, if that is not long ago.
    #[must_use]
    pub fn verdict(&self, round: Round, author: ValidatorIndex) -> Option<Verdict> {
        let (decision, direct) = self.committer.decision(round, author)?;
        Some(match decision {
            Decision::Skip => Verdict::Skip { direct },
            Decision::Commit(place) => Verdict::Commit {
                direct,
                block: {
                    let slot = self.dag.slot(place.round, place.author);
                    slot.get(usize::from(place.twin))?.block.reference()
                },
            },
        })
    }

    /// Whether a block waits for a parent.
    #[must_use]
    pub fn is_waiting(&self, block: &BlockRef) -> bool {
        self.intake.is_waiting(block)
    }

    /// Whether some block waits for `parent`.
    #[must_use]
    pub fn waits_for(&self, parent: &BlockRef) -> bool {
        self.intake.is_awaited(parent)
    }

    /// Names the leaders of `round` as a coin would.
    pub fn inject_leaders(
        &mut self,
        round: Round,
        leaders: &[ValidatorIndex],
        out: &mut Vec<Effect>,
    ) {
        self.committer.name_leaders(&self.dag, round, leaders);
        self.commit_decided(out);
        self.act(out);
    }
}
