//! What one honest member can do next, worked out once per situation.
//!
//! A member's whole past is one number into a table, so that a state of the model is three numbers and the coins. What a
//! member may do next depends on its own past and on what others have sent it, hence is remembered too.
//!
//! Deliveries that make the member do nothing yet are put off: a move is a shortest run of deliveries after which it
//! sends something, asks for a coin, decides or halts, the last delivery being the one that makes it. Nothing is lost by
//! that. Votes are counted in sets, so what a member will do depends on which votes it has and on what it did, not on
//! when the votes came; a vote that changes nothing now can as well come right before something that it changes. Of two
//! moves with the same outcome, the one that needs a part of the other's deliveries stands for both: the rest can
//! follow. The test `putting_off_what_changes_nothing_loses_nothing` compares with the plain search.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use quorate_dkg::agreement::{Agreement, Message, Output};
use quorate_types::ValidatorIndex;

/// The honest members' count; the liar's index comes after theirs.
pub(crate) const HONEST: usize = 3;
const MEMBERS: u16 = 4;
const LIAR: ValidatorIndex = ValidatorIndex(3);

/// A member's past.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Local {
    /// The machine under test.
    pub(crate) agreement: Agreement,
    /// What it sent to all, up to the last explored round.
    pub(crate) said: Vec<Message>,
    /// How much of the others' `said` it has.
    pub(crate) heard: [u8; HONEST],
    /// Messages of the liar that it has.
    pub(crate) lies: u8,
    /// Bit r: it asked for the coin of round r.
    pub(crate) wants: u8,
    /// Bit r: it has the coin of round r.
    pub(crate) coins: u8,
    /// It refused a message of an honest member.
    pub(crate) refused: bool,
    /// It asked for a coin before the round's output.
    pub(crate) hasty: bool,
    /// It entered a round after the one in which it decided by the coin.
    pub(crate) restless: bool,
}

/// The number of a [`Local`].
pub(crate) type LocalId = u32;

/// Limits of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Rounds that are explored; messages of later ones are not delivered.
    pub(crate) rounds: u32,
    /// Most messages that the liar sends, to all members together.
    pub(crate) lies: u8,
    /// The liar may claim that it decided.
    pub(crate) finishes: bool,
    /// Put off deliveries that change nothing.
    pub(crate) lazy: bool,
}

/// All pasts and what follows from them.
#[derive(Debug)]
pub(crate) struct Table {
    limits: Limits,
    inner: Mutex<Inner>,
}

type Situation = (LocalId, [Vec<Message>; 2], u8);

#[derive(Debug, Default)]
struct Inner {
    locals: Vec<Arc<Local>>,
    numbers: HashMap<Arc<Local>, LocalId>,
    moves: HashMap<Situation, Arc<Vec<LocalId>>>,
}

impl Table {
    pub(crate) fn new(limits: Limits) -> Self {
        let inner = Mutex::default();
        Self { limits, inner }
    }

    pub(crate) fn get(&self, id: LocalId) -> Arc<Local> {
        let inner = self.inner.lock().expect("no panic while locked");
        Arc::clone(&inner.locals[id as usize])
    }

    fn number(&self, local: Local) -> LocalId {
        let mut inner = self.inner.lock().expect("no panic while locked");
        if let Some(id) = inner.numbers.get(&local) {
            return *id;
        }
        let id = LocalId::try_from(inner.locals.len()).expect("fewer than 2^32 pasts");
        let local = Arc::new(local);
        inner.locals.push(Arc::clone(&local));
        inner.numbers.insert(local, id);
        id
    }

    /// A member that just got its input.
    pub(crate) fn start(&self, agreement: Agreement, input: bool) -> LocalId {
        let mut local = Local {
            agreement,
            said: Vec::new(),
            heard: [0; HONEST],
            lies: 0,
            wants: 0,
            coins: 0,
            refused: false,
            hasty: false,
            restless: false,
        };
        let mut out = Vec::new();
        local.agreement.start(input, &mut out);
        self.note(&mut local, &out);
        self.number(local)
    }

    /// A member as it is in another table, with no lie counted yet.
    pub(crate) fn adopt(&self, local: &Local) -> LocalId {
        let mut local = local.clone();
        local.lies = 0;
        self.number(local)
    }

    /// Gives a member the coin of a round.
    pub(crate) fn coin(&self, id: LocalId, round: u32, coin: bool) -> LocalId {
        let mut local = Local::clone(&self.get(id));
        let mut out = Vec::new();
        local.agreement.coin(round, coin, &mut out);
        local.coins |= 1 << round;
        self.note(&mut local, &out);
        self.number(local)
    }

    /// Where member `me` may get to by a run of deliveries, while the liar may send it up to `lies`
    /// messages more.
    pub(crate) fn moves(
        &self,
        me: usize,
        members: &[LocalId; HONEST],
        lies: u8,
    ) -> Arc<Vec<LocalId>> {
        let local = self.get(members[me]);
        let others = others(me);
        let pending = others.map(|from| {
            let said = &self.get(members[from]).said;
            said[usize::from(local.heard[from])..].to_vec()
        });
        let situation = (members[me], pending, lies);
        {
            let inner = self.inner.lock().expect("no panic while locked");
            if let Some(moves) = inner.moves.get(&situation) {
                return Arc::clone(moves);
            }
        }
        let moves = Arc::new(self.search(me, &local, &situation.1, lies));
        let mut inner = self.inner.lock().expect("no panic while locked");
        inner.moves.insert(situation, Arc::clone(&moves));
        moves
    }

    /// Follows all runs of deliveries until each makes the member do something.
    fn search(
        &self,
        me: usize,
        start: &Local,
        pending: &[Vec<Message>; 2],
        lies: u8,
    ) -> Vec<LocalId> {
        let mut seen = BTreeSet::new();
        let mut open = vec![(Taken::default(), start.clone())];
        let mut found: BTreeMap<Vec<Output>, Vec<(Taken, Local)>> = BTreeMap::new();
        while let Some((taken, local)) = open.pop() {
            for (taken, message, from) in self.deliveries(me, &taken, &local, pending, lies) {
                let mut local = local.clone();
                let mut out = Vec::new();
                let verdict = local.agreement.receive(from, message, &mut out);
                if from == LIAR {
                    if verdict.is_err() {
                        continue;
                    }
                    local.lies += 1;
                } else {
                    local.heard[from.position()] += 1;
                    local.refused |= verdict.is_err();
                }
                self.note(&mut local, &out);
                if out.is_empty() && self.limits.lazy && !local.refused {
                    if seen.insert(taken.clone()) {
                        open.push((taken, local));
                    }
                } else {
                    found.entry(out).or_default().push((taken, local));
                }
            }
        }
        let mut moves = Vec::new();
        for outcomes in found.into_values() {
            for (taken, local) in &outcomes {
                let mut others = outcomes.iter();
                if self.limits.lazy && others.any(|(other, _)| other.is_part_of(taken)) {
                    continue;
                }
                moves.push(self.number(local.clone()));
            }
        }
        moves.sort_unstable();
        moves.dedup();
        moves
    }

    /// What may be delivered next: the next message of each honest member, and anything of the liar's.
    fn deliveries(
        &self,
        me: usize,
        taken: &Taken,
        local: &Local,
        pending: &[Vec<Message>; 2],
        lies: u8,
    ) -> Vec<(Taken, Message, ValidatorIndex)> {
        let mut out = Vec::new();
        if local.agreement.is_halted() {
            return out;
        }
        for (slot, from) in others(me).into_iter().enumerate() {
            if let Some(message) = pending[slot].get(taken.heard[slot]) {
                let mut taken = taken.clone();
                taken.heard[slot] += 1;
                let from = u16::try_from(from).expect("below n");
                out.push((taken, *message, ValidatorIndex(from)));
            }
        }
        if taken.lies.len() < usize::from(lies) {
            let round = local.agreement.round().unwrap_or(0);
            for lie in lies_up_to(round.min(self.limits.rounds - 1)) {
                if !self.limits.finishes && matches!(lie, Message::Finish { .. }) {
                    continue;
                }
                let mut taken = taken.clone();
                if taken.lies.insert(lie) {
                    out.push((taken, lie, LIAR));
                }
            }
        }
        out
    }

    fn note(&self, local: &mut Local, out: &[Output]) {
        for output in out {
            match output {
                Output::Send(message) => {
                    let finish = matches!(message, Message::Finish { .. });
                    if finish || message.round() < Some(self.limits.rounds) {
                        local.said.push(*message);
                    }
                }
                Output::WantCoin(round) => {
                    local.wants |= 1 << round;
                    local.hasty |= local.agreement.output(*round).is_none();
                }
                Output::Decided(_) | Output::Halted => {}
            }
        }
        local.restless |= local.said.iter().any(|message| match message {
            Message::Finish {
                round: Some(last), ..
            } => local.agreement.round() > Some(*last),
            _ => false,
        });
    }
}

/// What a run of deliveries consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Taken {
    heard: [usize; 2],
    lies: BTreeSet<Message>,
}

impl Taken {
    /// Whether it is less than another, and no more in anything.
    fn is_part_of(&self, other: &Self) -> bool {
        self != other
            && self.heard[0] <= other.heard[0]
            && self.heard[1] <= other.heard[1]
            && self.lies.is_subset(&other.lies)
    }
}

fn others(me: usize) -> [usize; 2] {
    match me {
        0 => [1, 2],
        1 => [0, 2],
        _ => [0, 1],
    }
}

/// Everything a liar can say up to a round.
fn lies_up_to(round: u32) -> Vec<Message> {
    let mut lies = Vec::new();
    for value in [false, true] {
        lies.push(Message::Finish { value, round: None });
    }
    for round in 0..=round {
        for value in [false, true] {
            lies.push(Message::Echo1 { round, value });
            lies.push(Message::Echo2 { round, value });
            let value = Some(value);
            lies.push(Message::Echo3 { round, value });
        }
        lies.push(Message::Echo3 { round, value: None });
        for value in [false, true] {
            let round = Some(round);
            lies.push(Message::Finish { value, round });
        }
    }
    lies
}

/// An honest member's machine.
pub(crate) fn machine(me: usize) -> Agreement {
    let me = u16::try_from(me).expect("below n");
    Agreement::new(MEMBERS, 1, ValidatorIndex(me))
}
