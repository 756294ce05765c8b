//! A ceremony with its members' secrets.

use std::sync::{Arc, OnceLock};

use quorate_crypto::IdentitySecret;
use quorate_crypto::pvss::{ChunkTable, EncryptionSecret};
use quorate_dkg::{Ceremony, Definition, Enrolment, Purpose};

use crate::ceremony::mix::CeremonyMix;
use crate::dice::Dice;

/// What a world's members have in common, and their secrets.
pub(crate) struct CeremonySetup {
    pub(crate) ceremony: Arc<Ceremony>,
    /// An earlier attempt of the same members: dealings of it are replayed.
    pub(crate) earlier: Ceremony,
    pub(crate) identities: Vec<Arc<IdentitySecret>>,
    pub(crate) encryption: Vec<Arc<EncryptionSecret>>,
}

impl CeremonySetup {
    pub(crate) fn new(seed: u64, size: u16, mix: &CeremonyMix) -> Self {
        let mut dice = Dice::new(seed, size, "ceremony keys");
        let members = 0..size;
        let identities: Vec<_> = members
            .map(|_| Arc::new(IdentitySecret::from_bytes(&dice.bytes())))
            .collect();
        let encryption: Vec<_> = identities
            .iter()
            .map(|_| Arc::new(EncryptionSecret::generate(dice.rng())))
            .collect();
        let enrol = |(number, identity): (usize, &Arc<IdentitySecret>)| {
            let name = format!("member {number}");
            let address = format!("member-{number}.example:7000");
            let encryption = &encryption[number];
            Enrolment::new(identity, encryption, name, address, dice.rng())
                .expect("name and address are well formed")
        };
        let enrolments: Vec<_> = identities.iter().enumerate().map(enrol).collect();
        let organiser = IdentitySecret::from_bytes(&dice.bytes());
        let ceremony = |attempt| {
            let definition = Definition::sign(
                "simulation".to_owned(),
                Purpose::Genesis,
                attempt,
                Some(mix.quorum),
                enrolments.clone(),
                &organiser,
            );
            Ceremony::new(definition).expect("the definition is in order")
        };
        Self {
            ceremony: Arc::new(ceremony(1)),
            earlier: ceremony(0),
            identities,
            encryption,
        }
    }
}

/// The table for decryption, the same in all worlds.
pub(crate) fn chunk_table() -> &'static ChunkTable {
    static TABLE: OnceLock<ChunkTable> = OnceLock::new();
    TABLE.get_or_init(ChunkTable::new)
}
