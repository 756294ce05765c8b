//! Encryption keys, their proofs, recipients, a dealer's generator, and sums of shares.

use proptest::prelude::*;
use quorate_crypto::bls::{G1, G2, Scalar, SecretPolynomial, ShareIndex, lagrange_at_zero};
use quorate_crypto::pvss::{
    EncryptionSecret, KeyProofError, Recipients, RecipientsError, hedged_rng, verify_key_proof,
};
use quorate_crypto::{IdentitySecret, PointError, ScalarError, ShareSecret};
use quorate_types::{EncryptionKey, KeyProof, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(7)
}

fn secrets(count: usize) -> Vec<EncryptionSecret> {
    let mut rng = rng();
    (0..count)
        .map(|_| EncryptionSecret::generate(&mut rng))
        .collect()
}

fn keys(count: usize) -> Vec<EncryptionKey> {
    secrets(count)
        .iter()
        .map(EncryptionSecret::public)
        .collect()
}

#[test]
fn a_proof_of_possession_is_for_one_key_and_one_context() {
    let secret = EncryptionSecret::generate(&mut rng());
    let other = EncryptionSecret::from_bytes(&[3; 32]).unwrap();
    let key = secret.public();
    for context in [b"".as_slice(), b"ceremony", &[9; 1000]] {
        let proof = secret.prove(context, &mut rng());
        assert_eq!(verify_key_proof(&key, context, &proof), Ok(()));
        let longer = [context, &[0]].concat();
        let invalid = Err(KeyProofError::Invalid);
        assert_eq!(verify_key_proof(&key, &longer, &proof), invalid);
        let mut changed = context.to_vec();
        if let Some(last) = changed.last_mut() {
            *last ^= 1;
            assert_eq!(verify_key_proof(&key, &changed, &proof), invalid);
        }
        assert_eq!(verify_key_proof(&other.public(), context, &proof), invalid);
        assert_eq!(
            verify_key_proof(&key, context, &other.prove(context, &mut rng())),
            invalid
        );
    }
    let again = EncryptionSecret::from_bytes(&secret.expose_bytes()).unwrap();
    assert_eq!(again.public(), key);
    assert_eq!(
        EncryptionSecret::from_bytes(&[0; 32]).err(),
        Some(ScalarError::Zero)
    );
    assert_eq!(
        EncryptionSecret::from_bytes(&[0xff; 32]).err(),
        Some(ScalarError::NotCanonical)
    );
}

#[test]
fn a_proof_with_any_bit_flipped_is_refused() {
    let secret = EncryptionSecret::generate(&mut rng());
    let (key, proof) = (secret.public(), secret.prove(b"c", &mut rng()));
    for bit in 0..640 {
        let mut bytes = proof.0;
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(
            verify_key_proof(&key, b"c", &KeyProof(bytes)).is_err(),
            "proof bit {bit}"
        );
    }
    for bit in 0..384 {
        let mut bytes = key.0;
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(
            verify_key_proof(&EncryptionKey(bytes), b"c", &proof).is_err(),
            "key bit {bit}"
        );
    }
}

#[test]
fn a_malformed_proof_is_refused_with_its_reason() {
    let secret = EncryptionSecret::generate(&mut rng());
    let (key, proof) = (secret.public(), secret.prove(b"c", &mut rng()));
    let identity = G1::identity().to_bytes();
    let error = verify_key_proof(&EncryptionKey(identity), b"c", &proof);
    assert_eq!(error, Err(KeyProofError::Key(PointError::Identity)));
    let mut bytes = proof.0;
    bytes[..48].copy_from_slice(&identity);
    let error = verify_key_proof(&key, b"c", &KeyProof(bytes));
    assert_eq!(error, Err(KeyProofError::Commitment(PointError::Identity)));
    let mut bytes = proof.0;
    bytes[48..].fill(0xff);
    let error = verify_key_proof(&key, b"c", &KeyProof(bytes));
    assert_eq!(
        error,
        Err(KeyProofError::Response(ScalarError::NotCanonical))
    );
    // The identity as key, with a response that would fit: 5 g = 5 g + c * 0.
    let five = G1::generator().multiply(&Scalar::from(5)).to_bytes();
    let forged = [five.as_slice(), &Scalar::from(5).to_bytes()].concat();
    let forged = KeyProof(forged.try_into().unwrap());
    let error = verify_key_proof(&EncryptionKey(identity), b"c", &forged);
    assert_eq!(error, Err(KeyProofError::Key(PointError::Identity)));
}

#[test]
fn recipients_are_refused_by_index() {
    let good = keys(4);
    let recipients = Recipients::parse(&good).unwrap();
    assert_eq!(recipients.len(), 4);
    assert_eq!(recipients.points().len(), 4);
    assert_eq!(recipients.points()[2].to_bytes(), good[2].0);
    assert_eq!(recipients.point(ValidatorIndex(4)), None);

    assert_eq!(
        Recipients::parse(&[]).err(),
        Some(RecipientsError::Size { found: 0 })
    );
    let many = vec![good[0]; 129];
    assert_eq!(
        Recipients::parse(&many).err(),
        Some(RecipientsError::Size { found: 129 })
    );
    let with = |place: usize, key: EncryptionKey| {
        let mut keys = good.clone();
        keys[place] = key;
        Recipients::parse(&keys).err()
    };
    let index = ValidatorIndex(3);
    assert_eq!(
        with(3, good[1]),
        Some(RecipientsError::Duplicate {
            index,
            first: ValidatorIndex(1)
        })
    );
    let refused = |error| Some(RecipientsError::Key { index, error });
    let identity = EncryptionKey(G1::identity().to_bytes());
    assert_eq!(with(3, identity), refused(PointError::Identity));
    // x = 0 has order three.
    let mut small = [0; 48];
    small[0] = 0x80;
    assert_eq!(
        with(3, EncryptionKey(small)),
        refused(PointError::NotInSubgroup)
    );
    assert_eq!(
        with(3, EncryptionKey([0; 48])),
        refused(PointError::Encoding)
    );
}

#[test]
fn the_digest_is_of_all_keys_in_order() {
    let mut keys = keys(5);
    let digest = |keys: &[EncryptionKey]| Recipients::parse(keys).unwrap().digest();
    let first = digest(&keys);
    assert_eq!(first, digest(&keys));
    assert_ne!(first, digest(&keys[..4]));
    keys.swap(1, 2);
    assert_ne!(first, digest(&keys));
}

#[test]
fn a_dealers_randomness_depends_on_all_it_is_made_of() {
    let identity = |seed| IdentitySecret::from_bytes(&[seed; 32]);
    let recipients = Recipients::parse(&keys(4)).unwrap();
    let others = Recipients::parse(&keys(5)).unwrap();
    let first = |os: u8, seed, context: u8, recipients: &Recipients| {
        hedged_rng(&[os; 32], &identity(seed), &[context; 32], recipients).next_u64()
    };
    let draws = [
        first(0, 1, 2, &recipients),
        first(1, 1, 2, &recipients),
        first(0, 2, 2, &recipients),
        first(0, 1, 3, &recipients),
        first(0, 1, 2, &others),
    ];
    for (position, draw) in draws.iter().enumerate() {
        assert!(
            !draws[..position].contains(draw),
            "draw {position} repeats another"
        );
    }
    assert_eq!(first(0, 1, 2, &recipients), draws[0]);
}

#[test]
fn sums_of_points_are_those_of_their_logarithms() {
    for count in [0u64, 1, 2, 9] {
        let numbers: Vec<Scalar> = (0..count).map(|n| Scalar::from(n * n)).collect();
        let total: Scalar = numbers.iter().copied().sum();
        let points: Vec<G1> = numbers
            .iter()
            .map(|n| G1::generator().multiply(n))
            .collect();
        assert_eq!(G1::sum(&points), G1::generator().multiply(&total));
        let points: Vec<G2> = numbers
            .iter()
            .map(|n| G2::generator().multiply(n))
            .collect();
        assert_eq!(G2::sum(&points), G2::generator().multiply(&total));
    }
    let generator = G2::generator();
    assert!(G2::sum([&generator, &generator.negate()]).is_identity());
    assert_eq!(
        G2::sum([&generator, &generator]),
        generator.multiply(&Scalar::from(2))
    );
}

fn public(share: &ShareSecret) -> Scalar {
    Scalar::from_bytes(&share.expose_bytes()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn sums_of_shares_are_shares_of_the_sum(seed: u64, dealers in 1usize..6, member in 0u16..128) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let polynomials: Vec<_> = (0..dealers).map(|_| SecretPolynomial::random(4, &mut rng)).collect();
        let index = ShareIndex::from(ValidatorIndex(member));
        let shares: Vec<ShareSecret> = polynomials.iter().map(|p| p.evaluate(index).into()).collect();
        let sum = ShareSecret::sum(&shares);
        prop_assert_eq!(public(&sum), shares.iter().map(public).sum::<Scalar>());
        let commitments: Vec<G2> = shares.iter().map(|s| G2::from_bytes(&s.public_key().0).unwrap()).collect();
        prop_assert_eq!(sum.public_key().0, G2::sum(&commitments).to_bytes());
    }

    #[test]
    fn weighted_sums_interpolate(seed: u64, mut members in prop::collection::btree_set(0u16..128, 3..8)) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let threshold = 3;
        let polynomial = SecretPolynomial::random(threshold, &mut rng);
        let interpolate = |members: &std::collections::BTreeSet<u16>| {
            let indices: Vec<ShareIndex> = members.iter().map(|m| ValidatorIndex(*m).into()).collect();
            let shares: Vec<ShareSecret> = indices.iter().map(|i| polynomial.evaluate(*i).into()).collect();
            let weights = lagrange_at_zero(&indices).unwrap();
            let terms: Vec<(Scalar, &ShareSecret)> = weights.into_iter().zip(&shares).collect();
            let expected: Scalar = terms.iter().map(|(weight, share)| *weight * public(share)).sum();
            let sum = ShareSecret::weighted_sum(&terms);
            assert_eq!(public(&sum), expected);
            G2::from_bytes(&sum.public_key().0).unwrap()
        };
        prop_assert_eq!(Some(interpolate(&members)), polynomial.public_key());
        while members.len() >= threshold {
            members.pop_last();
        }
        prop_assert_ne!(Some(interpolate(&members)), polynomial.public_key());
    }
}
