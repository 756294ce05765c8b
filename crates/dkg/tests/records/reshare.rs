//! Resharing and refresh: the key stays, the shares do not.

use std::sync::Arc;

use quorate_crypto::pvss::Sequential;
use quorate_crypto::{CombineError, ShareSecret, SignatureError};
use quorate_dkg::reshare::{HandoverError, Ignored, NotAReshare, Ordered, ReadyError, Reshare};
use quorate_dkg::{
    DealFault, DealerEvidence, DealingFault, Purpose, SignedDealing, Transcript, TranscriptError,
};
use quorate_types::{Decode, Encode, ThresholdKey, ValidatorIndex};

use crate::world::{Handing, People, TABLE, dealt, rng};

/// Members with their shares, and the transcript that gave them.
struct Committee {
    people: People,
    shares: Vec<ShareSecret>,
    transcript: Transcript,
}

impl Committee {
    fn genesis() -> Self {
        let people = People::new(0..4, 0);
        let ceremony = people.ceremony(Purpose::Genesis, 0);
        let transcript = people.genesis(&ceremony, &[0, 1, 3]);
        let verified = transcript.verify(&Sequential).unwrap();
        let shares = ceremony
            .indices()
            .map(|me| {
                let secret = &people.0[me.position()].encryption;
                verified.recover_share(secret, me, &TABLE).unwrap()
            })
            .collect();
        Self {
            people,
            shares,
            transcript,
        }
    }

    /// Hands the key over to `people`, by the dealings of `dealers` in that order.
    fn hand_over(&self, people: People, dealers: &[usize]) -> Self {
        let previous = self.transcript.verify(&Sequential).unwrap().as_previous();
        let handing = Handing {
            ceremony: people.ceremony(Purpose::Reshare { previous }, 0),
            old: &self.people,
            shares: &self.shares,
            new: &people,
        };
        let reshare = handing.ordered(dealers);
        assert!(reshare.is_complete());
        let handover = reshare.handover().unwrap();
        let shares = handing.recover(handover);
        let ready = handing.ready(handover, &shares);
        let quorum = usize::from(handing.ceremony.quorum());
        for word in &ready {
            assert_eq!(handover.verify_ready(word), Ok(()));
        }
        let few = handover.complete(&ready[..quorum - 1]).unwrap_err();
        assert!(matches!(
            few,
            ReadyError::Combine(CombineError::NotEnough { .. })
        ));
        let transcript = handover.complete(&ready[ready.len() - quorum..]).unwrap();
        assert_eq!(
            transcript,
            handover.complete(&ready).unwrap(),
            "one certificate"
        );
        Self {
            people,
            shares,
            transcript,
        }
    }

    /// The group signature of the members at these positions, if they are enough.
    fn sign(&self, members: impl Iterator<Item = usize>) -> bool {
        let verified = self.transcript.verify(&Sequential).unwrap();
        let message = b"after the hand-over";
        let shares: Vec<_> = (0..)
            .zip(members)
            .map(|(_, member): (u16, usize)| {
                let index = ValidatorIndex(u16::try_from(member).unwrap());
                (index, self.shares[member].sign_share(message))
            })
            .collect();
        verified.public().combine(message, &shares).is_ok()
    }
}

#[test]
fn four_to_seven_to_five_to_a_refresh_keep_the_group_key() {
    let four = Committee::genesis();
    let seven = four.hand_over(People::new(10..17, 1), &[2, 0, 3]);
    // Three of the seven stay, at other places; five of seven deal.
    let five = seven.hand_over(People::new([16, 10, 20, 21, 12], 2), &[6, 1, 3, 5, 0]);
    let refreshed = five.hand_over(People::new([16, 10, 20, 21, 12], 3), &[0, 1, 2, 4]);
    let group = four.transcript.keys.group;
    for committee in [&seven, &five, &refreshed] {
        let bytes = committee.transcript.to_bytes();
        let verified = Transcript::from_bytes(&bytes).unwrap().verify(&Sequential);
        assert_eq!(verified.unwrap().keys().group, group);
        let size = committee.shares.len();
        let quorum = usize::from(committee.transcript.definition.quorum);
        for first in 0..size {
            let some = |count: usize| (first..first + count).map(move |member| member % size);
            assert!(committee.sign(some(quorum)));
            assert!(!committee.sign(some(quorum - 1)));
        }
    }
    mixing_generations_does_not_sign(&five, &refreshed, &group);
}

fn mixing_generations_does_not_sign(old: &Committee, new: &Committee, group: &ThresholdKey) {
    let message = b"after the hand-over";
    let key = quorate_crypto::GroupKey::parse(group).unwrap();
    for (fresh, verifies) in [(0, true), (1, false), (2, false), (3, false), (4, true)] {
        let indices: Vec<ValidatorIndex> = (0..4).map(ValidatorIndex).collect();
        let points: Vec<_> = indices.iter().map(|index| (*index).into()).collect();
        let weights = quorate_crypto::bls::lagrange_at_zero(&points).unwrap();
        let terms: Vec<_> = weights
            .into_iter()
            .zip((0..4).map(|member| {
                let from = if member < fresh { new } else { old };
                &from.shares[member]
            }))
            .collect();
        let combined = ShareSecret::weighted_sum(&terms).sign_share(message);
        assert_eq!(
            key.verify(message, &combined).is_ok(),
            verifies,
            "{fresh} new shares"
        );
    }
}

fn refresh(attempt: u32) -> (People, People, quorate_dkg::Definition, Vec<ShareSecret>) {
    let old = People::new(0..4, 0);
    let new = People::new(0..4, 1);
    let dealt = dealt(&old, 3);
    let purpose = Purpose::Reshare {
        previous: dealt.previous,
    };
    let definition = new.definition(purpose, attempt);
    (old, new, definition, dealt.shares)
}

macro_rules! refresh {
    ($handing:ident, $attempt:expr) => {
        let (old, new, definition, shares) = refresh($attempt);
        let $handing = Handing {
            ceremony: Arc::new(quorate_dkg::Ceremony::new(definition).unwrap()),
            old: &old,
            shares: &shares,
            new: &new,
        };
    };
}

#[test]
fn another_order_or_choice_is_another_transcript_and_one_completes() {
    refresh!(handing, 0);
    let lists: [&[usize]; 3] = [&[0, 1, 2], &[1, 0, 2], &[0, 1, 3]];
    let reshares = lists.map(|list| handing.ordered(list));
    let [first, order, choice] = reshares
        .each_ref()
        .map(|reshare| reshare.handover().unwrap());
    assert_eq!(
        first.keys(),
        order.keys(),
        "the order does not change the shares"
    );
    assert_ne!(first.keys(), choice.keys(), "the choice does");
    assert_eq!(first.keys().group, choice.keys().group);
    assert_ne!(first.hash(), order.hash());
    assert_ne!(first.hash(), choice.hash());

    let ready = handing.ready(first, &handing.recover(first));
    let member = ValidatorIndex(0);
    let found = first.hash();
    let other = ReadyError::OtherTranscript { member, found };
    assert_eq!(order.verify_ready(&ready[0]), Err(other.clone()));
    assert_eq!(order.complete(&ready), Err(other));
    // A word that claims the other transcript does not verify there, and makes no certificate.
    let claimed: Vec<_> = ready
        .iter()
        .map(|word| quorate_dkg::reshare::Ready {
            transcript: order.hash(),
            ..*word
        })
        .collect();
    assert!(matches!(
        order.verify_ready(&claimed[0]),
        Err(ReadyError::Share { .. })
    ));
    assert!(matches!(
        order.complete(&claimed),
        Err(ReadyError::Combine(_))
    ));
    assert!(first.complete(&ready).is_ok());
    // A list in another order than the certified one is refused.
    let mut transcript = first.complete(&ready).unwrap();
    transcript.dealings.swap(0, 1);
    let error = transcript.verify(&Sequential).err();
    assert_eq!(
        error,
        Some(TranscriptError::Certificate(SignatureError::Invalid))
    );
}

#[test]
fn bad_words_are_left_out_and_members_come_once() {
    refresh!(handing, 0);
    let reshare = handing.ordered(&[3, 1, 0]);
    let handover = reshare.handover().unwrap();
    let shares = handing.recover(handover);
    let mut ready = handing.ready(handover, &shares);
    ready[1].share = shares[1].sign_share(b"something else");
    let transcript = handover.complete(&ready).unwrap();
    assert!(transcript.verify(&Sequential).is_ok());
    let twice = [ready[0], ready[0], ready[2], ready[3]];
    let index = ValidatorIndex(0);
    let duplicate = ReadyError::Combine(CombineError::Duplicate { index });
    assert_eq!(handover.complete(&twice), Err(duplicate));
    // With the previous share, or another's, nobody is ready.
    let member = ValidatorIndex(2);
    for wrong in [&handing.shares[2], &shares[3]] {
        let error = handover.sign_ready(wrong, member);
        assert_eq!(error, Err(ReadyError::WrongShare { member }));
    }
}

#[test]
fn dealings_count_once_and_until_there_are_enough() {
    refresh!(handing, 0);
    let mut reshare = handing.ordered(&[2]);
    let again = reshare.order(handing.deal(2), &Sequential);
    assert_eq!(again, Ordered::Ignored(Ignored::Repeated));
    let waiting = HandoverError::Waiting {
        counted: 1,
        needed: 3,
    };
    assert_eq!(reshare.handover().err(), Some(waiting));
    assert_eq!(
        reshare.order(handing.deal(0), &Sequential),
        Ordered::Counted
    );
    assert_eq!(
        reshare.order(handing.deal(3), &Sequential),
        Ordered::Counted
    );
    let late = reshare.order(handing.deal(1), &Sequential);
    assert_eq!(late, Ordered::Ignored(Ignored::Enough));
    assert_eq!(reshare.counted(), [2, 0, 3].map(ValidatorIndex));
    // A second dealing convicts, even now.
    let dealer = &handing.old.0[0].identity;
    let share = Some(&handing.shares[0]);
    let second = SignedDealing::deal(&handing.ceremony, dealer, share, &mut rng(50)).unwrap();
    let Ordered::Evidence(evidence) = reshare.order(second, &Sequential) else {
        panic!("no evidence");
    };
    assert!(matches!(*evidence, DealerEvidence::TwoDealings { .. }));
    assert_eq!(evidence.verify(&handing.ceremony), Ok(ValidatorIndex(0)));
}

/// A dealer that shares something else than its share could change the key: nobody counts it, everybody can show it.
#[test]
fn another_secret_than_the_previous_share_is_refused_with_evidence() {
    refresh!(handing, 0);
    let ceremony = &handing.ceremony;
    let dealer = ValidatorIndex(1);
    let identity = &handing.old.0[1].identity;
    let lie = ShareSecret::random(&mut rng(4));
    let refused = SignedDealing::deal(ceremony, identity, Some(&lie), &mut rng(4));
    assert_eq!(refused, Err(DealFault::WrongShare));
    let body = quorate_crypto::pvss::deal(
        ceremony.parameters(),
        &ceremony.context(dealer),
        ceremony.recipients(),
        &[Some(&lie)],
        &mut rng(4),
    );
    let lying = SignedDealing::sign(ceremony, dealer, body.unwrap().into(), identity);
    let mut reshare = handing.ordered(&[0]);
    let Ordered::Evidence(evidence) = reshare.order(lying.clone(), &Sequential) else {
        panic!("no evidence");
    };
    assert_eq!(*evidence, DealerEvidence::InvalidDealing(lying));
    assert_eq!(evidence.verify(ceremony), Ok(dealer));
    assert_eq!(reshare.counted(), [ValidatorIndex(0)]);
    // If it deals rightly after that, the key is none the worse for it.
    assert_eq!(
        reshare.order(handing.deal(1), &Sequential),
        Ordered::Counted
    );
}

#[test]
fn dealings_of_other_attempts_and_ceremonies_are_refused() {
    refresh!(handing, 0);
    let (old, new, definition, shares) = refresh(1);
    let other = Handing {
        ceremony: Arc::new(quorate_dkg::Ceremony::new(definition).unwrap()),
        old: &old,
        shares: &shares,
        new: &new,
    };
    assert_ne!(handing.ceremony.id(), other.ceremony.id());
    let mut reshare = Reshare::new(Arc::clone(&handing.ceremony)).unwrap();
    let foreign = other.deal(0);
    let fault = DealingFault::Signature(SignatureError::Invalid);
    let ignored = Ordered::Ignored(Ignored::NotSigned(fault));
    assert_eq!(reshare.order(foreign.clone(), &Sequential), ignored);
    // Signed for this attempt, its proofs still are the other's: that convicts.
    let identity = &old.0[0].identity;
    let resigned = SignedDealing::sign(&handing.ceremony, foreign.dealer, foreign.body, identity);
    let Ordered::Evidence(evidence) = reshare.order(resigned, &Sequential) else {
        panic!("no evidence");
    };
    assert_eq!(evidence.verify(&handing.ceremony), Ok(ValidatorIndex(0)));
    // Nobody but the previous members deals, even a new one under an old one's number.
    let mallory = People::new(50..51, 0);
    let stranger = SignedDealing::deal(
        &handing.ceremony,
        &mallory.0[0].identity,
        Some(&shares[0]),
        &mut rng(1),
    );
    assert_eq!(stranger, Err(DealFault::NotADealer));
    let mut far = handing.deal(0);
    far.dealer = ValidatorIndex(4);
    let unknown = DealingFault::UnknownDealer {
        dealer: ValidatorIndex(4),
        dealers: 4,
    };
    let ignored = Ordered::Ignored(Ignored::NotSigned(unknown));
    assert_eq!(reshare.order(far, &Sequential), ignored);
    let mut renamed = handing.deal(0);
    renamed.dealer = ValidatorIndex(1);
    let fault = DealingFault::Signature(SignatureError::Invalid);
    let ignored = Ordered::Ignored(Ignored::NotSigned(fault));
    assert_eq!(reshare.order(renamed, &Sequential), ignored);
}

#[test]
fn a_fresh_key_is_not_reshared() {
    let people = People::new(0..4, 0);
    let ceremony = people.ceremony(Purpose::Genesis, 0);
    assert_eq!(Reshare::new(Arc::clone(&ceremony)).err(), Some(NotAReshare));
    let share = ShareSecret::random(&mut rng(1));
    let deal = SignedDealing::deal(&ceremony, &people.0[0].identity, Some(&share), &mut rng(1));
    assert_eq!(deal, Err(DealFault::Share));
}
