//! A hash over many encodings of every record, compared with the checked-in file: a silent change of a format fails.

use std::fmt::Write as _;
use std::path::PathBuf;

use quorate_crypto::pvss::ChunkOpening;
use quorate_dkg::reshare::Ready;
use quorate_dkg::{
    DealerEvidence, Definition, Enrolment, Keys, MemberSet, Previous, Purpose, SignedDealing,
    SignedHash, Transcript,
};
use quorate_types::{Encode, ValidatorIndex};

use crate::generate::{Generate, Record, Source, for_each_record};
use crate::world::People;

const VALUES: u64 = 200;
const REWRITE: &str = "QUORATE_REWRITE=1 cargo test -p quorate-dkg --test records conformance";

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

fn line_of<T: Record>(name: &str, lines: &mut Vec<(String, String)>) {
    lines.push((
        name.to_owned(),
        hash_of(name, |source| T::generate(source).to_bytes()),
    ));
}

/// What is hashed or signed, as well as what is encoded.
fn derived(lines: &mut Vec<(String, String)>) {
    let mut add = |name: &str, bytes_of: &dyn Fn(&mut Source) -> Vec<u8>| {
        lines.push((name.to_owned(), hash_of(name, bytes_of)));
    };
    add("Definition::hash", &|source| {
        Definition::generate(source).hash().to_bytes()
    });
    add("Definition::ceremony_id", &|source| {
        Definition::generate(source).ceremony_id().to_bytes()
    });
    add("SignedDealing::hash", &|source| {
        SignedDealing::generate(source).hash().to_bytes()
    });
    add("Transcript::hash", &|source| {
        Transcript::generate(source).hash().to_bytes()
    });
    let people = People::new(0..4, 0);
    let ceremony = people.ceremony(Purpose::Genesis, 7);
    add("Ceremony::completion_message", &|source| {
        ceremony.completion_message(&Generate::generate(source))
    });
    add("Ceremony::context", &|source| {
        let index: ValidatorIndex = Generate::generate(source);
        ceremony.context(ValidatorIndex(index.0 % 4)).to_vec()
    });
    let whole = blake3::hash(&ceremony.definition().to_bytes()).to_hex();
    lines.push(("a signed definition".to_owned(), whole.to_string()));
}

#[test]
fn records_and_hashes_are_those_of_the_checked_in_file() {
    let mut lines = Vec::new();
    macro_rules! add {
        ($($name:ident),* $(,)?) => {$( line_of::<$name>(stringify!($name), &mut lines); )*};
    }
    for_each_record!(add);
    derived(&mut lines);
    let mut text = format!(
        "# BLAKE3 over {VALUES} seeded values of each record (tests/records/conformance.rs). A line that changes is a\n\
         # changed format: raise the record's version, then run: {REWRITE}\n"
    );
    for (name, hash) in lines {
        writeln!(text, "{name} {hash}").unwrap();
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/records.txt");
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
