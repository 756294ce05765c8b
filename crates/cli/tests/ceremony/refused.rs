//! What is refused, with the reason, and nothing half-written.

use std::time::Duration;

use crate::desk::Desk;

#[test]
fn wrong_passphrases_and_cut_key_stores_are_refused() {
    let desk = Desk::enrolled(4);
    desk.define("ceremony.json", 4, &[]);
    let join = || desk.try_join(0, "ceremony.json", &[]);
    let right = desk.read("passphrase");
    desk.write("passphrase", b"wrong horse\n", 0o600);
    join().fails(3, &["passphrase does not open", "m0/identity.json"]);
    desk.write("passphrase", &right, 0o600);
    for name in ["identity.json", "encryption.json"] {
        let path = format!("m0/{name}");
        let whole = desk.read(&path);
        desk.write(&path, &whole[..whole.len() / 2], 0o600);
        join().fails(3, &[&path, "ends in the middle"]);
        desk.write(&path, &whole, 0o600);
    }
    assert!(!desk.path("m0/key").exists(), "nothing was made");
    join().ok();
}

#[test]
fn keys_that_are_not_this_members_are_refused() {
    let desk = Desk::enrolled(4);
    // Member 3 brings the encryption key of member 2.
    for name in desk.names("m2") {
        if name.starts_with("encryption") {
            let bytes = desk.read(&format!("m2/{name}"));
            desk.write(&format!("m3/{name}"), &bytes, 0o600);
        }
    }
    std::fs::remove_file(desk.path("m3/enrolment.json")).unwrap();
    desk.enrol(3, "m3");
    let new = ["ceremony", "new", "--name", "twice", "--out", "twice.json"];
    let organiser = ["--organiser-keystore", "m0/identity.json"];
    let with = |last: &str| {
        let mut members = Vec::new();
        for enrolment in [
            "m0/enrolment.json",
            "m1/enrolment.json",
            "m2/enrolment.json",
            last,
        ] {
            members.extend(["--member", enrolment]);
        }
        desk.run(&[&new[..], &organiser, &members].concat())
    };
    with("m3/enrolment.json").fails(3, &["2", "3", "same encryption key"]);
    with("m2/enrolment.json").fails(3, &["2", "3", "same identity"]);
    assert!(!desk.path("twice.json").exists(), "nothing was written");

    // A changed enrolment is its member's no more.
    let text = String::from_utf8(desk.read("m1/enrolment.json")).unwrap();
    let changed = text.replace("member-1", "mallory1");
    assert_ne!(text, changed);
    desk.write("m1/enrolment.json", changed.as_bytes(), 0o644);
    with("m3/enrolment.json").fails(3, &["m1/enrolment.json", "signature"]);
}

#[test]
fn files_to_look_at_are_refused_as_what_they_are() {
    let desk = Desk::enrolled(4);
    desk.define("ceremony.json", 4, &[]);
    let show = |file: &str| desk.run(&["ceremony", "show", file]);
    show("m1/enrolment.json").ok();
    show("ceremony.json").ok();
    let refused = |from: &str, change: &dyn Fn(String) -> String, why: &[&str]| {
        let text = String::from_utf8(desk.read(from)).unwrap();
        desk.write("broken.json", change(text).as_bytes(), 0o644);
        show("broken.json").fails(3, &[&["broken.json"], why].concat());
    };
    let enrolment = "m1/enrolment.json";
    let cut = |text: String| text[..text.len() / 2].to_owned();
    refused(enrolment, &cut, &["ends in the middle"]);
    let renamed = |text: String| text.replace("\"proof\"", "\"proofs\"");
    refused(enrolment, &renamed, &["no usable enrolment", "`proofs`"]);
    let other = |text: String| text.replace("member-1", "mallory1");
    refused(enrolment, &other, &["is refused", "signature"]);
    refused("ceremony.json", &cut, &["ends in the middle"]);
    let renamed = |text: String| text.replace("\"attempt\"", "\"try\"");
    refused("ceremony.json", &renamed, &["no usable definition"]);
    refused("m1/identity.json", &|text| text, &["neither"]);
}

#[test]
fn strangers_and_other_directories_are_refused() {
    let desk = Desk::enrolled(5);
    let first = desk.define("ceremony.json", 4, &[]);
    let stranger = desk.try_join(4, "ceremony.json", &[]);
    stranger.fails(3, &["no member"]);
    assert!(!desk.path("m4/key").exists());

    desk.join(0, "ceremony.json");
    desk.join(0, "ceremony.json");
    let second = desk.define("second.json", 4, &["--attempt", "1"]);
    assert_ne!(first["ceremony_id"], second["ceremony_id"]);
    let before = desk.names("m0/key");
    let refused = desk.try_join(0, "second.json", &[]);
    refused.fails(3, &["belongs to another ceremony"]);
    assert_eq!(desk.names("m0/key"), before);

    // The id that was read out is the one that is joined.
    let id = first["ceremony_id"].as_str().unwrap();
    let other = second["ceremony_id"].as_str().unwrap();
    let refused = desk.try_join(1, "ceremony.json", &["--expect", other]);
    refused.fails(3, &["expected"]);
    assert!(!desk.path("m1/key").exists());
    desk.try_join(1, "ceremony.json", &["--expect", &id[..32]])
        .ok();

    // One changed byte makes it nobody's definition.
    let text = String::from_utf8(desk.read("ceremony.json")).unwrap();
    let changed = text.replace("a test", "b test");
    desk.write("changed.json", changed.as_bytes(), 0o644);
    let changed = desk.try_join(2, "changed.json", &[]);
    assert_eq!(changed.code, Some(3), "{}", changed.err);
    assert!(!desk.path("m2/key").exists());
    let run = desk.run(&["ceremony", "run", "--dir", "m2"]);
    run.fails(3, &["ceremony join"]);
}

#[test]
fn members_with_different_definitions_refuse_each_other_by_name() {
    let mut desk = Desk::enrolled(4);
    let first = desk.define("ceremony.json", 4, &[]);
    let second = desk.define("second.json", 4, &["--attempt", "1"]);
    for member in [0, 1, 2] {
        desk.join(member, "ceremony.json");
    }
    desk.join(3, "second.json");
    for member in 0..4 {
        desk.start(member, &["--until", "all"]);
    }
    for (member, other) in [(0, &second), (3, &first)] {
        let id = other["fingerprint"].as_str().unwrap();
        desk.until("a refusal that names the other id", member, |desk| {
            let admin = desk.admin(member);
            let ran = desk.run(&["ceremony", "explain", "--admin", &admin]);
            ran.out.contains(id)
        });
    }
    // The three with one definition are enough.
    desk.keys_of(&[0, 1, 2]);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(desk.group_key(3), None);
}

#[test]
fn transcripts_are_refused_for_any_change_and_for_another_ceremony() {
    let mut desk = Desk::joined(4);
    for member in [0, 1, 2] {
        desk.start(member, &["--until", "done"]);
    }
    for member in [0, 1, 2] {
        desk.done(member);
    }
    let verify = |file: &str, definition: &str| {
        let verify = ["ceremony", "transcript", "verify", file];
        desk.run(&[&verify[..], &["--definition", definition]].concat())
    };
    let file = "m0/key/transcript.bin";
    verify(file, "ceremony.json").ok();
    desk.define("second.json", 4, &["--attempt", "1"]);
    verify(file, "second.json").fails(5, &["another ceremony"]);
    let bytes = desk.read(file);
    for at in (0..bytes.len()).step_by(bytes.len() / 12) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        desk.write("changed.bin", &changed, 0o644);
        let ran = verify("changed.bin", "ceremony.json");
        assert_eq!(ran.code, Some(5), "byte {at}: {}{}", ran.out, ran.err);
    }
    desk.write("cut.bin", &bytes[..bytes.len() - 1], 0o644);
    verify("cut.bin", "ceremony.json").fails(5, &["cut.bin"]);
    let genesis = ["genesis", "new", "--name", "ours", "--out", "genesis.json"];
    let genesis = desk.run(&[&genesis[..], &["--ceremony", "changed.bin"]].concat());
    genesis.fails(5, &["changed.bin"]);
    assert!(!desk.path("genesis.json").exists());

    // A member whose share is not there erases nothing.
    let erase = |dir: &str| desk.run(&["ceremony", "erase", "--dir", dir]);
    erase("m3/key").fails(11, &["still needed"]);
    let share = desk.path("m0/key/share.json");
    std::fs::rename(share, desk.path("m0/away.json")).unwrap();
    erase("m0/key").fails(3, &["nothing was erased"]);
}

#[test]
fn a_damaged_share_is_refused_at_a_restart_and_computed_again_once_it_is_away() {
    let mut desk = Desk::joined(4);
    let members = [0, 1, 2];
    for member in members {
        desk.start(member, &["--until", "done"]);
    }
    for member in members {
        desk.done(member);
    }
    let (file, run) = ("m0/key/share.json", ["ceremony", "run", "--dir", "m0/key"]);
    let run = [&run[..], &["--admin", "127.0.0.1:0", "--until", "done"]].concat();
    let share_key = |desk: &Desk| {
        let share: serde_json::Value = serde_json::from_slice(&desk.read(file)).unwrap();
        share["pubkey"].as_str().unwrap().to_owned()
    };
    let (whole, key) = (desk.read(file), share_key(&desk));
    desk.write(file, &whole[..whole.len() / 2], 0o600);
    let refused = desk.run_cheaply(&run);
    refused.fails(3, &["share.json ends in the middle", "move it away"]);
    let other = desk.read("m1/key/share.json");
    desk.write(file, &other, 0o600);
    desk.run_cheaply(&run).fails(3, &["holds the share of"]);
    assert_eq!(desk.read(file), other, "nothing is overwritten");
    std::fs::remove_file(desk.path(file)).unwrap();
    desk.run_cheaply(&run).ok();
    assert_eq!(share_key(&desk), key);
}
