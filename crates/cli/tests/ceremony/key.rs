//! A key made in one process from the members' own key stores: quicker than a ceremony, where another one is tested.

use std::path::Path;

use quorate_crypto::pvss::{ChunkTable, EncryptionSecret, Sequential};
use quorate_crypto::{IdentitySecret, ShareSecret};
use quorate_dkg::{Ceremony, HIGH, Keys, SignedDealing, Transcript, transcript_hash};
use quorate_node::ceremony_file;
use quorate_node::keystore::{Keystore, Passphrase};
use quorate_types::{Encode, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::desk::Desk;

/// Deals for all members of a definition and writes the transcript.
pub(crate) fn make(desk: &Desk, definition: &str, members: usize, out: &Path) {
    let definition = ceremony_file::read_definition(&desk.path(definition)).unwrap();
    let ceremony = Ceremony::new(definition).unwrap();
    let passphrase = Passphrase::from_file(&desk.path("passphrase")).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let deal = |member| {
        let identity = identity(desk, member, &passphrase);
        SignedDealing::deal(&ceremony, &identity, None, &mut rng).unwrap()
    };
    let signed: Vec<SignedDealing> = (0..members).map(deal).collect();
    let dealings: Vec<_> = signed
        .iter()
        .map(|dealing| {
            let valid = dealing.validate(&ceremony, &Sequential).unwrap();
            (dealing.dealer, valid)
        })
        .collect();
    let pairs = dealings.iter().map(|(dealer, dealing)| (*dealer, dealing));
    let keys = Keys::of(&ceremony, HIGH, pairs);
    let hashes: Vec<_> = signed
        .iter()
        .map(|dealing| (dealing.dealer, dealing.hash()))
        .collect();
    let message = ceremony.completion_message(&transcript_hash(&ceremony.id(), &hashes, &keys));
    let table = ChunkTable::new();
    let sign = |index: ValidatorIndex| {
        let secret = encryption(desk, index.position(), &passphrase);
        let lanes: Vec<ShareSecret> = dealings
            .iter()
            .map(|(_, dealing)| {
                let mut decrypted = dealing.decrypt(&secret, index, &table).unwrap();
                decrypted.shares.swap_remove(HIGH)
            })
            .collect();
        (index, ShareSecret::sum(&lanes).sign_share(&message))
    };
    let quorum = usize::from(ceremony.quorum());
    let shares: Vec<_> = ceremony.indices().take(quorum).map(sign).collect();
    let public = keys.parse(ceremony.quorum()).unwrap();
    let certificate = public.combine(&message, &shares).unwrap().signature;
    let transcript = Transcript {
        definition: ceremony.definition().clone(),
        dealings: signed,
        keys,
        certificate,
    };
    std::fs::write(out, transcript.to_bytes()).unwrap();
}

fn identity(desk: &Desk, member: usize, passphrase: &Passphrase) -> IdentitySecret {
    let path = desk.path(&format!("m{member}/identity.json"));
    let keystore = Keystore::read(&path).unwrap();
    keystore.open_identity(passphrase, &path).unwrap()
}

fn encryption(desk: &Desk, member: usize, passphrase: &Passphrase) -> EncryptionSecret {
    let path = desk.path(&format!("m{member}/encryption.json"));
    let keystore = Keystore::read(&path).unwrap();
    keystore.open_encryption(passphrase, &path).unwrap()
}
