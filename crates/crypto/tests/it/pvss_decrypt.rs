//! What members get out of dealings.

use bls12_381::{G1Affine, G1Projective, G2Affine, Scalar as TheirScalar};
use quorate_crypto::bls::{G2, Scalar, lagrange_at_zero};
use quorate_crypto::pvss::{
    ChunkFault, ChunkOpening, ChunkTable, Dealing, DecryptError, EncryptionSecret, OpeningError,
    Parameters, Recipients, Sequential, cheat, deal,
};
use quorate_crypto::{PointError, ScalarError, ShareSecret, ThresholdPublic};
use quorate_types::{CodecError, Decode, Encode, EncryptionKey, ThresholdKey, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::sync::OnceLock;

const CONTEXT: [u8; 32] = [4; 32];

/// One table for all tests, as a program has it.
fn table() -> &'static ChunkTable {
    static TABLE: OnceLock<ChunkTable> = OnceLock::new();
    TABLE.get_or_init(ChunkTable::new)
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A committee with all its secrets.
struct Committee {
    parameters: Parameters,
    secrets: Vec<EncryptionSecret>,
    recipients: Recipients,
}

impl Committee {
    fn new(members: u16, thresholds: &[u16]) -> Self {
        let mut rng = rng(u64::from(members) << 8);
        let secrets: Vec<_> = (0..members)
            .map(|_| EncryptionSecret::generate(&mut rng))
            .collect();
        let keys: Vec<EncryptionKey> = secrets.iter().map(EncryptionSecret::public).collect();
        Self {
            parameters: Parameters::new(members, thresholds).unwrap(),
            secrets,
            recipients: Recipients::parse(&keys).unwrap(),
        }
    }

    fn deal(&self, secrets: &[Option<&ShareSecret>], seed: u64) -> Vec<u8> {
        deal(
            &self.parameters,
            &CONTEXT,
            &self.recipients,
            secrets,
            &mut rng(seed),
        )
        .unwrap()
    }

    fn validate(&self, bytes: &[u8]) -> Dealing {
        let expected = vec![None; self.parameters.lanes()];
        let (parameters, recipients) = (&self.parameters, &self.recipients);
        Dealing::validate(
            parameters,
            &CONTEXT,
            recipients,
            &expected,
            bytes,
            &Sequential,
        )
        .unwrap()
    }

    fn honest(&self, seed: u64) -> Dealing {
        self.validate(&self.deal(&vec![None; self.parameters.lanes()], seed))
    }

    fn members(&self) -> impl DoubleEndedIterator<Item = ValidatorIndex> {
        (0..self.parameters.members()).map(ValidatorIndex)
    }

    fn secret(&self, member: ValidatorIndex) -> &EncryptionSecret {
        &self.secrets[usize::from(member.0)]
    }
}

fn key(point: &G2) -> ThresholdKey {
    ThresholdKey(point.to_bytes())
}

#[test]
fn every_member_decrypts_the_shares_that_were_committed_to() {
    for members in [4, 16] {
        let faults = (members - 1) / 3;
        let committee = Committee::new(members, &[members - faults, faults + 1]);
        let secret = ShareSecret::random(&mut rng(99));
        let bytes = committee.deal(&[Some(&secret), None], 5);
        let dealing = committee.validate(&bytes);
        let mut shares: [Vec<ShareSecret>; 2] = Default::default();
        for member in committee.members() {
            let decrypted = dealing
                .decrypt(committee.secret(member), member, table())
                .unwrap();
            assert_eq!(decrypted.faults, []);
            assert_eq!(decrypted.shares.len(), 2);
            for (lane, share) in decrypted.shares.into_iter().enumerate() {
                assert_eq!(
                    share.public_key(),
                    key(dealing.commitment(lane, member.0 + 1))
                );
                shares[lane].push(share);
            }
        }
        assert_eq!(key(dealing.commitment(0, 0)), secret.public_key());
        // As many shares as the threshold says make the secret.
        for (lane, threshold) in committee.parameters.thresholds().iter().enumerate() {
            let chosen: Vec<_> = committee
                .members()
                .rev()
                .take(usize::from(*threshold))
                .collect();
            let indices: Vec<_> = chosen.iter().map(|member| (*member).into()).collect();
            let weights: Vec<Scalar> = lagrange_at_zero(&indices).unwrap();
            let held = chosen
                .iter()
                .map(|member| &shares[lane][usize::from(member.0)]);
            let terms: Vec<_> = weights.into_iter().zip(held).collect();
            let sum = ShareSecret::weighted_sum(&terms);
            assert_eq!(sum.public_key(), key(dealing.commitment(lane, 0)));
        }
    }
}

#[test]
fn summed_shares_sign_for_the_summed_key() {
    let committee = Committee::new(4, &[3]);
    let dealings: Vec<Dealing> = (0..3).map(|seed| committee.honest(seed)).collect();
    let shares: Vec<ShareSecret> = committee
        .members()
        .map(|member| {
            let decrypt = |dealing: &Dealing| {
                let secret = committee.secret(member);
                dealing
                    .decrypt(secret, member, table())
                    .unwrap()
                    .shares
                    .remove(0)
            };
            ShareSecret::sum(&dealings.iter().map(decrypt).collect::<Vec<_>>())
        })
        .collect();
    let sum = |k| {
        key(&G2::sum(
            dealings.iter().map(|dealing| dealing.commitment(0, k)),
        ))
    };
    let share_keys: Vec<ThresholdKey> = (1..=4).map(sum).collect();
    let public = ThresholdPublic::parse(&sum(0), &share_keys, 3).unwrap();
    let message = b"message";
    let signed: Vec<_> = committee
        .members()
        .zip(&shares)
        .skip(1)
        .map(|(member, share)| (member, share.sign_share(message)))
        .collect();
    let combined = public.combine(message, &signed).unwrap();
    public.verify(message, &combined.signature).unwrap();
    assert_eq!(combined.bad, []);
}

#[test]
fn another_key_or_member_decrypts_nothing() {
    let committee = Committee::new(4, &[3]);
    let dealing = committee.honest(1);
    let decrypt = |secret, member| {
        dealing
            .decrypt(secret, ValidatorIndex(member), table())
            .err()
    };
    let secret = &committee.secrets[1];
    assert_eq!(decrypt(secret, 1), None);
    let index = ValidatorIndex(2);
    assert_eq!(decrypt(secret, 2), Some(DecryptError::Key { index }));
    let index = ValidatorIndex(4);
    assert_eq!(
        decrypt(secret, 4),
        Some(DecryptError::UnknownMember { index, members: 4 })
    );
    let stranger = EncryptionSecret::generate(&mut rng(1));
    let index = ValidatorIndex(1);
    assert_eq!(decrypt(&stranger, 1), Some(DecryptError::Key { index }));
}

/// The whole of decryption once more, with the other implementation of the curve and no table.
#[test]
fn another_implementation_decrypts_the_same_share() {
    let committee = Committee::new(4, &[3]);
    let bytes = committee.deal(&[None], 8);
    let dealing = committee.validate(&bytes);
    let member = ValidatorIndex(2);
    let share = dealing
        .decrypt(committee.secret(member), member, table())
        .unwrap()
        .shares
        .remove(0);

    // One lane of four members: five commitments and a mask in G2, then 16 points R and four rows of 16 points C.
    let start = 6 * 96;
    let point = |position: usize| {
        let at = start + 48 * position;
        G1Affine::from_compressed(bytes[at..at + 48].try_into().unwrap()).unwrap()
    };
    let mut secret = *committee.secret(member).expose_bytes();
    secret.reverse();
    let secret = TheirScalar::from_bytes(&secret).unwrap();
    let base = TheirScalar::from(1 << 16);
    let mut expected = TheirScalar::zero();
    for chunk in (0..16).rev() {
        let ciphertext = point(16 + 16 * usize::from(member.0) + chunk);
        let encrypted = G1Projective::from(ciphertext) - point(chunk) * secret;
        let mut multiple = G1Projective::identity();
        let found = (0u64..1 << 16).find(|_| {
            let found = multiple == encrypted;
            multiple += G1Affine::generator();
            found
        });
        expected = expected * base + TheirScalar::from(found.unwrap());
    }
    let mut expected_bytes = expected.to_bytes();
    expected_bytes.reverse();
    assert_eq!(*share.expose_bytes(), expected_bytes);
    let key = G2Affine::from(G2Affine::generator() * expected);
    assert_eq!(key.to_compressed(), share.public_key().0);
}

/// Everything that an honest dealing's own recipients can say about its chunks.
#[test]
fn no_opening_convicts_an_honest_dealer() {
    let committee = Committee::new(4, &[3, 2]);
    let dealing = committee.honest(3);
    let member = ValidatorIndex(1);
    let secret = committee.secret(member);
    let verify = |opening: &ChunkOpening| opening.verify(&dealing, &committee.recipients, &CONTEXT);
    let open = |lane, chunk, value, secret| {
        let fault = ChunkFault { lane, chunk, value };
        ChunkOpening::prove(&dealing, secret, member, &fault, &CONTEXT, &mut rng(1))
    };
    // The lowest chunk of the share, as its owner knows it.
    let share = dealing
        .decrypt(secret, member, table())
        .unwrap()
        .shares
        .remove(0);
    let bytes = share.expose_bytes();
    let truth = i64::from(u16::from_be_bytes([bytes[30], bytes[31]]));
    assert_eq!(
        verify(&open(0, 0, truth, secret)),
        Err(OpeningError::Canonical { value: truth })
    );
    for value in [0, 65_535] {
        assert_eq!(
            verify(&open(0, 0, value, secret)),
            Err(OpeningError::Canonical { value })
        );
    }
    for value in [
        -1,
        65_536,
        truth + 65_536,
        truth - 65_536,
        -truth - 1,
        i64::MAX,
        i64::MIN,
    ] {
        assert_eq!(
            verify(&open(0, 0, value, secret)),
            Err(OpeningError::Value),
            "{value}"
        );
        assert_eq!(
            verify(&open(1, 15, value, secret)),
            Err(OpeningError::Value),
            "{value}"
        );
    }
    // A decrypted point that fits the value has no proof.
    let stranger = EncryptionSecret::generate(&mut rng(9));
    assert_eq!(
        verify(&open(0, 0, 65_536, &stranger)),
        Err(OpeningError::Value)
    );
    let mut bytes = open(0, 0, 65_536, secret).to_bytes();
    let ciphertext = committee.deal(&[None, None], 3)[12 * 96 + 48 * (32 + 32)..][..48].to_vec();
    let ciphertext = quorate_crypto::bls::G1::from_bytes(&ciphertext).unwrap();
    let claimed = quorate_crypto::bls::G1::generator().multiply(&Scalar::from(65_536));
    bytes[12..60].copy_from_slice(&ciphertext.add(&claimed.negate()).to_bytes());
    assert_eq!(
        verify(&ChunkOpening::from_bytes(&bytes).unwrap()),
        Err(OpeningError::Proof)
    );
}

/// A dealing of a cheater, with the chunk that is none.
fn lying(committee: &Committee, lane: usize, member: u16, negative: bool) -> (Dealing, i64) {
    let member = ValidatorIndex(member);
    let lie = if negative {
        cheat::Lie::NegativeChunk { lane, member }
    } else {
        cheat::Lie::LargeChunk { lane, member }
    };
    let (parameters, recipients) = (&committee.parameters, &committee.recipients);
    let secrets = vec![None; parameters.lanes()];
    let bytes = cheat::deal(parameters, &CONTEXT, recipients, &secrets, lie, &mut rng(6)).unwrap();
    // The largest of which a cheater's sums are in range whatever the challenge: Z - 1 - S, where Z = 256 S.
    let largest = i64::try_from(parameters.chunk_bound() / 256 * 255 - 1).unwrap();
    (
        committee.validate(&bytes),
        if negative { -largest } else { largest },
    )
}

#[test]
fn chunks_out_of_range_are_decrypted_and_convict_their_dealer() {
    let committee = Committee::new(4, &[3, 2]);
    let (member, lane) = (ValidatorIndex(2), 1);
    let secret = committee.secret(member);
    let recipients = &committee.recipients;
    for negative in [false, true] {
        let (dealing, value) = lying(&committee, 1, 2, negative);
        let decrypted = dealing.decrypt(secret, member, table()).unwrap();
        let fault = ChunkFault {
            lane,
            chunk: 0,
            value,
        };
        assert_eq!(decrypted.faults, [fault]);
        for (lane, share) in decrypted.shares.iter().enumerate() {
            assert_eq!(share.public_key(), key(dealing.commitment(lane, 3)));
        }
        // The others see nothing of it.
        for other in committee.members().filter(|other| *other != member) {
            let decrypted = dealing
                .decrypt(committee.secret(other), other, table())
                .unwrap();
            assert_eq!(decrypted.faults, []);
        }

        let opening = ChunkOpening::prove(&dealing, secret, member, &fault, &CONTEXT, &mut rng(2));
        assert_eq!(opening.verify(&dealing, recipients, &CONTEXT), Ok(()));
        assert_eq!((opening.member(), opening.fault()), (member, fault));
        let bytes = opening.to_bytes();
        assert_eq!(bytes.len(), 124);
        assert_eq!(ChunkOpening::from_bytes(&bytes), Ok(opening.clone()));
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(
            ChunkOpening::from_bytes(&longer),
            Err(CodecError::Trailing { extra: 1 })
        );
        assert!(ChunkOpening::from_bytes(&bytes[..123]).is_err());

        // It is for this dealing, these recipients and this context.
        let other = OpeningError::OtherDealing;
        assert_eq!(opening.verify(&dealing, recipients, &[5; 32]), Err(other));
        let strangers = Committee::new(5, &[3, 2]).recipients;
        assert_eq!(opening.verify(&dealing, &strangers, &CONTEXT), Err(other));
        let honest = committee.honest(6);
        assert_eq!(
            opening.verify(&honest, recipients, &CONTEXT),
            Err(OpeningError::Value)
        );
    }
}

#[test]
fn an_opening_with_any_bit_flipped_convicts_nobody() {
    let committee = Committee::new(4, &[3]);
    let (dealing, value) = lying(&committee, 0, 1, false);
    let fault = ChunkFault {
        lane: 0,
        chunk: 0,
        value,
    };
    let member = ValidatorIndex(1);
    let secret = committee.secret(member);
    let opening = ChunkOpening::prove(&dealing, secret, member, &fault, &CONTEXT, &mut rng(2));
    let verify = |bytes: &[u8]| {
        let opening = ChunkOpening::from_bytes(bytes).unwrap();
        opening.verify(&dealing, &committee.recipients, &CONTEXT)
    };
    let bytes = opening.to_bytes();
    assert_eq!(verify(&bytes), Ok(()));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&flipped).is_err(), "bit {bit}");
    }
    let with = |place: usize, part: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[place..place + part.len()].copy_from_slice(part);
        verify(&bytes)
    };
    let unknown = |member, lane, chunk| {
        let member = ValidatorIndex(member);
        Err(OpeningError::UnknownChunk {
            member,
            lane,
            chunk,
        })
    };
    assert_eq!(with(0, &[4, 0]), unknown(4, 0, 0));
    assert_eq!(with(0, &[0xff, 0xff]), unknown(0xffff, 0, 0));
    assert_eq!(with(2, &[1]), unknown(1, 1, 0));
    assert_eq!(with(3, &[16]), unknown(1, 0, 16));
    assert_eq!(with(4, &[0; 8]), Err(OpeningError::Canonical { value: 0 }));
    assert_eq!(
        with(4, &[1, 0, 0, 0, 0, 0, 0, 0]),
        Err(OpeningError::Canonical { value: 1 })
    );
    let identity = quorate_crypto::bls::G1::identity().to_bytes();
    assert_eq!(
        with(12, &identity),
        Err(OpeningError::Point(PointError::Identity))
    );
    let not_canonical = Err(OpeningError::Scalar(ScalarError::NotCanonical));
    assert_eq!(with(60, &[0xff; 32]), not_canonical);
    assert_eq!(with(92, &[0xff; 32]), not_canonical);
    assert_eq!(with(60, &[0; 32]), Err(OpeningError::Proof));
    // Another member's chunk, or another chunk, with the same value is not opened by this.
    assert_eq!(with(0, &[0, 0]), Err(OpeningError::Value));
    assert_eq!(with(3, &[1]), Err(OpeningError::Value));
}

#[test]
fn a_chunk_opened_in_another_context_convicts_nobody() {
    let committee = Committee::new(4, &[3]);
    let (dealing, value) = lying(&committee, 0, 1, true);
    let fault = ChunkFault {
        lane: 0,
        chunk: 0,
        value,
    };
    let member = ValidatorIndex(1);
    let secret = committee.secret(member);
    let opening = ChunkOpening::prove(&dealing, secret, member, &fault, &[5; 32], &mut rng(2));
    let verdict = opening.verify(&dealing, &committee.recipients, &CONTEXT);
    assert_eq!(verdict, Err(OpeningError::Proof));
}
