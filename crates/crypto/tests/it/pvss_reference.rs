//! The equations of a dealing one by one, slowly, with another library and from bytes alone; and what lies each of them
//! is there to refuse.

use std::collections::BTreeSet;

use bls12_381::{G1Affine, G1Projective, G2Affine, G2Projective, Scalar};
use quorate_crypto::pvss::cheat::{Lie, deal};
use quorate_crypto::pvss::{DealingError, Part};
use quorate_types::{Blake3, DomainTag, EncryptionKey, ValidatorIndex};

use crate::pvss::{CONTEXT, Members, rng};

/// A dealing cut into its parts.
struct Parts<'a> {
    v: &'a [u8],
    a_masks: &'a [u8],
    r: &'a [u8],
    c: &'a [u8],
    d: &'a [u8],
    b: &'a [u8],
    g: &'a [u8],
    y0: &'a [u8],
    y: &'a [u8],
    f: &'a [u8],
    x: &'a [u8],
    z: &'a [u8],
    t: &'a [u8],
    t0: &'a [u8],
    a: &'a [u8],
    b_responses: &'a [u8],
}

impl<'a> Parts<'a> {
    fn new(members: usize, lanes: usize, mut bytes: &'a [u8]) -> Self {
        let mut take = |length: usize| {
            let (part, rest) = bytes.split_at(length);
            bytes = rest;
            part
        };
        let parts = Self {
            v: take(96 * lanes * (members + 1)),
            a_masks: take(96 * lanes),
            r: take(48 * 16 * lanes),
            c: take(48 * 16 * lanes * members),
            d: take(48 * (members + 1)),
            b: take(48 * 128),
            g: take(48 * 128),
            y0: take(48),
            y: take(48),
            f: take(48 * lanes),
            x: take(48 * lanes),
            z: take(8 * 128),
            t: take(32 * members),
            t0: take(32),
            a: take(32 * lanes),
            b_responses: take(32 * lanes),
        };
        assert!(bytes.is_empty());
        parts
    }
}

fn one(bytes: &[u8]) -> Vec<G1Projective> {
    let point = |bytes: &[u8]| G1Affine::from_compressed_unchecked(bytes.try_into().unwrap());
    bytes
        .chunks(48)
        .map(|bytes| point(bytes).unwrap().into())
        .collect()
}

fn two(bytes: &[u8]) -> Vec<G2Projective> {
    let point = |bytes: &[u8]| G2Affine::from_compressed_unchecked(bytes.try_into().unwrap());
    bytes
        .chunks(96)
        .map(|bytes| point(bytes).unwrap().into())
        .collect()
}

fn scalars(bytes: &[u8]) -> Vec<Scalar> {
    let scalar = |bytes: &[u8]| {
        let mut bytes: [u8; 32] = bytes.try_into().unwrap();
        bytes.reverse();
        Scalar::from_bytes(&bytes).unwrap()
    };
    bytes.chunks(32).map(scalar).collect()
}

fn wide(hash: &Blake3) -> Scalar {
    let mut bytes = [0; 64];
    hash.finish_into(&mut bytes[..48]);
    bytes[..48].reverse();
    Scalar::from_bytes_wide(&bytes)
}

fn chain(hash: Blake3, parts: &[&[u8]]) -> Blake3 {
    parts.iter().fold(hash, |hash, part| {
        hash.chain((part.len() as u64).to_le_bytes()).chain(part)
    })
}

fn power(base: Scalar, exponent: usize) -> Scalar {
    base.pow(&[exponent as u64, 0, 0, 0])
}

/// The equations that do not hold, by their numbers in the module's text.
fn failing(thresholds: &[u16], keys: &[EncryptionKey], bytes: &[u8]) -> BTreeSet<u8> {
    let (n, lanes) = (keys.len(), thresholds.len());
    let columns = 16 * lanes;
    let parts = Parts::new(n, lanes, bytes);

    // Challenges.
    let mut digest = Blake3::new(DomainTag::EncryptionKeys).chain((n as u64).to_le_bytes());
    for key in keys {
        digest = digest.chain(key.0);
    }
    let mut instance = Blake3::new(DomainTag::PvssInstance)
        .chain(CONTEXT)
        .chain(u16::try_from(n).unwrap().to_le_bytes())
        .chain((lanes as u64).to_le_bytes());
    for threshold in thresholds {
        instance = instance.chain(threshold.to_le_bytes());
    }
    let instance = chain(
        instance.chain(digest.finish()),
        &[parts.v, parts.r, parts.c],
    )
    .finish();
    let start = |tag| Blake3::new(tag).chain(instance);
    let first = chain(start(DomainTag::PvssBits), &[parts.y0, parts.b, parts.g]);
    let mut bits = vec![0; n * columns * 16];
    first.finish_into(&mut bits);
    let second = start(DomainTag::PvssChunks).chain(first.finish());
    let x = wide(&chain(second, &[parts.z, parts.d, parts.y]));
    let u = wide(&start(DomainTag::PvssMix));
    let w = wide(&chain(
        start(DomainTag::PvssSharing),
        &[parts.f, parts.a_masks, parts.x],
    ));
    let e = |k: usize, c: usize| -> Scalar {
        let row = &bits[(k * columns + c) * 16..][..16];
        let chosen = (0..128).filter(|i| row[i / 8] >> (i % 8) & 1 == 1);
        chosen.map(|i| power(x, i + 1)).sum()
    };
    let base = |j: usize| power(Scalar::from(1 << 16), j);

    // Points and numbers.
    let (g1, g2) = (G1Projective::generator(), G2Projective::generator());
    let (v, a_masks) = (two(parts.v), two(parts.a_masks));
    let (r, c, d, b, g) = (
        one(parts.r),
        one(parts.c),
        one(parts.d),
        one(parts.b),
        one(parts.g),
    );
    let (y0, y, f, x_masks) = (
        one(parts.y0)[0],
        one(parts.y)[0],
        one(parts.f),
        one(parts.x),
    );
    let keys: Vec<G1Projective> = keys.iter().map(|key| one(&key.0)[0]).collect();
    let z = parts
        .z
        .chunks(8)
        .map(|sum| u64::from_le_bytes(sum.try_into().unwrap()));
    let (t, t0) = (scalars(parts.t), scalars(parts.t0)[0]);
    let (a, b_responses) = (scalars(parts.a), scalars(parts.b_responses));

    let mut failing = BTreeSet::new();
    let mut check = |number: u8, holds: bool| {
        if !holds {
            failing.insert(number);
        }
    };
    let chosen: Vec<Vec<Scalar>> = (0..n)
        .map(|k| (0..columns).map(|c| e(k, c)).collect())
        .collect();
    for k in 0..n {
        let sum: G1Projective = (0..columns).map(|c| r[c] * chosen[k][c]).sum();
        check(1, sum + d[k + 1] == g1 * t[k]);
    }
    let sum: G1Projective = (0..128).map(|i| b[i] * power(x, i + 1)).sum();
    check(2, sum + d[0] == g1 * t0);
    let chunks: G1Projective = (0..n * columns)
        .map(|at| c[at] * chosen[at / columns][at % columns])
        .sum();
    let blinds: G1Projective = (0..128).map(|i| g[i] * power(x, i + 1)).sum();
    let masks: G1Projective = (0..n).map(|k| keys[k] * t[k]).sum();
    let sums: Scalar = z
        .enumerate()
        .map(|(i, z)| Scalar::from(z) * power(x, i + 1))
        .sum();
    check(3, chunks + blinds + y == masks + y0 * t0 + g1 * sums);
    for lane in 0..lanes {
        let randomness: G1Projective = (0..16).map(|j| r[16 * lane + j] * base(j)).sum();
        check(4, randomness * w + f[lane] == g1 * a[lane]);
        let row = &v[lane * (n + 1)..][..n + 1];
        let mixed: G2Projective = (1..=n).map(|k| row[k] * power(u, k)).sum();
        check(5, mixed * w + a_masks[lane] == g2 * b_responses[lane]);
        let share = |k: usize| -> G1Projective {
            (0..16)
                .map(|j| c[k * columns + 16 * lane + j] * base(j))
                .sum()
        };
        let mixed: G1Projective = (0..n).map(|k| share(k) * power(u, k + 1)).sum();
        let mixed_key: G1Projective = (0..n).map(|k| keys[k] * power(u, k + 1)).sum();
        check(
            6,
            mixed * w + x_masks[lane] == mixed_key * a[lane] + g1 * b_responses[lane],
        );
        check(7, low_degree(row, usize::from(thresholds[lane])));
    }
    failing
}

/// Whether all values are those of the polynomial through the first `threshold`.
fn low_degree(values: &[G2Projective], threshold: usize) -> bool {
    let number = |value: usize| Scalar::from(value as u64);
    (threshold..values.len()).all(|at| {
        let interpolated: G2Projective = (0..threshold)
            .map(|i| {
                let others = (0..threshold).filter(|j| *j != i);
                let factor =
                    |j: usize| (number(at) - number(j)) * (number(i) - number(j)).invert().unwrap();
                values[i]
                    * others
                        .map(factor)
                        .fold(Scalar::one(), |product, next| product * next)
            })
            .sum();
        interpolated == values[at]
    })
}

#[test]
fn every_lie_breaks_its_equation_alone_and_is_refused() {
    let thresholds = [3, 2];
    let setup = Members::new(4, &thresholds);
    let mask = |part, position| Lie::Mask { part, position };
    let (first, second) = (ValidatorIndex(0), ValidatorIndex(2));
    let cases: [(Lie, &[u8]); 14] = [
        (mask(Part::RandomnessMasks, 3), &[1]),
        (mask(Part::RandomnessMasks, 0), &[2]),
        (mask(Part::MixedMask, 0), &[3]),
        (mask(Part::SharingEphemerals, 1), &[4]),
        (mask(Part::ShareMasks, 0), &[5]),
        (Lie::Commitments { lane: 1 }, &[5]),
        (mask(Part::SharingCiphertexts, 1), &[6]),
        (
            Lie::Ciphertext {
                lane: 0,
                member: second,
            },
            &[6],
        ),
        (Lie::Swapped { first, second }, &[6]),
        (Lie::Degree { lane: 0 }, &[7]),
        (Lie::Degree { lane: 1 }, &[7]),
        (Lie::Context, &[1, 2, 3, 4, 5, 6]),
        (
            Lie::LargeChunk {
                lane: 0,
                member: second,
            },
            &[],
        ),
        (
            Lie::NegativeChunk {
                lane: 1,
                member: first,
            },
            &[],
        ),
    ];
    for (seed, (lie, broken)) in (1..).zip(cases) {
        let (parameters, recipients) = (&setup.parameters, &setup.recipients);
        let open = [None, None];
        let bytes = deal(parameters, &CONTEXT, recipients, &open, lie, &mut rng(seed)).unwrap();
        let found = failing(&thresholds, &setup.keys, &bytes);
        assert_eq!(found, broken.iter().copied().collect(), "{lie:?}");
        let verdict = setup.validate(&[None, None], &bytes).map(|_| ());
        let expected = if broken.is_empty() {
            Ok(())
        } else {
            Err(DealingError::Proof)
        };
        assert_eq!(verdict, expected, "{lie:?}");
    }
}

#[test]
fn honest_dealings_satisfy_every_equation() {
    for (members, thresholds) in [(4, &[3u16][..]), (5, &[5, 1]), (7, &[1, 7])] {
        let setup = Members::new(members, thresholds);
        let bytes = setup.deal(&vec![None; thresholds.len()], 3);
        assert_eq!(failing(thresholds, &setup.keys, &bytes), BTreeSet::new());
        setup
            .validate(&vec![None; thresholds.len()], &bytes)
            .unwrap();
    }
}
