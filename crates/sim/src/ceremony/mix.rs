//! What a seed draws: who lies how, in what order things happen, who crashes.

use std::collections::BTreeMap;
use std::fmt;

use quorate_types::ValidatorIndex;

use crate::ceremony::options::{CeremonyOptions, DealingLie, Schedule};
use crate::dice::Dice;

/// How a liar lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lies {
    /// It says nothing at all.
    pub(crate) silent: bool,
    pub(crate) dealing: DealingLie,
    /// Readies for what was not dealt, proposals that differ, and claims about others' outboxes.
    pub(crate) broadcasts: bool,
    /// Random votes, different ones to different members.
    pub(crate) votes: bool,
    /// Coin shares that are none.
    pub(crate) coins: bool,
    /// Bad shares of the certificate, and results that prove nothing.
    pub(crate) completion: bool,
    /// Junk in answer to requests for dealings.
    pub(crate) answers: bool,
}

/// A seed's own mix. All chances are in a thousand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CeremonyMix {
    pub(crate) liars: BTreeMap<ValidatorIndex, Lies>,
    /// An honest member whose disk is lost at some step; it counts among the f.
    pub(crate) lost: Option<Lost>,
    pub(crate) schedule: Schedule,
    /// Members of one side: of [`Schedule::Slow`] and [`Schedule::Halves`].
    pub(crate) side: Vec<bool>,
    /// q.
    pub(crate) quorum: u16,
    /// Chance of a crash at each step.
    pub(crate) crash: u64,
    pub(crate) crashes_max: u64,
    /// Chance at each step that a member that is down comes back.
    pub(crate) restart: u64,
}

/// When whose disk is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) member: ValidatorIndex,
    pub(crate) step: u64,
    /// Somebody says so; otherwise the member has to find out.
    pub(crate) declared: bool,
}

impl CeremonyMix {
    pub(crate) fn draw(seed: u64, options: &CeremonyOptions) -> Self {
        let size = options.members;
        let mut dice = Dice::new(seed, size, "ceremony mix");
        let dice = &mut dice;
        let faults = (size - 1) / 3;
        let mut order: Vec<ValidatorIndex> = (0..size).map(ValidatorIndex).collect();
        for at in (1..order.len()).rev() {
            let other = usize::try_from(dice.below(at as u64 + 1)).expect("below n");
            order.swap(at, other);
        }
        let loses = options.crashes && dice.per_mille(150);
        let most = faults - u16::from(loses);
        // Mostly as many as may be.
        let least = if dice.per_mille(800) { most } else { 0 };
        let count = dice.between(u64::from(least), u64::from(most));
        let mut order = order.into_iter();
        let lost = loses.then(|| Lost {
            member: order.next().expect("there are members"),
            step: dice.between(1, u64::from(size) * u64::from(size) * 40),
            declared: dice.per_mille(500),
        });
        let count = usize::try_from(count).expect("at most f");
        let liars = order
            .by_ref()
            .take(count)
            .map(|liar| (liar, draw_lies(dice, options)));
        let liars: BTreeMap<_, _> = liars.collect();
        let victim = order.next().expect("most members are honest");
        let drawn = *dice.pick(&[
            Schedule::Random,
            Schedule::Newest,
            Schedule::Slow,
            Schedule::Halves,
            Schedule::Starve(victim),
            Schedule::StarveFinishes,
            Schedule::AgainstTheCoin,
        ]);
        let schedule = options.schedule.unwrap_or(drawn);
        let slow = dice.between(1, u64::from(faults));
        let side = (0..size).map(|_| match schedule {
            Schedule::Slow => dice.below(u64::from(size)) < slow,
            _ => dice.per_mille(500),
        });
        let side = side.collect();
        // More than n - f signers are only there if nobody lies.
        let all_well = liars.is_empty() && lost.is_none();
        let extra = if all_well {
            dice.between(0, u64::from(faults))
        } else {
            0
        };
        let crash = *dice.pick(&[0, 2, 5, 20]);
        Self {
            liars,
            lost,
            schedule,
            side,
            quorum: size - faults + u16::try_from(extra).expect("at most f"),
            crash: if options.crashes { crash } else { 0 },
            crashes_max: dice.between(1, 3 * u64::from(size)).min(16),
            restart: *dice.pick(&[5, 50, 300]),
        }
    }

    pub(crate) fn is_honest(&self, member: ValidatorIndex) -> bool {
        !self.liars.contains_key(&member)
    }

    /// Whether a member's disk is lost at some time: nothing is promised about what it says.
    pub(crate) fn loses_disk(&self, member: ValidatorIndex) -> bool {
        self.lost.is_some_and(|lost| lost.member == member)
    }
}

fn draw_lies(dice: &mut Dice, options: &CeremonyOptions) -> Lies {
    let drawn = *dice.pick(&DealingLie::ALL);
    let dealing = options.dealing.unwrap_or(drawn);
    Lies {
        silent: options.dealing.is_none() && dice.per_mille(100),
        dealing,
        broadcasts: dice.per_mille(300),
        votes: dice.per_mille(600),
        coins: dice.per_mille(400),
        completion: dice.per_mille(300),
        answers: dice.per_mille(500),
    }
}

impl fmt::Display for CeremonyMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "q = {}, {:?}, crashes {}‰ up to {}, restarts {}‰",
            self.quorum, self.schedule, self.crash, self.crashes_max, self.restart
        )?;
        if let Some(Lost {
            member,
            step,
            declared,
        }) = self.lost
        {
            let told = if declared { "told" } else { "untold" };
            write!(f, ", {member} loses its disk at step {step}, {told}")?;
        }
        for (liar, lies) in &self.liars {
            write!(f, "; liar {liar}: {lies:?}")?;
        }
        Ok(())
    }
}
