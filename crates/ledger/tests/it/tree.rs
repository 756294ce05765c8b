//! The state tree against another implementation, and its proofs against themselves.

use std::collections::BTreeMap;

use jmt::mock::MockTreeStore;
use jmt::{JellyfishMerkleTree, KeyHash, SimpleHasher};
use proptest::prelude::*;
use quorate_ledger::StateTree;
use quorate_types::{
    Blake3, DomainTag, EMPTY_STATE_ROOT, Hash32, SparseLeaf, StateProofError, internal_hash,
    leaf_hash,
};

/// `jmt`'s hasher with our domain tags in place of its prefixes, and our empty subtree in place of its own.
struct Mapped(Vec<u8>);

const PLACEHOLDER: &[u8] = b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

impl SimpleHasher for Mapped {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.extend_from_slice(data);
    }

    fn finalize(self) -> [u8; 32] {
        if let Some(leaf) = self.0.strip_prefix(b"JMT::LeafNode") {
            return Blake3::new(DomainTag::StateLeaf).chain(leaf).finish();
        }
        if let Some(children) = self.0.strip_prefix(b"JMT::IntrnalNode") {
            let children: Vec<[u8; 32]> = children
                .chunks_exact(32)
                .map(|child| match child == PLACEHOLDER {
                    true => EMPTY_STATE_ROOT.0,
                    false => child.try_into().unwrap(),
                })
                .collect();
            let [left, right] = children.try_into().unwrap();
            return internal_hash(&Hash32(left), &Hash32(right)).0;
        }
        Blake3::new(DomainTag::StateValue).chain(self.0).finish()
    }
}

type Writes = Vec<([u8; 32], Vec<u8>)>;

fn put(tree: &mut StateTree<Vec<u8>>, writes: &Writes) {
    tree.apply(
        writes
            .iter()
            .map(|(key, value)| (SparseLeaf::new(Hash32(*key), value), value.clone())),
    );
}

/// Keys that share long prefixes now and then, so that deep paths occur.
fn key() -> impl Strategy<Value = [u8; 32]> {
    (any::<[u8; 32]>(), 0usize..4, 0usize..32).prop_map(|(mut key, kind, length)| {
        match kind {
            0 => key[..length].fill(0),
            1 => key[..31].fill(0xaa),
            2 => key[1..].fill(0),
            _ => {}
        }
        key
    })
}

fn batches() -> impl Strategy<Value = Vec<Writes>> {
    let write = (key(), prop::collection::vec(any::<u8>(), 0..8));
    prop::collection::vec(prop::collection::vec(write, 1..24), 1..6)
}

/// Every batch, with keys of earlier batches written again now and then.
fn with_rewrites(batches: Vec<Writes>) -> Vec<Writes> {
    let mut seen: Vec<[u8; 32]> = Vec::new();
    batches
        .into_iter()
        .map(|mut batch| {
            let again: Writes = seen
                .iter()
                .step_by(3)
                .map(|key| (*key, vec![1; 9]))
                .collect();
            seen.extend(batch.iter().map(|(key, _)| *key));
            batch.extend(again);
            batch
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn roots_and_proofs_are_those_of_jmt(batches in batches().prop_map(with_rewrites)) {
        let store = MockTreeStore::new(true);
        let oracle = JellyfishMerkleTree::<_, Mapped>::new(&store);
        let mut tree = StateTree::new();
        for (version, batch) in (0..).zip(&batches) {
            put(&mut tree, batch);
            let set = batch.iter().map(|(key, value)| (KeyHash(*key), Some(value.clone())));
            let (root, update) = oracle.put_value_set(set, version).unwrap();
            store.write_tree_update_batch(update).unwrap();
            prop_assert_eq!(tree.root().0, root.0);
            let (asked, _) = &batch[0];
            let (found, proof) = tree.prove(&Hash32(*asked));
            let (expected, theirs) = oracle.get_with_proof(KeyHash(*asked), version).unwrap();
            prop_assert_eq!(found, expected.as_ref());
            prop_assert_eq!(proof.leaf.is_some(), theirs.leaf().is_some());
            prop_assert!(theirs.verify(jmt::RootHash(tree.root().0), KeyHash(*asked), expected).is_ok());
        }
    }

    #[test]
    fn a_batch_is_its_writes_one_by_one(batches in batches().prop_map(with_rewrites)) {
        let mut batched = StateTree::new();
        let mut single = StateTree::new();
        let mut model = BTreeMap::new();
        for batch in &batches {
            put(&mut batched, batch);
            for (key, value) in batch {
                put(&mut single, &vec![(*key, value.clone())]);
                model.insert(*key, value.clone());
            }
            prop_assert_eq!(batched.root(), single.root());
            prop_assert_eq!(batched.len(), model.len());
            prop_assert_eq!(single.len(), model.len());
        }
        let mut fresh = StateTree::new();
        put(&mut fresh, &model.clone().into_iter().collect());
        prop_assert_eq!(fresh.root(), batched.root());
        prop_assert!(batched.iter().eq(model.values()));
        for (key, value) in &model {
            prop_assert_eq!(batched.get(&Hash32(*key)), Some(value));
        }
    }

    #[test]
    fn proofs_show_what_is_and_what_is_not(
        batches in batches(),
        absent in prop::collection::vec(key(), 8),
        flip in any::<prop::sample::Index>(),
    ) {
        let mut tree = StateTree::new();
        let mut model = BTreeMap::new();
        for batch in &batches {
            put(&mut tree, batch);
            model.extend(batch.iter().cloned());
        }
        let root = tree.root();
        for (key, value) in &model {
            let (found, proof) = tree.prove(&Hash32(*key));
            prop_assert_eq!(found, Some(value));
            prop_assert_eq!(proof.verify_present(&root, &Hash32(*key), value), Ok(()));
            prop_assert_eq!(proof.verify_absent(&root, &Hash32(*key)), Err(StateProofError::Present));
            let mut other = value.clone();
            other.push(0);
            prop_assert_eq!(proof.verify_present(&root, &Hash32(*key), &other), Err(StateProofError::Value));
            if !proof.siblings.is_empty() {
                let mut forged = proof.clone();
                let level = flip.index(forged.siblings.len());
                forged.siblings[level].0[0] ^= 1;
                prop_assert_eq!(forged.verify_present(&root, &Hash32(*key), value), Err(StateProofError::Root));
                let mut short = proof;
                short.siblings.pop();
                prop_assert!(short.verify_present(&root, &Hash32(*key), value).is_err());
            }
        }
        for key in absent.iter().filter(|key| !model.contains_key(*key)) {
            let (found, proof) = tree.prove(&Hash32(*key));
            prop_assert_eq!(found, None);
            prop_assert_eq!(proof.verify_absent(&root, &Hash32(*key)), Ok(()));
            prop_assert!(proof.verify_present(&root, &Hash32(*key), b"").is_err());
        }
    }

    #[test]
    fn copies_do_not_change(batches in batches().prop_map(with_rewrites)) {
        let mut tree = StateTree::new();
        let mut copies = Vec::new();
        let mut model = BTreeMap::new();
        for batch in &batches {
            put(&mut tree, batch);
            model.extend(batch.iter().cloned());
            copies.push((tree.clone(), tree.root(), model.clone()));
        }
        for (copy, root, model) in copies {
            prop_assert_eq!(copy.root(), root);
            prop_assert!(copy.iter().eq(model.values()));
            for (key, value) in &model {
                let (found, proof) = copy.prove(&Hash32(*key));
                prop_assert_eq!(found, Some(value));
                prop_assert_eq!(proof.verify_present(&root, &Hash32(*key), value), Ok(()));
            }
        }
    }
}

#[test]
fn the_smallest_trees() {
    let mut tree = StateTree::new();
    assert!(tree.is_empty());
    assert_eq!(tree.root(), EMPTY_STATE_ROOT);
    let (found, proof) = tree.prove(&Hash32([5; 32]));
    assert_eq!(found, None);
    assert_eq!(
        proof.verify_absent(&EMPTY_STATE_ROOT, &Hash32([5; 32])),
        Ok(())
    );

    put(&mut tree, &vec![([0; 32], vec![1])]);
    let first = SparseLeaf::new(Hash32([0; 32]), &[1]);
    assert_eq!(tree.root(), leaf_hash(&first), "one leaf is the root");

    // Two keys that differ in the last bit alone stand below 255 inner nodes with an empty side.
    let mut last = [0; 32];
    last[31] = 1;
    put(&mut tree, &vec![(last, vec![2])]);
    let second = SparseLeaf::new(Hash32(last), &[2]);
    let mut expected = internal_hash(&leaf_hash(&first), &leaf_hash(&second));
    for _ in 0..255 {
        expected = internal_hash(&expected, &EMPTY_STATE_ROOT);
    }
    assert_eq!(tree.root(), expected);
    let (_, proof) = tree.prove(&Hash32(last));
    assert_eq!(proof.siblings.len(), 256);
    assert_eq!(proof.verify_present(&expected, &Hash32(last), &[2]), Ok(()));
}

#[test]
fn of_several_writes_of_a_key_the_last_stays() {
    let mut tree = StateTree::new();
    put(
        &mut tree,
        &vec![([1; 32], vec![1]), ([9; 32], vec![3]), ([1; 32], vec![2])],
    );
    assert_eq!(tree.get(&Hash32([1; 32])), Some(&vec![2]));
    assert_eq!(tree.len(), 2);
}
