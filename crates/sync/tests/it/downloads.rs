//! Downloads from peers of which some lie, some are silent and some are slow, seed by seed: the state that comes out is the
//! one that was certified, and nobody honest is blamed.

use std::collections::{BTreeMap, BTreeSet};

use quorate_crypto::IdentitySecret;
use quorate_ledger::{KeyRange, Ledger, Snapshot, StateChunk};
use quorate_sync::{Download, Request};
use quorate_types::{
    Allocation, AssetId, Encode, Execution, Genesis, GenesisAsset, Hash32, StateKey, ValidatorIndex,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::support::genesis;

const PEERS: u16 = 5;
/// Answers in a row that a peer may owe.
const FAILURES_MAX: u32 = 3;

fn snapshot(people: u16, balance: u128) -> Snapshot {
    let asset = AssetId(1);
    let allocations = (0..people).map(|person| {
        let mut seed = [3; 32];
        seed[..2].copy_from_slice(&person.to_le_bytes());
        Allocation {
            owner: IdentitySecret::from_bytes(&seed).public(),
            sub: 0,
            asset,
            amount: balance,
        }
    });
    let genesis = Genesis {
        execution: Execution::Ledger,
        fee_asset: asset,
        assets: vec![GenesisAsset {
            id: asset,
            decimals: 0,
        }],
        allocations: allocations.collect(),
        ..genesis()
    };
    Ledger::genesis(&genesis).unwrap().snapshot()
}

/// What a peer does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Honest,
    Silent,
    /// Serves the state of another moment.
    Stale,
    /// Changes a value.
    Forging,
    /// Leaves an entry out.
    Withholding,
    /// Answers with bytes that mean nothing.
    Junk,
    /// Answers with the chunk of another place.
    Elsewhere,
}

impl Peer {
    const LIARS: [Self; 5] = [
        Self::Stale,
        Self::Forging,
        Self::Withholding,
        Self::Junk,
        Self::Elsewhere,
    ];

    fn answer(self, request: &Request, world: &World) -> Option<Vec<u8>> {
        let honest = world.state.chunk(&request.start, world.bytes_max);
        let lie = |change: &dyn Fn(&mut StateChunk)| {
            let mut chunk = honest.clone();
            change(&mut chunk);
            chunk
        };
        let chunk = match self {
            Self::Honest => honest.clone(),
            Self::Silent => return None,
            Self::Stale => world.other.chunk(&request.start, world.bytes_max),
            Self::Forging => lie(&|chunk| {
                if let Some((_, value)) = chunk.entries.first_mut() {
                    let last = value.len() - 1;
                    value[last] ^= 1;
                } else {
                    chunk.siblings.push(Hash32([1; 32]));
                }
            }),
            Self::Withholding => lie(&|chunk| {
                if chunk.entries.pop().is_none() {
                    chunk.siblings.clear();
                }
            }),
            Self::Junk => return Some(vec![0xee; 50]),
            Self::Elsewhere => {
                let mut far = request.start;
                far.0[0] ^= 0xff;
                let chunk = world.state.chunk(&far, world.bytes_max);
                if chunk.siblings.is_empty() {
                    return Some(vec![]);
                }
                chunk
            }
        };
        Some(chunk.to_bytes())
    }
}

struct World {
    state: Snapshot,
    other: Snapshot,
    bytes_max: usize,
    peers: Vec<Peer>,
}

impl World {
    fn new(rng: &mut ChaCha20Rng, peers: Vec<Peer>) -> Self {
        let people = u16::try_from(rng.next_u32() % 300).unwrap() + 1;
        Self {
            state: snapshot(people, 10),
            other: snapshot(people, 11),
            bytes_max: [1, 300, 3_000, 1 << 20][usize::try_from(rng.next_u32() % 4).unwrap()],
            peers,
        }
    }

    fn download(&self, present: &[KeyRange]) -> Download {
        let peers = (0..PEERS).map(ValidatorIndex);
        Download::new(self.state.root(), peers, present.iter().copied())
    }
}

fn draw(rng: &mut ChaCha20Rng) -> Vec<Peer> {
    let peers = (0..PEERS).map(|index| match rng.next_u32() % 4 {
        _ if index == 0 => Peer::Honest,
        0 => Peer::Honest,
        1 => Peer::Silent,
        _ => Peer::LIARS[usize::try_from(rng.next_u32() % 5).unwrap()],
    });
    let mut peers: Vec<Peer> = peers.collect();
    let honest = usize::try_from(rng.next_u32() % u32::from(PEERS)).unwrap();
    peers.swap(0, honest);
    peers
}

/// What came of a download.
struct Outcome {
    entries: BTreeMap<StateKey, Vec<u8>>,
    blamed: BTreeSet<ValidatorIndex>,
    complete: bool,
    kept: Vec<KeyRange>,
}

/// Answers come in any order; the download ends, or is cut after some answers.
fn run(
    rng: &mut ChaCha20Rng,
    world: &World,
    mut download: Download,
    answers_max: usize,
) -> Outcome {
    let mut outcome = Outcome {
        entries: BTreeMap::new(),
        blamed: BTreeSet::new(),
        complete: false,
        kept: Vec::new(),
    };
    let mut waiting: Vec<Request> = Vec::new();
    for _ in 0..answers_max {
        if download.is_complete() || download.is_exhausted(FAILURES_MAX) {
            break;
        }
        waiting.extend(download.requests());
        let chosen = usize::try_from(rng.next_u32()).unwrap() % waiting.len();
        let request = waiting.swap_remove(chosen);
        let peer = world.peers[request.peer.position()];
        let answer = peer.answer(&request, world);
        match download.answer(request, answer.as_deref()) {
            Ok(Some((range, chunk))) => {
                outcome.kept.push(range);
                outcome.entries.extend(chunk.entries);
            }
            Ok(None) => {}
            Err(_) => {
                assert!(Peer::LIARS.contains(&peer), "{peer:?} is blamed");
                outcome.blamed.insert(request.peer);
            }
        }
    }
    outcome.complete = download.is_complete();
    outcome
}

fn is_right(world: &World, outcome: &Outcome) -> bool {
    outcome.complete && world.state.entries().eq(sorted(&outcome.entries))
}

fn sorted(entries: &BTreeMap<StateKey, Vec<u8>>) -> impl Iterator<Item = (StateKey, Vec<u8>)> {
    let by_hash: BTreeMap<Hash32, (StateKey, Vec<u8>)> = entries
        .iter()
        .map(|(key, value)| (key.hash(), (*key, value.clone())))
        .collect();
    by_hash.into_values()
}

#[test]
fn one_honest_peer_is_enough_whatever_the_others_do() {
    let mut blamed = 0;
    for seed in 0..200 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let peers = draw(&mut rng);
        let world = World::new(&mut rng, peers);
        let outcome = run(&mut rng, &world, world.download(&[]), usize::MAX);
        assert!(is_right(&world, &outcome), "seed {seed}: {:?}", world.peers);
        blamed += outcome.blamed.len();
    }
    assert!(blamed > 100, "{blamed}");
}

#[test]
fn a_download_goes_on_where_it_was_cut() {
    for seed in 0..100 {
        let mut rng = ChaCha20Rng::seed_from_u64(1000 + seed);
        let peers = draw(&mut rng);
        let world = World::new(&mut rng, peers);
        let first = run(&mut rng, &world, world.download(&[]), 9);
        let mut second = run(&mut rng, &world, world.download(&first.kept), usize::MAX);
        let again = second
            .entries
            .keys()
            .any(|key| first.entries.contains_key(key));
        assert!(!again, "seed {seed}: what was there is not asked for again");
        second.entries.extend(first.entries);
        assert!(is_right(&world, &second), "seed {seed}");
    }
}

#[test]
fn nothing_comes_of_liars_alone() {
    for seed in 0..50 {
        let mut rng = ChaCha20Rng::seed_from_u64(2000 + seed);
        let mut peers = draw(&mut rng);
        peers
            .iter_mut()
            .filter(|peer| **peer == Peer::Honest)
            .for_each(|peer| *peer = Peer::Silent);
        let world = World::new(&mut rng, peers);
        let outcome = run(&mut rng, &world, world.download(&[]), usize::MAX);
        assert!(
            !outcome.complete && outcome.entries.is_empty(),
            "seed {seed}"
        );
    }
}

#[test]
fn many_chunks_are_on_their_way_at_once_and_progress_is_told() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut world = World::new(&mut rng, vec![Peer::Honest; usize::from(PEERS)]);
    (world.state, world.bytes_max) = (snapshot(300, 10), 300);
    let mut download = world.download(&[]);
    assert_eq!((download.requests().len(), download.progress()), (1, 0));
    let first = Request {
        peer: ValidatorIndex(0),
        start: Hash32([0; 32]),
    };
    let answer = Peer::Honest.answer(&first, &world);
    download.answer(first, answer.as_deref()).unwrap();
    let progress = download.progress();
    assert!((1..100_000).contains(&progress), "{progress}");
    assert_eq!(download.requests().len(), 2 * usize::from(PEERS));
    assert!(download.requests().is_empty(), "nobody is asked too much");
}

/// The mistake that the checks are there for.
#[cfg(feature = "mutants")]
#[test]
fn unverified_chunks_are_noticed() {
    let caught = (0..500).find(|seed| {
        let mut rng = ChaCha20Rng::seed_from_u64(*seed);
        let peers = draw(&mut rng);
        let world = World::new(&mut rng, peers);
        let download = world.download(&[]).trusting();
        let outcome = run(&mut rng, &world, download, 10_000);
        !is_right(&world, &outcome)
    });
    assert!(caught.is_some());
}
