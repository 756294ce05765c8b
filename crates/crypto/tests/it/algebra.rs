//! Laws of scalars, polynomials and interpolation.

use proptest::prelude::*;
use quorate_crypto::bls::{
    DuplicateShare, G1, G2, Polynomial, PreparedG2, Scalar, ScalarError, SecretPolynomial,
    SecretScalar, ShareIndex, lagrange_at_zero, pairing_product_is_one, pairings_equal,
};
use quorate_types::ValidatorIndex;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// The group order, big-endian.
const ORDER: &str = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";

fn scalar() -> impl Strategy<Value = Scalar> {
    any::<[u8; 32]>().prop_map(|bytes| Scalar::from_wide_bytes(&bytes))
}

fn share_index(index: u16) -> ShareIndex {
    ValidatorIndex(index).into()
}

/// Distinct indices, among them large ones, whose products overflow machine words.
fn indices(
    count: impl Into<proptest::sample::SizeRange>,
) -> impl Strategy<Value = Vec<ShareIndex>> {
    proptest::collection::btree_set(prop_oneof![0u16..128, any::<u16>()], count)
        .prop_map(|set| set.into_iter().map(share_index).collect::<Vec<_>>())
        .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scalars_are_a_field(a in scalar(), b in scalar(), c in scalar()) {
        prop_assert_eq!((a + b) * c, a * c + b * c);
        prop_assert_eq!(a - b, -(b - a));
        prop_assert_eq!(a + Scalar::zero(), a * Scalar::one());
        if let Some(inverse) = a.inverse() {
            prop_assert_eq!(a * inverse, Scalar::one());
        }
        prop_assert_eq!(Scalar::from_bytes(&a.to_bytes()), Ok(a));
    }

    #[test]
    fn any_values_of_a_polynomial_give_its_value_at_zero(
        coefficients in proptest::collection::vec(scalar(), 1..20),
        indices in indices(20..40),
    ) {
        let polynomial = Polynomial::new(coefficients.clone());
        let recover = |indices: &[ShareIndex]| -> Scalar {
            let weights = lagrange_at_zero(indices).unwrap();
            indices.iter().zip(weights).map(|(index, weight)| polynomial.evaluate((*index).into()) * weight).sum()
        };
        prop_assert_eq!(recover(&indices[..coefficients.len()]), coefficients[0]);
        prop_assert_eq!(recover(&indices), coefficients[0]);
        // One value too few says nothing: it fits only if the leading coefficient is zero.
        if coefficients.len() > 1 {
            prop_assert_ne!(recover(&indices[..coefficients.len() - 1]), coefficients[0]);
        }
    }

    #[test]
    fn a_repeated_index_is_refused(indices in indices(1..10), position: proptest::sample::Index) {
        let repeated = *position.get(&indices);
        let indices = [indices.as_slice(), &[repeated]].concat();
        prop_assert_eq!(lagrange_at_zero(&indices), Err(DuplicateShare(repeated)));
    }

    #[test]
    fn secret_and_public_arithmetic_agree(seed: u64, point in scalar()) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let secret = SecretScalar::random(&mut rng);
        let public = Scalar::from_bytes(&secret.expose_bytes()).unwrap();
        let base = G1::generator().multiply(&point);
        prop_assert_eq!(secret.multiply(&base), base.multiply(&public));
        prop_assert_eq!(secret.public_key(), G2::generator().multiply(&public));

        let polynomial = SecretPolynomial::random(4, &mut rng);
        let indices: Vec<ShareIndex> = (0..4).map(share_index).collect();
        let values = indices.iter().map(|index| Scalar::from_bytes(&polynomial.evaluate(*index).expose_bytes()).unwrap());
        let at_zero: Scalar = values.zip(lagrange_at_zero(&indices).unwrap()).map(|(value, weight)| value * weight).sum();
        prop_assert_eq!(polynomial.public_key(), Some(G2::generator().multiply(&at_zero)));
    }

    #[test]
    fn pairing_is_bilinear(a in scalar(), b in scalar()) {
        let (left, right) = (G1::generator().multiply(&a), G2::generator().multiply(&b));
        let product = G1::generator().multiply(&(a * b));
        prop_assert!(pairing_product_is_one(&[(left, right), (product.negate(), G2::generator())]));
        prop_assert!(!pairing_product_is_one(&[(left, right), (product, G2::generator())]));
        let (right, generator) = (PreparedG2::new(right), PreparedG2::new(G2::generator()));
        prop_assert!(pairings_equal((&left, &right), (&product, &generator)));
        prop_assert!(!pairings_equal((&left, &right), (&product.negate(), &generator)));
    }
}

#[test]
fn pairing_with_the_identity_is_one() {
    let (generator, identity) = (G1::generator(), G1::identity());
    let (prepared, nothing) = (
        PreparedG2::new(G2::generator()),
        PreparedG2::new(G2::identity()),
    );
    assert!(pairing_product_is_one(&[]));
    assert!(pairing_product_is_one(&[
        (identity, G2::generator()),
        (generator, G2::identity())
    ]));
    assert!(!pairing_product_is_one(&[
        (identity, G2::generator()),
        (generator, G2::generator())
    ]));
    assert!(pairings_equal(
        (&identity, &prepared),
        (&generator, &nothing)
    ));
    assert!(!pairings_equal(
        (&identity, &prepared),
        (&generator, &prepared)
    ));
    assert!(!pairings_equal(
        (&generator, &prepared),
        (&generator, &nothing)
    ));
}

#[test]
fn scalars_at_and_above_the_order_are_refused() {
    let order: [u8; 32] = crate::bytes(ORDER);
    assert_eq!(Scalar::from_bytes(&order), Err(ScalarError::NotCanonical));
    assert_eq!(
        Scalar::from_bytes(&[0xff; 32]),
        Err(ScalarError::NotCanonical)
    );
    assert_eq!(Scalar::from_wide_bytes(&order), Scalar::zero());
    let mut below = order;
    below[31] -= 1;
    assert_eq!(Scalar::from_bytes(&below), Ok(-Scalar::one()));
    assert_eq!(Scalar::zero().inverse(), None);

    assert_eq!(
        SecretScalar::from_bytes(&[0; 32]).err(),
        Some(ScalarError::Zero)
    );
    assert_eq!(
        SecretScalar::from_bytes(&order).err(),
        Some(ScalarError::NotCanonical)
    );
    assert_eq!(
        *SecretScalar::from_bytes(&below).unwrap().expose_bytes(),
        below
    );
}

#[test]
fn share_indices_start_at_one() {
    assert_eq!(share_index(0).number(), 1);
    assert_eq!(share_index(u16::MAX).number(), 65_536);
}
