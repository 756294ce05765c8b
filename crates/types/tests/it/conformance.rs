//! A hash over many encodings of every type, compared with the checked-in file: a silent change of a format fails.

use std::fmt::Write as _;
use std::path::PathBuf;

use quorate_types::*;

use crate::generate::{Canonical, Generate, Source, WholeBlock, for_each_type};

const VALUES: u64 = 200;
const REWRITE: &str = "QUORATE_REWRITE=1 cargo test -p quorate-types --test it conformance";

/// BLAKE3 over `VALUES` byte strings, each after its length.
fn hash_of(name: &str, bytes_of: impl Fn(&mut Source) -> Vec<u8>) -> String {
    let mut hasher = blake3::Hasher::new();
    for seed in 0..VALUES {
        let bytes = bytes_of(&mut Source::new(name, seed));
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    hasher.finalize().to_hex().to_string()
}

fn line_of<T: Canonical>(name: &str, lines: &mut Vec<(String, String)>) {
    let hash = hash_of(name, |source| T::generate(source).encoded());
    lines.push((name.to_owned(), hash));
}

fn encodings(lines: &mut Vec<(String, String)>) {
    macro_rules! add {
        ($($name:ident),* $(,)?) => {$( line_of::<$name>(stringify!($name), lines); )*};
    }
    for_each_type!(add);
    let block = hash_of("Block", |source| WholeBlock::generate(source).encoded());
    lines.push(("Block".to_owned(), block));
}

/// What is hashed or signed, as well as what is encoded: a changed domain tag shows here.
fn derived(lines: &mut Vec<(String, String)>) {
    let mut add = |name: &str, bytes_of: &dyn Fn(&mut Source) -> Vec<u8>| {
        lines.push((name.to_owned(), hash_of(name, bytes_of)));
    };
    add("AccountId::derive", &|source| {
        AccountId::derive(&Generate::generate(source), Generate::generate(source)).to_bytes()
    });
    add("Block::digest", &|source| {
        WholeBlock::generate(source).0.digest().to_vec()
    });
    add("Block::reference", &|source| {
        WholeBlock::generate(source).0.reference().to_bytes()
    });
    add("Committee::coin_message", &|source| {
        Committee::generate(source).coin_message(Generate::generate(source))
    });
    add("Committee::genesis_block", &|source| {
        Committee::generate(source)
            .genesis_block(Generate::generate(source))
            .to_bytes()
    });
    add("Committee::hash", &|source| {
        Committee::generate(source).hash().to_bytes()
    });
    add("EpochOrigin::hash", &|source| {
        EpochOrigin::generate(source).hash().to_bytes()
    });
    add("EpochRecord::hash", &|source| {
        EpochRecord::generate(source).hash().to_bytes()
    });
    add("EpochRecordHash::signing_bytes", &|source| {
        EpochRecordHash::generate(source).signing_bytes().to_vec()
    });
    add("epoch_seed_message", &|source| {
        epoch_seed_message(&Generate::generate(source), Generate::generate(source))
    });
    add("epoch_seed", &|source| {
        epoch_seed(&Generate::generate(source)).to_bytes()
    });
    add("Genesis::chain_id", &|source| {
        Genesis::generate(source).chain_id().to_bytes()
    });
    add("Header::hash", &|source| {
        Header::generate(source).hash().to_bytes()
    });
    add("HeaderHash::signing_bytes", &|source| {
        HeaderHash::generate(source).signing_bytes().to_vec()
    });
    add("MerkleTree::proof", &|source| {
        let leaves: Vec<[u8; 8]> = (0..=source.below(40)).map(|_| source.bytes()).collect();
        let tree = MerkleTree::new(&leaves);
        let index = usize::try_from(source.below(leaves.len() as u64)).unwrap();
        let mut bytes = tree.root().to_bytes();
        tree.proof(index).unwrap().encode(&mut bytes);
        bytes
    });
    add("Mmr::prove", &|source| {
        let count = 1 + source.below(40);
        let mut range = Mmr::new();
        for _ in 0..count {
            range.append(&source.bytes::<8>());
        }
        let start = source.below(count);
        let end = start + source.below(count - start + 1);
        let mut bytes = range.root().to_bytes();
        range.prove(start, end, count).unwrap().encode(&mut bytes);
        bytes
    });
    add("StateKey::hash", &|source| {
        StateKey::generate(source).hash().to_bytes()
    });
    add("SignedTransaction::id", &|source| {
        SignedTransaction::generate(source).id().to_bytes()
    });
    add("internal_hash", &|source| {
        internal_hash(&Generate::generate(source), &Generate::generate(source)).to_bytes()
    });
    add("leaf_hash", &|source| {
        let length = source.below(60);
        let value = source.vec(length);
        leaf_hash(&SparseLeaf::new(Generate::generate(source), &value)).to_bytes()
    });
    for tag in DomainTag::ALL {
        add(&format!("DomainTag::{tag:?} blake3"), &|source| {
            Blake3::new(tag).chain(source.bytes::<9>()).finish().into()
        });
        add(&format!("DomainTag::{tag:?} sha256"), &|source| {
            Sha256::new(tag).chain(source.bytes::<9>()).finish().into()
        });
    }
}

#[test]
fn encodings_and_hashes_are_those_of_the_checked_in_file() {
    let mut lines = Vec::new();
    encodings(&mut lines);
    derived(&mut lines);
    let mut text = format!(
        "# BLAKE3 over {VALUES} seeded values of each type (tests/it/conformance.rs). A line that changes is a changed\n\
         # format: raise the type's version, then run: {REWRITE}\n"
    );
    for (name, hash) in lines {
        writeln!(text, "{name} {hash}").unwrap();
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance.txt");
    if std::env::var_os("QUORATE_REWRITE").is_some() {
        std::fs::write(&path, &text).unwrap();
        return;
    }
    let recorded = std::fs::read_to_string(&path).unwrap();
    for (found, recorded) in text.lines().zip(recorded.lines()) {
        assert_eq!(found, recorded, "if this is meant, run: {REWRITE}");
    }
    assert_eq!(text, recorded, "if this is meant, run: {REWRITE}");
}
