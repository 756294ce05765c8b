//! Key stores of a ceremony, opened with the reason when they do not open; and the threads for what takes long.

use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use quorate_crypto::pvss::EncryptionSecret;
use quorate_crypto::{IdentitySecret, ShareSecret};
use quorate_node::ceremony::RayonParallel;
use quorate_node::keystore::{Keystore, Passphrase, PublicKey, ScryptCost};
use quorate_types::{EncryptionKey, ThresholdKey};

use crate::failure::{Failure, Kind, OrFail};
use crate::random;

/// All processors.
pub(crate) fn threads() -> Result<RayonParallel, Failure> {
    RayonParallel::new().or_fail(Kind::Other)
}

pub(crate) fn identity(path: &Path, passphrase: &Passphrase) -> anyhow::Result<IdentitySecret> {
    Ok(Keystore::read(path)?.open_identity(passphrase, path)?)
}

pub(crate) fn encryption(path: &Path, passphrase: &Passphrase) -> anyhow::Result<EncryptionSecret> {
    Ok(Keystore::read(path)?.open_encryption(passphrase, path)?)
}

/// The public half of an encryption key store, which needs no passphrase.
pub(crate) fn encryption_public(path: &Path) -> anyhow::Result<EncryptionKey> {
    match Keystore::read(path)?.public() {
        PublicKey::Encryption(key) => Ok(key),
        other => Err(anyhow!(
            "{} holds a {}, an encryption key is needed here",
            path.display(),
            other.kind()
        )),
    }
}

pub(crate) fn share(path: &Path, passphrase: &Passphrase) -> anyhow::Result<ShareSecret> {
    Ok(Keystore::read(path)?.open_share(passphrase, path)?)
}

/// Seals a share into a new key store. One of the same share that is there already and opens is left as it is.
pub(crate) fn seal_share(
    secret: &ShareSecret,
    path: &Path,
    passphrase: &Passphrase,
    cost: ScryptCost,
) -> anyhow::Result<()> {
    if path.exists() {
        let there = share(path, passphrase)?;
        return require_share(there.public_key(), secret.public_key(), path);
    }
    Keystore::create_erasable_share(secret, path, passphrase, cost, &mut random::generator())
        .with_context(|| format!("cannot seal the share in {}", path.display()))
}

/// Requires that a key store holds the share of a key.
pub(crate) fn require_share(
    found: ThresholdKey,
    wanted: ThresholdKey,
    path: &Path,
) -> anyhow::Result<()> {
    ensure!(
        found == wanted,
        "{} holds another share than the transcript gives this member",
        path.display()
    );
    Ok(())
}
