//! Threshold BLS beside the floor: what blst takes for the one operation that cannot be avoided. All parts take turns, and a
//! part is compared with its floor in the same turn: the medians of these ratios hold on a machine that does other things too, or whose
//! clock changes its pace. Times are processor time.
//!
//! `cargo bench -p quorate-benches --bench floor`

use std::hint::black_box;
use std::time::Duration;

use blst::{BLST_ERROR, Pairing, blst_p1_affine, blst_p2_affine, min_sig};
use nix::time::{ClockId, clock_gettime};
use quorate_crypto::bls::{DST, G1, Scalar};
use quorate_crypto::dealer::{Dealt, deal};
use quorate_crypto::{IndexedShare, ThresholdPublic, parse_signature, threshold};
use quorate_types::{Signature, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// As long as what a finality share signs: a domain tag and a header hash.
const MESSAGE: [u8; 40] = [7; 40];
/// Turns that each part takes.
const TURNS: usize = 60;

/// A part: its name, what it is compared with, how much of that it may take at most, and what it does.
struct Part<'a> {
    name: &'a str,
    floor: usize,
    goal: f64,
    run: Box<dyn Fn() + 'a>,
    /// By turn.
    times: Vec<Duration>,
}

impl<'a> Part<'a> {
    fn new(name: &'a str, floor: usize, goal: f64, run: impl Fn() + 'a) -> Self {
        Self {
            name,
            floor,
            goal,
            run: Box::new(run),
            times: Vec::with_capacity(TURNS),
        }
    }
}

fn committee(members: u16, quorum: u16) -> (Dealt, ThresholdPublic) {
    let dealt = deal(members, quorum, &mut ChaCha20Rng::seed_from_u64(1));
    let keys = ThresholdPublic::parse(&dealt.group, &dealt.shares_public, usize::from(quorum));
    (dealt, keys.expect("dealt keys"))
}

fn shares(dealt: &Dealt, members: impl Iterator<Item = u16>) -> Vec<IndexedShare> {
    members
        .map(|member| {
            let share = dealt.secrets[usize::from(member)].sign_share(&MESSAGE);
            (ValidatorIndex(member), share)
        })
        .collect()
}

/// 67 of 100 members with no pattern.
fn any_67() -> impl Iterator<Item = u16> {
    let mut members: Vec<u16> = (0..100).collect();
    members.sort_by_key(|member| u32::from(*member).wrapping_mul(2_654_435_769));
    members.truncate(67);
    members.sort_unstable();
    members.into_iter()
}

/// On one thread: blst's own `verify` shares a single verification out to two.
fn plain_verify(key: &min_sig::PublicKey, signature: &Signature) -> bool {
    let signature = min_sig::Signature::from_bytes(&signature.0).expect("a signature");
    let (key, signature): (&blst_p2_affine, &blst_p1_affine) = (key.into(), (&signature).into());
    let mut pairing = Pairing::new(true, DST);
    let added = pairing.aggregate(key, false, signature, true, &MESSAGE, &[]);
    pairing.commit();
    added == BLST_ERROR::BLST_SUCCESS && pairing.finalverify(None)
}

/// Processor time of this thread.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .expect("the system keeps account of threads")
        .into()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let (dealt, keys) = committee(100, 67);
    let first = shares(&dealt, 0..67);
    let any = shares(&dealt, any_67());
    let signature = keys
        .combine(&MESSAGE, &first)
        .expect("good shares")
        .signature;
    let plain_key = min_sig::PublicKey::key_validate(&dealt.group.0).expect("a key");
    assert!(plain_verify(&plain_key, &signature));
    let points = |shares: &[IndexedShare]| -> Vec<(ValidatorIndex, G1)> {
        let points = shares.iter();
        points
            .map(|(index, share)| (*index, parse_signature(share).expect("a share")))
            .collect()
    };
    let (first_points, any_points) = (points(&first), points(&any));
    let bases: Vec<G1> = any_points.iter().map(|(_, point)| *point).collect();
    let scalars: Vec<Scalar> = (0u8..67)
        .map(|seed| Scalar::from_wide_bytes(&[seed + 1; 48]))
        .collect();

    let (seven_dealt, seven) = committee(7, 5);
    let mut three_bad = shares(&seven_dealt, 0..7);
    for bad in [1, 3, 6] {
        three_bad[bad].1 = three_bad[0].1;
    }

    let mut parts = [
        Part::new("blst: verify one from bytes, key parsed", 0, 1.0, || {
            assert!(plain_verify(black_box(&plain_key), &signature));
        }),
        Part::new("verify one from bytes, key cached", 0, 0.95, || {
            black_box(&keys)
                .verify(&MESSAGE, &signature)
                .expect("valid");
        }),
        Part::new("verify one from bytes, key used once", 0, 1.0, || {
            threshold::verify(keys.group().point(), black_box(&MESSAGE), &signature)
                .expect("valid");
        }),
        Part::new("blst: 67 points times 255 bits", 3, 1.0, || {
            black_box(G1::plain_multi_scalar(black_box(&bases), &scalars));
        }),
        Part::new("interpolate the first 67 of 100", 3, 0.66, || {
            black_box(threshold::interpolate(black_box(&first_points)));
        }),
        Part::new("interpolate any 67 of 100", 3, 0.95, || {
            black_box(threshold::interpolate(black_box(&any_points)));
        }),
        Part::new(
            "combine any 67 of 100, from bytes to checked",
            3,
            f64::INFINITY,
            || {
                black_box(keys.combine(black_box(&MESSAGE), &any)).expect("good shares");
            },
        ),
        Part::new("check 67 shares of one message, from bytes", 0, 5.2, || {
            keys.verify_shares_batch(black_box(&MESSAGE), &any)
                .expect("good shares");
        }),
        Part::new(
            "67 signatures parsed, subgroup and all",
            0,
            f64::INFINITY,
            || {
                black_box(points(black_box(&any)));
            },
        ),
        Part::new("name 3 bad shares of 7, from bytes", 0, 8.0, || {
            let named = seven.verify_shares_batch(black_box(&MESSAGE), &three_bad);
            assert_eq!(named, Err([1, 3, 6].map(ValidatorIndex).to_vec()));
        }),
    ];
    for _ in 0..TURNS {
        for part in &mut parts {
            let start = processor_time();
            (part.run)();
            part.times.push(processor_time() - start);
        }
    }
    println!("{:46} {:>9}   {:>7}  {:>6}", "", "us", "x floor", "goal");
    for part in &parts {
        let turns = part.times.iter().zip(&parts[part.floor].times);
        let ratio = median(turns.map(|(own, floor)| own.as_secs_f64() / floor.as_secs_f64()));
        let micros = median(part.times.iter().map(|time| time.as_secs_f64() * 1e6));
        let goal = if part.goal.is_finite() && part.goal != 1.0 {
            format!("{:6.2}", part.goal)
        } else {
            String::new()
        };
        println!("{:46} {micros:9.1}   {ratio:7.2}  {goal}", part.name);
    }
}
