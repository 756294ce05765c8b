//! One round: who sent what, and what follows from it.

use quorate_types::ValidatorIndex;

use super::{AgreementError, Message, Rules};
use crate::member_set::MemberSet;

/// What a round came to: a value, or neither (the coin is taken).
pub(super) type Output = Option<bool>;

/// The messages of one round, own ones included: what was sent is what the own index stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Round {
    /// Senders of each value; a member may send both.
    echo1: [MemberSet; 2],
    /// Senders of each value; a member sends one.
    echo2: [MemberSet; 2],
    /// Senders of each value, and of neither; a member sends one.
    echo3: [MemberSet; 3],
    pub(super) output: Option<Output>,
    pub(super) coin_wanted: bool,
    pub(super) coin: Option<bool>,
}

/// The values in the order in which they are looked at.
const VALUES: [bool; 2] = [false, true];

impl Round {
    /// Notes a message of this round.
    ///
    /// # Errors
    /// [`AgreementError::Repeated`].
    pub(super) fn record(
        &mut self,
        from: ValidatorIndex,
        message: Message,
    ) -> Result<(), AgreementError> {
        let new = match message {
            Message::Echo1 { value, .. } => self.echo1[usize::from(value)].insert(from),
            Message::Echo2 { value, .. } => {
                !self.senders2().contains(from) && self.echo2[usize::from(value)].insert(from)
            }
            Message::Echo3 { value, .. } => {
                !self.senders3().contains(from) && self.echo3[slot3(value)].insert(from)
            }
            Message::Finish { .. } => true,
        };
        if new {
            Ok(())
        } else {
            Err(AgreementError::Repeated)
        }
    }

    /// Counts a member that finished before this round as a sender of its value throughout.
    pub(super) fn count_finished(&mut self, from: ValidatorIndex, value: bool) {
        let index = usize::from(value);
        self.echo1[index].insert(from);
        if !self.senders2().contains(from) {
            self.echo2[index].insert(from);
        }
        if !self.senders3().contains(from) {
            self.echo3[index].insert(from);
        }
    }

    pub(super) fn senders1(&self) -> MemberSet {
        self.echo1[0].union(self.echo1[1])
    }

    pub(super) fn senders2(&self) -> MemberSet {
        self.echo2[0].union(self.echo2[1])
    }

    pub(super) fn senders3(&self) -> MemberSet {
        self.echo3[0].union(self.echo3[1]).union(self.echo3[2])
    }

    /// Whether n - f members sent the value.
    pub(super) fn approved(&self, value: bool, rules: &Rules) -> bool {
        self.echo1[usize::from(value)].len() >= rules.approval()
    }

    /// Applies the rules of a round that was entered, in the order in which one enables the next, and hands back what
    /// is to be sent as `round`. The senders include `me` at once.
    pub(super) fn apply(
        &mut self,
        round: u32,
        me: ValidatorIndex,
        rules: &Rules,
        mut send: impl FnMut(Message),
    ) {
        for value in VALUES {
            let echo1 = &mut self.echo1[usize::from(value)];
            if echo1.len() >= rules.amplification() && echo1.insert(me) {
                send(Message::Echo1 { round, value });
            }
        }
        if let Some(value) = self.next_echo2(me, rules) {
            self.echo2[usize::from(value)].insert(me);
            send(Message::Echo2 { round, value });
        }
        if let Some(value) = self.next_echo3(me, rules) {
            self.echo3[slot3(value)].insert(me);
            send(Message::Echo3 { round, value });
        }
        if self.output.is_none() && self.senders3().contains(me) {
            self.output = self.find_output(rules);
        }
    }

    /// The first approved value.
    fn next_echo2(&self, me: ValidatorIndex, rules: &Rules) -> Option<bool> {
        if self.senders2().contains(me) {
            return None;
        }
        VALUES.into_iter().find(|v| self.approved(*v, rules))
    }

    fn next_echo3(&self, me: ValidatorIndex, rules: &Rules) -> Option<Output> {
        if self.senders3().contains(me) {
            return None;
        }
        let supported = |value: &bool| {
            self.approved(*value, rules) && self.echo2[usize::from(*value)].len() >= rules.support()
        };
        if let Some(value) = VALUES.into_iter().find(supported) {
            return Some(Some(value));
        }
        self.both_approved(rules).then_some(None)
    }

    fn find_output(&self, rules: &Rules) -> Option<Output> {
        let bound = |value: &bool| {
            self.approved(*value, rules) && self.echo3[usize::from(*value)].len() >= rules.output()
        };
        if let Some(value) = VALUES.into_iter().find(bound) {
            return Some(Some(value));
        }
        let enough = self.senders3().len() >= rules.quorum();
        (enough && self.both_approved(rules)).then_some(None)
    }

    fn both_approved(&self, rules: &Rules) -> bool {
        VALUES.into_iter().all(|v| self.approved(v, rules))
    }
}

/// Where the senders of a third echo stand.
fn slot3(value: Output) -> usize {
    value.map_or(2, usize::from)
}
