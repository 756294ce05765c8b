//! Members that lie, and runs with as many of them as may be.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use quorate_dkg::agreement;
use quorate_dkg::{DealerEvidence, Effect, Engine, Input, MemberSet, Message, Role, SignedDealing};
use quorate_types::{Signature, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::work::{Committee, FakeWork, INVALID, set};
use crate::world::{Late, World};

/// What a liar does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Says nothing.
    Silent,
    /// Deals one thing to some and another to others.
    DealsTwice,
    /// Deals what is invalid.
    DealsInvalid,
    /// Says whatever comes to mind, each time to somebody else.
    Random,
    /// Deals, and says the opposite of what it hears in agreements.
    Contrary,
}

const HABITS: [Habit; 5] = [
    Habit::Contrary,
    Habit::Silent,
    Habit::DealsTwice,
    Habit::DealsInvalid,
    Habit::Random,
];

/// A lying member.
#[derive(Debug)]
pub(crate) struct Liar {
    habit: Habit,
    /// What it shows to each member.
    outboxes: Vec<Vec<Message>>,
    budget: u32,
}

impl Liar {
    pub(crate) fn new(committee: &Committee, me: ValidatorIndex, habit: Habit) -> Self {
        let members = usize::from(committee.ceremony.size());
        let dealing = |text: &[u8]| {
            let identity = &committee.identities[me.position()];
            let body: Arc<[u8]> = text.into();
            SignedDealing::sign(&committee.ceremony, me, body, identity)
        };
        let first = |to: usize| match habit {
            Habit::Silent => Vec::new(),
            Habit::DealsTwice if to.is_multiple_of(2) => vec![Message::Dealing(dealing(b"other"))],
            Habit::DealsInvalid => vec![Message::Dealing(dealing(INVALID))],
            Habit::DealsTwice | Habit::Random | Habit::Contrary => {
                vec![Message::Dealing(dealing(b"one"))]
            }
        };
        Self {
            habit,
            outboxes: (0..members).map(first).collect(),
            budget: 60 * u32::from(committee.ceremony.size()),
        }
    }

    pub(crate) fn outbox_to(&self, to: ValidatorIndex) -> &[Message] {
        &self.outboxes[to.position()]
    }

    fn tell(&mut self, to: usize, message: Message) {
        if self.budget > 0 {
            self.budget -= 1;
            self.outboxes[to].push(message);
        }
    }

    /// Reacts to a message that somebody heard.
    pub(crate) fn hear(
        &mut self,
        me: ValidatorIndex,
        committee: &Committee,
        message: &Message,
        rng: &mut ChaCha20Rng,
    ) {
        let members = usize::from(committee.ceremony.size());
        let to = rng.next_u32() as usize % members;
        let coin = rng.next_u32() & 1 == 1;
        match self.habit {
            Habit::Silent => {}
            Habit::DealsTwice | Habit::DealsInvalid => {
                // Otherwise answers what it is told, to half of the members.
                if coin && to != me.position() {
                    self.echo(to, message);
                }
            }
            Habit::Contrary => {
                if let Some(lie) = opposite(message) {
                    self.echo(to, &lie);
                } else {
                    self.echo(to, message);
                }
            }
            Habit::Random => {
                let lie = random_message(committee, message, rng);
                self.tell(to, lie);
            }
        }
    }

    /// Repeats what others say as its own, where nothing like it was said.
    fn echo(&mut self, to: usize, message: &Message) {
        let fits = match message {
            Message::Echo { .. }
            | Message::Ready { .. }
            | Message::ProposalEcho { .. }
            | Message::ProposalReady { .. }
            | Message::Agreement { .. } => true,
            Message::Dealing(_)
            | Message::Proposal { .. }
            | Message::CoinShare { .. }
            | Message::CompletionShare { .. }
            | Message::Complete { .. } => false,
        };
        if fits && !self.outboxes[to].contains(message) {
            self.tell(to, message.clone());
        }
    }
}

/// The opposite opinion in an agreement's round.
fn opposite(message: &Message) -> Option<Message> {
    use agreement::Message::{Echo1, Echo2, Echo3, Finish};
    let Message::Agreement { proposer, message } = message else {
        return None;
    };
    let message = match *message {
        Echo1 { round, value } => Echo1 {
            round,
            value: !value,
        },
        Echo2 { round, value } => Echo2 {
            round,
            value: !value,
        },
        Echo3 { round, value } => Echo3 {
            round,
            value: value.map(|value| !value),
        },
        Finish { .. } => return None,
    };
    let proposer = *proposer;
    Some(Message::Agreement { proposer, message })
}

fn random_message(committee: &Committee, heard: &Message, rng: &mut ChaCha20Rng) -> Message {
    let members = committee.ceremony.size();
    let some = u16::try_from(rng.next_u32() % u32::from(members)).unwrap();
    let (proposer, dealer) = (ValidatorIndex(some), ValidatorIndex(some));
    let value = rng.next_u32() & 1 == 1;
    let quorum = committee.ceremony.agreement_quorum();
    let dealers: MemberSet = set((some..some + quorum).map(|index| index % members));
    let round = match heard {
        Message::Agreement { message, .. } => message.round().unwrap_or(0),
        _ => 0,
    };
    match (rng.next_u32() % 12, heard) {
        (0 | 1, Message::Echo { .. }) => heard.clone(),
        (0 | 1, Message::Dealing(dealing)) => Message::Echo {
            dealer: dealing.dealer,
            hash: dealing.hash(),
            signature: dealing.signature,
        },
        (2, Message::Echo { hash, .. }) => {
            let hash = *hash;
            Message::Ready { dealer, hash }
        }
        (3, _) => Message::Proposal { set: dealers },
        (4, _) => Message::ProposalEcho {
            proposer,
            set: dealers,
        },
        (5, _) => Message::ProposalReady {
            proposer,
            set: dealers,
        },
        (6, _) => {
            let message = agreement::Message::Echo2 { round, value };
            Message::Agreement { proposer, message }
        }
        (7, _) => {
            let value = Some(value);
            let message = agreement::Message::Echo3 { round, value };
            Message::Agreement { proposer, message }
        }
        (8, _) => {
            let round = Some(round);
            let message = agreement::Message::Finish { value, round };
            Message::Agreement { proposer, message }
        }
        (9, _) => Message::CoinShare {
            proposer,
            round: 2 + round % 3,
            share: Signature([1; Signature::LENGTH]),
        },
        _ => {
            let message = agreement::Message::Echo1 { round, value };
            Message::Agreement { proposer, message }
        }
    }
}

pub(crate) static FOUR: LazyLock<Arc<Committee>> = LazyLock::new(|| Arc::new(Committee::new(4)));
static SEVEN: LazyLock<Arc<Committee>> = LazyLock::new(|| Arc::new(Committee::new(7)));
static TEN: LazyLock<Arc<Committee>> = LazyLock::new(|| Arc::new(Committee::new(10)));

/// As many liars as may be, chosen and told what to do by the seed.
fn some_liars(committee: &Arc<Committee>, seed: u64) -> BTreeMap<ValidatorIndex, Liar> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed ^ 0xbad);
    let (size, faults) = (committee.ceremony.size(), committee.ceremony.faults());
    let mut liars = BTreeMap::new();
    while liars.len() < usize::from(faults) {
        let me = u16::try_from(rng.next_u32() % u32::from(size)).unwrap();
        let habit = HABITS[rng.next_u32() as usize % HABITS.len()];
        let me = ValidatorIndex(me);
        liars.insert(me, Liar::new(committee, me, habit));
    }
    liars
}

fn late(committee: &Committee, seed: u64) -> Late {
    let size = committee.ceremony.size();
    let slow = u16::try_from(seed / 5 % u64::from(size)).unwrap();
    match seed % 5 {
        0 => Late::Nothing,
        1 => Late::Members(set([slow])),
        2 => Late::Halves,
        3 => Late::Jobs(set([slow])),
        _ => Late::Proposals,
    }
}

/// The seeds of a test: `CEREMONY_SEED` alone, if it is set.
pub(crate) fn seeds(count: u64) -> std::ops::Range<u64> {
    let only = std::env::var("CEREMONY_SEED").ok();
    match only.and_then(|seed| seed.parse::<u64>().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..count,
    }
}

pub(crate) fn hint(seed: u64) -> String {
    format!("seed {seed} (CEREMONY_SEED={seed} cargo test -p quorate-dkg --test engine)")
}

fn all_complete(committee: &Arc<Committee>, count: u64) {
    let mut coins = 0;
    for seed in seeds(count) {
        let liars = some_liars(committee, seed);
        let late = late(committee, seed);
        let mut world = World::<FakeWork>::with_liars(committee, seed, late, liars);
        world.run();
        world.assert_complete(&hint(seed));
        let tossed = world.honest().any(|(_, member)| {
            let mut said = member.log.outbox();
            said.any(|message| matches!(message, Message::CoinShare { .. }))
        });
        coins += u64::from(tossed);
    }
    assert!(count < 100 || coins > 0, "some runs must need a coin");
    println!("{coins} of {count} runs tossed a coin");
}

#[test]
fn four_members_complete_with_one_liar() {
    all_complete(&FOUR, 200);
}

#[test]
fn seven_members_complete_with_two_liars() {
    all_complete(&SEVEN, 24);
}

#[test]
fn ten_members_complete_with_three_liars() {
    all_complete(&TEN, 6);
}

fn with_one(habit: Habit) -> World<FakeWork> {
    let me = ValidatorIndex(3);
    let liars = [(me, Liar::new(&FOUR, me, habit))].into_iter().collect();
    let mut world = World::with_liars(&FOUR, 5, Late::Nothing, liars);
    world.run();
    world.assert_complete("one liar");
    world
}

#[test]
fn two_dealings_convict() {
    let world = with_one(Habit::DealsTwice);
    let mut evidence = world.honest().flat_map(|(_, member)| &member.evidence);
    let convicts =
        |evidence: &DealerEvidence| evidence.verify(&FOUR.ceremony) == Ok(ValidatorIndex(3));
    assert!(evidence.any(convicts));
}

/// It may be the only one that reads both dealings.
#[test]
fn a_member_that_says_nothing_more_convicts_all_the_same() {
    let dealing = |text: &[u8]| {
        let body: Arc<[u8]> = text.into();
        SignedDealing::sign(&FOUR.ceremony, ValidatorIndex(1), body, &FOUR.identities[1])
    };
    let (one, other) = (dealing(b"one"), dealing(b"other"));
    let mut engine = Engine::new(FOUR.ceremony.clone(), ValidatorIndex(0), Role::Silent);
    let mut out = Vec::new();
    engine.step(Input::Start, &mut out);
    let echo = Message::Echo {
        dealer: ValidatorIndex(1),
        hash: other.hash(),
        signature: other.signature,
    };
    for (from, message) in [(1, Message::Dealing(one)), (2, echo)] {
        engine.step(
            Input::Received {
                from: ValidatorIndex(from),
                position: 0,
                message,
            },
            &mut out,
        );
    }
    let convicted = out.iter().filter_map(|effect| match effect {
        Effect::Evidence(evidence) => Some(evidence.verify(&FOUR.ceremony).unwrap()),
        _ => None,
    });
    assert_eq!(convicted.collect::<Vec<_>>(), [ValidatorIndex(1)]);
}

#[test]
fn an_invalid_dealing_convicts_and_is_not_counted() {
    let world = with_one(Habit::DealsInvalid);
    for (_, member) in world.honest() {
        let outcome = member.outcome.as_ref().unwrap();
        assert!(
            outcome
                .transcript
                .dealings
                .iter()
                .all(|dealing| dealing.dealer.0 < 3)
        );
        let invalid =
            |evidence: &DealerEvidence| matches!(evidence, DealerEvidence::InvalidDealing(_));
        assert!(member.evidence.iter().any(invalid));
    }
}
