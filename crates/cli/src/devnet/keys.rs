//! Keys of a devnet before its ceremony: identities, encryption keys, enrolments and the definition. They are made in one
//! place because all members are on one machine; real members make their own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use quorate_crypto::IdentitySecret;
use quorate_crypto::pvss::EncryptionSecret;
use quorate_dkg::{Ceremony, Definition, Enrolment, Purpose};
use quorate_node::ceremony_file;
use quorate_node::config::Listen;
use quorate_node::keystore::{Keystore, Passphrase, ScryptCost};
use quorate_types::IdentityKey;

use crate::ceremony::Directory;
use crate::random;

/// Where a seat's share ends, relative to its directory.
pub(crate) const SHARE: &str = "key/share.json";

/// One member of the ceremony, to be one validator of the network.
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) identity: IdentityKey,
    pub(crate) directory: PathBuf,
    /// What `quorate ceremony run` works in; the share ends there.
    pub(crate) ceremony_dir: PathBuf,
    pub(crate) encryption_keystore: PathBuf,
    pub(crate) listen: Listen,
}

/// Makes keys for as many members as there are listeners, and a directory for each that it can run the ceremony in.
pub(crate) fn enrol(
    directory: &Path,
    listeners: &[Listen],
    passphrase: &Passphrase,
) -> anyhow::Result<Vec<Seat>> {
    let mut rng = random::generator();
    let (mut seats, mut enrolments) = (Vec::new(), Vec::new());
    for (index, listen) in listeners.iter().enumerate() {
        let name = format!("validator-{index}");
        let folder = directory.join(&name);
        std::fs::create_dir(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let identity = IdentitySecret::generate(&mut rng);
        let cost = ScryptCost::DEVNET;
        Keystore::seal_identity(&identity, passphrase, cost, &mut rng)
            .write_new(&folder.join("identity.json"))?;
        let encryption = EncryptionSecret::generate(&mut rng);
        let keystore = folder.join("encryption.json");
        Keystore::create_encryption(&encryption, &keystore, passphrase, cost, &mut rng)?;
        let address = listen.peer.to_string();
        let enrolment = Enrolment::new(&identity, &encryption, name.clone(), address, &mut rng)?;
        ceremony_file::write_enrolment(&enrolment, &folder.join("enrolment.json"))?;
        enrolments.push(enrolment);
        seats.push(Seat {
            name,
            identity: identity.public(),
            ceremony_dir: folder.join("key"),
            directory: folder,
            encryption_keystore: keystore,
            listen: *listen,
        });
    }
    // The organiser needs no place of its own: it is forgotten when it has signed.
    let organiser = IdentitySecret::generate(&mut rng);
    let definition = Definition::sign(
        "devnet".into(),
        Purpose::Genesis,
        0,
        None,
        enrolments,
        &organiser,
    );
    let ceremony = Ceremony::new(definition)?;
    ceremony_file::write_definition(ceremony.definition(), &directory.join("ceremony.json"))?;
    for seat in &seats {
        let identity = seat.directory.join("identity.json");
        let (dir, encryption) = (&seat.ceremony_dir, &seat.encryption_keystore);
        Directory::prepare(dir, &ceremony, Some(&identity), encryption)?;
    }
    Ok(seats)
}
