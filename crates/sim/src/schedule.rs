//! Schedulers that look at what they delay.
//!
//! A scheduler holds messages back while the network is bad, each for a bounded time, and loses none; once the network heals
//! it lets everything go. It may read every message and knows the round; where the cryptography is the stand-in it even knows
//! the coins in advance, which is more than any real adversary does.

use std::collections::{BTreeMap, VecDeque};

use quorate_types::{Block, Committee, Round, Timestamp, ValidatorIndex};

use crate::dice::Dice;
use crate::event::Message;
use crate::mix::Mix;
use crate::setup::Setup;

/// What a scheduler is after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Nothing: links are bad by chance alone.
    #[default]
    Free,
    /// It keeps the block of a round's best leader from everybody until the votes on it are out, with f members at most kept
    /// back at one time, so that rounds go on without them. It knows the coin, or guesses the leaders one after the other.
    AgainstLeaders,
    /// Everything from one member to one other comes very late.
    StarvedLink,
    /// All that f members send is held back for a while, then all that f others send, and so on.
    RotatingSilence,
    /// The network falls apart in two and comes together again, over and over, each time elsewhere.
    CutAndHeal,
    /// The last shares of a round's coin come late and one by one, and combining them takes rounds.
    LateCoins,
}

impl Schedule {
    /// Every one that is after something.
    pub const HOSTILE: [Self; 5] = [
        Self::AgainstLeaders,
        Self::StarvedLink,
        Self::RotatingSilence,
        Self::CutAndHeal,
        Self::LateCoins,
    ];

    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::AgainstLeaders => "against leaders",
            Self::StarvedLink => "starved link",
            Self::RotatingSilence => "rotating silence",
            Self::CutAndHeal => "cut and heal",
            Self::LateCoins => "late coins",
        }
    }
}

/// How many nominal rounds a starved link is behind.
const STARVED_ROUNDS: u64 = 30;
/// Most rounds that combining a coin takes longer.
const COIN_ROUNDS: u64 = 8;
/// Over how many rounds the length of a round is measured.
const MEASURED_ROUNDS: usize = 16;
/// How long rounds are, in microseconds, while validators have nothing to order.
const IDLE_ROUND: u64 = 100_000;
/// How many ways of falling apart there are in one world.
const CUTS: usize = 8;

/// A held message, on its way to one boot of the receiver.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) from: ValidatorIndex,
    pub(crate) to: ValidatorIndex,
    pub(crate) boot: u64,
    pub(crate) message: Message,
}

/// A scheduler and what it holds back.
#[derive(Debug)]
pub(crate) struct Scheduler {
    schedule: Schedule,
    faults: u16,
    /// How long a round should take, in microseconds.
    nominal: u64,
    wave: u64,
    dice: Dice,
    link: (ValidatorIndex, ValidatorIndex),
    period: u64,
    /// The sides of each cut.
    cuts: Vec<Vec<bool>>,
    /// When the last rounds were first seen.
    rounds: VecDeque<(Round, Timestamp)>,
    /// Whose blocks are kept back until when.
    kept_back: BTreeMap<ValidatorIndex, (Round, Timestamp)>,
    held: BTreeMap<u64, Held>,
    tickets: u64,
}

impl Scheduler {
    pub(crate) fn new(seed: u64, mix: &Mix, committee: &Committee) -> Self {
        let size = committee.size();
        let mut dice = Dice::new(seed, size, "scheduler");
        let from = dice.below(u64::from(size));
        let to = (from + dice.between(1, u64::from(size) - 1)) % u64::from(size);
        let index = |at: u64| ValidatorIndex(u16::try_from(at).expect("below n"));
        let nominal = mix.round_micros();
        let cuts = (0..CUTS).map(|_| (0..size).map(|_| dice.per_mille(500)).collect());
        let cuts = cuts.collect();
        Self {
            schedule: mix.schedule,
            faults: committee.faults(),
            nominal,
            wave: u64::from(mix.rule.wave),
            link: (index(from), index(to)),
            period: nominal * *dice.pick(&[4, 12, 40]),
            cuts,
            dice,
            rounds: VecDeque::new(),
            kept_back: BTreeMap::new(),
            held: BTreeMap::new(),
            tickets: 0,
        }
    }

    /// For how long a message is held back before it sets off, in microseconds.
    pub(crate) fn hold(
        &mut self,
        now: Timestamp,
        highest: Round,
        (from, to): (ValidatorIndex, ValidatorIndex),
        message: &Message,
        setup: &Setup,
    ) -> Option<u64> {
        self.note_round(now, highest);
        let period = now.0 / self.period;
        let rest = self.period - now.0 % self.period;
        match self.schedule {
            Schedule::Free => None,
            Schedule::AgainstLeaders => self.hold_leader(now, block_of(message)?, setup),
            Schedule::StarvedLink => {
                ((from, to) == self.link).then_some(STARVED_ROUNDS * self.nominal)
            }
            Schedule::RotatingSilence => {
                let size = u64::from(setup.committee.size());
                let first = period * u64::from(self.faults) % size;
                let place = (u64::from(from.0) + size - first) % size;
                (place < u64::from(self.faults)).then_some(rest)
            }
            Schedule::CutAndHeal => {
                let cut =
                    usize::try_from(period / 2 % CUTS as u64).expect("below the number of cuts");
                let sides = &self.cuts[cut];
                let apart = sides[from.position()] != sides[to.position()];
                (period % 2 == 1 && apart).then_some(rest)
            }
            Schedule::LateCoins => {
                let block = block_of(message)?;
                let size = u64::from(setup.committee.size());
                let turn = block.round().0 % size;
                let place = (u64::from(block.author().0) + u64::from(to.0) + turn) % size;
                // The receiver's own share and so many others are too few by one.
                let early = u64::from(setup.committee.quorum()) - 2;
                let late = (place + 1).checked_sub(early).filter(|late| *late > 0)?;
                Some(late * self.round_micros(now) / 2)
            }
        }
    }

    fn hold_leader(&mut self, now: Timestamp, block: &Block, setup: &Setup) -> Option<u64> {
        self.kept_back.retain(|_, (_, until)| *until > now);
        let author = block.author();
        if let Some((round, until)) = self.kept_back.get(&author) {
            return (*round == block.round()).then(|| until.micros_since(now));
        }
        let room = self.kept_back.len() < usize::from(self.faults);
        if !room || self.best_leader(block.round(), setup) != author {
            return None;
        }
        // The votes are out when the round after theirs has begun.
        let hold = (self.wave - 1) * self.round_micros(now);
        self.kept_back
            .insert(author, (block.round(), now.plus_micros(hold)));
        Some(hold)
    }

    fn best_leader(&self, round: Round, setup: &Setup) -> ValidatorIndex {
        let size = setup.committee.size();
        let known = setup.coin(round.forward(self.wave - 1)).and_then(|coin| {
            let leaders = quorate_consensus::leaders(&coin, size, 1);
            leaders.first().copied()
        });
        let guessed = round.0 % u64::from(size);
        known.unwrap_or_else(|| ValidatorIndex(u16::try_from(guessed).expect("below n")))
    }

    /// How much longer combining a coin takes, in microseconds.
    pub(crate) fn coin_delay(&mut self) -> u64 {
        if self.schedule != Schedule::LateCoins {
            return 0;
        }
        self.dice.below(COIN_ROUNDS * self.nominal)
    }

    fn note_round(&mut self, now: Timestamp, highest: Round) {
        if self
            .rounds
            .back()
            .is_some_and(|(round, _)| *round >= highest)
        {
            return;
        }
        self.rounds.push_back((highest, now));
        if self.rounds.len() > MEASURED_ROUNDS {
            self.rounds.pop_front();
        }
    }

    /// How long a round takes at this time, within bounds, for what is held back makes rounds longer.
    fn round_micros(&self, now: Timestamp) -> u64 {
        let Some(((first, at), (last, _))) = self.rounds.front().zip(self.rounds.back()) else {
            return self.nominal;
        };
        let micros = now.micros_since(*at) / (last.0 - first.0).max(1);
        micros.clamp(self.nominal / 4, 3 * self.nominal.max(IDLE_ROUND))
    }

    /// Keeps a message; the ticket to have it back with.
    pub(crate) fn keep(&mut self, held: Held) -> u64 {
        self.tickets += 1;
        self.held.insert(self.tickets, held);
        self.tickets
    }

    /// Gives a message back, if it was not given back before.
    pub(crate) fn release(&mut self, ticket: u64) -> Option<Held> {
        self.held.remove(&ticket)
    }

    /// Gives everything back.
    pub(crate) fn release_all(&mut self) -> BTreeMap<u64, Held> {
        std::mem::take(&mut self.held)
    }
}

fn block_of(message: &Message) -> Option<&Block> {
    match message {
        Message::Block(block) | Message::Answer(block) => Some(block),
        _ => None,
    }
}
