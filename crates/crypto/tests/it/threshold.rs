//! Threshold signatures: who can sign, who is named.

use bls12_381::{G1Affine, G1Projective};
use proptest::prelude::*;
use quorate_crypto::bls::{DST, G1, G2, Scalar, hash_to_g1, lagrange_at_zero};
use quorate_crypto::dealer::{Dealt, deal};
use quorate_crypto::{
    CombineError, IndexedShare, KeysError, PointError, ShareError, SignatureError, ThresholdPublic,
    parse_signature, threshold,
};
use quorate_types::{Signature, ThresholdKey, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const MESSAGE: &[u8] = b"finality of something";

struct Committee {
    dealt: Dealt,
    keys: ThresholdPublic,
}

impl Committee {
    fn new(members: u16, threshold: u16, seed: u64) -> Self {
        let dealt = deal(members, threshold, &mut ChaCha20Rng::seed_from_u64(seed));
        let keys =
            ThresholdPublic::parse(&dealt.group, &dealt.shares_public, usize::from(threshold))
                .unwrap();
        Self { dealt, keys }
    }

    fn share(&self, index: u16, message: &[u8]) -> IndexedShare {
        (
            ValidatorIndex(index),
            self.dealt.secrets[usize::from(index)].sign_share(message),
        )
    }

    fn shares(&self, indices: &[u16], message: &[u8]) -> Vec<IndexedShare> {
        indices
            .iter()
            .map(|index| self.share(*index, message))
            .collect()
    }

    /// A good share in another guise: no signature, for it is outside the subgroup.
    fn guised_share(&self, index: u16, message: &[u8]) -> IndexedShare {
        let (member, good) = self.share(index, message);
        let point = parse_signature(&good).unwrap();
        (member, Signature(outside_the_subgroup(&point)))
    }

    /// A share that is bad in one of several ways.
    fn bad_share(&self, index: u16, message: &[u8], kind: u8) -> IndexedShare {
        let (member, good) = self.share(index, message);
        let point = parse_signature(&good).unwrap();
        let bytes = match kind % 6 {
            0 => self.share(index, b"another message").1.0,
            1 => G1::identity().to_bytes(),
            2 => [0xff; 48],
            3 => outside_the_subgroup(&point.negate()),
            4 => point.negate().to_bytes(),
            // Another error for every member: equal ones can cancel in an interpolation, and the signature is right then.
            _ => point.add(&hash_to_g1(&index.to_le_bytes(), DST)).to_bytes(),
        };
        (member, Signature(bytes))
    }
}

/// The point plus one of order three, which no pairing notices: on the curve, outside the subgroup.
fn outside_the_subgroup(point: &G1) -> [u8; 48] {
    let mut order_three = [0; 48];
    order_three[0] = 0x80;
    let order_three = G1Affine::from_compressed_unchecked(&order_three).unwrap();
    let point = G1Projective::from(G1Affine::from_compressed(&point.to_bytes()).unwrap());
    G1Affine::from(point + order_three).to_compressed()
}

fn members(indices: &[u16]) -> Vec<ValidatorIndex> {
    indices.iter().map(|index| ValidatorIndex(*index)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_threshold_of_members_make_the_same_signature(
        (size, threshold) in (1u16..12).prop_flat_map(|size| (Just(size), 1..=size)),
        seed: u64,
        order in Just((0u16..12).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let committee = Committee::new(size, threshold, seed);
        let order: Vec<u16> = order.into_iter().filter(|index| *index < size).collect();
        let enough = usize::from(threshold);
        let one = committee.keys.combine(MESSAGE, &committee.shares(&order[..enough], MESSAGE)).unwrap();
        let other = committee.keys.combine(MESSAGE, &committee.shares(&order[order.len() - enough..], MESSAGE)).unwrap();
        prop_assert_eq!(&one, &other);
        prop_assert!(one.bad.is_empty());
        prop_assert_eq!(committee.keys.verify(MESSAGE, &one.signature), Ok(()));
        prop_assert_eq!(committee.keys.verify(b"else", &one.signature), Err(SignatureError::Invalid));
        let key = G2::from_bytes(&committee.dealt.group.0).unwrap();
        prop_assert_eq!(threshold::verify(&key, MESSAGE, &one.signature), Ok(()));

        // One share fewer is refused, and what it interpolates to is not the signature.
        let few = committee.shares(&order[..enough - 1], MESSAGE);
        let error = CombineError::NotEnough { good: enough - 1, needed: enough, bad: vec![] };
        prop_assert_eq!(committee.keys.combine(MESSAGE, &few), Err(error));
        if enough > 1 {
            let points: Vec<G1> = few.iter().map(|(_, share)| parse_signature(share).unwrap()).collect();
            let indices: Vec<_> = few.iter().map(|(index, _)| (*index).into()).collect();
            let guess = G1::multi_scalar(&points, &lagrange_at_zero(&indices).unwrap());
            prop_assert_ne!(guess.to_bytes(), one.signature.0);
        }
    }

    #[test]
    fn bad_shares_are_named_exactly(
        kinds in proptest::collection::vec(proptest::option::weighted(0.3, 0u8..6), 10),
        guised in proptest::collection::vec(proptest::bool::weighted(0.2), 10),
        seed: u64,
    ) {
        let committee = Committee::new(10, 4, seed);
        let shares: Vec<IndexedShare> = (0u16..)
            .zip(kinds.iter().zip(&guised))
            .map(|(index, (kind, guised))| match kind {
                Some(kind) => committee.bad_share(index, MESSAGE, *kind),
                None if *guised => committee.guised_share(index, MESSAGE),
                None => committee.share(index, MESSAGE),
            })
            .collect();
        let bad: Vec<_> = shares.iter().zip(&kinds).filter(|(_, kind)| kind.is_some()).map(|(share, _)| share.0).collect();
        let found = committee.keys.verify_shares_batch(MESSAGE, &shares).err().unwrap_or_default();
        prop_assert_eq!(&found, &bad);
        for ((index, share), kind) in shares.iter().zip(&kinds) {
            prop_assert_eq!(committee.keys.verify_share(*index, MESSAGE, share).is_ok(), kind.is_none());
        }
        let combined = committee.keys.combine(MESSAGE, &shares);
        if shares.len() - bad.len() < 4 {
            let error = CombineError::NotEnough { good: shares.len() - bad.len(), needed: 4, bad };
            prop_assert_eq!(combined, Err(error));
        } else {
            let combined = combined.unwrap();
            prop_assert_eq!(committee.keys.verify(MESSAGE, &combined.signature), Ok(()));
            prop_assert!(combined.bad.iter().all(|index| bad.contains(index)));
            // If a bad share spoilt the first attempt, all are named. Malformed ones do not spoil it.
            if kinds[..4].iter().any(|kind| !matches!(kind, None | Some(1 | 2))) {
                prop_assert_eq!(combined.bad, bad);
            }
        }
    }

    #[test]
    fn bad_messages_are_named_exactly(good in proptest::collection::vec(any::<bool>(), 0..24)) {
        let committee = Committee::new(1, 1, 3);
        let messages: Vec<Vec<u8>> = (0..good.len()).map(|item| vec![7; item]).collect();
        let items: Vec<_> = messages
            .iter()
            .zip(&good)
            .map(|(message, good)| {
                let signed: &[u8] = if *good { message } else { b"something else" };
                (message.as_slice(), committee.share(0, signed).1)
            })
            .collect();
        let expected: Vec<usize> = (0..good.len()).filter(|position| !good[*position]).collect();
        let found = committee.keys.group().verify_many(&items).err().unwrap_or_default();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn errors_that_cancel_in_a_plain_sum_are_found() {
    // Two shares off by opposite amounts: their sum is that of the good ones.
    let committee = Committee::new(4, 3, 1);
    let mut shares = committee.shares(&[0, 1, 2, 3], MESSAGE);
    for (position, offset) in [(1, G1::generator()), (2, G1::generator().negate())] {
        let point = parse_signature(&shares[position].1).unwrap().add(&offset);
        shares[position].1 = Signature(point.to_bytes());
    }
    assert_eq!(
        committee.keys.verify_shares_batch(MESSAGE, &shares),
        Err(members(&[1, 2]))
    );
    let items: Vec<_> = [0usize, 1]
        .into_iter()
        .map(|item| {
            let message: &[u8] = [b"one", b"two"][item];
            let signature = committee
                .keys
                .combine(message, &committee.shares(&[0, 1, 2], message))
                .unwrap()
                .signature;
            let offset = [G1::generator(), G1::generator().negate()][item];
            let point = parse_signature(&signature).unwrap().add(&offset);
            (message, Signature(point.to_bytes()))
        })
        .collect();
    assert_eq!(committee.keys.group().verify_many(&items), Err(vec![0, 1]));
}

#[test]
fn malformed_signatures_are_named_among_many() {
    let committee = Committee::new(1, 1, 3);
    let good = (MESSAGE, committee.share(0, MESSAGE).1);
    let group = committee.keys.group();
    for kind in 0..6 {
        let bad = (MESSAGE, committee.bad_share(0, MESSAGE, kind).1);
        assert_eq!(
            group.verify_many(&[good, bad, good]),
            Err(vec![1]),
            "kind {kind}"
        );
        assert_eq!(group.verify_many(&[bad]), Err(vec![0]), "kind {kind}");
    }
    let outside = committee.guised_share(0, MESSAGE);
    let error = SignatureError::Point(PointError::NotInSubgroup);
    assert_eq!(group.verify(MESSAGE, &outside.1), Err(error));
    assert_eq!(
        group.verify_many(&[(MESSAGE, outside.1), good]),
        Err(vec![0])
    );
    assert_eq!(group.verify_many(&[good, good]), Ok(()));
    assert_eq!(group.verify_many(&[]), Ok(()));
    let identity = Signature(G1::identity().to_bytes());
    assert_eq!(
        group.verify(MESSAGE, &identity),
        Err(SignatureError::Point(PointError::Identity))
    );
}

#[test]
fn shares_in_any_guise_make_the_signature() {
    let committee = Committee::new(4, 3, 1);
    let plain = committee
        .keys
        .combine(MESSAGE, &committee.shares(&[0, 1, 2], MESSAGE))
        .unwrap();
    // Interpolation at these members takes the stray point of order three once in all, and below it twice: it does not vanish.
    let guised = [1, 2, 0].map(|index| committee.guised_share(index, MESSAGE));
    assert_eq!(committee.keys.combine(MESSAGE, &guised), Ok(plain.clone()));
    assert_eq!(
        committee.keys.combine_many(&[(MESSAGE, &guised)]),
        [Ok(plain.clone())]
    );
    // The same where shares have to be checked.
    let mut shares = committee.shares(&[1, 3], MESSAGE);
    shares.insert(0, committee.guised_share(0, MESSAGE));
    shares.insert(1, committee.bad_share(2, MESSAGE, 3));
    let found = committee.keys.combine(MESSAGE, &shares).unwrap();
    assert_eq!(found.signature, plain.signature);
    assert_eq!(found.bad, members(&[2]));
    // Nothing but what a pairing does not see is no share. (This one of them has x = 0, and is refused when it is read.)
    let stray = Signature(outside_the_subgroup(&G1::identity()));
    let check = |index: u16, share| {
        let index = ValidatorIndex(index);
        let batch = committee
            .keys
            .verify_shares_batch(MESSAGE, &[(index, share)]);
        assert_eq!(batch, Err(vec![index]));
        committee.keys.verify_share(index, MESSAGE, &share)
    };
    let error = SignatureError::Point(PointError::NotInSubgroup);
    assert_eq!(check(0, stray), Err(error.into()));
    let bad = committee.bad_share(1, MESSAGE, 3).1;
    assert_eq!(check(1, bad), Err(SignatureError::Invalid.into()));
}

#[test]
fn combine_refuses_unknown_and_repeated_members() {
    let committee = Committee::new(4, 3, 1);
    let mut shares = committee.shares(&[0, 1, 2], MESSAGE);
    shares.push((ValidatorIndex(4), shares[0].1));
    let error = CombineError::UnknownMember {
        index: ValidatorIndex(4),
        members: 4,
    };
    assert_eq!(committee.keys.combine(MESSAGE, &shares), Err(error));
    assert_eq!(
        committee.keys.verify_shares_batch(MESSAGE, &shares),
        Err(members(&[4]))
    );
    shares[3].0 = ValidatorIndex(1);
    let error = CombineError::Duplicate {
        index: ValidatorIndex(1),
    };
    assert_eq!(committee.keys.combine(MESSAGE, &shares), Err(error));

    let error = ShareError::UnknownMember {
        index: ValidatorIndex(9),
        members: 4,
    };
    assert_eq!(
        committee
            .keys
            .verify_share(ValidatorIndex(9), MESSAGE, &shares[0].1),
        Err(error)
    );
    let error = ShareError::Signature(SignatureError::Invalid);
    assert_eq!(
        committee
            .keys
            .verify_share(ValidatorIndex(1), MESSAGE, &shares[0].1),
        Err(error)
    );
    assert_eq!(
        committee.keys.combine(MESSAGE, &[]),
        Err(CombineError::NotEnough {
            good: 0,
            needed: 3,
            bad: vec![]
        })
    );
}

#[test]
fn malformed_shares_are_skipped_without_checking_the_others() {
    let committee = Committee::new(5, 3, 1);
    let mut shares = vec![committee.bad_share(4, MESSAGE, 2)];
    shares.extend(committee.shares(&[0, 1, 2], MESSAGE));
    // Not needed, so not looked at.
    shares.push(committee.bad_share(3, MESSAGE, 0));
    assert_eq!(
        committee.keys.combine(MESSAGE, &shares).unwrap().bad,
        members(&[4])
    );
}

#[test]
fn many_messages_combine_as_one_by_one() {
    let committee = Committee::new(7, 5, 1);
    let messages: Vec<Vec<u8>> = (0u8..5).map(|item| vec![item; 3]).collect();
    let mut shares: Vec<_> = messages
        .iter()
        .map(|message| committee.shares(&[6, 1, 2, 3, 4, 5], message))
        .collect();
    shares[1][2] = committee.bad_share(2, &messages[1], 0);
    shares[2].truncate(4);
    shares[3][0].0 = ValidatorIndex(1);
    shares[4][1] = committee.bad_share(1, &messages[4], 3);
    let items: Vec<(&[u8], &[IndexedShare])> = messages
        .iter()
        .zip(&shares)
        .map(|(message, shares)| (message.as_slice(), shares.as_slice()))
        .collect();
    let combined = committee.keys.combine_many(&items);
    let single: Vec<_> = items
        .iter()
        .map(|(message, shares)| committee.keys.combine(message, shares))
        .collect();
    assert_eq!(combined, single);
    assert_eq!(combined[1].as_ref().unwrap().bad, members(&[2]));
    assert_eq!(combined[4].as_ref().unwrap().bad, members(&[1]));
    assert!(combined[0].is_ok() && combined[2].is_err() && combined[3].is_err());
    assert!(committee.keys.combine_many(&[]).is_empty());
}

#[test]
fn a_full_committee_combines() {
    let committee = Committee::new(128, 86, 1);
    let indices: Vec<u16> = (0..128).rev().collect();
    let mut shares = committee.shares(&indices, MESSAGE);
    shares[0] = committee.bad_share(127, MESSAGE, 0);
    shares[100] = committee.bad_share(27, MESSAGE, 5);
    let combined = committee.keys.combine(MESSAGE, &shares).unwrap();
    assert_eq!(combined.bad, members(&[127, 27]));
    assert_eq!(committee.keys.verify(MESSAGE, &combined.signature), Ok(()));
}

#[test]
fn keys_off_the_polynomial_are_refused() {
    let dealt = deal(7, 5, &mut ChaCha20Rng::seed_from_u64(1));
    let parse = |group, shares: &[ThresholdKey], threshold| {
        ThresholdPublic::parse(group, shares, threshold).err()
    };
    let shares = &dealt.shares_public;
    assert_eq!(parse(&dealt.group, shares, 5), None);
    // A larger threshold is consistent with the keys, though the dealer meant less; a smaller one is not.
    assert_eq!(parse(&dealt.group, shares, 7), None);
    assert_eq!(
        parse(&dealt.group, shares, 4),
        Some(KeysError::Degree { threshold: 4 })
    );
    for member in 0..7 {
        let mut shares = shares.clone();
        let point = G2::from_bytes(&shares[member].0).unwrap();
        shares[member] = ThresholdKey(point.add(&G2::generator()).to_bytes());
        assert_eq!(
            parse(&dealt.group, &shares, 5),
            Some(KeysError::Degree { threshold: 5 })
        );
    }
    let group = ThresholdKey(G2::generator().multiply(&Scalar::from(5)).to_bytes());
    assert_eq!(
        parse(&group, shares, 5),
        Some(KeysError::Degree { threshold: 5 })
    );
    let mut swapped = shares.clone();
    swapped.swap(0, 1);
    assert_eq!(
        parse(&dealt.group, &swapped, 5),
        Some(KeysError::Degree { threshold: 5 })
    );
    // With all members needed, only the group key can be off.
    assert_eq!(
        parse(&group, &dealt.shares_public, 7),
        Some(KeysError::Degree { threshold: 7 })
    );
}

#[test]
fn malformed_keys_are_refused_with_their_reason() {
    let dealt = deal(4, 3, &mut ChaCha20Rng::seed_from_u64(1));
    let parse = |group, shares: &[ThresholdKey], threshold| {
        ThresholdPublic::parse(group, shares, threshold).err()
    };
    let identity = ThresholdKey(G2::identity().to_bytes());
    let shares = &dealt.shares_public;
    assert_eq!(
        parse(&identity, shares, 3),
        Some(KeysError::Group(PointError::Identity))
    );
    let mut broken = shares.clone();
    broken[2] = ThresholdKey([0; 96]);
    let error = KeysError::Member {
        index: ValidatorIndex(2),
        error: PointError::Encoding,
    };
    assert_eq!(parse(&dealt.group, &broken, 3), Some(error));
    for threshold in [0, 5] {
        let error = KeysError::Threshold {
            threshold,
            members: 4,
        };
        assert_eq!(parse(&dealt.group, shares, threshold), Some(error));
    }
    assert_eq!(
        parse(&dealt.group, &[], 1),
        Some(KeysError::Threshold {
            threshold: 1,
            members: 0
        })
    );
    assert_eq!(
        parse(&dealt.group, &vec![identity; 129], 3),
        Some(KeysError::Size { found: 129 })
    );
}

#[test]
fn dealt_keys_belong_together() {
    let committee = Committee::new(4, 2, 1);
    for (secret, public) in committee
        .dealt
        .secrets
        .iter()
        .zip(&committee.dealt.shares_public)
    {
        assert_eq!(secret.public_key(), *public);
    }
    assert_eq!(
        (committee.keys.members(), committee.keys.threshold()),
        (4, 2)
    );
    assert_eq!(committee.keys.group().bytes(), &committee.dealt.group);
    let key = committee.keys.share_key(ValidatorIndex(3)).unwrap();
    assert_eq!(key.to_bytes(), committee.dealt.shares_public[3].0);
    assert_eq!(committee.keys.share_key(ValidatorIndex(4)), None);
    // The same seed deals the same, another seed does not.
    assert_eq!(Committee::new(4, 2, 1).dealt.group, committee.dealt.group);
    assert_ne!(Committee::new(4, 2, 2).dealt.group, committee.dealt.group);
}
