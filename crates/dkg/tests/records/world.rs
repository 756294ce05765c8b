//! Members, ceremonies and whole transcripts from seeds.

use std::sync::{Arc, LazyLock};

use quorate_crypto::pvss::{ChunkTable, EncryptionSecret, Sequential};
use quorate_crypto::{IdentitySecret, ShareSecret};
use quorate_dkg::reshare::{Handover, Ordered, Ready, Reshare};
use quorate_dkg::{
    Ceremony, Definition, Enrolment, HIGH, Keys, Previous, Purpose, SignedDealing, Transcript,
    transcript_hash,
};
use quorate_types::{Signature, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// The table of chunks, which takes some hundredths of a second to make.
pub(crate) static TABLE: LazyLock<ChunkTable> = LazyLock::new(ChunkTable::new);

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// Whoever takes part: all secrets.
pub(crate) struct Person {
    pub(crate) identity: IdentitySecret,
    pub(crate) encryption: EncryptionSecret,
    pub(crate) enrolment: Enrolment,
}

impl Person {
    /// The person of a number; in each `generation` it has another encryption key.
    pub(crate) fn new(number: u64, generation: u64) -> Self {
        let identity = IdentitySecret::generate(&mut rng(number));
        let mut rng = rng(1_000_000 + number * 1000 + generation);
        let encryption = EncryptionSecret::generate(&mut rng);
        let name = format!("member {number}");
        let address = format!("member-{number}.example.net:7103");
        let enrolment = Enrolment::new(&identity, &encryption, name, address, &mut rng).unwrap();
        Self {
            identity,
            encryption,
            enrolment,
        }
    }
}

/// A committee with the secrets of all.
pub(crate) struct People(pub(crate) Vec<Person>);

impl People {
    pub(crate) fn new(numbers: impl IntoIterator<Item = u64>, generation: u64) -> Self {
        Self(
            numbers
                .into_iter()
                .map(|number| Person::new(number, generation))
                .collect(),
        )
    }

    pub(crate) fn enrolments(&self) -> Vec<Enrolment> {
        let people = self.0.iter();
        people.map(|person| person.enrolment.clone()).collect()
    }

    pub(crate) fn definition(&self, purpose: Purpose, attempt: u32) -> Definition {
        let name = "test".to_owned();
        Definition::sign(
            name,
            purpose,
            attempt,
            None,
            self.enrolments(),
            &organiser(),
        )
    }

    pub(crate) fn ceremony(&self, purpose: Purpose, attempt: u32) -> Arc<Ceremony> {
        Arc::new(Ceremony::new(self.definition(purpose, attempt)).unwrap())
    }

    /// The dealing of one dealer of a fresh key.
    pub(crate) fn deal(&self, ceremony: &Ceremony, dealer: usize) -> SignedDealing {
        let identity = &self.0[dealer].identity;
        SignedDealing::deal(ceremony, identity, None, &mut rng(dealer as u64)).unwrap()
    }

    /// A ceremony for a fresh key in which the members in `dealers` deal, and the first quorum signs.
    pub(crate) fn genesis(&self, ceremony: &Ceremony, dealers: &[usize]) -> Transcript {
        let dealings: Vec<SignedDealing> = dealers
            .iter()
            .map(|dealer| self.deal(ceremony, *dealer))
            .collect();
        self.complete(ceremony, dealings)
    }

    /// The transcript of these dealings, signed by the first quorum.
    pub(crate) fn complete(&self, ceremony: &Ceremony, dealings: Vec<SignedDealing>) -> Transcript {
        let valid: Vec<_> = dealings
            .iter()
            .map(|dealing| {
                (
                    dealing.dealer,
                    dealing.validate(ceremony, &Sequential).unwrap(),
                )
            })
            .collect();
        let keys = Keys::of(
            ceremony,
            HIGH,
            valid.iter().map(|(dealer, dealing)| (*dealer, dealing)),
        );
        let hashes: Vec<_> = dealings
            .iter()
            .map(|dealing| (dealing.dealer, dealing.hash()))
            .collect();
        let hash = transcript_hash(&ceremony.id(), &hashes, &keys);
        let message = ceremony.completion_message(&hash);
        let signers = ceremony.indices().take(usize::from(ceremony.quorum()));
        let shares: Vec<(ValidatorIndex, Signature)> = signers
            .map(|me| {
                let secret = &self.0[me.position()].encryption;
                let shares: Vec<ShareSecret> = valid
                    .iter()
                    .map(|(_, dealing)| {
                        let decrypted = dealing.decrypt(secret, me, &TABLE).unwrap();
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
}

pub(crate) fn organiser() -> IdentitySecret {
    IdentitySecret::generate(&mut rng(999_999))
}

/// Keys that a trusted dealer gave to people.
pub(crate) struct Dealt {
    pub(crate) previous: Previous,
    pub(crate) shares: Vec<ShareSecret>,
}

pub(crate) fn dealt(people: &People, quorum: u16) -> Dealt {
    let size = u16::try_from(people.0.len()).unwrap();
    let dealt = quorate_crypto::dealer::deal(size, quorum, &mut rng(77));
    let members = people.0.iter().zip(&dealt.shares_public);
    Dealt {
        previous: Previous {
            transcript: quorate_types::TranscriptHash([0; 32]),
            quorum,
            group_key: dealt.group,
            members: members
                .map(|(person, share_key)| quorate_types::Member {
                    identity: person.identity.public(),
                    share_key: *share_key,
                })
                .collect(),
        },
        shares: dealt.secrets,
    }
}

/// A resharing from people with shares to others.
pub(crate) struct Handing<'a> {
    pub(crate) ceremony: Arc<Ceremony>,
    pub(crate) old: &'a People,
    pub(crate) shares: &'a [ShareSecret],
    pub(crate) new: &'a People,
}

impl Handing<'_> {
    /// An old member's dealing.
    pub(crate) fn deal(&self, dealer: usize) -> SignedDealing {
        let identity = &self.old.0[dealer].identity;
        let share = Some(&self.shares[dealer]);
        SignedDealing::deal(&self.ceremony, identity, share, &mut rng(dealer as u64)).unwrap()
    }

    /// The list of these dealers' dealings, all of which count.
    pub(crate) fn ordered(&self, dealers: &[usize]) -> Reshare {
        let mut reshare = Reshare::new(Arc::clone(&self.ceremony)).unwrap();
        for dealer in dealers {
            let ordered = reshare.order(self.deal(*dealer), &Sequential);
            assert_eq!(ordered, Ordered::Counted);
        }
        reshare
    }

    /// All new members' shares.
    pub(crate) fn recover(&self, handover: &Handover) -> Vec<ShareSecret> {
        self.ceremony
            .indices()
            .map(|me| {
                let secret = &self.new.0[me.position()].encryption;
                let recovered = handover.recover(secret, me, &TABLE).unwrap();
                assert!(recovered.faults.is_empty());
                recovered.share
            })
            .collect()
    }

    pub(crate) fn ready(&self, handover: &Handover, shares: &[ShareSecret]) -> Vec<Ready> {
        let members = self.ceremony.indices().zip(shares);
        members
            .map(|(me, share)| handover.sign_ready(share, me).unwrap())
            .collect()
    }
}
