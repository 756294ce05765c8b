//! What signing, verifying and combining cost on one thread.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quorate_crypto::bls::{DST, G2, hash_to_g1};
use quorate_crypto::dealer::{Dealt, deal};
use quorate_crypto::identity::verify_batch;
use quorate_crypto::{
    GroupKey, IdentityPublic, IdentitySecret, IndexedShare, ThresholdPublic, parse_signature,
    threshold,
};
use quorate_types::{DomainTag, Signature, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// As long as what a finality share signs: a domain tag and a header hash.
const MESSAGE: [u8; 40] = [7; 40];

/// A committee with the default quorum.
fn committee(members: u16) -> (Dealt, ThresholdPublic) {
    let quorum = members - (members - 1) / 3;
    let dealt = deal(members, quorum, &mut ChaCha20Rng::seed_from_u64(1));
    let keys = ThresholdPublic::parse(&dealt.group, &dealt.shares_public, usize::from(quorum))
        .expect("dealt keys");
    (dealt, keys)
}

fn shares(dealt: &Dealt, count: usize, message: &[u8]) -> Vec<IndexedShare> {
    (0..)
        .map(ValidatorIndex)
        .zip(&dealt.secrets)
        .take(count)
        .map(|(index, secret)| (index, secret.sign_share(message)))
        .collect()
}

fn single(c: &mut Criterion) {
    let (dealt, _) = committee(1);
    let secret = &dealt.secrets[0];
    let signature = secret.sign_share(&MESSAGE);
    let key = GroupKey::parse(&dealt.group).expect("a dealt key");
    let mut group = c.benchmark_group("bls");
    group.bench_function("hash_to_g1", |b| {
        b.iter(|| hash_to_g1(black_box(&MESSAGE), DST))
    });
    group.bench_function("sign_share", |b| {
        b.iter(|| secret.sign_share(black_box(&MESSAGE)))
    });
    group.bench_function("parse_signature", |b| {
        b.iter(|| parse_signature(black_box(&signature)))
    });
    group.bench_function("parse_key", |b| {
        b.iter(|| G2::from_bytes(black_box(&dealt.group.0)))
    });
    group.bench_function("prepare_key", |b| {
        b.iter(|| GroupKey::parse(black_box(&dealt.group)))
    });
    group.bench_function("verify", |b| {
        b.iter(|| key.verify(black_box(&MESSAGE), &signature))
    });
    group.bench_function("verify_unprepared", |b| {
        b.iter(|| threshold::verify(key.point(), black_box(&MESSAGE), &signature));
    });
    group.finish();
}

fn committees(c: &mut Criterion) {
    let mut group = c.benchmark_group("threshold");
    group.sample_size(20);
    for members in [4u16, 16, 64, 100] {
        let (dealt, keys) = committee(members);
        let id = |name: &str| BenchmarkId::new(name, members);
        let shares = shares(&dealt, keys.threshold(), &MESSAGE);
        group.bench_function(id("combine"), |b| {
            b.iter(|| keys.combine(black_box(&MESSAGE), &shares))
        });
        let mut with_bad = self::shares(&dealt, usize::from(members), &MESSAGE);
        with_bad[0].1 = with_bad[1].1;
        group.bench_function(id("combine_with_one_bad"), |b| {
            b.iter(|| keys.combine(black_box(&MESSAGE), &with_bad));
        });
        group.bench_function(id("verify_shares_batch"), |b| {
            b.iter(|| keys.verify_shares_batch(black_box(&MESSAGE), &shares));
        });
        group.bench_function(id("parse_keys"), |b| {
            b.iter(|| {
                ThresholdPublic::parse(
                    black_box(&dealt.group),
                    &dealt.shares_public,
                    keys.threshold(),
                )
            });
        });
        let messages: Vec<[u8; 40]> = (0..16).map(|byte| [byte; 40]).collect();
        let signed: Vec<Vec<IndexedShare>> = messages
            .iter()
            .map(|message| self::shares(&dealt, keys.threshold(), message))
            .collect();
        let items: Vec<(&[u8], &[IndexedShare])> = messages
            .iter()
            .zip(&signed)
            .map(|(message, shares)| (message.as_slice(), shares.as_slice()))
            .collect();
        group.bench_function(id("combine_many_16"), |b| {
            b.iter(|| keys.combine_many(black_box(&items)))
        });
    }
    group.finish();
}

fn many(c: &mut Criterion) {
    let (dealt, _) = committee(1);
    let key = GroupKey::parse(&dealt.group).expect("a dealt key");
    let messages: Vec<[u8; 8]> = (0..1000u64).map(u64::to_le_bytes).collect();
    let signed: Vec<(&[u8], Signature)> = messages
        .iter()
        .map(|message| (message.as_slice(), dealt.secrets[0].sign_share(message)))
        .collect();
    let mut group = c.benchmark_group("verify_many");
    group.sample_size(10);
    for count in [1usize, 10, 100, 1000] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| key.verify_many(black_box(&signed[..count])));
        });
    }
    group.finish();
}

fn identities(c: &mut Criterion) {
    let secrets: Vec<IdentitySecret> = (0..=255)
        .map(|seed| IdentitySecret::from_bytes(&[seed; 32]))
        .collect();
    let tag = DomainTag::TransactionSignature;
    let items: Vec<_> = secrets
        .iter()
        .map(|secret| {
            (
                secret.public(),
                tag,
                MESSAGE.as_slice(),
                secret.sign(tag, &MESSAGE),
            )
        })
        .collect();
    let public = IdentityPublic::parse(&items[0].0).expect("a key made from a secret");
    let mut group = c.benchmark_group("ed25519");
    group.bench_function("sign", |b| {
        b.iter(|| secrets[0].sign(tag, black_box(&MESSAGE)))
    });
    group.bench_function("verify", |b| {
        b.iter(|| public.verify(tag, black_box(&MESSAGE), &items[0].3))
    });
    group.sample_size(20);
    for count in [16usize, 64, 256] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("verify_batch", count), |b| {
            b.iter_batched_ref(
                || ChaCha20Rng::seed_from_u64(1),
                |rng| verify_batch(black_box(&items[..count]), rng),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, single, committees, many, identities);
criterion_main!(benches);
