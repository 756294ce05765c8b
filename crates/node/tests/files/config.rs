//! Configuration files.

use std::path::Path;

use quorate_node::config::{Config, ConfigError, LogFormat};

const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/quorate/validator.toml"))
}

fn message(text: &str) -> String {
    parse(text).expect_err("it must be refused").to_string()
}

#[test]
fn an_empty_file_means_the_defaults_beside_it() {
    let config = parse("").unwrap();
    assert_eq!(config.data_dir, Path::new("/etc/quorate/data"));
    assert_eq!(config.genesis, Path::new("/etc/quorate/genesis.json"));
    assert_eq!(config.passphrase_file, None);
    assert_eq!(config.listen.admin.to_string(), "127.0.0.1:7101");
    assert_eq!(config.limits.block_bytes, 2 << 20);
    assert!(config.peers.is_empty());
}

#[test]
fn everything_can_be_set_and_comes_back() {
    let text = format!(
        r#"
        data_dir = "/var/lib/quorate"
        genesis = "shared/genesis.json"
        identity_keystore = "keys/identity.json"
        share_keystore = "keys/share.json"
        passphrase_file = "keys/passphrase"
        [listen]
        public = "0.0.0.0:1"
        admin = "[::1]:2"
        peer = "127.0.0.1:0"
        metrics = "127.0.0.1:0"
        [limits]
        pool_bytes = 1000000
        pool_transactions = 10
        block_bytes = 65536
        [pacing]
        quorum_wait_ms = 0
        busy_interval_ms = 20
        idle_interval_ms = 500
        [log]
        level = "debug"
        format = "json"
        [[peers]]
        identity = "{KEY}"
        address = "[2001:db8::1]:7102"
        "#
    );
    let config = parse(&text).unwrap();
    assert_eq!(config.data_dir, Path::new("/var/lib/quorate"));
    assert_eq!(
        config.genesis,
        Path::new("/etc/quorate/shared/genesis.json")
    );
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.peers[0].identity.to_hex(), KEY);
    assert_eq!(parse(&config.to_toml()).unwrap(), config);
}

#[test]
fn parse_errors_name_file_line_and_remedy() {
    let unknown = message("data_dir = \"x\"\ndata_dri = \"y\"\n");
    for part in [
        "/etc/quorate/validator.toml",
        "line 2",
        "data_dri",
        "expected one of",
    ] {
        assert!(unknown.contains(part), "{part} is missing in: {unknown}");
    }
    let key = message("\n\n[[peers]]\nidentity = \"abc\"\naddress = \"a:1\"\n");
    for part in [
        "line 4",
        "64 hexadecimal digits",
        "3 characters",
        "keys show",
    ] {
        assert!(key.contains(part), "{part} is missing in: {key}");
    }
    let address = message(&format!(
        "[[peers]]\nidentity = \"{KEY}\"\naddress = \"host\"\n"
    ));
    assert!(
        address.contains("line 3") && address.contains("`host:port`"),
        "{address}"
    );
    let listen = message("[listen]\npublic = \"localhost\"\n");
    assert!(
        listen.contains("line 2") && listen.contains("socket address"),
        "{listen}"
    );
    assert!(message("[log]\nformat = \"xml\"\n").contains("`text`"));
    assert!(message("data_dir = \n").contains("line 1"));
}

#[test]
fn values_that_cannot_work_are_refused() {
    let same = "[listen]\npublic = \"127.0.0.1:9\"\nmetrics = \"127.0.0.1:9\"\n";
    assert!(matches!(
        parse(same),
        Err(ConfigError::SameAddress {
            first: "public",
            second: "metrics",
            ..
        })
    ));
    for (text, expected) in [
        ("[limits]\npool_bytes = 10\n", "limits.pool_bytes"),
        (
            "[limits]\npool_transactions = 0\n",
            "limits.pool_transactions",
        ),
        ("[limits]\nblock_bytes = 5000000\n", "limits.block_bytes"),
        (
            "[pacing]\nbusy_interval_ms = 9000000\n",
            "pacing.busy_interval_ms",
        ),
        (
            "[pacing]\nbusy_interval_ms = 10\nidle_interval_ms = 9\n",
            "pacing.idle_interval_ms",
        ),
    ] {
        let found = parse(text);
        assert!(
            matches!(found, Err(ConfigError::Range { key, .. }) if key == expected),
            "{text}: {found:?}"
        );
    }
    let peer = format!("[[peers]]\nidentity = \"{KEY}\"\naddress = \"a:1\"\n");
    assert!(matches!(
        parse(&peer.repeat(2)),
        Err(ConfigError::DuplicatePeer { .. })
    ));
    assert!(matches!(
        Config::read(Path::new("/nonexistent/validator.toml")),
        Err(ConfigError::Read { .. })
    ));
}
