//! What a seed draws: how its network, disks and clients are, and what goes wrong how often.

use std::fmt;

use quorate_types::{Execution, RuleParameters};

use crate::behaviour::Behaviour;
use crate::dice::Dice;
use crate::options::{Scenario, SimOptions};
use crate::schedule::Schedule;

/// One in so many seeds runs the real cryptography.
const REAL_CRYPTOGRAPHY_EVERY: u64 = 20;

/// Of a thousand seeds, how many have validators that equivocate, whatever else is drawn.
const EQUIVOCATORS: u64 = 250;
/// Of a thousand seeds, how many have liars of all kinds.
const LIARS: u64 = 450;
/// In how many ways one of them lies.
const LIES_OF_ONE: [u64; 6] = [1, 1, 1, 2, 2, 4];
/// Of a thousand seeds, how many have disks that fill up and logs that come back damaged.
const LYING_DISKS: u64 = 300;
/// Of a thousand seeds, how many have validators that join by state sync when they come back.
const JOINERS: u64 = 400;
/// Of a thousand seeds, how many have a scheduler that is after something.
const HOSTILE_SCHEDULES: u64 = 500;

/// A seed's own mix. All times are in microseconds, all chances in a thousand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mix {
    pub(crate) real_cryptography: bool,
    pub(crate) rule: RuleParameters,
    pub(crate) execution: Execution,
    /// By validator, how it lies; nothing for the honest.
    pub(crate) behaviours: Vec<Vec<Behaviour>>,
    pub(crate) schedule: Schedule,
    /// Bounds of a link's own least one-way delay.
    pub(crate) delay: (u64, u64),
    /// Most that is added to a message's delay.
    pub(crate) jitter: u64,
    /// Chance of a message that takes up to twenty times as long.
    pub(crate) straggle: u64,
    pub(crate) loss: u64,
    pub(crate) duplicate: u64,
    /// How long it takes to notice a loss and to send again.
    pub(crate) retransmit: u64,
    pub(crate) sync: (u64, u64),
    pub(crate) job: (u64, u64),
    pub(crate) segment_bytes: u64,
    /// Mean time between two faults.
    pub(crate) fault_interval: u64,
    pub(crate) faults: FaultWeights,
    /// How long a fault lasts, at most.
    pub(crate) fault_length: u64,
    /// How many validators may be down at one time, but for those that go down all together.
    pub(crate) down_max: u16,
    /// Of a thousand restarts, how many join by state sync.
    pub(crate) joins: u64,
    /// Heights between two points at which others can join.
    pub(crate) point_interval: u64,
    /// Mean time between two transactions; 0: there are none.
    pub(crate) load_interval: u64,
    /// The fault phase ends when some validator is at this round.
    pub(crate) fault_rounds: u64,
    /// Or after this time.
    pub(crate) fault_time: u64,
}

/// How often which fault is drawn, relative to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FaultWeights {
    pub(crate) crash: u64,
    pub(crate) crash_between_effects: u64,
    pub(crate) crash_all: u64,
    pub(crate) partition: u64,
    pub(crate) isolate: u64,
    pub(crate) cut_one_way: u64,
    pub(crate) slow_link: u64,
    /// A copy of a validator's disk is made.
    pub(crate) back_up: u64,
    /// A validator's disk is lost: it comes back with the last copy, or with nothing.
    pub(crate) forget: u64,
    /// A validator's disk is full for a while.
    pub(crate) fill: u64,
    /// A validator comes back and finds its log damaged.
    pub(crate) damage: u64,
}

impl FaultWeights {
    pub(crate) const fn sum(&self) -> u64 {
        self.crash
            + self.crash_between_effects
            + self.crash_all
            + self.partition
            + self.isolate
            + self.cut_one_way
            + self.slow_link
            + self.back_up
            + self.forget
            + self.fill
            + self.damage
    }
}

impl Mix {
    pub(crate) fn draw(seed: u64, options: &SimOptions) -> Self {
        let mut dice = Dice::new(seed, options.validators, "mix");
        let dice = &mut dice;
        let size = options.validators;
        let faults_max = (size - 1) / 3;
        let base = *dice.pick(&[300, 1_000, 3_000, 10_000, 40_000]);
        // A round takes about as long as a message and the pacing.
        let round = base + base / 2 + 6_000;
        let fault_rounds = dice.between(80, if size > 7 { 180 } else { 260 });
        let mut mix = Self {
            real_cryptography: seed % REAL_CRYPTOGRAPHY_EVERY == REAL_CRYPTOGRAPHY_EVERY - 1,
            rule: RuleParameters {
                wave: *dice.pick(&[4, 5]),
                leaders: u16::try_from(dice.between(1, 3)).expect("at most 3"),
                gc_depth: *dice.pick(&[16, 24, 40, 64]),
            },
            execution: *dice.pick(&[Execution::Ledger, Execution::Opaque]),
            behaviours: draw_behaviours(dice, seed, size, faults_max),
            schedule: draw_schedule(seed, size),
            delay: (base, base * *dice.pick(&[1, 2, 4])),
            jitter: base * *dice.pick(&[0, 1, 4]),
            straggle: *dice.pick(&[0, 0, 5, 30]),
            loss: *dice.pick(&[0, 0, 10, 100, 300]),
            duplicate: *dice.pick(&[0, 0, 20, 200]),
            retransmit: *dice.pick(&[20_000, 200_000]),
            sync: *dice.pick(&[(50, 200), (500, 5_000), (5_000, 30_000)]),
            job: *dice.pick(&[(20, 100), (500, 3_000)]),
            segment_bytes: *dice.pick(&[8 << 10, 64 << 10, 1 << 20]),
            fault_interval: round * *dice.pick(&[4, 10, 25]),
            faults: draw_weights(dice),
            fault_length: round * *dice.pick(&[4, 12, 40]),
            down_max: if dice.per_mille(200) {
                size - 1
            } else {
                faults_max
            },
            joins: 0,
            point_interval: 1,
            load_interval: *dice.pick(&[0, round, round * 3, round * 10]),
            fault_rounds,
            fault_time: fault_rounds * round * 4,
        };
        if dice.per_mille(400) {
            mix.faults.back_up = dice.between(0, 2);
            mix.faults.forget = dice.between(1, 2);
        }
        let mut disks = Dice::new(seed, size, "disks");
        if disks.per_mille(LYING_DISKS) {
            mix.faults.fill = disks.between(1, 3);
            mix.faults.damage = disks.between(0, 1);
        }
        let mut joins = Dice::new(seed, size, "joins");
        let has_joins = match options.scenario {
            Scenario::Swarm => joins.per_mille(JOINERS),
            Scenario::StateSync => true,
            _ => false,
        };
        if has_joins {
            mix.have_joins(&mut joins);
        }
        mix.shape(options.scenario);
        if let Some(behaviours) = &options.behaviours {
            let lies = behaviours.iter().map(|behaviour| match behaviour {
                Behaviour::Honest => Vec::new(),
                lie => vec![*lie],
            });
            mix.behaviours = lies.collect();
            mix.behaviours.resize(usize::from(size), Vec::new());
        }
        mix.schedule = options.schedule.unwrap_or(mix.schedule);
        if let Some(rounds) = options.fault_rounds {
            mix.fault_time = mix.round_micros() * 4 * rounds.max(1);
            mix.fault_rounds = rounds.max(1);
        }
        mix
    }

    /// Has validators join by state sync: those that were away for longer than blocks are kept, from others that were up for as
    /// long.
    fn have_joins(&mut self, dice: &mut Dice) {
        let round = self.round_micros();
        self.joins = *dice.pick(&[300, 1_000]);
        self.point_interval = dice.between(1, 8);
        self.rule.gc_depth = *dice.pick(&[16, 24]);
        self.fault_length = round * *dice.pick(&[80, 160]);
        self.fault_interval = round * *dice.pick(&[20, 40]);
        self.faults.crash_all = 0;
        self.faults.crash = self.faults.crash.max(2);
        self.faults.forget = self.faults.forget.max(dice.between(0, 1));
    }

    /// What the scenario fixes.
    fn shape(&mut self, scenario: Scenario) {
        let none = FaultWeights::default();
        let round = self.round_micros();
        match scenario {
            Scenario::Swarm => return,
            Scenario::Calm => {
                self.faults = none;
                (self.loss, self.duplicate, self.straggle) = (0, 0, 0);
            }
            Scenario::CrashAll => {
                self.faults = FaultWeights {
                    crash_all: 1,
                    ..none
                };
                self.fault_interval = round * 20;
            }
            Scenario::LossyPartitions => {
                self.faults = FaultWeights {
                    partition: 3,
                    isolate: 1,
                    cut_one_way: 1,
                    slow_link: 1,
                    ..none
                };
                (self.loss, self.duplicate, self.straggle) = (200, 200, 30);
                self.fault_interval = round * 8;
            }
            Scenario::LostDisks => {
                self.faults = FaultWeights {
                    crash: 1,
                    back_up: 2,
                    forget: 2,
                    ..none
                };
                self.fault_interval = round * 6;
                self.fault_length = round * 6;
            }
            Scenario::LyingDisks => {
                self.faults = FaultWeights {
                    crash: 1,
                    crash_all: 1,
                    back_up: 1,
                    fill: 4,
                    damage: 2,
                    ..none
                };
                self.fault_interval = round * 6;
                self.fault_length = round * 12;
                self.segment_bytes = 8 << 10;
            }
            Scenario::StateSync => {
                self.faults = FaultWeights {
                    crash: 2,
                    forget: 1,
                    ..none
                };
                self.joins = 1_000;
                self.fault_rounds = self.fault_rounds.max(200);
                self.fault_time = self.fault_rounds * round * 4;
            }
            Scenario::CrashOften => {
                self.faults = FaultWeights {
                    crash: 1,
                    crash_between_effects: 2,
                    ..none
                };
                self.delay = (200, 400);
                self.jitter = 200;
                (self.loss, self.straggle) = (0, 0);
                self.sync = (5_000, 30_000);
                self.fault_interval = 60_000;
                self.fault_length = 60_000;
                self.load_interval = self.load_interval.max(2_000);
            }
        }
        self.behaviours.fill(Vec::new());
        self.schedule = Schedule::Free;
    }

    /// How long a round takes when nothing goes wrong, in microseconds.
    pub(crate) const fn round_micros(&self) -> u64 {
        self.fault_time / self.fault_rounds / 4
    }

    /// Whether each validator follows the protocol.
    pub(crate) fn honest(&self) -> Vec<bool> {
        self.behaviours.iter().map(Vec::is_empty).collect()
    }

    pub(crate) fn liars(&self) -> u16 {
        let liars = self.behaviours.iter().filter(|lies| !lies.is_empty());
        u16::try_from(liars.count()).expect("at most n")
    }
}

fn draw_behaviours(dice: &mut Dice, seed: u64, size: u16, faults_max: u16) -> Vec<Vec<Behaviour>> {
    let mut behaviours = vec![Vec::new(); usize::from(size)];
    let draw_liar = |dice: &mut Dice| {
        let liar = dice.below(u64::from(size));
        usize::try_from(liar).expect("below n")
    };
    // The lie that costs most has its own share of the seeds.
    if dice.per_mille(EQUIVOCATORS) {
        for _ in 0..dice.between(1, u64::from(faults_max)) {
            behaviours[draw_liar(dice)] = vec![Behaviour::Equivocating];
        }
    }
    let mut dice = Dice::new(seed, size, "liars");
    if !dice.per_mille(LIARS) {
        return behaviours;
    }
    let mut liars: Vec<usize> = (0..usize::from(size))
        .filter(|at| !behaviours[*at].is_empty())
        .collect();
    if liars.is_empty() {
        let count = dice.between(1, u64::from(faults_max));
        liars.extend((0..count).map(|_| draw_liar(&mut dice)));
    }
    for liar in liars {
        for _ in 0..*dice.pick(&LIES_OF_ONE) {
            let lie = *dice.pick(&Behaviour::LIES);
            if !behaviours[liar].contains(&lie) {
                behaviours[liar].push(lie);
            }
        }
    }
    behaviours
}

fn draw_schedule(seed: u64, size: u16) -> Schedule {
    let mut dice = Dice::new(seed, size, "schedule");
    if dice.per_mille(HOSTILE_SCHEDULES) {
        *dice.pick(&Schedule::HOSTILE)
    } else {
        Schedule::Free
    }
}

fn draw_weights(dice: &mut Dice) -> FaultWeights {
    // Each kind is left out by half of the seeds, so that some kinds are seen without the others around.
    let mut weight = |most: u64| {
        if dice.per_mille(500) {
            0
        } else {
            dice.between(1, most)
        }
    };
    FaultWeights {
        crash: weight(4),
        crash_between_effects: weight(4),
        crash_all: weight(1),
        partition: weight(3),
        isolate: weight(3),
        cut_one_way: weight(3),
        slow_link: weight(3),
        ..FaultWeights::default()
    }
}

/// Who lies how, for people.
struct Lies<'a>(&'a [Vec<Behaviour>]);

impl fmt::Display for Lies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let liars = self.0.iter().enumerate();
        let mut liars = liars.filter(|(_, lies)| !lies.is_empty()).peekable();
        if liars.peek().is_none() {
            return f.write_str("no liars");
        }
        f.write_str("liars:")?;
        for (at, lies) in liars {
            let names: Vec<&str> = lies.iter().map(|lie| lie.name()).collect();
            write!(f, " v{at:02} ({})", names.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cryptography = if self.real_cryptography {
            "real"
        } else {
            "stand-in"
        };
        write!(
            f,
            "w = {}, l = {}, G = {}, {:?} execution, {cryptography} cryptography, {}, schedule: {}; delay {}..{} µs + {}, loss {}‰, duplicates {}‰, sync {}..{} µs, load every {} µs; faults every {} µs for up to {} µs: {:?}",
            self.rule.wave,
            self.rule.leaders,
            self.rule.gc_depth,
            self.execution,
            Lies(&self.behaviours),
            self.schedule.name(),
            self.delay.0,
            self.delay.1,
            self.jitter,
            self.loss,
            self.duplicate,
            self.sync.0,
            self.sync.1,
            self.load_interval,
            self.fault_interval,
            self.fault_length,
            self.faults,
        )
    }
}
