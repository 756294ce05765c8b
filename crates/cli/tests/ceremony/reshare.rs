//! Hand-overs by files: 4 to 7 to 5 members, and a refresh.

use serde_json::Value;

use crate::desk::{Desk, Ran};
use crate::key;

/// Those that the first key was made with.
const ENROLMENTS: [&str; 4] = [
    "m0/enrolment.json",
    "m1/enrolment.json",
    "m2/enrolment.json",
    "m3/enrolment.json",
];

/// A committee whose members are the first ones of a desk, each with its newest share.
struct Committee {
    members: usize,
    transcript: String,
    /// The share's key store of each member.
    shares: Vec<String>,
}

fn quorum(members: usize) -> usize {
    members - (members - 1) / 3
}

/// The first key, made in this process, and each member's share computed from its transcript.
fn first_key(desk: &Desk, members: usize) -> Committee {
    desk.define("ceremony.json", members, &[]);
    key::make(desk, "ceremony.json", members, &desk.path("transcript.bin"));
    for member in 0..members {
        let folder = format!("m{member}/key");
        desk.make(&folder);
        let keystore = format!("m{member}/encryption.json");
        let recover = ["ceremony", "recover", "--transcript", "transcript.bin"];
        let places = ["--encryption-keystore", &keystore, "--out", &folder];
        desk.run_cheaply(&[&recover[..], &places].concat()).ok();
    }
    Committee {
        members,
        transcript: "transcript.bin".into(),
        shares: (0..members)
            .map(|member| format!("m{member}/key/share.json"))
            .collect(),
    }
}

/// Definition of the hand-over to the first `members` members, who enrol afresh.
fn define(desk: &Desk, old: &Committee, members: usize, name: &str) -> String {
    let mut enrolments: Vec<String> = Vec::new();
    for member in 0..members {
        let folder = format!("m{member}/{name}");
        desk.make(&folder);
        desk.enrol(member, &folder);
        enrolments.extend(["--member".into(), format!("{folder}/enrolment.json")]);
    }
    let enrolments: Vec<&str> = enrolments.iter().map(String::as_str).collect();
    let out = format!("{name}.json");
    let new = ["ceremony", "reshare", "new", "--name", name, "--out", &out];
    let from = ["--previous", &old.transcript];
    let organiser = ["--organiser-keystore", "m0/identity.json"];
    desk.ok(&[&new[..], &from, &organiser].concat(), &enrolments);
    out
}

fn deal(desk: &Desk, old: &Committee, definition: &str, member: usize, out: &str) -> Ran {
    let identity = format!("m{member}/identity.json");
    let deal = ["ceremony", "reshare", "deal", "--definition", definition];
    let keys = [
        "--identity-keystore",
        &identity,
        "--share-keystore",
        &old.shares[member],
    ];
    desk.run(&[&deal[..], &keys, &["--out", out]].concat())
}

fn order(desk: &Desk, definition: &str, dealings: &[String], out: &str) -> Ran {
    let order = ["ceremony", "reshare", "order", "--json", "--out", out];
    let mut files = vec!["--definition", definition];
    for dealing in dealings {
        files.extend(["--dealing", dealing]);
    }
    desk.run(&[&order[..], &files].concat())
}

fn ready(desk: &Desk, definition: &str, list: &str, member: usize, name: &str) -> Ran {
    let keystore = format!("m{member}/{name}/encryption.json");
    let dir = format!("m{member}/{name}/key");
    let ready = ["ceremony", "reshare", "ready", "--json", "--dir", &dir];
    let files = ["--definition", definition, "--list", list];
    let key = ["--encryption-keystore", &keystore];
    desk.run_cheaply(&[&ready[..], &files, &key].concat())
}

fn finish(desk: &Desk, definition: &str, list: &str, words: &[String], out: &str) -> Ran {
    let finish = ["ceremony", "reshare", "finish", "--json", "--out", out];
    let mut files = vec!["--definition", definition, "--list", list];
    for word in words {
        files.extend(["--ready", word]);
    }
    desk.run(&[&finish[..], &files].concat())
}

fn verified(desk: &Desk, transcript: &str, more: &[&str]) -> Value {
    let verify = ["ceremony", "transcript", "verify", "--json", transcript];
    desk.run(&[&verify, more].concat()).json()
}

/// A whole hand-over, with the last members of the old committee dealing, and every step run `times` times.
fn hand_over(desk: &Desk, old: &Committee, members: usize, name: &str, times: usize) -> Committee {
    let definition = define(desk, old, members, name);
    let first = old.members - quorum(old.members);
    let mut dealings = Vec::new();
    for member in first..old.members {
        let out = format!("{name}-dealing-{member}.bin");
        deal(desk, old, &definition, member, &out).ok();
        // Killed between two writes or run again: it is the same dealing, wherever it is put.
        let again = format!("{name}-again-{member}.bin");
        deal(desk, old, &definition, member, &again).ok();
        assert_eq!(desk.read(&out), desk.read(&again));
        dealings.push(out);
    }
    let list = format!("{name}-list.bin");
    order(desk, &definition, &dealings[1..], &list).fails(11, &["not written"]);
    for _ in 0..times {
        order(desk, &definition, &dealings, &list).ok();
    }
    let mut words = Vec::new();
    for member in 0..members {
        let said: Vec<Value> = (0..times)
            .map(|_| ready(desk, &definition, &list, member, name).json())
            .collect();
        assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
        words.push(format!("m{member}/{name}/key/ready.bin"));
    }
    let transcript = format!("{name}-transcript.bin");
    let few = &words[..quorum(members) - 1];
    finish(desk, &definition, &list, few, &transcript).fails(11, &["are needed"]);
    assert!(!desk.path(&transcript).exists());
    let enough = &words[members - quorum(members)..];
    for _ in 0..times {
        finish(desk, &definition, &list, enough, &transcript).ok();
    }
    let before = verified(desk, &old.transcript, &[]);
    let follows = ["--definition", &definition, "--previous", &old.transcript];
    let shown = verified(desk, &transcript, &follows);
    assert_eq!(shown["group_key"], before["group_key"]);
    assert_eq!(shown["previous_checked"], true);
    let new = Committee {
        members,
        transcript,
        shares: (0..members)
            .map(|member| format!("m{member}/{name}/key/share.json"))
            .collect(),
    };
    erase(desk, old, &new, name);
    new
}

/// Old shares go, new ones do not.
fn erase(desk: &Desk, old: &Committee, new: &Committee, name: &str) {
    let erase = |share: &str| {
        let erase = ["ceremony", "reshare", "erase", "--json"];
        let files = ["--share-keystore", share, "--transcript", &new.transcript];
        desk.run(&[&erase[..], &files].concat())
    };
    erase(&new.shares[0]).fails(3, &["nothing was erased"]);
    for share in &old.shares {
        assert_eq!(erase(share).json()["already"], false);
    }
    assert_eq!(erase(&old.shares[0]).json()["already"], true);
    // Member 0 had not dealt.
    let late = deal(desk, old, &format!("{name}.json"), 0, "late.bin");
    late.fails(3, &["sealed by"]);
    for member in 0..new.members {
        let dir = format!("m{member}/{name}/key");
        let erase = ["ceremony", "erase", "--dir", &dir, "--transcript"];
        desk.ok(&erase, &[&new.transcript]);
    }
}

#[test]
fn four_hand_over_to_seven_and_they_to_five_and_those_refresh() {
    let desk = Desk::enrolled(7);
    let four = first_key(&desk, 4);
    let key = verified(&desk, &four.transcript, &[])["group_key"].clone();
    let seven = hand_over(&desk, &four, 7, "seven", 1);
    let five = hand_over(&desk, &seven, 5, "five", 1);
    let fresh = hand_over(&desk, &five, 5, "fresh", 2);
    let last = verified(&desk, &fresh.transcript, &["--previous", &five.transcript]);
    assert_eq!(last["group_key"], key);
    // A transcript does not follow one that is two steps back.
    let verify = ["ceremony", "transcript", "verify", &fresh.transcript];
    let skipped = desk.run(&[&verify[..], &["--previous", &seven.transcript]].concat());
    skipped.fails(5, &["does not follow"]);
}

#[test]
fn liars_are_named_and_a_member_is_ready_for_one_list() {
    let desk = Desk::enrolled(4);
    let old = first_key(&desk, 4);
    let definition = define(&desk, &old, 4, "next");
    let mut dealings = Vec::new();
    for member in 0..4 {
        let out = format!("dealing-{member}.bin");
        deal(&desk, &old, &definition, member, &out).ok();
        dealings.push(out);
    }
    // Somebody changed a dealing on the way: that says nothing about its dealer.
    let mut bytes = desk.read("dealing-0.bin");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    desk.write("dealing-0.bin", &bytes, 0o644);
    let ordered = order(&desk, &definition, &dealings, "list.bin").json();
    assert_eq!(ordered["counted"], serde_json::json!([1, 2, 3]));
    assert_eq!(ordered["dealings"][0]["evidence"], Value::Null);

    // A dealer that forgot its first dealing and makes another convicts itself.
    for name in desk.names("m1/key") {
        if name.contains("dealt") {
            std::fs::remove_file(desk.path(&format!("m1/key/{name}"))).unwrap();
        }
    }
    deal(&desk, &old, &definition, 1, "second.bin").ok();
    let list = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("{name}.bin")).collect()
    };
    let both = list(&["dealing-1", "second", "dealing-2", "dealing-3"]);
    let ordered = order(&desk, &definition, &both, "list.bin").json();
    assert_eq!(ordered["counted"], serde_json::json!([1, 2, 3]));
    let evidence = ordered["dealings"][1]["evidence"].as_str().unwrap();
    let judge = |definition: &str| {
        let verify = ["ceremony", "evidence", "verify", "--json", evidence];
        desk.run(&[&verify[..], &["--definition", definition]].concat())
    };
    assert_eq!(judge(&definition).json()["convicts"], 1);
    judge("ceremony.json").fails(5, &["convicts nobody"]);

    ready(&desk, &definition, "list.bin", 2, "next").ok();
    let other = list(&["dealing-3", "dealing-2", "dealing-1"]);
    order(&desk, &definition, &other, "other.bin").ok();
    let refused = ready(&desk, &definition, "other.bin", 2, "next");
    refused.fails(3, &["ready for another list"]);
}

#[test]
fn encryption_keys_that_served_before_are_refused() {
    let desk = Desk::enrolled(4);
    let old = first_key(&desk, 4);
    let mut new = vec!["ceremony", "reshare", "new", "--name", "again"];
    new.extend(["--previous", &old.transcript, "--out", "again.json"]);
    new.extend(["--organiser-keystore", "m0/identity.json"]);
    for enrolment in ENROLMENTS {
        new.extend(["--member", enrolment]);
    }
    desk.run(&new)
        .fails(3, &["m0/enrolment.json", "a fresh one"]);
    assert!(!desk.path("again.json").exists(), "nothing is written");
}
