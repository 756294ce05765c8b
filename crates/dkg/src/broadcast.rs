//! Reliable broadcast: if any honest member delivers a value, all deliver that value.
//!
//! Bracha's rules ("Asynchronous Byzantine agreement protocols", 1987) for n members of which f lie, with the quorum
//! e = ceil((n+f+1)/2) that fits any n: ready on e echoes or f + 1 readies, delivery on 2f + 1 readies. Who may echo
//! what is for the owner to say. Large values are broadcast by their hash and fetched from those who echoed it.

use std::collections::BTreeMap;

use quorate_types::ValidatorIndex;

use crate::member_set::MemberSet;
use crate::message::MessageError;

/// How many distinct senders each rule takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    /// e echoes make one ready.
    pub(crate) echo: usize,
    /// f + 1: one honest member is among them.
    pub(crate) amplify: usize,
    /// 2f + 1 readies deliver.
    pub(crate) deliver: usize,
    /// n - f.
    pub(crate) quorum: usize,
}

/// The echoes and readies of one broadcast, own ones included: what was sent is what the own index stands in.
#[derive(Clone, Debug)]
pub(crate) struct Broadcast<V> {
    echoes: BTreeMap<V, MemberSet>,
    readies: BTreeMap<V, MemberSet>,
}

impl<V: Ord + Copy> Broadcast<V> {
    pub(crate) const fn new() -> Self {
        Self {
            echoes: BTreeMap::new(),
            readies: BTreeMap::new(),
        }
    }

    /// Counts an echo; a member sends one.
    pub(crate) fn echo(&mut self, from: ValidatorIndex, value: V) -> Result<(), MessageError> {
        insert_once(&mut self.echoes, from, value)
    }

    /// Counts a ready; a member sends one.
    pub(crate) fn ready(&mut self, from: ValidatorIndex, value: V) -> Result<(), MessageError> {
        insert_once(&mut self.readies, from, value)
    }

    /// What `me` should send a ready of now, if it has sent none.
    pub(crate) fn due_ready(&self, me: ValidatorIndex, thresholds: Thresholds) -> Option<V> {
        if self.ready_senders().contains(me) {
            return None;
        }
        let echoed = find(&self.echoes, thresholds.echo);
        echoed.or_else(|| find(&self.readies, thresholds.amplify))
    }

    /// The value that is delivered, if there is one.
    pub(crate) fn delivered(&self, thresholds: Thresholds) -> Option<V> {
        find(&self.readies, thresholds.deliver)
    }

    /// Who echoed anything.
    pub(crate) fn echo_senders(&self) -> MemberSet {
        self.echoes
            .values()
            .fold(MemberSet::EMPTY, |all, set| all.union(*set))
    }

    /// Who is ready for anything.
    pub(crate) fn ready_senders(&self) -> MemberSet {
        self.readies
            .values()
            .fold(MemberSet::EMPTY, |all, set| all.union(*set))
    }

    /// Who echoed this value.
    pub(crate) fn echoed(&self, value: &V) -> MemberSet {
        self.echoes.get(value).copied().unwrap_or_default()
    }

    /// The value with most echoes and readies, for people: how many echoes and readies it has.
    pub(crate) fn progress(&self) -> (MemberSet, MemberSet) {
        let most = |map: &BTreeMap<V, MemberSet>| {
            let sets = map.values().copied();
            sets.max_by_key(|set| set.len()).unwrap_or_default()
        };
        (most(&self.echoes), most(&self.readies))
    }
}

fn insert_once<V: Ord>(
    map: &mut BTreeMap<V, MemberSet>,
    from: ValidatorIndex,
    value: V,
) -> Result<(), MessageError> {
    if map.values().any(|set| set.contains(from)) {
        return Err(MessageError::Repeated);
    }
    map.entry(value).or_default().insert(from);
    Ok(())
}

fn find<V: Copy>(map: &BTreeMap<V, MemberSet>, least: usize) -> Option<V> {
    let (value, _) = map.iter().find(|(_, set)| set.len() >= least)?;
    Some(*value)
}

#[cfg(test)]
mod tests {
    use super::{Broadcast, Thresholds};
    use crate::message::MessageError;
    use quorate_types::ValidatorIndex;

    const ME: ValidatorIndex = ValidatorIndex(0);

    /// n = 7, f = 2.
    const SEVEN: Thresholds = Thresholds {
        echo: 5,
        amplify: 3,
        deliver: 5,
        quorum: 5,
    };

    fn with(echoes: u16, readies: u16) -> Broadcast<u8> {
        let mut broadcast = Broadcast::new();
        for from in 1..=echoes {
            broadcast.echo(ValidatorIndex(from), 7).unwrap();
        }
        for from in 1..=readies {
            broadcast.ready(ValidatorIndex(from), 7).unwrap();
        }
        broadcast
    }

    #[test]
    fn ready_takes_e_echoes_or_f_plus_one_readies() {
        for (echoes, readies, due) in [
            (4, 0, None),
            (5, 0, Some(7)),
            (0, 2, None),
            (0, 3, Some(7)),
            (4, 2, None),
        ] {
            assert_eq!(
                with(echoes, readies).due_ready(ME, SEVEN),
                due,
                "{echoes} echoes, {readies} readies"
            );
        }
        let mut sent = with(5, 0);
        sent.ready(ME, 7).unwrap();
        assert_eq!(sent.due_ready(ME, SEVEN), None, "sent before");
    }

    #[test]
    fn delivery_takes_two_f_plus_one_readies() {
        assert_eq!(with(6, 4).delivered(SEVEN), None);
        assert_eq!(with(0, 5).delivered(SEVEN), Some(7));
    }

    #[test]
    fn a_member_echoes_and_is_ready_once() {
        let mut broadcast = with(1, 1);
        let again = ValidatorIndex(1);
        assert_eq!(broadcast.echo(again, 8), Err(MessageError::Repeated));
        assert_eq!(broadcast.echo(again, 7), Err(MessageError::Repeated));
        assert_eq!(broadcast.ready(again, 8), Err(MessageError::Repeated));
        assert_eq!(broadcast.echo_senders().len(), 1);
    }
}
