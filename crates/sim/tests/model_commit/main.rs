//! The commit rule, model checked: four members of whom one lies, and every DAG over the wave of a slot and the round of its
//! anchor.
//!
//! The machine is the real [`quorate_consensus::Consensus`], with coins that the adversary chooses. Round by round it chooses
//! which blocks there are: one of each honest author, any number of the liar's, each with any parents that the rules allow at
//! the round just below. Then it names any block above as the anchor. Three engines are handed the DAG, and a tail that commits
//! the anchor, in different orders: one gets everything in the order of rounds and knows the slot from the start, one
//! gets each round backwards and learns of the slot last, and one gets nothing but what lies below the anchor and its tail,
//! decides, and only then gets the rest. What one of them decides about the slot, and outputs, all must.
//!
//! **Why that is all there is to see.** A slot's decision rests on who votes and certifies, and on the certificates below its
//! anchor. Votes and certificates are only ever added, so what a view with less decides directly a view with more can
//! decide as well: two views that decide differently do so on a DAG that has the blocks of both, and one of the orders above
//! shows it, since a decision once made is kept. Slots between the slot and its anchor have no part in it, so their coins stay
//! away. The anchor's own commit is this same model, one wave higher.
//!
//! **What is merged.** There are too many DAGs, and most differ in nothing that matters. Two are one state if they have
//! the same [`dag::Key`]: the last round's blocks by author and label, and how many authors stood for what at the rounds
//! that are tallied. [`dag::Dag`] says what a label is and why it is enough. Merging is checked, not believed:
//! `whichever_block_stands_for_its_label_the_same_follows` explores again with other blocks kept, and wants the same states with
//! the same outcomes; and [`orders`] hands DAGs to the engine in every order, and wants decisions that are a function of
//! the set of blocks. Merging by what is certified needs to know how many votes certify; where that is what is
//! broken, labels say so too.
//!
//! **Who leads.** If the leader is honest, a block supports its one block or none, and the order of parents has no part: all
//! such worlds are (leader 0, liar 1) up to names. If it lies, it matters which of its blocks is met first: it comes first among
//! parents (0) or last (3).
//!
//! Explored without gaps up to that: w = 4 and w = 5, rounds 1 to w + 1, l = 1. A debug build takes one anchor for each label
//! and one company for it (the members that are alone with it for a wave), a release build all.
//!
//! Not explored: parents further below than one round, rounds in which an honest author has no block (one that nobody sees is
//! there instead), more slots in a round, garbage collection, more members. `differential.rs` of `consensus` and the worlds of
//! `quorate sim` sample these.
//!
//! Numbers of states are pinned. With the feature `mutants`, each broken rule must be found by the same checks.

mod dag;
#[cfg(feature = "mutants")]
mod mutants;
mod orders;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use dag::{Dag, Key, Layer, Limits, QUORUM, StandIn, State};
use stateright::{Checker, HasDiscoveries, Model, Property};
use views::{Adjust, Outcome};

/// A model with its limits.
struct World {
    limits: Limits,
    adjust: Adjust,
    outcomes: Mutex<BTreeMap<Key, Outcome>>,
}

impl World {
    fn new(limits: Limits, adjust: Adjust) -> Self {
        let outcomes = Mutex::default();
        Self {
            limits,
            adjust,
            outcomes,
        }
    }

    fn state(&self, dag: Dag) -> State {
        let key = dag.key(&self.limits);
        State { dag, key }
    }

    /// What engines make of a DAG; nothing before there can be an anchor, even one a round too early.
    fn outcome(&self, state: &State) -> Outcome {
        if state.dag.rounds() < self.limits.certify_round() {
            return Outcome::default();
        }
        let known = self.outcomes.lock().expect("no panic while locked");
        if let Some(outcome) = known.get(&state.key) {
            return *outcome;
        }
        drop(known);
        let all = cfg!(not(debug_assertions));
        let outcome = views::explore(&self.limits, self.adjust, &state.dag, all);
        let mut known = self.outcomes.lock().expect("no panic while locked");
        known.insert(state.key.clone(), outcome);
        outcome
    }

    fn sometimes(name: &'static str, condition: fn(&Self, &State) -> bool) -> Property<Self> {
        Property::sometimes(name, condition)
    }
}

impl Model for World {
    type State = State;
    type Action = Layer;

    fn init_states(&self) -> Vec<State> {
        vec![self.state(Dag::first(&self.limits))]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Layer>) {
        if state.dag.rounds() < self.limits.anchor_round() {
            actions.extend(state.dag.next_layers(&self.limits));
        }
    }

    fn next_state(&self, state: &State, layer: Layer) -> Option<State> {
        let mut dag = state.dag.clone();
        dag.layers.push(layer);
        Some(self.state(dag))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("agreement", |world: &Self, state: &State| {
                !world.outcome(state).disagree
            }),
            Property::always("an anchor decides", |world: &Self, state: &State| {
                !world.outcome(state).stuck
            }),
            Self::sometimes("direct commit", |world, state| {
                world.outcome(state).direct_commit
            }),
            Self::sometimes("direct skip", |world, state| {
                world.outcome(state).direct_skip
            }),
            Self::sometimes("indirect commit", |world, state| {
                world.outcome(state).indirect_commit
            }),
            Self::sometimes("indirect skip", |world, state| {
                world.outcome(state).indirect_skip
            }),
            Self::sometimes("the second twin", |world, state| world.outcome(state).twin),
            Self::sometimes("directly and by an anchor", |world, state| {
                world.outcome(state).both_ways
            }),
        ]
    }
}

/// Explores all of a world. Returns how many states there are, and which properties do not hold: promises that are broken,
/// and things that should happen sometimes and do not.
fn explore(world: World) -> (usize, BTreeSet<&'static str>) {
    let checker = world
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let mut failed: BTreeSet<&'static str> = BTreeSet::new();
    for property in checker.model().properties() {
        let found = checker.discovery(property.name);
        let sometimes = property.expectation == stateright::Expectation::Sometimes;
        if sometimes != found.is_some() {
            failed.insert(property.name);
        }
    }
    (checker.unique_state_count(), failed)
}

const fn limits(wave: u8, leader: u16, liar: u16) -> Limits {
    Limits {
        wave,
        leader,
        liar,
        certificate: QUORUM,
        stand_in: StandIn::First,
    }
}

/// The leader is honest, or lies and its blocks come first among parents, or last.
const WHO: [(u16, u16); 3] = [(0, 1), (0, 0), (3, 3)];

/// Explores a wave for everybody in [`WHO`]: numbers of states.
fn sound(wave: u8) -> [usize; 3] {
    WHO.map(|(leader, liar)| {
        let (states, failed) = explore(World::new(limits(wave, leader, liar), |_| {}));
        // Who is honest has no second block.
        let expected = if leader == liar {
            BTreeSet::new()
        } else {
            BTreeSet::from(["the second twin"])
        };
        assert_eq!(failed, expected, "leader {leader}, liar {liar}");
        states
    })
}

#[test]
fn waves_of_four_rounds_agree() {
    assert_eq!(sound(4), [249, 911, 911]);
}

#[test]
fn waves_of_five_rounds_agree() {
    assert_eq!(sound(5), [261, 992, 992]);
}

/// All states with what engines made of them.
fn outcomes(limits: Limits) -> BTreeMap<Key, Outcome> {
    let world = World::new(limits, |_| {});
    let mut found = BTreeMap::new();
    let mut open = world.init_states();
    while let Some(state) = open.pop() {
        if found.contains_key(&state.key) {
            continue;
        }
        found.insert(state.key.clone(), world.outcome(&state));
        open.extend(world.next_states(&state));
    }
    found
}

/// Only by which way a decision was made may they differ: a block that stands for others has other parents, and a narrow
/// view then holds other votes.
#[test]
fn whichever_block_stands_for_its_label_the_same_follows() {
    let all = [StandIn::Last, StandIn::Mixed(1), StandIn::Mixed(2)];
    for (leader, liar) in [(0, 1), (0, 0)] {
        let first = limits(4, leader, liar);
        let found = outcomes(first);
        assert!(found.len() > 100, "{}", found.len());
        for stand_in in all {
            let other = outcomes(Limits { stand_in, ..first });
            assert!(found.keys().eq(other.keys()), "{stand_in:?}");
            assert!(
                other
                    .values()
                    .all(|outcome| !outcome.disagree && !outcome.stuck)
            );
        }
    }
}
