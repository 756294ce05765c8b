//! Key stores.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use quorate_crypto::{IdentitySecret, ShareSecret};
use quorate_node::config::Config;
use quorate_node::files::WriteError;
use quorate_node::keystore::{
    KeyKind, Keystore, KeystoreError, MalformedKeystore, Passphrase, PublicKey, ScryptCost, Secrets,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tempfile::TempDir;

struct World {
    directory: TempDir,
    rng: ChaCha20Rng,
}

impl World {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            rng: ChaCha20Rng::seed_from_u64(5),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn identity(&mut self) -> (IdentitySecret, PathBuf) {
        let secret = IdentitySecret::generate(&mut self.rng);
        let path = self.path("identity.json");
        Keystore::seal_identity(&secret, &passphrase(), ScryptCost::DEVNET, &mut self.rng)
            .write_new(&path)
            .unwrap();
        (secret, path)
    }

    fn share(&mut self) -> (ShareSecret, PathBuf) {
        let secret = ShareSecret::random(&mut self.rng);
        let path = self.path("share.json");
        Keystore::seal_share(&secret, &passphrase(), ScryptCost::DEVNET, &mut self.rng)
            .write_new(&path)
            .unwrap();
        (secret, path)
    }

    fn write(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse")
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// The error of reading and opening an identity.
fn refusal(path: &Path) -> KeystoreError {
    Keystore::read(path)
        .and_then(|keystore| keystore.open_identity(&passphrase(), path))
        .err()
        .expect("it must be refused")
}

#[test]
fn secrets_come_back_and_are_not_in_the_file() {
    let mut world = World::new();
    let (identity, identity_path) = world.identity();
    let (share, share_path) = world.share();
    for (path, secret) in [
        (&identity_path, identity.expose_bytes()),
        (&share_path, share.expose_bytes()),
    ] {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains(&hex::encode(*secret)));
        assert!(
            text.contains("\"n\": 1024"),
            "the cost stands in the file: {text}"
        );
    }
    let config = Config {
        identity_keystore: identity_path,
        share_keystore: share_path,
        passphrase_file: Some(world.write("passphrase", "correct horse\nsecond line\n", 0o400)),
        ..Config::default()
    };
    let secrets = Secrets::open(&config).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(secrets.identity.public(), identity.public());
    assert_eq!(secrets.share.public_key(), share.public_key());
}

#[test]
fn nothing_is_overwritten() {
    let mut world = World::new();
    let (secret, path) = world.identity();
    let other = Keystore::seal_identity(&secret, &passphrase(), ScryptCost::DEVNET, &mut world.rng);
    assert!(matches!(
        other.write_new(&path),
        Err(WriteError::Exists { .. })
    ));
    let nowhere = world.path("missing/identity.json");
    assert!(matches!(
        other.write_new(&nowhere),
        Err(WriteError::Io { .. })
    ));
    let files = std::fs::read_dir(world.directory.path()).unwrap().count();
    assert_eq!(files, 1, "no temporary file is left");
}

#[test]
fn a_wrong_passphrase_is_told_from_a_damaged_file() {
    let mut world = World::new();
    let (_, path) = world.identity();
    let keystore = Keystore::read(&path).unwrap();
    let wrong = keystore.open_identity(&Passphrase::new("correct house"), &path);
    assert!(matches!(wrong, Err(KeystoreError::WrongPassphrase { .. })));

    let text = std::fs::read_to_string(&path).unwrap();
    for length in [0, 1, text.len() / 2, text.len() - 3] {
        std::fs::write(&path, &text[..length]).unwrap();
        assert!(
            matches!(refusal(&path), KeystoreError::Truncated { .. }),
            "{length}"
        );
    }
}

#[test]
fn other_layouts_are_refused_precisely() {
    for (from, to, expected) in [
        ("\"version\": 4", "\"version\": 5", "newer"),
        ("\"version\": 4", "\"version\": 4, \"more\": 1", "json"),
        ("\"version\": 4", "\"edition\": 4", "json"),
        ("\"scrypt\"", "\"pbkdf2\"", "function"),
        ("\"dklen\": 32", "\"dklen\": 16", "function"),
        ("\"n\": 1024", "\"n\": 1", "cost"),
        ("\"n\": 1024", "\"n\": 2097152", "cost"),
        ("\"salt\": \"", "\"salt\": \"zz", "hex"),
        ("\"pubkey\": \"", "\"pubkey\": \"00", "public key"),
    ] {
        let mut world = World::new();
        let (_, path) = world.identity();
        edit(&path, from, to);
        let refusal = refusal(&path);
        let found = match &refusal {
            KeystoreError::Version { found: 5, .. } => "newer",
            KeystoreError::Malformed { source, .. } => match source {
                MalformedKeystore::Json(_) => "json",
                MalformedKeystore::Hex { .. } => "hex",
                MalformedKeystore::Function { .. } => "function",
                MalformedKeystore::Cost(_) => "cost",
                MalformedKeystore::PublicKey => "public key",
            },
            _ => "other",
        };
        assert_eq!(found, expected, "{to}: {refusal}");
    }
}

#[test]
fn a_changed_public_key_and_the_other_kind_are_noticed() {
    let mut world = World::new();
    let (secret, path) = world.identity();
    let other = IdentitySecret::generate(&mut world.rng).public();
    edit(&path, &secret.public().to_hex(), &other.to_hex());
    assert!(matches!(
        refusal(&path),
        KeystoreError::WrongPublicKey { .. }
    ));

    let (share, path) = world.share();
    assert_eq!(
        Keystore::read(&path).unwrap().public(),
        PublicKey::Share(share.public_key())
    );
    assert!(matches!(
        refusal(&path),
        KeystoreError::WrongKind {
            expected: KeyKind::Identity,
            found: KeyKind::Share,
            ..
        }
    ));
}

#[test]
fn files_that_others_can_read_are_refused() {
    let mut world = World::new();
    let (_, path) = world.identity();
    for mode in [0o640, 0o604, 0o620, 0o610] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(
            matches!(refusal(&path), KeystoreError::Exposed { .. }),
            "{mode:o}"
        );
    }
    let open = world.write("passphrase", "correct horse", 0o644);
    assert!(matches!(
        Passphrase::from_file(&open),
        Err(KeystoreError::Exposed { mode: 0o644, .. })
    ));
}

#[test]
fn passphrase_files_must_hold_text() {
    let world = World::new();
    let empty = world.write("empty", "\nsecond line\n", 0o600);
    assert!(matches!(
        Passphrase::from_file(&empty),
        Err(KeystoreError::EmptyPassphrase { .. })
    ));
    let long = world.write("long", &"x".repeat(5000), 0o600);
    assert!(matches!(
        Passphrase::from_file(&long),
        Err(KeystoreError::TooLong { found: 5000, .. })
    ));
    let binary = world.write("binary", "", 0o600);
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    assert!(matches!(
        Passphrase::from_file(&binary),
        Err(KeystoreError::PassphraseText { .. })
    ));
    let missing = world.path("missing");
    assert!(matches!(
        Passphrase::from_file(&missing),
        Err(KeystoreError::Read { .. })
    ));
}
