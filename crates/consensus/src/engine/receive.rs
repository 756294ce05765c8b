//! Blocks into the DAG.

use quorate_types::{BlockRef, Round, ValidatorIndex};

use super::Consensus;
use crate::intake::{Standing, Waited};
use crate::io::{Effect, Source};
use crate::verify::VerifiedBlock;

/// A block on its way.
pub(super) struct Arrival {
    pub(super) block: VerifiedBlock,
    /// Who sent it: the first to ask for its parents.
    pub(super) source: Option<ValidatorIndex>,
    /// Whether the log has it.
    pub(super) stored: bool,
}

impl Consensus {
    pub(super) fn receive(&mut self, source: Source, block: VerifiedBlock, out: &mut Vec<Effect>) {
        let reference = block.reference();
        if source == Source::Own {
            self.proposer.outstanding = None;
            let held = self.dag.place(&reference).is_some();
            if !held && self.refuse_own(reference) {
                out.push(Effect::Dropped { own: reference });
                return;
            }
        }
        if !self.wanted(source, &reference) {
            return;
        }
        if reference.author == self.me {
            // Also what peers send back to a validator that lost its log: it never proposes there again.
            self.proposer.past = self.proposer.past.max(reference.round);
        }
        let (standing, evidence) = self.intake.see(&reference);
        if let Some(evidence) = evidence {
            self.emit_evidence(evidence, out);
        }
        // The log has a twin before the block that references it.
        if standing == Standing::LooseTwin && source != Source::Recovered {
            let kept = self.intake.keep_twin(block);
            self.counters.refused.twins_full += u64::from(!kept);
            return;
        }
        let arrival = Arrival {
            block,
            source: match source {
                Source::Peer(peer) => Some(peer),
                Source::Own | Source::Recovered => None,
            },
            stored: source == Source::Recovered,
        };
        self.admit(vec![arrival], out);
    }

    /// An own block is not taken where another may be: made when a peer's answer showed that the own log had been
    /// lost. It was not sent, for only blocks that are stored are.
    fn refuse_own(&self, own: BlockRef) -> bool {
        own.round <= self.proposer.past || own.round < self.gc_round()
    }

    fn wanted(&mut self, source: Source, reference: &BlockRef) -> bool {
        let refused = &mut self.counters.refused;
        if reference.round < self.dag.gc_round() || reference.round == Round(0) {
            refused.below_gc += 1;
            return false;
        }
        if self.dag.place(reference).is_some() || self.intake.is_waiting(reference) {
            refused.known += 1;
            return false;
        }
        let from_peer = matches!(source, Source::Peer(_));
        if from_peer && reference.round > *self.window().end() {
            self.counters.refused.too_far_ahead += 1;
            return false;
        }
        true
    }

    /// Takes blocks into the DAG, and with them the blocks that waited for them; lets wait what must.
    pub(super) fn admit(&mut self, mut arrivals: Vec<Arrival>, out: &mut Vec<Effect>) {
        while let Some(arrival) = arrivals.pop() {
            let parents = arrival.block.parents().iter();
            let missing: Vec<BlockRef> = parents
                .filter(|parent| !self.dag.settled(parent))
                .copied()
                .collect();
            if missing.is_empty() {
                self.accept(arrival, &mut arrivals, out);
            } else {
                self.wait(arrival, &missing, &mut arrivals);
            }
        }
    }

    fn wait(&mut self, arrival: Arrival, missing: &[BlockRef], arrivals: &mut Vec<Arrival>) {
        let reference = arrival.block.reference();
        let waited = self.intake.wait(arrival.block, arrival.stored, missing);
        let Waited::Kept { evicted, unwanted } = waited else {
            self.counters.refused.waiting_full += 1;
            return;
        };
        self.fetcher.settle(&reference);
        for parent in unwanted {
            if !self.intake.is_awaited(&parent) {
                self.fetcher.settle(&parent);
            }
        }
        for evicted in evicted {
            self.counters.refused.waiting_full += 1;
            if self.intake.is_awaited(&evicted) {
                self.fetcher.want(evicted, None, self.now);
            }
        }
        for parent in missing {
            if self.intake.is_waiting(parent) {
                continue;
            }
            match self.intake.take_twin(parent) {
                Some(twin) => arrivals.push(Arrival {
                    block: twin,
                    source: arrival.source,
                    stored: false,
                }),
                None => self.fetcher.want(*parent, arrival.source, self.now),
            }
        }
    }

    fn accept(&mut self, arrival: Arrival, arrivals: &mut Vec<Arrival>, out: &mut Vec<Effect>) {
        let reference = arrival.block.reference();
        let output = self.restored_output.remove(&reference);
        let Some(place) = self.dag.insert(arrival.block.clone(), output, self.now) else {
            self.counters.refused.twins_full += 1;
            return;
        };
        self.fetcher.settle(&reference);
        if !arrival.stored {
            out.push(Effect::Store(arrival.block));
        }
        if reference.author == self.me {
            self.note_own(reference);
            self.dag.note_own(place);
        }
        self.committer.add_block(&self.dag, place);
        self.ask_coin(reference.round, out);
        // The lowest comes off the end first.
        let released = self.intake.release(&reference).into_iter().rev();
        arrivals.extend(released.map(|waiting| Arrival {
            block: waiting.block,
            source: None,
            stored: waiting.stored,
        }));
    }
}
