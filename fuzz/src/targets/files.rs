//! Files that people hand each other or edit, and the language of DAG tests.

use std::path::Path;

use quorate_consensus::dag_text::Scenario;
use quorate_node::keystore::{Keystore, Passphrase, ScryptCost};
use quorate_node::{ceremony_file, config::Config, genesis_file};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::Target;
use crate::samples::ceremony::GENESIS;
use crate::samples::chain::{CHAIN, person};

const PATH: &str = "/etc/quorate/file";

pub(super) fn targets() -> Vec<Target> {
    let targets = vec![
        Target::new("file-genesis", genesis, || {
            vec![genesis_file::to_text(&CHAIN.genesis).into_bytes()]
        }),
        Target::new("file-definition", definition, || {
            let definition = GENESIS.ceremony.definition();
            let definitions = [definition, &GENESIS.handing];
            definitions
                .map(|definition| ceremony_file::definition_text(definition).into_bytes())
                .into()
        }),
        Target::new("file-enrolment", enrolment, || {
            let enrolment = &GENESIS.ceremony.definition().members[0];
            vec![ceremony_file::enrolment_text(enrolment).into_bytes()]
        }),
        Target::new("file-keystore", keystore, || vec![sealed().into_bytes()]),
        Target::new("file-config", config, || {
            vec![Config::default().to_toml().into_bytes()]
        }),
        Target::new("dag-text", dag_text, || {
            let example: &str = "wave 5\nvalidators 4\nfull 1..9\nleaders 1 A\ncommit A1 direct\n";
            vec![example.into()]
        })
        .mutations(500),
    ];
    // Parsers of text copy, and their errors quote.
    let with_room = |target: Target| target.allocated_max(4 << 20);
    targets.into_iter().map(with_room).collect()
}

fn genesis(text: &[u8]) -> bool {
    let path = Path::new(PATH);
    genesis_file::parse(text, path).is_ok_and(|genesis| {
        let again = genesis_file::to_text(&genesis);
        let again = genesis_file::parse(again.as_bytes(), path);
        assert!(again.is_ok_and(|again| again == genesis));
        true
    })
}

fn definition(text: &[u8]) -> bool {
    let path = Path::new(PATH);
    ceremony_file::parse_definition(text, path).is_ok_and(|definition| {
        let again = ceremony_file::definition_text(&definition);
        let again = ceremony_file::parse_definition(again.as_bytes(), path);
        assert!(again.is_ok_and(|again| again == definition));
        true
    })
}

fn enrolment(text: &[u8]) -> bool {
    let path = Path::new(PATH);
    ceremony_file::parse_enrolment(text, path).is_ok_and(|enrolment| {
        let again = ceremony_file::enrolment_text(&enrolment);
        let again = ceremony_file::parse_enrolment(again.as_bytes(), path);
        assert!(again.is_ok_and(|again| again == enrolment));
        true
    })
}

fn keystore(text: &[u8]) -> bool {
    let path = Path::new(PATH);
    Keystore::parse(text, path).is_ok_and(|keystore| {
        let again = keystore.to_text();
        let again = Keystore::parse(again.as_bytes(), path);
        assert!(again.is_ok_and(|again| again == keystore));
        true
    })
}

fn sealed() -> String {
    let cost = ScryptCost::new(14).expect("the least");
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let passphrase = Passphrase::new("fuzz");
    Keystore::seal_identity(&person(0), &passphrase, cost, &mut rng).to_text()
}

/// Paths become absolute where they are read, so the second reading is of what the first one gave.
fn config(text: &[u8]) -> bool {
    let (Ok(text), path) = (str::from_utf8(text), Path::new(PATH)) else {
        return false;
    };
    Config::parse(text, path).is_ok_and(|config| {
        let again = Config::parse(&config.to_toml(), path);
        assert!(again.is_ok_and(|again| again == config));
        true
    })
}

/// Whatever it says, running it comes to an end with commits or a complaint.
fn dag_text(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else {
        return false;
    };
    Scenario::parse(text).is_ok_and(|scenario| scenario.run().is_ok())
}
