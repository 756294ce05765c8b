//! `keys`, bad configurations, and help.

use crate::Desk;

#[test]
fn a_new_identity_can_be_shown_without_its_passphrase() {
    let desk = Desk::new();
    let key = desk.identity("keys");
    let shown = desk
        .run(&["keys", "show", "keys/identity.json", "--json"])
        .json();
    assert_eq!(shown["public_key"], key.as_str());
    assert_eq!(shown["kind"], "identity");
    let account = desk.run(&["account", "id", &key, "--json"]).json();
    assert_eq!(shown["account"], account);

    let again = [
        "keys",
        "new",
        "--out",
        "keys",
        "--passphrase-file",
        "passphrase",
    ];
    desk.run(&again)
        .fails(3, &["identity.json", "exists already"]);
}

#[test]
fn keys_need_a_safe_passphrase_and_a_place() {
    let desk = Desk::new();
    desk.run(&["keys", "new", "--out", "."])
        .fails(3, &["passphrase_file", "QUORATE_PASSPHRASE_FILE"]);
    desk.write("open", "secret", 0o644);
    let open = ["keys", "new", "--out", ".", "--passphrase-file", "open"];
    desk.run(&open).fails(3, &["0644", "chmod 600"]);
    let nowhere = [
        "keys",
        "new",
        "--out",
        "nowhere",
        "--passphrase-file",
        "passphrase",
    ];
    desk.run(&nowhere)
        .fails(3, &["directory nowhere", "create it"]);
    desk.write("broken.json", "{", 0o600);
    desk.run(&["keys", "show", "broken.json"])
        .fails(3, &["broken.json", "ends in the middle"]);
}

#[test]
fn bad_configurations_are_refused_with_line_and_remedy() {
    let desk = Desk::new();
    desk.run(&["run", "--config", "missing.toml"])
        .fails(3, &["missing.toml"]);
    desk.write(
        "typo.toml",
        "data_dir = \"x\"\n[listen]\npubic = \"127.0.0.1:1\"\n",
        0o644,
    );
    desk.run(&["run", "--config", "typo.toml"])
        .fails(3, &["typo.toml", "line 3", "pubic"]);
    desk.write("level.toml", "[log]\nlevel = \"info,=loud\"\n", 0o644);
    desk.run(&["run", "--config", "level.toml"])
        .fails(3, &["level.toml", "log.level"]);
    desk.write("empty.toml", "passphrase_file = \"passphrase\"\n", 0o644);
    desk.run(&["run", "--config", "empty.toml"])
        .fails(3, &["identity.json"]);
}

#[test]
fn unreachable_validators_are_told_as_such() {
    let desk = Desk::new();
    let status = desk.run(&["--endpoint", "http://127.0.0.1:1", "status"]);
    status.fails(4, &["http://127.0.0.1:1", "--endpoint"]);
    for wrong in [
        "not a url",
        "127.0.0.1:7100",
        "foo",
        "https://127.0.0.1:7100",
        "http://127.0.0.1",
        "http://127.0.0.1:7100/api",
    ] {
        let expected = [wrong, "expected http://HOST:PORT"];
        desk.run(&["--endpoint", wrong, "status"])
            .fails(2, &expected);
        desk.run(&["status", "--admin", wrong]).fails(2, &expected);
    }
    desk.run(&["--endpoint", "http://[::1]:1/", "status"])
        .fails(4, &["http://[::1]:1"]);
}

#[test]
fn help_lists_the_exit_codes_and_wrong_usage_is_two() {
    let desk = Desk::new();
    let help = desk.run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for line in [
        "5  a certificate, proof, transcript or piece of evidence does not verify",
        "6  two validators disagree",
    ] {
        assert!(help.out.contains(line), "{line} is missing in {}", help.out);
    }
    desk.run(&["devnet", "--validators", "3"])
        .fails(2, &["4..=128"]);
    desk.run(&["devnet", "--seconds", "0"])
        .fails(2, &["--seconds"]);
    desk.run(&["bench", "--load", "many"]).fails(2, &["max"]);
    desk.run(&["devnet", "--init-only"])
        .fails(2, &["--data-dir"]);
}

#[test]
fn a_simulated_seed_gives_a_table_and_the_same_hash_again() {
    let desk = Desk::new();
    let arguments = [
        "sim",
        "--validators",
        "4",
        "--seeds",
        "3",
        "--scenario",
        "calm",
        "--json",
    ];
    let first = desk.run(&arguments).json();
    assert_eq!((&first["passed"], &first["failed"]), (&1.into(), &0.into()));
    let hash = first["reports"][0]["trace_hash"].clone();
    assert_eq!(hash.as_str().map(str::len), Some(64));
    assert_eq!(
        desk.run(&arguments).json()["reports"][0]["trace_hash"],
        hash
    );
    let table = desk.run(&["sim", "--seeds", "3..4", "--scenario", "calm"]);
    assert!(table.out.contains("1 seeds passed"), "{}", table.out);
    desk.run(&["sim", "--seeds", "4..4"])
        .fails(2, &["A below B"]);
}
