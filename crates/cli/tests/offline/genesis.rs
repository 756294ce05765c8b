//! `genesis`, and the files that `devnet --init-only` lays out.

use std::path::Path;

use serde_json::{Value, json};

use crate::Desk;

/// Lays out a devnet and gives its genesis file.
fn devnet(desk: &Desk) -> Value {
    let ran = desk.run(&[
        "devnet",
        "--init-only",
        "--data-dir",
        "net",
        "--accounts",
        "3",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.err.contains("key ceremony"),
        "where the keys come from must be named: {}",
        ran.err
    );
    serde_json::from_str(&std::fs::read_to_string(desk.path("net/genesis.json")).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn a_devnet_is_laid_out_with_closed_secrets() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let genesis = devnet(&desk);
    let shown = desk
        .run(&["genesis", "show", "net/genesis.json", "--json"])
        .json();
    assert_eq!(shown["chain_id"], genesis["chain_id"]);
    assert_eq!(
        (&shown["validators"], &shown["quorum"]),
        (&json!(4), &json!(3))
    );
    assert_eq!(shown["allocations"], 3);
    for index in 0..4 {
        let folder = desk.path("net").join(format!("validator-{index}"));
        for secret in ["identity.json", "key/share.json", "../passphrase"] {
            let mode = std::fs::metadata(folder.join(secret))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o7777, 0o600, "{secret}");
        }
        let file = format!("net/validator-{index}/identity.json");
        let key = desk.run(&["keys", "show", &file, "--json"]).json()["public_key"].clone();
        assert_eq!(key, genesis["members"][index]["identity"]);
        let file = format!("net/validator-{index}/key/share.json");
        let key = desk.run(&["keys", "show", &file, "--json"]).json()["public_key"].clone();
        assert_eq!(key, genesis["members"][index]["share_key"]);
    }
    let transcript = "net/validator-2/key/transcript.bin";
    let verified = desk.run(&["ceremony", "transcript", "verify", "--json", transcript]);
    assert_eq!(verified.json()["group_key"], genesis["group_key"]);
    let again = desk.run(&["devnet", "--init-only", "--data-dir", "net"]);
    again.fails(3, &["holds a network already"]);
}

/// The arguments of `genesis new` for the members of a devnet.
fn arguments(genesis: &Value, out: &str) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "genesis",
        "new",
        "--json",
        "--name",
        "mine",
        "--group",
        "group.json",
        "--out",
        out,
    ]
    .map(str::to_owned)
    .to_vec();
    for member in genesis["members"].as_array().unwrap() {
        arguments.extend(["--member".to_owned(), text(&member["identity"]).to_owned()]);
    }
    arguments
}

fn run(desk: &Desk, arguments: &[String]) -> crate::Ran {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    desk.run(&arguments)
}

fn write_group(desk: &Desk, genesis: &Value) -> Vec<Value> {
    let members = genesis["members"].as_array().unwrap();
    let shares: Vec<Value> = members
        .iter()
        .map(|member| member["share_key"].clone())
        .collect();
    let group = json!({"group_key": genesis["group_key"], "share_keys": shares});
    desk.write("group.json", &group.to_string(), 0o644);
    shares
}

#[test]
fn a_genesis_is_built_from_public_keys() {
    let desk = Desk::new();
    let devnet = devnet(&desk);
    write_group(&desk, &devnet);
    let owner = text(&devnet["allocations"][0]["owner"]);
    let mut new = arguments(&devnet, "new.json");
    new.extend([
        "--asset".into(),
        "7:6".into(),
        "--transfer-fee".into(),
        "2".into(),
    ]);
    new.extend([
        "--fee-asset".into(),
        "7".into(),
        "--allocation".into(),
        format!("{owner}:7:1000"),
    ]);
    let made = run(&desk, &new).json();
    assert_eq!(made["quorum"], 3);
    let shown = desk.run(&["genesis", "show", "new.json", "--json"]).json();
    assert_eq!(shown["chain_id"], made["chain_id"]);
    assert_ne!(shown["chain_id"], devnet["chain_id"]);
    run(&desk, &new).fails(3, &["new.json", "exists already"]);
    assert!(Path::new(&desk.path("new.json")).exists());
}

#[test]
fn keys_that_do_not_belong_together_are_refused() {
    let desk = Desk::new();
    let devnet = devnet(&desk);
    let mut shares = write_group(&desk, &devnet);
    let fewer = arguments(&devnet, "a.json");
    run(&desk, &fewer[..fewer.len() - 2]).fails(3, &["4 share keys for 3 members"]);

    shares.swap(0, 1);
    let group = json!({"group_key": devnet["group_key"], "share_keys": shares});
    desk.write("group.json", &group.to_string(), 0o644);
    let swapped = run(&desk, &arguments(&devnet, "b.json"));
    assert_eq!(swapped.code, Some(3), "{}", swapped.err);
    assert!(!desk.path("b.json").exists());

    desk.write(
        "group.json",
        "{\"group_key\": \"00\", \"share_keys\": []}",
        0o644,
    );
    run(&desk, &arguments(&devnet, "c.json")).fails(3, &["group.json"]);
    let mut asset = arguments(&devnet, "d.json");
    asset.extend(["--asset".into(), "seven".into()]);
    run(&desk, &asset).fails(2, &["ID:DECIMALS"]);
}

#[test]
fn a_changed_genesis_is_not_shown_as_good() {
    let desk = Desk::new();
    let genesis = devnet(&desk)
        .to_string()
        .replace("\"transfer_fee\":\"1\"", "\"transfer_fee\":\"0\"");
    desk.write("changed.json", &genesis, 0o644);
    desk.run(&["genesis", "show", "changed.json"])
        .fails(3, &["changed.json", "chain_id"]);
}
