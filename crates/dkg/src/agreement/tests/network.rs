//! One agreement among members of which some lie, over a network that delivers in any order it likes.

use std::collections::BTreeMap;

use quorate_types::{Blake3, DomainTag, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::agreement::{Agreement, Message, Mutation, Output};
use crate::member_set::MemberSet;

/// Which message the network delivers next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Any.
    Any,
    /// One of the oldest.
    Old,
    /// One of the newest, nearly always.
    New,
    /// Between the halves of the committee only when there is nothing else at hand.
    Split,
    /// Those of some members last.
    Slow,
    /// Finishes only when there is nothing else.
    FinishesLast,
}

pub(super) const ORDERS: [Order; 6] = [
    Order::Any,
    Order::Old,
    Order::New,
    Order::Split,
    Order::Slow,
    Order::FinishesLast,
];

/// What a lying member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Liar {
    Silent,
    /// Answers with random messages of the round it hears of.
    Random,
    /// Tells half of the members 0 and the other half 1, in all three echoes.
    TwoFaced,
}

#[derive(Clone, Copy, Debug)]
enum Packet {
    Message(Message),
    Share(u32),
}

/// A coin of one round at one member.
#[derive(Clone, Copy, Debug, Default)]
struct Coin {
    wanted: bool,
    shares: MemberSet,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Decisions of honest members.
    pub(super) decided: Vec<Option<bool>>,
    pub(super) inputs: Vec<bool>,
    /// Whether all honest members forgot the agreement.
    pub(super) halted: bool,
    /// The highest round that an honest member entered.
    pub(super) round_max: u32,
    pub(super) used_coin: bool,
}

pub(super) struct Network {
    members: u16,
    faults: u16,
    seed: u64,
    rng: ChaCha20Rng,
    order: Order,
    nodes: Vec<Agreement>,
    liars: BTreeMap<ValidatorIndex, Liar>,
    slow: MemberSet,
    coins: Vec<BTreeMap<u32, Coin>>,
    packets: Vec<(ValidatorIndex, ValidatorIndex, Packet)>,
    /// How many messages liars may still send.
    lies: u32,
    used_coin: bool,
    round_max: u32,
    /// Whether honest members must never be refused.
    strict: bool,
}

impl Network {
    pub(super) fn new(members: u16, seed: u64, order: Order, mutation: Option<Mutation>) -> Self {
        let strict = mutation.is_none();
        let faults = (members - 1) / 3;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut some = |count: u16| {
            let mut set = MemberSet::EMPTY;
            while set.len() < usize::from(count) {
                set.insert(index(below(&mut rng, u32::from(members))));
            }
            set
        };
        let (lying, slow) = (some(faults), some(faults));
        let mut liars = BTreeMap::new();
        for member in lying.iter() {
            let kinds = [Liar::Silent, Liar::Random, Liar::TwoFaced];
            liars.insert(member, kinds[below(&mut rng, 3) as usize]);
        }
        let node = |me| Agreement::new(members, faults, ValidatorIndex(me)).with_mutation(mutation);
        Self {
            members,
            faults,
            seed,
            rng,
            order,
            nodes: (0..members).map(node).collect(),
            liars,
            slow,
            coins: vec![BTreeMap::new(); usize::from(members)],
            packets: Vec::new(),
            lies: 60 * u32::from(members),
            used_coin: false,
            round_max: 0,
            strict,
        }
    }

    /// Runs until nothing is under way, or honest members are beyond `rounds`.
    pub(super) fn run(mut self, rounds: u32) -> Ended {
        let inputs: Vec<bool> = self
            .honest()
            .map(|_| self.rng.next_u32() & 1 == 1)
            .collect();
        // A member may start late: after its first deliveries.
        let mut unstarted: Vec<_> = self.honest().zip(inputs.iter().copied()).collect();
        self.lie_first();
        while !(self.packets.is_empty() && unstarted.is_empty()) {
            let start =
                !unstarted.is_empty() && (self.packets.is_empty() || below(&mut self.rng, 4) == 0);
            if start {
                let at = below(&mut self.rng, len(&unstarted)) as usize;
                let (member, value) = unstarted.swap_remove(at);
                let mut out = Vec::new();
                self.nodes[member.position()].start(value, &mut out);
                self.follow(member, out);
            } else {
                let at = self.pick();
                let (from, to, packet) = self.packets.swap_remove(at);
                self.deliver(from, to, packet);
            }
            let entered = self
                .honest()
                .filter_map(|m| self.nodes[m.position()].round());
            self.round_max = self.round_max.max(entered.max().unwrap_or(0));
            if self.round_max > rounds {
                break;
            }
        }
        let honest: Vec<_> = self.honest().collect();
        let nodes = || honest.iter().map(|member| &self.nodes[member.position()]);
        Ended {
            decided: nodes().map(Agreement::decision).collect(),
            halted: nodes().all(Agreement::is_halted),
            inputs,
            round_max: self.round_max,
            used_coin: self.used_coin,
        }
    }

    fn honest(&self) -> impl Iterator<Item = ValidatorIndex> + use<> {
        let liars: MemberSet = self.liars.keys().copied().collect();
        MemberSet::all(self.members).without(liars).iter()
    }

    fn broadcast(&mut self, from: ValidatorIndex, packet: Packet) {
        for to in MemberSet::all(self.members).iter().filter(|to| *to != from) {
            self.packets.push((from, to, packet));
        }
    }

    fn deliver(&mut self, from: ValidatorIndex, to: ValidatorIndex, packet: Packet) {
        if let Some(liar) = self.liars.get(&to).copied() {
            self.lie(to, liar, packet);
            return;
        }
        match packet {
            Packet::Message(message) => {
                let mut out = Vec::new();
                let heard = self.nodes[to.position()].receive(from, message, &mut out);
                let honest = self.strict && !self.liars.contains_key(&from);
                // Out of order, a first finish may come after the second and count as a repetition.
                assert!(
                    heard.is_ok() || !honest || matches!(message, Message::Finish { .. }),
                    "{from} is honest: {message:?}"
                );
                self.follow(to, out);
            }
            Packet::Share(round) => {
                let coin = self.coins[to.position()].entry(round).or_default();
                coin.shares.insert(from);
                self.toss(to, round);
            }
        }
    }

    fn follow(&mut self, member: ValidatorIndex, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(message) => self.broadcast(member, Packet::Message(message)),
                Output::WantCoin(round) => {
                    let coin = self.coins[member.position()].entry(round).or_default();
                    coin.wanted = true;
                    coin.shares.insert(member);
                    self.broadcast(member, Packet::Share(round));
                    self.toss(member, round);
                }
                Output::Decided(_) | Output::Halted => {}
            }
        }
    }

    fn toss(&mut self, member: ValidatorIndex, round: u32) {
        let coin = self.coins[member.position()][&round];
        if coin.wanted && coin.shares.len() > usize::from(self.faults) {
            self.used_coin = true;
            let hash = Blake3::new(DomainTag::CeremonyCoinBit)
                .chain(self.seed.to_le_bytes())
                .chain(round.to_le_bytes());
            let mut out = Vec::new();
            let value = hash.finish()[0] & 1 == 1;
            self.nodes[member.position()].coin(round, value, &mut out);
            self.follow(member, out);
        }
    }

    /// The position of the next packet.
    fn pick(&mut self) -> usize {
        let count = len(&self.packets);
        let rng = &mut self.rng;
        let mut at = match self.order {
            Order::Old => below(rng, count.min(4)),
            Order::New if below(rng, 10) > 0 => count - 1 - below(rng, count.min(8)),
            _ => below(rng, count),
        };
        for _ in 0..30 {
            let (from, to, packet) = self.packets[at as usize];
            let late = match self.order {
                Order::Split => (from.0 < self.members / 2) != (to.0 < self.members / 2),
                Order::Slow => self.slow.contains(from) || self.slow.contains(to),
                Order::FinishesLast => is_finish(packet),
                _ => false,
            };
            if !late {
                break;
            }
            at = below(&mut self.rng, count);
        }
        if self.order == Order::FinishesLast && is_finish(self.packets[at as usize].2) {
            let other = self
                .packets
                .iter()
                .position(|(_, _, packet)| !is_finish(*packet));
            return other.unwrap_or(at as usize);
        }
        at as usize
    }

    fn lie_first(&mut self) {
        for (member, liar) in self.liars.clone() {
            if liar == Liar::TwoFaced {
                self.say_two_things(member, 0);
            }
        }
    }

    fn lie(&mut self, me: ValidatorIndex, liar: Liar, heard: Packet) {
        let round = match heard {
            Packet::Message(message) => message.round().unwrap_or(0),
            Packet::Share(round) => round,
        };
        match liar {
            Liar::Silent => {}
            Liar::TwoFaced => {
                if heard_first_echo(heard) {
                    self.say_two_things(me, round);
                }
            }
            Liar::Random => {
                let value = self.rng.next_u32() & 1 == 1;
                let lie = match below(&mut self.rng, 6) {
                    0 => Packet::Message(Message::Echo1 { round, value }),
                    1 => Packet::Message(Message::Echo2 { round, value }),
                    2 => {
                        let value = Some(value);
                        Packet::Message(Message::Echo3 { round, value })
                    }
                    3 => Packet::Message(Message::Echo3 { round, value: None }),
                    4 => {
                        let round = Some(round);
                        Packet::Message(Message::Finish { value, round })
                    }
                    _ => Packet::Share(round),
                };
                let to = index(below(&mut self.rng, u32::from(self.members)));
                self.tell(me, to, lie);
            }
        }
    }

    fn say_two_things(&mut self, me: ValidatorIndex, round: u32) {
        for to in MemberSet::all(self.members).iter() {
            let value = to.0 % 2 == 0;
            for message in [
                Message::Echo1 { round, value },
                Message::Echo2 { round, value },
                Message::Echo3 {
                    round,
                    value: Some(value),
                },
            ] {
                self.tell(me, to, Packet::Message(message));
            }
        }
    }

    fn tell(&mut self, from: ValidatorIndex, to: ValidatorIndex, lie: Packet) {
        if self.lies > 0 && from != to {
            self.lies -= 1;
            self.packets.push((from, to, lie));
        }
    }
}

fn is_finish(packet: Packet) -> bool {
    matches!(packet, Packet::Message(Message::Finish { .. }))
}

fn heard_first_echo(packet: Packet) -> bool {
    matches!(packet, Packet::Message(Message::Echo1 { .. }))
}

fn below(rng: &mut ChaCha20Rng, end: u32) -> u32 {
    rng.next_u32() % end
}

fn index(number: u32) -> ValidatorIndex {
    ValidatorIndex(u16::try_from(number).expect("members are few"))
}

fn len<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).expect("packets are few")
}
