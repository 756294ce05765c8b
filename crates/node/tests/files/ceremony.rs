//! Files of key ceremonies.

use std::path::Path;

use quorate_crypto::IdentitySecret;
use quorate_crypto::pvss::EncryptionSecret;
use quorate_dkg::{Ceremony, Definition, Enrolment, Previous, Purpose};
use quorate_node::ceremony_file::{
    CeremonyFile, CeremonyFileError, definition_text, enrolment_text, parse_definition,
    parse_enrolment, read_any, read_definition, read_enrolment, write_definition, write_enrolment,
};
use quorate_node::files::WriteError;
use quorate_types::{Member, ThresholdKey, TranscriptHash};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

fn enrolment(seed: u64) -> Enrolment {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let identity = IdentitySecret::generate(&mut rng);
    let encryption = EncryptionSecret::generate(&mut rng);
    let (name, address) = (format!("member {seed}"), "example.net:7201".to_owned());
    Enrolment::new(&identity, &encryption, name, address, &mut rng).unwrap()
}

fn definition(purpose: Purpose) -> Definition {
    let organiser = IdentitySecret::generate(&mut ChaCha20Rng::seed_from_u64(9));
    let members = (1..=4).map(enrolment).collect();
    Definition::sign(
        "first \"key\"".to_owned(),
        purpose,
        2,
        None,
        members,
        &organiser,
    )
}

/// Not a key, but files do not care.
fn previous() -> Previous {
    Previous {
        transcript: TranscriptHash([1; 32]),
        quorum: 3,
        group_key: ThresholdKey([2; 96]),
        members: vec![Member {
            identity: enrolment(1).identity,
            share_key: ThresholdKey([3; 96]),
        }],
    }
}

#[test]
fn files_come_back_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("enrolment.json");
    let one = enrolment(1);
    write_enrolment(&one, &path).unwrap();
    let read = read_enrolment(&path).unwrap();
    assert_eq!(read, one);
    read.verify().unwrap();
    assert!(matches!(
        write_enrolment(&one, &path),
        Err(WriteError::Exists { .. })
    ));

    let path = directory.path().join("ceremony.json");
    let genesis = definition(Purpose::Genesis);
    write_definition(&genesis, &path).unwrap();
    let read = read_definition(&path).unwrap();
    assert_eq!(read, genesis);
    assert_eq!(Ceremony::new(read).unwrap().id(), genesis.ceremony_id());

    let reshare = definition(Purpose::Reshare {
        previous: previous(),
    });
    let text = definition_text(&reshare);
    assert_eq!(parse_definition(text.as_bytes(), &path).unwrap(), reshare);
}

#[test]
fn changed_definitions_are_noticed_and_other_text_is_refused() {
    let path = Path::new("ceremony.json");
    let text = definition_text(&definition(Purpose::Genesis));
    let refusal = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        parse_definition(text.replacen(from, to, 1).as_bytes(), path).unwrap_err()
    };
    for (from, to) in [
        ("\"attempt\": 2", "\"attempt\": 3"),
        ("example.net:7201", "example.com:7201"),
        ("\"quorum\": 3", "\"quorum\": 4"),
    ] {
        let refusal = refusal(from, to);
        assert!(
            matches!(refusal, CeremonyFileError::CeremonyId { .. }),
            "{refusal}"
        );
    }
    for (from, to) in [
        ("\"quorum\": 3", "\"quorum\": 3, \"more\": 1"),
        ("\"purpose\": \"genesis\"", "\"purpose\": \"other\""),
        ("\"proof\": \"", "\"proof\": \"00"),
        ("\"encryption_key\": \"", "\"encryption_key\": \"z"),
        ("\"name\": \"member 1\",", ""),
    ] {
        let refusal = refusal(from, to);
        assert!(
            matches!(refusal, CeremonyFileError::Json { .. }),
            "{to}: {refusal}"
        );
    }
    let newer = refusal("\"version\": 1", "\"version\": 2");
    assert!(matches!(newer, CeremonyFileError::Version { found: 2, .. }));
    let cut = parse_definition(&text.as_bytes()[..text.len() / 2], path).unwrap_err();
    assert!(matches!(cut, CeremonyFileError::Truncated { .. }));
    let mixed = parse_enrolment(text.as_bytes(), path).unwrap_err();
    assert!(matches!(mixed, CeremonyFileError::Json { .. }));
    let enrolled = enrolment_text(&enrolment(1));
    assert!(enrolled.ends_with("}\n"));
    let missing = read_definition(Path::new("missing/ceremony.json")).unwrap_err();
    assert!(matches!(missing, CeremonyFileError::Read { .. }));
}

#[test]
fn files_are_told_apart_even_if_they_are_broken() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.json");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        read_any(&path).map_err(|refusal| refusal.to_string())
    };
    let (enrolled, defined) = (enrolment(1), definition(Purpose::Genesis));
    let (enrolment, definition) = (enrolment_text(&enrolled), definition_text(&defined));
    assert_eq!(
        read(&enrolment),
        Ok(CeremonyFile::Enrolment(Box::new(enrolled)))
    );
    let defined = CeremonyFile::Definition(Box::new(defined));
    assert_eq!(read(&definition), Ok(defined));
    for (text, why) in [
        (
            enrolment.replace("\"proof\": \"", "\"proof\": \"00"),
            "no usable enrolment: ",
        ),
        (enrolment.replace("\"name\"", "\"names\""), "`names`"),
        (
            definition.replace("\"attempt\": 2", "\"attempt\": -2"),
            "no usable definition: ",
        ),
        (
            definition.replace("\"attempt\": 2", "\"attempt\": 3"),
            "somebody changed the file",
        ),
        (
            enrolment[..enrolment.len() / 2].to_owned(),
            "ends in the middle",
        ),
        (String::new(), "ends in the middle"),
        (
            "{\"chain_id\": 1}".to_owned(),
            "neither an enrolment nor a definition",
        ),
        (
            "version = 1".to_owned(),
            "no usable enrolment or definition: ",
        ),
    ] {
        let refusal = read(&text).unwrap_err();
        assert!(refusal.contains(why), "{refusal}");
        assert!(refusal.contains("file.json"), "{refusal}");
    }
}
