//! A key ceremony of four members, and what it leaves behind.

use std::sync::{Arc, LazyLock};

use quorate_crypto::pvss::{ChunkTable, EncryptionSecret, Sequential};
use quorate_crypto::{IdentitySecret, ShareSecret};
use quorate_dkg::{
    Ceremony, Definition, Enrolment, HIGH, Keys, Previous, Purpose, SignedDealing, SignedHash,
    Transcript, transcript_hash,
};
use quorate_types::{TranscriptHash, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::chain::{CHAIN, MEMBERS, QUORUM};

/// The ceremony of all targets.
pub(crate) static GENESIS: LazyLock<Sample> = LazyLock::new(Sample::new);

/// A ceremony that came to its end.
pub(crate) struct Sample {
    pub(crate) ceremony: Arc<Ceremony>,
    pub(crate) identities: Vec<IdentitySecret>,
    pub(crate) dealings: Vec<SignedDealing>,
    pub(crate) transcript: Transcript,
    /// The same members, and that the key is another committee's already.
    pub(crate) handing: Definition,
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

impl Sample {
    fn new() -> Self {
        let members = 0..u64::from(MEMBERS);
        let identities: Vec<_> = members
            .clone()
            .map(|number| IdentitySecret::generate(&mut rng(number)))
            .collect();
        let encryption: Vec<_> = members
            .map(|number| EncryptionSecret::generate(&mut rng(100 + number)))
            .collect();
        let people = (0..).zip(identities.iter().zip(&encryption));
        let enrolments: Vec<Enrolment> = people
            .map(|(number, (identity, encryption))| {
                let name = format!("member {number}");
                let address = format!("member-{number}.example.net:7103");
                let mut rng = rng(200 + number);
                Enrolment::new(identity, encryption, name, address, &mut rng).unwrap()
            })
            .collect();
        let define = |purpose| {
            let name = "fuzz".to_owned();
            Definition::sign(name, purpose, 1, None, enrolments.clone(), &identities[0])
        };
        let ceremony = Arc::new(Ceremony::new(define(Purpose::Genesis)).unwrap());
        let deal = |identity: &IdentitySecret, seed| {
            SignedDealing::deal(&ceremony, identity, None, &mut rng(seed)).unwrap()
        };
        let dealings: Vec<_> = (300..)
            .zip(&identities)
            .map(|(seed, identity)| deal(identity, seed))
            .collect();
        let transcript = complete(&ceremony, dealings[..3].to_vec(), &encryption);
        let handing = define(Purpose::Reshare {
            previous: Previous {
                transcript: TranscriptHash([5; 32]),
                quorum: QUORUM,
                group_key: *CHAIN.committee.group_key(),
                members: CHAIN.committee.members().to_vec(),
            },
        });
        Self {
            ceremony,
            identities,
            dealings,
            transcript,
            handing,
        }
    }

    /// What a dealer signed: two of them convict it.
    pub(crate) fn signed_hash(&self, dealer: usize, body: &[u8]) -> SignedHash {
        let index = super::chain::member(dealer);
        let identity = &self.identities[dealer];
        let dealing = SignedDealing::sign(&self.ceremony, index, body.into(), identity);
        SignedHash {
            hash: dealing.hash(),
            signature: dealing.signature,
        }
    }
}

/// The transcript of these dealings, signed by the first quorum.
fn complete(
    ceremony: &Arc<Ceremony>,
    dealings: Vec<SignedDealing>,
    encryption: &[EncryptionSecret],
) -> Transcript {
    let table = ChunkTable::new();
    let valid: Vec<_> = dealings
        .iter()
        .map(|dealing| {
            let valid = dealing.validate(ceremony, &Sequential).unwrap();
            (dealing.dealer, valid)
        })
        .collect();
    let of_dealers = valid.iter().map(|(dealer, dealing)| (*dealer, dealing));
    let keys = Keys::of(ceremony, HIGH, of_dealers);
    let hashes: Vec<_> = dealings
        .iter()
        .map(|dealing| (dealing.dealer, dealing.hash()))
        .collect();
    let hash = transcript_hash(&ceremony.id(), &hashes, &keys);
    let message = ceremony.completion_message(&hash);
    let signers = ceremony.indices().take(usize::from(ceremony.quorum()));
    let shares: Vec<_> = signers
        .map(|me: ValidatorIndex| {
            let shares: Vec<ShareSecret> = valid
                .iter()
                .map(|(_, dealing)| {
                    let secret = &encryption[me.position()];
                    let decrypted = dealing.decrypt(secret, me, &table).unwrap();
                    decrypted.shares.into_iter().next().unwrap()
                })
                .collect();
            (me, ShareSecret::sum(&shares).sign_share(&message))
        })
        .collect();
    let public = keys.parse(ceremony.quorum()).unwrap();
    let certificate = public.combine(&message, &shares).unwrap().signature;
    Transcript {
        definition: ceremony.definition().clone(),
        dealings,
        keys,
        certificate,
    }
}
