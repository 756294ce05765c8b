//! One DAG in every order: what an engine has decided is a function of the blocks and coins that it holds.
//!
//! A state is the set of what was handed over, together with all that could depend on the order of it: what was decided and
//! output, and in which order the blocks of a slot with several were accepted, since that is how an engine numbers them. If the
//! order mattered there would be two states for one set. Blocks come after their parents, as an engine accepts them no
//! sooner; the coins of the slot and of its anchor come at any time.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;

use quorate_consensus::VerifiedBlock;
use quorate_types::BlockRef;
use stateright::{Checker, Model, Property};

use super::{World, limits};
use crate::dag::{Dag, Limits};
use crate::views::{Blocks, Decided, View, companies};

/// All blocks of a DAG, each with the set of its parents, and who is named where.
struct Orders {
    limits: Limits,
    blocks: Blocks,
    flat: Vec<(VerifiedBlock, u64)>,
    anchor: (usize, u16),
    /// The sets of blocks and coins that were met.
    sets: Mutex<BTreeSet<u64>>,
}

#[derive(Clone, Debug)]
struct State {
    /// Bit i: block i was handed over; the two bits after the blocks' are the coins'.
    held: u64,
    decided: Option<Decided>,
    /// Blocks of slots with several blocks, as they were accepted.
    twins: Vec<BlockRef>,
    /// One order that leads here.
    order: Vec<usize>,
}

impl State {
    fn key(&self) -> (u64, &Option<Decided>, &[BlockRef]) {
        (self.held, &self.decided, &self.twins)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Orders {
    /// The DAG with a tail that commits its last round's block by `author`.
    fn new(limits: Limits, dag: &Dag, author: u16) -> Self {
        let blocks = Blocks::new(dag);
        let last = dag.last();
        let at = last.iter().position(|node| node.author == author);
        let company = &companies(dag, at.expect("everybody has a block"), false)[0];
        let tail = blocks.tail(&limits, company);
        let mut flat: Vec<(VerifiedBlock, u64)> = Vec::new();
        for block in blocks.layers.iter().chain(&tail).flatten() {
            let parents = (0..).zip(&flat);
            let parents =
                parents.filter(|(_, (held, _))| block.parents().contains(&held.reference()));
            let parents = parents.fold(0, |set, (at, _): (u32, _)| set | 1 << at);
            flat.push((block.clone(), parents));
        }
        let anchor = (dag.rounds(), author);
        Self {
            limits,
            blocks,
            flat,
            anchor,
            sets: Mutex::new(BTreeSet::from([0])),
        }
    }

    /// Hands everything over in this order.
    fn replay(&self, order: &[usize]) -> (Option<Decided>, Vec<BlockRef>) {
        let mut view = View::new(&self.blocks.committee, &self.limits, |_| {});
        for &at in order {
            match at.checked_sub(self.flat.len()) {
                None => view.take([&self.flat[at].0]),
                Some(0) => view.coin(1, self.limits.leader),
                Some(_) => view.coin(self.anchor.0, self.anchor.1),
            }
        }
        let slots: Vec<_> = view
            .stored
            .iter()
            .map(|block| (block.round, block.author))
            .collect();
        let several = |block: &BlockRef| {
            let slot = (block.round, block.author);
            slots.iter().filter(|other| **other == slot).count() > 1
        };
        let twins = view.stored.iter().copied().filter(several).collect();
        let decided = view.decided(self.limits.leader);
        (decided.map(|(decided, _)| decided), twins)
    }
}

impl Model for Orders {
    type State = State;
    type Action = usize;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            held: 0,
            decided: None,
            twins: Vec::new(),
            order: Vec::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<usize>) {
        let new = |at: &usize| state.held >> at & 1 == 0;
        let ready = |at: &usize| {
            let parents = self.flat.get(*at).map_or(0, |(_, parents)| *parents);
            parents & !state.held == 0
        };
        actions.extend((0..self.flat.len() + 2).filter(new).filter(ready));
    }

    fn next_state(&self, state: &State, at: usize) -> Option<State> {
        let mut order = state.order.clone();
        order.push(at);
        let (decided, twins) = self.replay(&order);
        let held = state.held | 1 << at;
        let mut sets = self.sets.lock().expect("no panic while locked");
        sets.insert(held);
        Some(State {
            held,
            decided,
            twins,
            order,
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always(
            "decisions stay, and all are alike",
            |orders: &Self, state: &State| {
                // The order of rounds, coins last.
                let sorted: Vec<usize> = (0..orders.flat.len() + 2)
                    .filter(|at| state.held >> at & 1 == 1)
                    .collect();
                orders.replay(&sorted).0 == state.decided
            },
        )]
    }
}

/// A DAG on which what is wanted was found, in every order: numbers of states and of sets.
fn every_order(limits: Limits, wanted: &'static str) -> (usize, usize) {
    let checker = World::new(limits, |_| {}).checker().spawn_bfs().join();
    let path = checker.discovery(wanted).expect("it happens");
    let dag = &path.last_state().dag;
    let author = dag.last()[0].author;
    let checker = Orders::new(limits, dag, author)
        .checker()
        .spawn_bfs()
        .join();
    checker.assert_properties();
    let sets = checker.model().sets.lock().expect("no panic while locked");
    (checker.unique_state_count(), sets.len())
}

#[test]
fn decisions_are_a_function_of_the_set() {
    let found = every_order(limits(4, 0, 0), "directly and by an anchor");
    assert_eq!(found, (5_916, 1_676));
}
