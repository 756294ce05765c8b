//! The model: three honest members, a liar that says anything to anybody, and coins that the adversary chooses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use quorate_dkg::agreement::{Agreement, Message};
use stateright::{Model, Property};

use crate::local::{HONEST, Limits, Local, LocalId, Table};

/// Three members' pasts and the coins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct State {
    pub(crate) members: [LocalId; HONEST],
    /// Bit r: the coin of round r is chosen.
    pub(crate) chosen: u8,
    /// Bit r: that coin.
    pub(crate) coins: u8,
    /// Bit i: member i's input.
    pub(crate) inputs: u8,
}

/// What each member has sent, decided and asked for.
pub(crate) type Outcome = [(Vec<Message>, Option<bool>, u8); HONEST];

/// What the adversary does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Lets a member receive some messages: which of its possible moves.
    Deliver { to: usize, number: usize },
    /// Fixes a coin that an honest member has asked for.
    Choose { round: u32, coin: bool },
    /// Hands a coin to a member that asked for it: the liar's share and one honest share make it.
    Reveal { to: usize, round: u32 },
}

/// A model with its limits.
#[derive(Debug)]
pub(crate) struct World {
    table: Table,
    limits: Limits,
    initial: Vec<State>,
}

impl World {
    /// Starts right after the members' inputs: each of `inputs` is a set of members, by bit, whose input is 1.
    pub(crate) fn new(limits: Limits, inputs: &[u8], make: impl Fn(usize) -> Agreement) -> Self {
        let table = Table::new(limits);
        let start = |inputs: &u8| State {
            members: std::array::from_fn(|me| table.start(make(me), inputs >> me & 1 == 1)),
            chosen: 0,
            coins: 0,
            inputs: *inputs,
        };
        let initial = inputs.iter().map(start).collect();
        Self {
            table,
            limits,
            initial,
        }
    }

    /// Starts where another world got to, no lie counted yet.
    pub(crate) fn resume(limits: Limits, inputs: u8, members: &[Arc<Local>; HONEST]) -> Self {
        let table = Table::new(limits);
        let initial = vec![State {
            members: std::array::from_fn(|me| table.adopt(&members[me])),
            chosen: 0,
            coins: 0,
            inputs,
        }];
        Self {
            table,
            limits,
            initial,
        }
    }

    /// The members at the nearest state in which they are as asked for.
    pub(crate) fn find(
        &self,
        wanted: impl Fn(&[Arc<Local>; HONEST]) -> bool,
    ) -> Option<[Arc<Local>; HONEST]> {
        let mut seen: BTreeSet<State> = self.initial.iter().copied().collect();
        let mut open: VecDeque<State> = self.initial.iter().copied().collect();
        while let Some(state) = open.pop_front() {
            let locals = state.members.map(|id| self.table.get(id));
            if wanted(&locals) {
                return Some(locals);
            }
            open.extend(
                self.next_states(&state)
                    .into_iter()
                    .filter(|next| seen.insert(*next)),
            );
        }
        None
    }

    /// A state in which some member has an output of the round, and from which both values can still become an output:
    /// the coin would be revealed before it is fixed what it is compared with.
    pub(crate) fn unbound(&self, round: u32) -> Option<State> {
        let mut reach: BTreeMap<State, u8> = BTreeMap::new();
        // Members only ever add to what they sent and know, so the graph has no cycles and this ends.
        let mut open: Vec<(State, bool)> =
            self.initial.iter().map(|state| (*state, false)).collect();
        while let Some((state, expanded)) = open.pop() {
            if reach.contains_key(&state) {
                continue;
            }
            let next = self.next_states(&state);
            if !expanded {
                open.push((state, true));
                open.extend(next.into_iter().map(|next| (next, false)));
                continue;
            }
            let own = self
                .outputs(&state, round)
                .into_iter()
                .map(|value| 1 << u8::from(value));
            let later = next.iter().map(|next| reach[next]);
            let values = own.chain(later).fold(0, |all, some| all | some);
            reach.insert(state, values);
        }
        reach.into_iter().find_map(|(state, values)| {
            (values == 0b11 && self.has_output(&state, round)).then_some(state)
        })
    }
    /// What the members can have sent, decided and asked for, together.
    pub(crate) fn outcomes(&self) -> BTreeSet<Outcome> {
        let mut seen: BTreeSet<State> = self.initial.iter().copied().collect();
        let mut open: Vec<State> = self.initial.clone();
        let mut outcomes = BTreeSet::new();
        while let Some(state) = open.pop() {
            outcomes.insert(state.members.map(|id| {
                let local = self.table.get(id);
                let decision = local.agreement.decision();
                (local.said.clone(), decision, local.wants)
            }));
            let next = self.next_states(&state).into_iter();
            open.extend(next.filter(|next| seen.insert(*next)));
        }
        outcomes
    }

    fn lies_left(&self, state: &State) -> u8 {
        let told = state.members.map(|id| self.table.get(id).lies);
        self.limits.lies.saturating_sub(told.iter().sum())
    }

    pub(crate) fn decisions(&self, state: &State) -> Vec<bool> {
        let members = state.members.iter();
        members
            .filter_map(|id| self.table.get(*id).agreement.decision())
            .collect()
    }

    /// The outputs of a round that members have, without those that have none or neither value. They are forgotten
    /// when a member halts.
    pub(crate) fn outputs(&self, state: &State, round: u32) -> Vec<bool> {
        let members = state.members.iter();
        members
            .filter_map(|id| self.table.get(*id).agreement.output(round)?)
            .collect()
    }

    /// Whether some member has an output of the round.
    pub(crate) fn has_output(&self, state: &State, round: u32) -> bool {
        let mut members = state.members.iter();
        members.any(|id| self.table.get(*id).agreement.output(round).is_some())
    }

    fn agree(values: &[bool]) -> bool {
        values.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Everything honest is delivered, the liar says no more, no member is beyond the explored rounds, and yet somebody
    /// has not decided.
    fn is_stuck(&self, state: &State) -> bool {
        let locals = state.members.map(|id| self.table.get(id));
        let waits = |local: &Local| {
            local.agreement.decision().is_none()
                && local.agreement.round() < Some(self.limits.rounds)
        };
        let beyond = locals.iter().any(|local| {
            local.agreement.decision().is_none()
                && local.agreement.round() >= Some(self.limits.rounds)
        });
        if beyond || !locals.iter().any(|local| waits(local)) {
            return false;
        }
        let wanted = locals.iter().any(|local| local.wants & !local.coins != 0);
        !wanted && (0..HONEST).all(|me| self.table.moves(me, &state.members, 0).is_empty())
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.initial.clone()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let lies = self.lies_left(state);
        for to in 0..HONEST {
            let moves = self.table.moves(to, &state.members, lies).len();
            actions.extend((0..moves).map(|number| Action::Deliver { to, number }));
        }
        let locals = state.members.map(|id| self.table.get(id));
        for round in 0..self.limits.rounds {
            let bit = 1 << round;
            let wanting = |to: &usize| locals[*to].wants & !locals[*to].coins & bit != 0;
            let mut wanting = (0..HONEST).filter(wanting).peekable();
            if state.chosen & bit != 0 {
                actions.extend(wanting.map(|to| Action::Reveal { to, round }));
            } else if wanting.peek().is_some() {
                actions.extend([false, true].map(|coin| Action::Choose { round, coin }));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::Deliver { to, number } => {
                let moves = self.table.moves(to, &state.members, self.lies_left(state));
                next.members[to] = moves[number];
            }
            Action::Choose { round, coin } => {
                next.chosen |= 1 << round;
                next.coins |= u8::from(coin) << round;
            }
            Action::Reveal { to, round } => {
                let coin = state.coins >> round & 1 == 1;
                next.members[to] = self.table.coin(state.members[to], round, coin);
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("agreement", |world: &Self, state: &State| {
                Self::agree(&world.decisions(state))
            }),
            Property::always("validity", |world: &Self, state: &State| {
                let inputs = [0, 0b111].contains(&state.inputs);
                let input = state.inputs & 1 == 1;
                !inputs || world.decisions(state).iter().all(|value| *value == input)
            }),
            Property::always("one output a round", |world: &Self, state: &State| {
                (0..world.limits.rounds).all(|round| Self::agree(&world.outputs(state, round)))
            }),
            Property::always(
                "no coin before the output",
                |world: &Self, state: &State| {
                    !state.members.iter().any(|id| world.table.get(*id).hasty)
                },
            ),
            Property::always(
                "no coin without a proposal",
                |world: &Self, state: &State| {
                    let wants = state
                        .members
                        .iter()
                        .any(|id| world.table.get(*id).wants != 0);
                    state.inputs != 0 || !wants
                },
            ),
            Property::always(
                "who decided by a coin stays",
                |world: &Self, state: &State| {
                    !state.members.iter().any(|id| world.table.get(*id).restless)
                },
            ),
            Property::always(
                "honest messages are taken",
                |world: &Self, state: &State| {
                    !state.members.iter().any(|id| world.table.get(*id).refused)
                },
            ),
            Property::always("nobody is stuck", |world: &Self, state: &State| {
                !world.is_stuck(state)
            }),
            Property::sometimes("all decide 1", |world: &Self, state: &State| {
                world.decisions(state) == [true; HONEST]
            }),
            Property::sometimes("all decide 0", |world: &Self, state: &State| {
                world.decisions(state) == [false; HONEST]
            }),
            Property::sometimes("a coin is needed", |_, state: &State| state.chosen != 0),
        ]
    }
}
