//! The guard, model checked: a validator that crashes at any point and may lose its disk, two honest peers, and a liar.
//!
//! The machine is the real [`Guard`]. Around it stand, in a few numbers, what the validator's disk holds, what it sent, how
//! far the peers are, which of its blocks they have, and one greeting of each in flight. At any point it may propose at any round
//! that the rules allow, a block may become durable and leave, a peer may make a block, receive one, greet, have its
//! greeting heard or show an own block, and the validator may crash, with its disk or without. The liar has a block in every
//! round for everybody and greets as often as it likes, with a claim that always counts or one that never does: what lies between
//! them only binds more. Links keep order; nothing else does.
//!
//! Where the model leaves something out it allows more than the real validator does: a block is taken without its
//! ancestors, so that own blocks are not shown by what references them; rounds may be jumped.
//!
//! Explored without gaps: rounds 1 and 2 with one crash. Not explored: more of either, a second greeting of one honest peer to
//! one life of the validator, peers that restart, a backup restored without a word (nothing can help if those
//! who hold the blocks are not heard, see `docs/adr/0010-amnesia-guard.md`), checkpoints, more members. The worlds of
//! `quorate sim` sample these.

use std::collections::BTreeSet;

use quorate_types::{Round, ValidatorIndex};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

use super::{Greeting, Guard};

const QUORUM: u16 = 3;
const LIAR: ValidatorIndex = ValidatorIndex(3);
/// How many honest peers there are.
const PEERS: usize = 2;

/// What may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// It proposes at once.
    NoGuard,
    /// One greeting less is enough.
    HearsFewer,
    /// Blocks leave before they are on disk.
    SendsBeforeDurable,
}

/// A set of rounds, as bits.
type Rounds = u8;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Disk {
    own: Rounds,
    lost: bool,
    past: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Peer {
    /// Of its last block.
    round: u64,
    /// The validator's blocks that it has.
    held: Rounds,
    /// Its greeting to this life of the validator: not yet made, on its way, heard.
    greeting: Option<Option<Greeting>>,
    /// Its last block that the validator has.
    seen: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    guard: Guard,
    disk: Disk,
    /// A block that is not durable yet.
    pending: Option<u64>,
    /// The rounds of all blocks that ever left.
    sent: Rounds,
    /// A second one left for some round.
    twice: bool,
    /// It lost its disk.
    forgot: bool,
    /// It proposed after that.
    again: bool,
    crashes: u8,
    peers: [Peer; PEERS],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Propose(u64),
    Persist,
    Crash {
        disk_lost: bool,
    },
    /// A peer makes its next block.
    Advance(usize),
    /// A peer receives the validator's next block.
    Receive(usize),
    /// The validator receives a peer's next block.
    See(usize),
    Greet(usize),
    Hear(usize),
    /// A peer sends the validator the newest of its own blocks.
    Show(usize),
    /// The liar claims to hold this round.
    Lie(u64),
}

struct World {
    rounds: u64,
    crashes: u8,
    fault: Fault,
}

const fn highest(rounds: Rounds) -> u64 {
    (u8::BITS - 1 - (rounds | 1).leading_zeros()) as u64
}

const fn has(rounds: Rounds, round: u64) -> bool {
    round == 0 || rounds >> round & 1 == 1
}

/// The name of a peer.
fn name(at: usize) -> ValidatorIndex {
    ValidatorIndex(u16::try_from(at + 1).expect("few"))
}

impl State {
    /// Which of the honest peers is which makes no difference, so the lesser comes first.
    fn in_order(mut self) -> Self {
        let plain = |greeting: &Greeting| (greeting.held, greeting.round);
        let key = |at: usize| {
            let peer = &self.peers[at];
            let greeting = peer.greeting.as_ref();
            let greeting = greeting.map(|greeting| greeting.as_ref().map(plain));
            let heard = self.guard.greetings.get(&name(at)).map(plain);
            (peer.round, peer.held, peer.seen, greeting, heard)
        };
        if key(0) > key(1) {
            self.peers.swap(0, 1);
            let heard = [0, 1].map(|at| self.guard.greetings.remove(&name(at)));
            for (at, greeting) in heard.into_iter().enumerate() {
                let greeting = greeting.map(|greeting| (name(1 - at), greeting));
                self.guard.greetings.extend(greeting);
            }
        }
        self
    }

    /// How many authors the validator has blocks of at a round, the liar among them.
    fn authors_at(&self, round: u64) -> usize {
        let peers = self.peers.iter().filter(|peer| peer.seen >= round);
        peers.count() + 1 + usize::from(has(self.disk.own, round))
    }

    fn quorum_round(&self, world: &World) -> Round {
        let reached = |round: &u64| self.authors_at(*round) >= usize::from(QUORUM);
        Round((0..=world.rounds).take_while(reached).last().unwrap_or(0))
    }

    fn may_propose(&self, round: u64) -> bool {
        self.guard.is_open()
            && self.pending.is_none()
            && round > self.disk.past
            && round > highest(self.disk.own)
            && self.authors_at(round - 1) >= usize::from(QUORUM)
    }

    fn send(&mut self, round: u64) {
        self.twice |= has(self.sent, round);
        self.sent |= 1 << round;
        self.again |= self.forgot;
    }

    /// What `Validator::open_guard` does.
    fn open_guard(&mut self, world: &World) {
        if world.fault == Fault::NoGuard {
            self.guard.open = true;
        }
        let Some(bound) = self.guard.open(self.quorum_round(world)) else {
            return;
        };
        if self.guard.is_lost() {
            self.disk.past = self.disk.past.max(bound.0);
            self.disk.lost = false;
        }
    }

    /// What `Validator::recover` and `Validator::start` do.
    fn start(&mut self, world: &World, told_lost: bool) {
        let quorum = QUORUM - u16::from(world.fault == Fault::HearsFewer);
        self.guard = Guard::new(quorum, told_lost);
        self.guard
            .know_own(Round(highest(self.disk.own).max(self.disk.past)));
        self.disk.lost |= told_lost;
        if self.disk.lost {
            self.guard.recover_lost();
        }
    }

    fn crash(&mut self, world: &World, disk_lost: bool) {
        self.crashes += 1;
        self.pending = None;
        for peer in &mut self.peers {
            peer.greeting = None;
            if disk_lost {
                peer.seen = 0;
            }
        }
        if disk_lost {
            self.forgot = true;
            self.disk = Disk::default();
        }
        self.start(world, disk_lost);
    }
}

impl World {
    fn first(&self) -> State {
        let mut state = State {
            guard: Guard::new(QUORUM, false),
            disk: Disk::default(),
            pending: None,
            sent: 0,
            twice: false,
            forgot: false,
            again: false,
            crashes: 0,
            peers: Default::default(),
        };
        state.start(self, false);
        state.open_guard(self);
        state
    }

    fn peer_actions(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let (peer, other) = (&state.peers[at], &state.peers[1 - at]);
        // Its own block, the liar's, and one more.
        let quorum = other.round >= peer.round || has(peer.held, peer.round);
        if quorum && peer.round < self.rounds {
            actions.push(Action::Advance(at));
        }
        if peer.held != state.sent {
            actions.push(Action::Receive(at));
        }
        if peer.seen < peer.round {
            actions.push(Action::See(at));
        }
        match peer.greeting {
            None => actions.push(Action::Greet(at)),
            Some(Some(_)) => actions.push(Action::Hear(at)),
            Some(None) => {}
        }
        if !has(state.disk.own, highest(peer.held)) {
            actions.push(Action::Show(at));
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.first()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let rounds = 1..=self.rounds;
        let proposals = rounds.filter(|round| state.may_propose(*round));
        actions.extend(proposals.map(Action::Propose));
        if state.pending.is_some() {
            actions.push(Action::Persist);
        }
        if state.crashes < self.crashes {
            actions.extend([false, true].map(|disk_lost| Action::Crash { disk_lost }));
        }
        for at in 0..PEERS {
            self.peer_actions(state, at, actions);
        }
        if !state.guard.is_open() {
            // The lowest always counts and binds least; the highest never counts. What lies between only binds more.
            actions.extend([0, self.rounds + 3].map(Action::Lie));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Propose(round) => {
                next.pending = Some(round);
                if self.fault == Fault::SendsBeforeDurable {
                    next.send(round);
                }
            }
            Action::Persist => {
                let round = next.pending.take()?;
                // What was begun before the guard closed again does not leave.
                if next.guard.is_open() {
                    next.guard.know_own(Round(round));
                    next.disk.own |= 1 << round;
                    if self.fault != Fault::SendsBeforeDurable {
                        next.send(round);
                    }
                } else {
                    next.disk.past = next.disk.past.max(round);
                }
            }
            Action::Crash { disk_lost } => next.crash(self, disk_lost),
            Action::Advance(at) => next.peers[at].round += 1,
            Action::Receive(at) => {
                let new = next.sent & !next.peers[at].held;
                next.peers[at].held |= 1 << new.trailing_zeros();
            }
            Action::See(at) => next.peers[at].seen += 1,
            Action::Greet(at) => {
                let peer = &mut next.peers[at];
                let (held, round) = (Round(highest(peer.held)), Round(peer.round));
                peer.greeting = Some(Some(Greeting { held, round }));
            }
            Action::Hear(at) => {
                let greeting = next.peers[at].greeting.replace(None)??;
                next.guard.greet(name(at), greeting);
            }
            Action::Show(at) => {
                let round = highest(next.peers[at].held);
                next.disk.lost |= next.guard.shown_own(Round(round));
                next.disk.own |= 1 << round;
            }
            Action::Lie(held) => {
                let (held, round) = (Round(held), Round(0));
                next.guard.greet(LIAR, Greeting { held, round });
            }
        }
        next.open_guard(self);
        Some(next.in_order())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one block for a round", |_, state: &State| !state.twice),
            Property::sometimes("it proposes after a loss", |_, state: &State| state.again),
            Property::sometimes("a lie stops nobody", |world: &Self, state: &State| {
                let lie = state.guard.greetings.get(&LIAR);
                let lie = lie.map_or(0, |greeting| greeting.held.0);
                lie > world.rounds + 2 && state.guard.is_open() && !state.forgot
            }),
        ]
    }
}

fn explore(world: World) -> (usize, BTreeSet<&'static str>) {
    let checker = world
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let mut failed = BTreeSet::new();
    for property in checker.model().properties() {
        let found = checker.discovery(property.name).is_some();
        if (property.expectation == Expectation::Sometimes) != found {
            failed.insert(property.name);
        }
    }
    (checker.unique_state_count(), failed)
}

const fn world(fault: Fault) -> World {
    World {
        rounds: 2,
        crashes: 1,
        fault,
    }
}

#[test]
fn no_round_gets_a_second_block() {
    let (states, failed) = explore(world(Fault::None));
    assert_eq!(failed, BTreeSet::new());
    assert_eq!(states, 253_512);
}

#[test]
fn broken_guards_are_found() {
    for fault in [Fault::NoGuard, Fault::HearsFewer, Fault::SendsBeforeDurable] {
        let (_, failed) = explore(world(fault));
        assert!(failed.contains("one block for a round"), "{fault:?}");
    }
}
