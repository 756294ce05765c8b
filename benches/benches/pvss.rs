//! What dealing, checking and decrypting cost, with the two lanes of a first ceremony.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use quorate_crypto::pvss::{
    ChunkTable, Dealing, EncryptionSecret, Parallel, Parameters, Recipients, Sequential, deal,
};
use quorate_types::{EncryptionKey, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const CONTEXT: [u8; 32] = [7; 32];
/// Neither lane shares a secret that exists already.
const OPEN: [Option<quorate_types::ThresholdKey>; 2] = [None, None];

/// So many threads, which take jobs one by one.
struct Threads(usize);

impl Parallel for Threads {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= jobs {
                    return;
                }
                job(index);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.0 {
                scope.spawn(work);
            }
            work();
        });
    }
}

fn dealings(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut group = c.benchmark_group("pvss");
    group.sample_size(10);
    group.bench_function("table", |b| b.iter(ChunkTable::new));
    let table = ChunkTable::new();
    for members in [4u16, 16, 64, 128] {
        let faults = (members - 1) / 3;
        let secrets: Vec<EncryptionSecret> = (0..members)
            .map(|_| EncryptionSecret::generate(&mut rng))
            .collect();
        let keys: Vec<EncryptionKey> = secrets.iter().map(EncryptionSecret::public).collect();
        let recipients = Recipients::parse(&keys).expect("keys of its own");
        let parameters =
            Parameters::new(members, &[members - faults, faults + 1]).expect("a committee");
        println!(
            "a dealing to {members} members has {} bytes",
            parameters.dealing_bytes()
        );
        let id = |name: &str| BenchmarkId::new(name, members);

        group.bench_function(id("deal"), |b| {
            b.iter_batched_ref(
                || ChaCha20Rng::seed_from_u64(2),
                |rng| deal(&parameters, &CONTEXT, &recipients, &[None, None], rng),
                BatchSize::SmallInput,
            );
        });
        let bytes = deal(&parameters, &CONTEXT, &recipients, &[None, None], &mut rng)
            .expect("sound randomness");
        let validate = |parallel: &dyn Parallel| {
            let bytes = black_box(&bytes);
            Dealing::validate(&parameters, &CONTEXT, &recipients, &OPEN, bytes, parallel)
                .expect("an honest dealing")
        };
        group.bench_function(id("validate"), |b| b.iter(|| validate(&Sequential)));
        group.bench_function(id("validate_on_two_threads"), |b| {
            b.iter(|| validate(&Threads(2)))
        });
        let dealing = validate(&Sequential);
        let last = members - 1;
        group.bench_function(id("decrypt"), |b| {
            b.iter(|| {
                dealing.decrypt(
                    &secrets[usize::from(last)],
                    ValidatorIndex(last),
                    black_box(&table),
                )
            });
        });
    }
    group.finish();
}

criterion_group!(benches, dealings);
criterion_main!(benches);
