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
        (
            "\"version\": 4",
            "\"version\": 4, \"sealing\": \"../x\"",
            "sealing name",
        ),
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
                MalformedKeystore::SealingName => "sealing name",
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

/// Erasable key stores.
mod erasable {
    use quorate_crypto::pvss::EncryptionSecret;
    use quorate_node::keystore::{SEALING_SUFFIX, erase, rotate};

    use super::*;

    impl World {
        fn encryption(&mut self) -> (EncryptionSecret, PathBuf) {
            let secret = EncryptionSecret::generate(&mut self.rng);
            let path = self.path("encryption.json");
            let cost = ScryptCost::DEVNET;
            Keystore::create_encryption(&secret, &path, &passphrase(), cost, &mut self.rng)
                .unwrap();
            (secret, path)
        }

        /// All sealing files, sorted.
        fn sealing(&self) -> Vec<PathBuf> {
            let entries = std::fs::read_dir(self.directory.path()).unwrap();
            let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
            found.retain(|path| path.to_string_lossy().ends_with(SEALING_SUFFIX));
            found.sort();
            found
        }
    }

    fn open(path: &Path, passphrase: &Passphrase) -> Result<EncryptionSecret, KeystoreError> {
        Keystore::read(path)?.open_encryption(passphrase, path)
    }

    fn error(path: &Path) -> KeystoreError {
        open(path, &passphrase()).err().expect("it must be refused")
    }

    #[test]
    fn they_open_with_passphrase_and_sealing_key_together() {
        let mut world = World::new();
        let (secret, path) = world.encryption();
        let opened = open(&path, &passphrase()).unwrap();
        assert_eq!(opened.public(), secret.public());
        let keystore = Keystore::read(&path).unwrap();
        assert!(keystore.is_erasable());
        assert_eq!(keystore.public(), PublicKey::Encryption(secret.public()));
        assert!(matches!(
            open(&path, &Passphrase::new("correct house")),
            Err(KeystoreError::WrongPassphrase { .. })
        ));

        let sealing = world.sealing().pop().unwrap();
        let mode = std::fs::metadata(&sealing).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let content = std::fs::read(&sealing).unwrap();
        let mut changed = content.clone();
        changed[40] ^= 1;
        std::fs::write(&sealing, &changed).unwrap();
        assert!(matches!(
            error(&path),
            KeystoreError::WrongPassphrase { .. }
        ));
        changed[3] ^= 1;
        for damaged in [&changed[..], &content[..50], &[]] {
            std::fs::write(&sealing, damaged).unwrap();
            assert!(matches!(error(&path), KeystoreError::ForeignSealing { .. }));
        }
        std::fs::write(&sealing, &content).unwrap();
        std::fs::set_permissions(&sealing, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(error(&path), KeystoreError::Exposed { .. }));
    }

    #[test]
    fn erasing_is_for_ever_and_may_be_repeated_and_interrupted() {
        let mut world = World::new();
        let (_, path) = world.encryption();
        let backup = world.path("backup.json");
        std::fs::copy(&path, &backup).unwrap();
        let sealing = world.sealing().pop().unwrap();

        // A crash after the overwriting, before the removal.
        let length = std::fs::metadata(&sealing).unwrap().len();
        std::fs::write(&sealing, vec![0; usize::try_from(length).unwrap()]).unwrap();
        assert!(matches!(error(&path), KeystoreError::Erased { .. }));
        assert!(erase(&path).unwrap());
        assert_eq!(world.sealing(), [] as [PathBuf; 0]);
        assert!(!erase(&path).unwrap(), "nothing was left");
        for copy in [&path, &backup] {
            assert!(matches!(error(copy), KeystoreError::Erased { .. }));
        }
        assert!(path.exists(), "what it was can still be seen");

        let (_, identity) = world.identity();
        assert!(matches!(
            erase(&identity),
            Err(KeystoreError::NotErasable { .. })
        ));
    }

    #[test]
    fn rotation_changes_passphrase_and_sealing_key_and_old_copies_open_no_more() {
        let mut world = World::new();
        let (secret, path) = world.encryption();
        let backup = world.path("backup.json");
        std::fs::copy(&path, &backup).unwrap();
        let before = world.sealing();
        let (new, cost) = (Passphrase::new("battery staple"), ScryptCost::DEVNET);

        let wrong = rotate(&path, &new, &passphrase(), cost, &mut world.rng);
        assert!(matches!(wrong, Err(KeystoreError::WrongPassphrase { .. })));
        assert_eq!(world.sealing(), before);

        rotate(&path, &passphrase(), &new, cost, &mut world.rng).unwrap();
        assert_eq!(open(&path, &new).unwrap().public(), secret.public());
        assert!(matches!(
            error(&path),
            KeystoreError::WrongPassphrase { .. }
        ));
        assert!(matches!(error(&backup), KeystoreError::Erased { .. }));
        assert_eq!(world.sealing().len(), 1);

        // One that is not erasable stays so.
        let (identity, path) = world.identity();
        rotate(&path, &passphrase(), &new, cost, &mut world.rng).unwrap();
        let opened = Keystore::read(&path).unwrap().open_identity(&new, &path);
        assert_eq!(opened.unwrap().public(), identity.public());
        assert!(!Keystore::read(&path).unwrap().is_erasable());
    }

    #[test]
    fn a_rotation_that_was_cut_off_anywhere_leaves_a_key_store_that_opens_and_can_be_erased() {
        let (new, cost) = (Passphrase::new("battery staple"), ScryptCost::DEVNET);
        // Before the key store was replaced: the new sealing key lies about.
        let mut world = World::new();
        let (_, path) = world.encryption();
        let old = (
            std::fs::read(&path).unwrap(),
            world.sealing().pop().unwrap(),
        );
        let old_sealing = std::fs::read(&old.1).unwrap();
        rotate(&path, &passphrase(), &new, cost, &mut world.rng).unwrap();
        let replaced = std::fs::read(&path).unwrap();
        for (keystore, right) in [(&old.0, passphrase()), (&replaced, new)] {
            std::fs::write(&path, keystore).unwrap();
            std::fs::write(&old.1, &old_sealing).unwrap();
            std::fs::set_permissions(&old.1, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(world.sealing().len(), 2);
            assert!(open(&path, &right).is_ok());
        }
        assert!(erase(&path).unwrap());
        assert_eq!(world.sealing(), [] as [PathBuf; 0]);
        std::fs::write(&path, &old.0).unwrap();
        assert!(matches!(error(&path), KeystoreError::Erased { .. }));
    }

    #[test]
    fn shares_can_be_erasable_too() {
        let mut world = World::new();
        let secret = ShareSecret::random(&mut world.rng);
        let (path, cost) = (world.path("share.json"), ScryptCost::DEVNET);
        let mut create = |secret| {
            Keystore::create_erasable_share(secret, &path, &passphrase(), cost, &mut world.rng)
        };
        create(&secret).unwrap();
        assert!(matches!(create(&secret), Err(WriteError::Exists { .. })));
        let opened = Keystore::read(&path).unwrap();
        let opened = opened.open_share(&passphrase(), &path).unwrap();
        assert_eq!(opened.public_key(), secret.public_key());
        assert_eq!(world.sealing().len(), 1);
    }
}

#[test]
fn passphrases_come_over_descriptors() {
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"correct horse\nrest").unwrap();
    drop(writer);
    let descriptor = u32::try_from(reader.as_raw_fd()).unwrap();
    let passphrase = Passphrase::from_descriptor(descriptor).unwrap();
    let mut world = World::new();
    let (_, path) = world.identity();
    let keystore = Keystore::read(&path).unwrap();
    assert!(keystore.open_identity(&passphrase, &path).is_ok());

    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, &[b'x'; 5000]).unwrap();
    drop(writer);
    let descriptor = u32::try_from(reader.as_raw_fd()).unwrap();
    assert!(matches!(
        Passphrase::from_descriptor(descriptor),
        Err(KeystoreError::TooLong { most: 4096, .. })
    ));
    assert!(matches!(
        Passphrase::from_descriptor(987_654),
        Err(KeystoreError::Read { .. })
    ));
}
