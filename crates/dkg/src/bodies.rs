//! The dealings that a member holds, and those it asks its peers for.

use std::collections::BTreeMap;

use quorate_types::ValidatorIndex;

use crate::dealing::SignedDealing;
use crate::io::DealingName;
use crate::member_set::MemberSet;

/// What is known of a dealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Read back from the log, and not validated since.
    Recovered,
    /// Being validated.
    Checking,
    /// Valid.
    Valid,
}

#[derive(Clone, Debug)]
struct Body {
    dealing: SignedDealing,
    state: State,
    /// Whether the log has it.
    stored: bool,
}

/// Who is asked for a dealing.
#[derive(Clone, Copy, Debug, Default)]
struct Request {
    outstanding: Option<ValidatorIndex>,
    asked: MemberSet,
}

/// Dealings by name, each validated once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bodies {
    held: BTreeMap<DealingName, Body>,
    /// Found invalid; the bytes are not kept.
    invalid: Vec<DealingName>,
    requests: BTreeMap<DealingName, Request>,
}

impl Bodies {
    /// A dealing's bytes, if they are held and valid.
    pub(crate) fn valid(&self, name: &DealingName) -> Option<&SignedDealing> {
        let body = self.held.get(name)?;
        (body.state == State::Valid).then_some(&body.dealing)
    }

    /// Whether a dealing is held, valid or not yet known to be.
    pub(crate) fn holds(&self, name: &DealingName) -> bool {
        self.held.contains_key(name)
    }

    /// Whether a dealing was found invalid.
    pub(crate) fn is_invalid(&self, name: &DealingName) -> bool {
        self.invalid.contains(name)
    }

    /// Takes a dealing back from the log.
    pub(crate) fn recover(&mut self, dealing: SignedDealing) {
        let name = (dealing.dealer, dealing.hash());
        let (state, stored) = (State::Recovered, true);
        let body = Body {
            dealing,
            state,
            stored,
        };
        self.held.insert(name, body);
    }

    /// Takes a dealing; whether it is to be validated.
    pub(crate) fn put(&mut self, name: DealingName, dealing: &SignedDealing) -> bool {
        if self.holds(&name) || self.is_invalid(&name) {
            return false;
        }
        let body = Body {
            dealing: dealing.clone(),
            state: State::Checking,
            stored: false,
        };
        self.held.insert(name, body);
        self.requests.remove(&name);
        true
    }

    /// Notes that the log has a dealing, or is about to; hands the dealing out if that is news.
    pub(crate) fn store(&mut self, name: &DealingName) -> Option<SignedDealing> {
        let body = self.held.get_mut(name)?;
        let stored = std::mem::replace(&mut body.stored, true);
        (!stored).then(|| body.dealing.clone())
    }

    /// Dealings from the log that are to be validated, if `needed`; they count as being validated from then on.
    pub(crate) fn take_recovered(
        &mut self,
        needed: impl Fn(&DealingName) -> bool,
    ) -> Vec<SignedDealing> {
        let recovered = self
            .held
            .iter_mut()
            .filter(|(name, body)| body.state == State::Recovered && needed(name));
        recovered
            .map(|(_, body)| {
                body.state = State::Checking;
                body.dealing.clone()
            })
            .collect()
    }

    /// Notes that a dealing is valid; whether that is news.
    pub(crate) fn accept(&mut self, name: &DealingName) -> Option<&SignedDealing> {
        let body = self.held.get_mut(name)?;
        let news = body.state != State::Valid;
        body.state = State::Valid;
        news.then_some(&body.dealing)
    }

    /// Forgets an invalid dealing's bytes and hands them out, the first time.
    pub(crate) fn reject(&mut self, name: &DealingName) -> Option<SignedDealing> {
        let body = self.held.remove(name)?;
        self.invalid.push(*name);
        Some(body.dealing)
    }

    /// Whom to ask next for a dealing that is missing, of those who should have it: one after another, and from the
    /// beginning after the last. Nobody while an answer is outstanding.
    pub(crate) fn request(
        &mut self,
        name: DealingName,
        sources: MemberSet,
    ) -> Option<ValidatorIndex> {
        if self.holds(&name) || self.is_invalid(&name) {
            return None;
        }
        let request = self.requests.entry(name).or_default();
        if request.outstanding.is_some() {
            return None;
        }
        if sources.is_subset(request.asked) {
            request.asked = MemberSet::EMPTY;
        }
        let next = sources.without(request.asked).iter().next()?;
        request.asked.insert(next);
        request.outstanding = Some(next);
        Some(next)
    }

    /// Notes that a peer did not have what it was asked for.
    pub(crate) fn denied(&mut self, name: &DealingName, from: ValidatorIndex) {
        if let Some(request) = self.requests.get_mut(name)
            && request.outstanding == Some(from)
        {
            request.outstanding = None;
        }
    }

    /// Who is asked for a dealing now.
    pub(crate) fn asked(&self, name: &DealingName) -> Option<ValidatorIndex> {
        self.requests.get(name)?.outstanding
    }

    /// Whether a dealing was asked for: answers to other questions are not taken.
    pub(crate) fn is_wanted(&self, name: &DealingName) -> bool {
        self.requests.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::Bodies;
    use crate::member_set::MemberSet;
    use quorate_types::{DealingHash, ValidatorIndex};

    #[test]
    fn sources_are_asked_one_after_another_and_then_again() {
        let name = (ValidatorIndex(0), DealingHash([1; 32]));
        let sources: MemberSet = [1, 3].map(ValidatorIndex).into_iter().collect();
        let mut bodies = Bodies::default();
        assert_eq!(bodies.request(name, MemberSet::EMPTY), None);
        for expected in [1, 3, 1] {
            let asked = bodies.request(name, sources);
            assert_eq!(asked, Some(ValidatorIndex(expected)));
            assert_eq!(bodies.request(name, sources), None, "one at a time");
            bodies.denied(&name, ValidatorIndex(2));
            assert_eq!(bodies.request(name, sources), None, "nobody asked member 2");
            bodies.denied(&name, ValidatorIndex(expected));
        }
    }
}
