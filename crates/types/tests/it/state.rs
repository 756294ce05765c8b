//! State proofs, against a slow tree built from its definition.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_types::*;

/// The leaves under one node, in order of key hash.
type Leaves<'a> = &'a [(Hash32, Vec<u8>)];

fn split(leaves: Leaves<'_>, depth: usize) -> (Leaves<'_>, Leaves<'_>) {
    leaves.split_at(leaves.partition_point(|(key, _)| !key.bit(depth)))
}

fn root(leaves: Leaves<'_>, depth: usize) -> Hash32 {
    match leaves {
        [] => EMPTY_STATE_ROOT,
        [(key, value)] => leaf_hash(&SparseLeaf::new(*key, value)),
        _ => {
            let (left, right) = split(leaves, depth);
            internal_hash(&root(left, depth + 1), &root(right, depth + 1))
        }
    }
}

fn prove(mut leaves: Leaves<'_>, key: &Hash32) -> StateProof {
    let mut siblings = Vec::new();
    while leaves.len() > 1 {
        let depth = siblings.len();
        let (left, right) = split(leaves, depth);
        let (own, other) = if key.bit(depth) {
            (right, left)
        } else {
            (left, right)
        };
        siblings.push(root(other, depth + 1));
        leaves = own;
    }
    let leaf = leaves
        .first()
        .map(|(key, value)| SparseLeaf::new(*key, value));
    StateProof { leaf, siblings }
}

/// Keys that share long prefixes, so that paths are deep.
fn key() -> impl Strategy<Value = Hash32> {
    (0u8..4, 0u8..4, any::<u8>()).prop_map(|(first, middle, last)| {
        let mut key = [0; 32];
        (key[0], key[1], key[31]) = (first << 6, middle, last);
        Hash32(key)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn a_proof_shows_what_is_there_and_nothing_else(
        values in prop::collection::btree_map(key(), prop::collection::vec(any::<u8>(), 0..9), 0..10),
        asked in prop::collection::vec(key(), 4),
    ) {
        let leaves: Vec<_> = values.clone().into_iter().collect();
        let state_root = root(&leaves, 0);
        let known: BTreeMap<_, _> = values;
        for key in known.keys().chain(&asked) {
            let proof = prove(&leaves, key);
            prop_assert_eq!(StateProof::from_bytes(&proof.to_bytes()), Ok(proof.clone()));
            match known.get(key) {
                Some(value) => {
                    prop_assert_eq!(proof.verify_present(&state_root, key, value), Ok(()));
                    prop_assert_eq!(
                        proof.verify_present(&state_root, key, b"another value"),
                        Err(StateProofError::Value)
                    );
                    prop_assert_eq!(proof.verify_absent(&state_root, key), Err(StateProofError::Present));
                }
                None => {
                    prop_assert_eq!(proof.verify_absent(&state_root, key), Ok(()));
                    prop_assert_eq!(
                        proof.verify_present(&state_root, key, b""),
                        Err(StateProofError::Absent)
                    );
                }
            }
            let other_root = Hash32([9; 32]);
            prop_assert_eq!(proof.verify_absent(&other_root, key), Err(StateProofError::Root));
            for index in 0..proof.siblings.len() {
                let mut changed = proof.clone();
                changed.siblings[index].0[5] ^= 1;
                prop_assert_eq!(changed.verify_absent(&state_root, key), Err(StateProofError::Root));
            }
        }
        // No key's proof says anything false of another key.
        let proofs: Vec<_> = known.keys().chain(&asked).map(|key| (*key, prove(&leaves, key))).collect();
        for (key, value) in &known {
            let own = prove(&leaves, key);
            for (other, proof) in proofs.iter().filter(|(other, _)| other != key) {
                prop_assert!(proof.verify_absent(&state_root, key).is_err());
                prop_assert!(own.verify_present(&state_root, other, value).is_err());
            }
        }
    }
}

/// A leaf off the key's path shows nothing, even in a tree that has it in the wrong place.
#[test]
fn a_leaf_off_the_path_shows_nothing() {
    let mut right = [0; 32];
    right[0] = 0x80;
    let misplaced = SparseLeaf::new(Hash32(right), b"right");
    let sibling = Hash32([5; 32]);
    let state_root = internal_hash(&leaf_hash(&misplaced), &sibling);
    let proof = StateProof {
        leaf: Some(misplaced),
        siblings: vec![sibling],
    };
    let on_the_left = Hash32([0; 32]);
    assert_eq!(
        proof.verify_absent(&state_root, &on_the_left),
        Err(StateProofError::Unrelated)
    );
}
