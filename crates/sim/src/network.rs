//! Links between validators: reliable streams over a bad network.
//!
//! A lost message is sent again after a while, one that meets a cut link waits until it heals, and messages overtake each
//! other. What is sent to a process that dies is lost; whoever comes back greets its peers, and they stream again what it
//! misses.

use quorate_types::ValidatorIndex;

use crate::dice::Dice;
use crate::event::Message;
use crate::mix::Mix;

/// After so many losses a message arrives all the same: a chance of 0.3^40 would bias nothing.
const LOSSES_MAX: u32 = 40;

/// All links of a world.
#[derive(Debug)]
pub(crate) struct Network {
    size: u16,
    links: Vec<Link>,
    healed: bool,
}

/// One direction of a link.
#[derive(Debug)]
struct Link {
    delay: u64,
    /// How many faults cut it at this time.
    cuts: u32,
    /// How many faults slow it down at this time.
    slow: u32,
    /// What waits for it to heal, with the receiver's boot.
    held: Vec<(u64, Message)>,
}

/// How many times slower a slow link is.
const SLOW_FACTOR: u64 = 15;
/// What a link is like once the network is healed, in microseconds.
pub(crate) const HEALED_DELAY: (u64, u64) = (500, 3_000);

impl Network {
    pub(crate) fn new(size: u16, mix: &Mix, dice: &mut Dice) -> Self {
        let links = (0..usize::from(size) * usize::from(size))
            .map(|_| Link {
                delay: dice.between(mix.delay.0, mix.delay.1),
                cuts: 0,
                slow: 0,
                held: Vec::new(),
            })
            .collect();
        Self {
            size,
            links,
            healed: false,
        }
    }

    /// Sets every link's least delay, in microseconds.
    pub(crate) fn set_delays(&mut self, delay: impl Fn(ValidatorIndex, ValidatorIndex) -> u64) {
        for from in (0..self.size).map(ValidatorIndex) {
            for to in (0..self.size).map(ValidatorIndex) {
                self.link(from, to).delay = delay(from, to);
            }
        }
    }

    fn link(&mut self, from: ValidatorIndex, to: ValidatorIndex) -> &mut Link {
        let at = from.position() * usize::from(self.size) + to.position();
        &mut self.links[at]
    }

    /// How long a message takes.
    pub(crate) fn delay(
        &mut self,
        from: ValidatorIndex,
        to: ValidatorIndex,
        mix: &Mix,
        dice: &mut Dice,
    ) -> u64 {
        if self.healed {
            return dice.between(HEALED_DELAY.0, HEALED_DELAY.1);
        }
        let link = self.link(from, to);
        let mut delay = link.delay + dice.below(mix.jitter + 1);
        if link.slow > 0 {
            delay *= SLOW_FACTOR;
        }
        if dice.per_mille(mix.straggle) {
            delay *= dice.between(2, 20);
        }
        let mut losses = 0;
        while losses < LOSSES_MAX && dice.per_mille(mix.loss) {
            losses += 1;
            delay += mix.retransmit;
        }
        delay
    }

    /// Whether a message arrives twice.
    pub(crate) fn duplicates(&self, mix: &Mix, dice: &mut Dice) -> bool {
        !self.healed && dice.per_mille(mix.duplicate)
    }

    /// Whether nothing gets from one to the other at this time.
    pub(crate) fn is_cut(&mut self, from: ValidatorIndex, to: ValidatorIndex) -> bool {
        self.link(from, to).cuts > 0
    }

    /// Gives the message back unless the link is cut and keeps it.
    pub(crate) fn pass(
        &mut self,
        from: ValidatorIndex,
        to: ValidatorIndex,
        boot: u64,
        message: Message,
    ) -> Option<Message> {
        let link = self.link(from, to);
        if link.cuts == 0 {
            return Some(message);
        }
        link.held.push((boot, message));
        None
    }

    pub(crate) fn cut(&mut self, from: ValidatorIndex, to: ValidatorIndex) {
        self.link(from, to).cuts += 1;
    }

    /// Ends one cut; what waited for it, if it was the last.
    pub(crate) fn mend_cut(
        &mut self,
        from: ValidatorIndex,
        to: ValidatorIndex,
    ) -> Vec<(u64, Message)> {
        let link = self.link(from, to);
        link.cuts = link.cuts.saturating_sub(1);
        if link.cuts > 0 {
            return Vec::new();
        }
        std::mem::take(&mut link.held)
    }

    pub(crate) fn slow(&mut self, from: ValidatorIndex, to: ValidatorIndex) {
        self.link(from, to).slow += 1;
    }

    pub(crate) fn mend_slow(&mut self, from: ValidatorIndex, to: ValidatorIndex) {
        let link = self.link(from, to);
        link.slow = link.slow.saturating_sub(1);
    }

    /// Ends all faults for good; what waited, with sender, receiver and the receiver's boot.
    pub(crate) fn heal(&mut self) -> Vec<(ValidatorIndex, ValidatorIndex, u64, Message)> {
        self.healed = true;
        let mut waited = Vec::new();
        for from in 0..self.size {
            for to in 0..self.size {
                let (from, to) = (ValidatorIndex(from), ValidatorIndex(to));
                let link = self.link(from, to);
                link.cuts = 0;
                link.slow = 0;
                let held = std::mem::take(&mut link.held).into_iter();
                waited.extend(held.map(|(boot, message)| (from, to, boot, message)));
            }
        }
        waited
    }
}
