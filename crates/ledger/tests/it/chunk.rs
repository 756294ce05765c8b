//! Chunks: together they are the state, each proves itself, and none proves anything else.

use quorate_ledger::{ChunkError, KeyRange, Ledger, StateChunk};
use quorate_types::{Decode, Encode, Hash32, StateKey};

use crate::support::{Person, genesis};

const BYTES: usize = 1000;

fn ledger(people: u8) -> Ledger {
    let people: Vec<Person> = (1..=people).map(Person::new).collect();
    let people: Vec<&Person> = people.iter().collect();
    Ledger::genesis(&genesis(&people, 1_000)).unwrap()
}

/// The start of what lies after `range`.
fn after(range: &KeyRange) -> Option<Hash32> {
    let mut next = range.last.0;
    for byte in next.iter_mut().rev() {
        let (sum, carry) = byte.overflowing_add(1);
        *byte = sum;
        if !carry {
            return Some(Hash32(next));
        }
    }
    None
}

#[test]
fn chunks_tile_the_state_whatever_their_size() {
    let ledger = ledger(60);
    let (snapshot, root) = (ledger.snapshot(), ledger.head().state_root);
    for bytes in [1, 200, BYTES, 5_000, usize::MAX] {
        let mut entries = Vec::new();
        let mut next = Some(Hash32([0; 32]));
        let mut chunks = 0;
        while let Some(start) = next {
            let chunk = snapshot.chunk(&start, bytes);
            assert_eq!(StateChunk::from_bytes(&chunk.to_bytes()), Ok(chunk.clone()));
            let range = chunk.verify(&root, &start).unwrap();
            assert_eq!(range.first, start, "nothing was left out before it");
            entries.extend(chunk.entries);
            next = after(&range);
            chunks += 1;
        }
        let all: Vec<(StateKey, Vec<u8>)> = snapshot.entries().collect();
        assert_eq!(entries, all);
        assert_eq!(
            chunks == 1,
            bytes == usize::MAX,
            "{chunks} chunks of {bytes}"
        );
    }
}

#[test]
fn a_chunk_that_is_not_the_whole_truth_is_refused() {
    let ledger = ledger(60);
    let (snapshot, root) = (ledger.snapshot(), ledger.head().state_root);
    let start = Hash32([0x55; 32]);
    let honest = snapshot.chunk(&start, BYTES);
    assert!(honest.entries.len() > 2 && honest.siblings.len() > 1);
    let range = honest.verify(&root, &start).unwrap();
    let refused = |why: &str, change: &dyn Fn(&mut StateChunk)| {
        let mut chunk = honest.clone();
        change(&mut chunk);
        chunk.verify(&root, &start).expect_err(why)
    };
    let left_out = refused("left out", &|chunk| drop(chunk.entries.remove(1)));
    assert_eq!(left_out, ChunkError::Root);
    let changed = refused("changed", &|chunk| chunk.entries[0].1[40] ^= 1);
    assert_eq!(changed, ChunkError::Root);
    let swapped = refused("swapped", &|chunk| chunk.entries.swap(0, 1));
    assert_eq!(swapped, ChunkError::Order);
    let twice = refused("twice", &|chunk| {
        chunk.entries.insert(0, chunk.entries[0].clone())
    });
    assert_eq!(twice, ChunkError::Order);
    let foreign = snapshot
        .entries()
        .find(|(key, _)| !range.contains(&key.hash()))
        .unwrap();
    let outside = refused("outside", &|chunk| chunk.entries.push(foreign.clone()));
    assert_eq!(outside, ChunkError::Outside { key: foreign.0 });
    refused("empty", &|chunk| chunk.entries.clear());
    refused("deeper", &|chunk| chunk.siblings.push(Hash32([7; 32])));
    refused("higher", &|chunk| chunk.siblings.truncate(1));
    refused("sibling", &|chunk| chunk.siblings[0].0[3] ^= 1);
    let elsewhere = Hash32([0xaa; 32]);
    assert!(honest.verify(&root, &elsewhere).is_err());
    assert!(honest.verify(&Hash32([1; 32]), &start).is_err());
}

#[test]
fn a_state_of_nothing_is_one_empty_chunk() {
    let chunk = StateChunk {
        entries: Vec::new(),
        siblings: Vec::new(),
    };
    let start = Hash32([9; 32]);
    assert_eq!(chunk.verify(&Hash32::ZERO, &start), Ok(KeyRange::ALL));
}

#[test]
fn ranges_are_those_of_their_prefix() {
    let key = Hash32([0b1010_1010; 32]);
    assert_eq!(KeyRange::around(&key, 0), KeyRange::ALL);
    assert_eq!(
        KeyRange::around(&key, 256),
        KeyRange {
            first: key,
            last: key
        }
    );
    let half = KeyRange::around(&key, 1);
    assert_eq!((half.first.0[0], half.last.0[0]), (0x80, 0xff));
    let range = KeyRange::around(&key, 12);
    assert_eq!(range.first.0[..3], [0xaa, 0xa0, 0]);
    assert_eq!(range.last.0[..3], [0xaa, 0xaf, 0xff]);
}
