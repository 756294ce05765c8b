//! The steps of docs/ceremonies.md, from enrolment to genesis.

use serde_json::Value;

use crate::desk::Desk;

const ALL: [usize; 4] = [0, 1, 2, 3];

#[test]
fn four_processes_make_one_key_and_a_genesis() {
    let mut desk = Desk::joined(4);
    for member in ALL {
        desk.start(member, &["--until", "stopped"]);
    }
    desk.keys_of(&ALL);
    let key = desk.group_key(0).unwrap();
    let mut hashes = Vec::new();
    for member in ALL {
        assert_eq!(desk.group_key(member).as_ref(), Some(&key));
        let admin = desk.admin(member);
        let proved = desk.run(&["ceremony", "prove", "--json", "--admin", &admin]);
        let proved = proved.json();
        let wanted = (&true.into(), &member.into());
        assert_eq!((&proved["proved"], &proved["member"]), wanted);
        let export = ["ceremony", "transcript", "export", "--json"];
        let out = format!("exported-{member}.bin");
        let shown = [&export[..], &["--admin", &admin, "--out", &out]].concat();
        let shown = desk.run(&shown).json();
        assert_eq!(shown["group_key"], *key);
        hashes.push(shown["transcript_hash"].clone());
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
    everybody_is_complete(&desk);
    for member in ALL {
        desk.stop(member);
    }
    for member in ALL {
        let transcript = format!("m{member}/key/transcript.bin");
        let verify = ["ceremony", "transcript", "verify", "--json", &transcript];
        let verified = desk.run(&[&verify[..], &["--definition", "ceremony.json"]].concat());
        assert_eq!(verified.json()["transcript_hash"], hashes[0]);
        the_share_comes_back_until_its_key_is_erased(&desk, member, &transcript);
    }
    genesis_takes_everything_from_the_transcript(&desk, &key);
}

fn everybody_is_complete(desk: &Desk) {
    let admin = desk.admin(1);
    let status = desk.run(&["ceremony", "status", "--json", "--admin", &admin]);
    let status = status.json();
    assert_eq!(status["complete"], true, "{status}");
    assert_eq!(status["peers"].as_array().unwrap().len(), 3);
    let table = desk.run(&["ceremony", "status", "--admin", &admin]);
    table.ok();
    for member in [0, 2, 3] {
        let name = format!("member-{member}");
        assert!(table.out.contains(&name), "{}", table.out);
    }
    let offline = desk.run(&["ceremony", "status", "--json", "--dir", "m1/key"]);
    assert_eq!(offline.json()["complete"], true);
}

fn public_key(desk: &Desk, keystore: &str) -> Value {
    desk.run(&["keys", "show", "--json", keystore]).json()["public_key"].clone()
}

fn the_share_comes_back_until_its_key_is_erased(desk: &Desk, member: usize, transcript: &str) {
    let keystore = format!("m{member}/encryption.json");
    let recover = |folder: &str| {
        desk.make(folder);
        let from = [
            "--transcript",
            transcript,
            "--encryption-keystore",
            &keystore,
        ];
        let recover = ["ceremony", "recover", "--json", "--out", folder];
        desk.run_cheaply(&[&recover[..], &from].concat())
    };
    let folder = format!("again-{member}");
    let recovered = recover(&folder).json();
    let original = public_key(desk, &format!("m{member}/key/share.json"));
    assert_eq!(recovered["share_key"], original);
    assert_eq!(public_key(desk, &format!("{folder}/share.json")), original);

    let dir = format!("m{member}/key");
    let erase = ["ceremony", "erase", "--json", "--dir", &dir];
    assert_eq!(desk.run(&erase).json()["already"], false);
    assert_eq!(desk.run(&erase).json()["already"], true);
    let folder = format!("late-{member}");
    recover(&folder).fails(3, &["encryption.json", "sealed by"]);
    assert!(desk.names(&folder).is_empty());
}

fn genesis_takes_everything_from_the_transcript(desk: &Desk, key: &str) {
    let new = ["genesis", "new", "--json", "--name", "ours"];
    let from = ["--ceremony", "m2/key/transcript.bin"];
    let made = desk.run(&[&new[..], &from, &["--out", "genesis.json"]].concat());
    let made = made.json();
    assert_eq!(
        (&made["group_key"], &made["validators"], &made["quorum"]),
        (&key.into(), &4.into(), &3.into())
    );
    let genesis: Value = serde_json::from_slice(&desk.read("genesis.json")).unwrap();
    // The same by hand, from group.json and the identities.
    let mut by_hand: Vec<String> = vec!["--group".into(), "m0/key/group.json".into()];
    for member in ALL {
        let identity = public_key(desk, &format!("m{member}/identity.json"));
        assert_eq!(genesis["members"][member]["identity"], identity);
        let share = public_key(desk, &format!("m{member}/key/share.json"));
        assert_eq!(genesis["members"][member]["share_key"], share);
        let identity = identity.as_str().unwrap().to_owned();
        by_hand.extend(["--member".into(), identity]);
    }
    let by_hand: Vec<&str> = by_hand.iter().map(String::as_str).collect();
    let by_hand = desk.run(&[&new[..], &by_hand, &["--out", "by-hand.json"]].concat());
    assert_eq!(by_hand.json()["chain_id"], made["chain_id"]);

    let both = [&new[..], &from, &["--quorum", "4", "--out", "c.json"]].concat();
    desk.run(&both).fails(2, &["--quorum"]);
}
