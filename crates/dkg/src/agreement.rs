//! Binary agreement without a clock: on whether a proposal is accepted.
//!
//! The rounds are those of Abraham, Ben-David and Yandamuri ("Efficient and Adaptively Secure Asynchronous Binary
//! Agreement via Binding Crusader Agreement", PODC 2022): three echoes bind what a round may come to before anybody
//! reveals a share of its coin. With n members, f = floor((n-1)/3) of them lying, every threshold counts distinct
//! senders, oneself included:
//!
//! 1. On entering a round, echo1 of the estimate. On f + 1 echo1 of a value, echo1 of it too. A value with n - f
//!    echo1 is *approved*.
//! 2. Echo2 of the first approved value.
//! 3. On n - f echo2 of an approved value, echo3 of it; failing that, once both values are approved, echo3 of
//!    neither.
//! 4. The round's output is an approved value with n - f echo3; or neither, once both are approved and n - f members
//!    sent any echo3. Only after that the coin may be revealed.
//! 5. An output that equals the coin is decided. Else the next round's estimate is the output, or the coin if the
//!    output is neither.
//!
//! The coins of rounds 0 and 1 are fixed, 1 and 0, so unanimous members decide without any key.
//!
//! Ending needs care. Who decides by the coin of a round says so ([`Message::Finish`]), *enters no later round and
//! keeps serving the earlier ones*; in later rounds its finish stands for all three echoes of its value. f + 1
//! finishes decide as well, without ending anything; n - f finishes end the agreement. Members that fell silent when
//! they decided would leave others waiting in old rounds (mutation `HaltOnDecide`); members that played on would
//! do so for as long as finishes are delayed (mutation `PlayOn`).
//!
//! The machine is pure: no clock, no secret, no signature. It is small enough to be model checked as it is.

mod message;
#[cfg(any(test, feature = "mutants"))]
mod mutation;
mod round;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use quorate_types::ValidatorIndex;

pub use message::{AgreementError, Message, ROUND_MAX};
#[cfg(any(test, feature = "mutants"))]
pub use mutation::Mutation;
use round::Round;
use rules::Rules;

use crate::member_set::MemberSet;

/// What a binary agreement asks of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// Send to all other members. The agreement has counted it as received from itself.
    Send(Message),
    /// Reveal the own share of this round's coin, and hand in the coin ([`Agreement::coin`]) once it is known.
    WantCoin(u32),
    /// The decision. Comes once.
    Decided(bool),
    /// Nothing that arrives from now on matters. Comes once, after the decision.
    Halted,
}

/// What an agreement waits for, for people to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// [`Agreement::start`] was not called.
    NotStarted,
    /// A phase of the current round, 1 to 3: its echoes are too few.
    Echoes {
        /// The round.
        round: u32,
        /// Which of the three echoes.
        phase: u8,
        /// Who sent one.
        have: MemberSet,
        /// How many are needed at least.
        need: usize,
    },
    /// The current round's coin.
    Coin {
        /// The round.
        round: u32,
    },
    /// It decided, and waits for others to say the same before it may forget.
    Finishes {
        /// Who said so.
        have: MemberSet,
        /// How many are needed.
        need: usize,
    },
    /// Nothing: it is over.
    Halted,
}

/// One member's part in one binary agreement.
///
/// Messages of oneself are counted when they come out, not handed in. What arrives from others must come over
/// channels that lose and repeat nothing. Memory is bounded: at most [`ROUND_MAX`] + 1 rounds of a few words each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agreement {
    rules: Rules,
    me: ValidatorIndex,
    /// The current round, once started.
    round: Option<u32>,
    /// Every round of which there is a message, and those up to the current one.
    rounds: BTreeMap<u32, Round>,
    /// Who finished with what, oneself included: the value, and after which round.
    finished: BTreeMap<ValidatorIndex, (bool, Option<u32>)>,
    decided: Option<bool>,
    halted: bool,
}

impl Agreement {
    /// Of `members` members, at most `faults` of which lie; `me` is one of them.
    ///
    /// # Panics
    /// Unless 3 `faults` < `members` and `me` < `members`.
    #[must_use]
    pub fn new(members: u16, faults: u16, me: ValidatorIndex) -> Self {
        assert!(
            u32::from(faults) * 3 < u32::from(members),
            "less than a third of the members lie"
        );
        assert!(me.0 < members, "the owner is a member");
        Self {
            rules: Rules {
                members,
                faults,
                #[cfg(any(test, feature = "mutants"))]
                mutation: None,
            },
            me,
            round: None,
            rounds: BTreeMap::new(),
            finished: BTreeMap::new(),
            decided: None,
            halted: false,
        }
    }

    /// The same with one rule broken.
    #[cfg(any(test, feature = "mutants"))]
    #[must_use]
    pub fn with_mutation(mut self, mutation: Option<Mutation>) -> Self {
        self.rules.mutation = mutation;
        self
    }

    /// Takes back a message that this member sent before a restart. To be called for all of them, in their order,
    /// before anything else: none is sent again, and none that contradicts one.
    ///
    /// # Errors
    /// The messages are not those of one member's past.
    pub fn recover(
        &mut self,
        message: Message,
        out: &mut Vec<Output>,
    ) -> Result<(), AgreementError> {
        self.record(self.me, message)?;
        if let Message::Finish { value, .. } = message {
            self.learn_decision(value, out);
        }
        Ok(())
    }

    /// Gives the own opinion; a second one is ignored.
    pub fn start(&mut self, value: bool, out: &mut Vec<Output>) {
        if self.round.is_none() && !self.halted {
            self.enter(0, value, out);
            self.progress(out);
        }
    }

    /// Takes a message of another member.
    ///
    /// # Errors
    /// The sender lies, see [`AgreementError`]; the message is as if it had not come. Once the agreement is over
    /// nothing is looked at, and nothing refused.
    pub fn receive(
        &mut self,
        from: ValidatorIndex,
        message: Message,
        out: &mut Vec<Output>,
    ) -> Result<(), AgreementError> {
        if self.halted {
            return Ok(());
        }
        if from == self.me || from.0 >= self.rules.members {
            return Err(AgreementError::Sender);
        }
        self.record(from, message)?;
        if matches!(message, Message::Finish { .. }) {
            self.count_finishes(out);
        }
        self.progress(out);
        Ok(())
    }

    /// Takes the coin of a round, as the answer to [`Output::WantCoin`]. The first one counts.
    pub fn coin(&mut self, round: u32, coin: bool, out: &mut Vec<Output>) {
        if self.halted {
            return;
        }
        if let Some(state) = self.rounds.get_mut(&round) {
            state.coin.get_or_insert(coin);
            self.progress(out);
        }
    }

    /// The decision, if there is one.
    #[must_use]
    pub const fn decision(&self) -> Option<bool> {
        self.decided
    }

    /// Whether [`Agreement::start`] was called.
    #[must_use]
    pub const fn is_started(&self) -> bool {
        self.round.is_some()
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_halted(&self) -> bool {
        self.halted
    }

    /// The current round, once started.
    #[must_use]
    pub const fn round(&self) -> Option<u32> {
        self.round
    }

    /// The output of a round: a value, or neither. The coin of a round must be revealed to nobody who has none.
    #[must_use]
    pub fn output(&self, round: u32) -> Option<Option<bool>> {
        self.rounds.get(&round)?.output
    }

    /// What it waits for.
    #[must_use]
    pub fn stage(&self) -> Stage {
        if self.halted {
            return Stage::Halted;
        }
        if self.decided.is_some() {
            let have = self.finished.keys().copied().collect();
            let need = self.rules.quorum();
            return Stage::Finishes { have, need };
        }
        let current = self
            .round
            .and_then(|round| Some((round, self.rounds.get(&round)?)));
        let Some((round, state)) = current else {
            return Stage::NotStarted;
        };
        if state.output.is_some() {
            return Stage::Coin { round };
        }
        let (phase, have) = if state.senders3().contains(self.me) {
            (3, state.senders3())
        } else if state.senders2().contains(self.me) {
            (2, state.senders2())
        } else {
            (1, state.senders1())
        };
        let need = self.rules.quorum();
        Stage::Echoes {
            round,
            phase,
            have,
            need,
        }
    }

    /// Notes a message, own or not.
    fn record(&mut self, from: ValidatorIndex, message: Message) -> Result<(), AgreementError> {
        if let Some(round) = message.round().filter(|round| *round > ROUND_MAX) {
            return Err(AgreementError::Round(round));
        }
        if let Message::Finish { value, round } = message {
            return self.record_finish(from, value, round);
        }
        let round = message.round().expect("all but finishes have a round");
        if let Some((_, Some(last))) = self.finished.get(&from)
            && round > *last
            && !self.rules.plays_on()
        {
            let last = *last;
            return Err(AgreementError::AfterFinish { round, last });
        }
        self.round_mut(round).record(from, message)
    }

    /// A member may finish twice: first on the word of others, then by a coin, with the same value.
    fn record_finish(
        &mut self,
        from: ValidatorIndex,
        value: bool,
        round: Option<u32>,
    ) -> Result<(), AgreementError> {
        match self.finished.get(&from) {
            None => {}
            Some((before, None)) if *before == value && round.is_some() => {}
            Some(_) => return Err(AgreementError::Repeated),
        }
        self.finished.insert(from, (value, round));
        for (number, state) in &mut self.rounds {
            if self.rules.stands_for_echoes(round, *number) {
                state.count_finished(from, value);
            }
        }
        Ok(())
    }

    /// The state of a round, made on its first message.
    fn round_mut(&mut self, number: u32) -> &mut Round {
        self.rounds.entry(number).or_insert_with(|| {
            let mut state = Round::default();
            for (from, (value, last)) in &self.finished {
                if self.rules.stands_for_echoes(*last, number) {
                    state.count_finished(*from, *value);
                }
            }
            state
        })
    }

    /// Sends, to oneself at once.
    fn send(&mut self, message: Message, out: &mut Vec<Output>) {
        self.record(self.me, message)
            .expect("own messages come from slots that were empty");
        out.push(Output::Send(message));
    }

    fn enter(&mut self, round: u32, estimate: bool, out: &mut Vec<Output>) {
        self.round = Some(round);
        let me = self.me;
        // After a restart the estimate of a round that was entered before may be another one: the first stands.
        if !self.round_mut(round).senders1().contains(me) {
            let value = estimate;
            self.send(Message::Echo1 { round, value }, out);
        }
        #[cfg(any(test, feature = "mutants"))]
        if self.rules.broken(Mutation::CoinBeforeOutput) {
            self.want_coin(round, out);
        }
    }

    /// Applies the rules to all rounds that were entered, and enters the next ones as they become due.
    fn progress(&mut self, out: &mut Vec<Output>) {
        let Some(mut current) = self.round else {
            return;
        };
        let mut number = 0;
        while number <= current && !self.halted {
            if let Some(state) = self.rounds.get_mut(&number) {
                state.apply(number, self.me, &self.rules, |message| {
                    out.push(Output::Send(message));
                });
            }
            if number == current {
                self.advance(current, out);
                current = self.round.unwrap_or(current);
            }
            number += 1;
        }
    }

    /// Leaves the current round, if it has an output and a coin.
    fn advance(&mut self, round: u32, out: &mut Vec<Output>) {
        let Some(output) = self.output(round) else {
            return;
        };
        let Some(coin) = self.known_coin(round) else {
            self.want_coin(round, out);
            return;
        };
        if self.has_stopped() {
            return;
        }
        if output == Some(coin) {
            self.decide(coin, round, out);
            if !self.rules.plays_on() {
                return;
            }
        }
        if round < ROUND_MAX {
            self.enter(round + 1, output.unwrap_or(coin), out);
        }
    }

    /// The coins of the first two rounds are fixed.
    fn known_coin(&self, round: u32) -> Option<bool> {
        match round {
            0 => Some(true),
            1 => Some(false),
            _ => self.rounds.get(&round)?.coin,
        }
    }

    fn want_coin(&mut self, round: u32, out: &mut Vec<Output>) {
        let state = self.round_mut(round);
        if round > 1 && !state.coin_wanted {
            state.coin_wanted = true;
            out.push(Output::WantCoin(round));
        }
    }

    /// Whether oneself named a last round. It may lie ahead, after a restart.
    fn has_stopped(&self) -> bool {
        match self.finished.get(&self.me) {
            Some((_, Some(last))) => self.round >= Some(*last) && !self.rules.plays_on(),
            _ => false,
        }
    }

    /// By the coin of a round.
    fn decide(&mut self, value: bool, round: u32, out: &mut Vec<Output>) {
        // Two values are decided only if more than f members lie; what was said stands.
        if self.decided.is_some_and(|decided| decided != value) {
            return;
        }
        if matches!(self.finished.get(&self.me), Some((_, Some(_)))) {
            return;
        }
        let round = Some(round);
        self.send(Message::Finish { value, round }, out);
        self.learn_decision(value, out);
        self.count_finishes(out);
    }

    fn learn_decision(&mut self, value: bool, out: &mut Vec<Output>) {
        if self.decided.is_none() {
            self.decided = Some(value);
            out.push(Output::Decided(value));
            #[cfg(any(test, feature = "mutants"))]
            if self.rules.broken(Mutation::HaltOnDecide) {
                self.halt(out);
            }
        }
    }

    /// Decides on the word of f + 1 members, ends on that of n - f.
    fn count_finishes(&mut self, out: &mut Vec<Output>) {
        for value in [false, true] {
            if self.decided.is_none() && self.finishes(value) >= self.rules.decision() {
                if !self.finished.contains_key(&self.me) {
                    let round = None;
                    self.send(Message::Finish { value, round }, out);
                }
                self.learn_decision(value, out);
            }
            if !self.halted && self.finishes(value) >= self.rules.quorum() {
                self.halt(out);
            }
        }
    }

    fn finishes(&self, value: bool) -> usize {
        self.finished.values().filter(|(v, _)| *v == value).count()
    }

    fn halt(&mut self, out: &mut Vec<Output>) {
        self.halted = true;
        self.rounds.clear();
        self.finished.clear();
        out.push(Output::Halted);
    }
}
