//! `certificate verify`.

use serde_json::Value;

use crate::{Desk, example};

fn sample() -> Value {
    serde_json::from_str(&std::fs::read_to_string(example("certificate.json")).unwrap()).unwrap()
}

fn key(sample: &Value) -> String {
    sample["group_public_key"].as_str().unwrap().to_owned()
}

#[test]
fn the_documented_certificate_verifies_under_its_key() {
    let desk = Desk::new();
    let path = example("certificate.json").display().to_string();
    let ran = desk.run(&[
        "certificate",
        "verify",
        &path,
        "--group-key",
        &key(&sample()),
        "--json",
    ]);
    let verdict = ran.json();
    assert_eq!(verdict["verified"], true);
    assert_eq!(verdict["height"], 1234);
    let ran = desk.run(&[
        "certificate",
        "verify",
        &path,
        "--group-key",
        &key(&sample()),
    ]);
    assert!(
        ran.out.contains("height 1234") && ran.out.contains("is final"),
        "{}",
        ran.out
    );
}

#[test]
fn every_tampered_field_is_noticed() {
    let desk = Desk::new();
    let good = sample();
    let check = |changed: &Value, key: &str| {
        let path = desk.write("certificate.json", &changed.to_string(), 0o644);
        desk.run(&[
            "certificate",
            "verify",
            &path.display().to_string(),
            "--group-key",
            key,
        ])
    };
    assert_eq!(check(&good, &key(&good)).code, Some(0));
    let header = good["header"].as_object().unwrap();
    for field in header.keys() {
        let mut changed = good.clone();
        let value = &mut changed["header"][field];
        *value = match value {
            Value::Number(number) => (number.as_u64().unwrap() + 1).into(),
            Value::String(text) => flipped(text).into(),
            _ => panic!("{field} is neither number nor text"),
        };
        check(&changed, &key(&good)).fails(5, &["certificate.json"]);
    }
    for field in ["dst", "signing_bytes", "signature"] {
        let mut changed = good.clone();
        changed[field] = flipped(changed[field].as_str().unwrap()).into();
        check(&changed, &key(&good)).fails(5, &["certificate.json"]);
    }
}

#[test]
fn a_malformed_file_is_told_from_a_false_certificate() {
    let desk = Desk::new();
    let good = sample();
    let check = |field: &str, malformed: &Value| {
        let path = desk.write("certificate.json", &malformed.to_string(), 0o644);
        let path = path.display().to_string();
        let arguments = ["certificate", "verify", &path, "--group-key", &key(&good)];
        desk.run(&arguments)
            .fails(3, &["certificate.json", field, "hexadecimal digits"]);
    };
    for field in ["signing_bytes", "signature"] {
        let mut malformed = good.clone();
        malformed[field] = "xyz".into();
        check(field, &malformed);
    }
    for field in ["chain", "leader", "state_root"] {
        let mut malformed = good.clone();
        malformed["header"][field] = "xyz".into();
        check(field, &malformed);
    }
}

/// The text with another last character.
fn flipped(text: &str) -> String {
    let (rest, last) = text.split_at(text.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

#[test]
fn another_key_or_file_is_refused() {
    let desk = Desk::new();
    let path = example("certificate.json").display().to_string();
    let verify = |key: &str| desk.run(&["certificate", "verify", &path, "--group-key", key]);
    // The generator of G2: a good key, but another one.
    let generator = "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e\
                     024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8";
    verify(generator).fails(5, &["does not verify"]);
    verify(&"00".repeat(96)).fails(5, &["group key"]);
    verify("abcd").fails(2, &["192 hexadecimal digits", "4 characters"]);
    let keyless = desk.run(&["certificate", "verify", &path]);
    keyless.fails(2, &["--group-key KEY or --genesis FILE"]);
    assert!(!keyless.err.contains("--endpoint"), "{}", keyless.err);

    let key = key(&sample());
    let verify = |file: &str| desk.run(&["certificate", "verify", file, "--group-key", &key]);
    verify("missing.json").fails(3, &["missing.json"]);
    desk.write("other.json", "{\"height\": 1}", 0o644);
    verify("other.json").fails(3, &["other.json", "certificate show --json"]);
    let text = std::fs::read_to_string(example("certificate.json")).unwrap();
    desk.write("cut.json", &text[..text.len() / 2], 0o644);
    verify("cut.json").fails(3, &["cut.json", "EOF"]);
}
