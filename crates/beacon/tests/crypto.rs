//! One turn with real keys and signatures, from the freeze to a light client that pins the beacon's key.
#![allow(clippy::unwrap_used)]

use quorate_beacon::{
    Beacon, BeaconError, BeaconGenesis, CryptoVerifier, Departure, Effect, FirstValidator,
    KeyProposal, MemberReady, Operation, Parameters, Phase, Placement, QuorumRule, Registration,
};
use quorate_crypto::dealer::{Dealt, deal};
use quorate_crypto::pvss::EncryptionSecret;
use quorate_crypto::{IdentitySecret, ThresholdPublic};
use quorate_light::TrustedBeacon;
use quorate_types::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const CHAIN: ChainId = ChainId([0xc4; 32]);

fn sign(dealt: &Dealt, message: &[u8]) -> Signature {
    let public = ThresholdPublic::parse(&dealt.group, &dealt.shares_public, 3).unwrap();
    let shares: Vec<_> = (0..3)
        .map(|index: u16| {
            let secret = &dealt.secrets[usize::from(index)];
            (ValidatorIndex(index), secret.sign_share(message))
        })
        .collect();
    public.combine(message, &shares).unwrap().signature
}

fn committee(epoch: Epoch, dealt: &Dealt, members: &[IdentityKey]) -> Committee {
    let members = members.iter().zip(&dealt.shares_public);
    let members = members.map(|(identity, share_key)| Member {
        identity: *identity,
        share_key: *share_key,
    });
    Committee::new(
        CHAIN,
        ShardId(0),
        epoch,
        None,
        dealt.group,
        members.collect(),
    )
    .unwrap()
}

fn certify(dealt: &Dealt, epoch: Epoch, height: u64, next: CommitteeHash) -> Certificate {
    let header = Header {
        chain: CHAIN,
        shard: ShardId(0),
        epoch,
        height: Height(height),
        previous: HeaderHash([0x22; 32]),
        leader_round: Round(height),
        leader_author: ValidatorIndex(0),
        leader: BlockId([0; 32]),
        timestamp_ms: height,
        transactions_total: 0,
        blocks_root: Hash32::ZERO,
        receipts_root: Hash32::ZERO,
        outbox_root: Hash32::ZERO,
        state_root: Hash32::ZERO,
        next_committee: next,
    };
    Certificate {
        signature: sign(dealt, &header.hash().signing_bytes()),
        header,
    }
}

#[test]
fn a_turn_with_real_keys_ends_in_a_proof_for_a_light_client() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let operator = IdentitySecret::generate(&mut rng);
    let mut validators: Vec<_> = (0..4)
        .map(|_| {
            (
                IdentitySecret::generate(&mut rng),
                EncryptionSecret::generate(&mut rng),
            )
        })
        .collect();
    validators.sort_by_key(|(identity, _)| identity.public());
    let members: Vec<_> = validators
        .iter()
        .map(|(identity, _)| identity.public())
        .collect();
    let beacon_keys = deal(4, 3, &mut rng);
    let old_keys = deal(4, 3, &mut rng);
    let new_keys = deal(4, 3, &mut rng);
    let first = |(identity, encryption): &(IdentitySecret, EncryptionSecret)| FirstValidator {
        operator: operator.public(),
        identity: identity.public(),
        encryption_key: encryption.public(),
    };
    let genesis = BeaconGenesis {
        parameters: Parameters {
            chain: CHAIN,
            beacon_key: beacon_keys.group,
            placement: Placement::Everyone,
            quorum: QuorumRule::LEAST,
            shards: 1,
            epoch_length: 2,
            turn_length: 20,
            stall_epochs: 2,
            operators: [operator.public()].into(),
            validators_per_operator: 8,
        },
        validators: validators.iter().map(first).collect(),
        seed: Hash32([7; 32]),
        committees: vec![committee(Epoch(0), &old_keys, &members)],
    };
    let (mut beacon, _) = Beacon::new(genesis, CryptoVerifier).unwrap();
    let certify_newest = |beacon: &mut Beacon<CryptoVerifier>| {
        let record = beacon.record();
        let signature = sign(&beacon_keys, &record.hash().signing_bytes());
        let epoch = record.epoch;
        let operation = Operation::Certify { epoch, signature };
        beacon.apply(beacon.height(), &operation).unwrap()
    };
    let _ = certify_newest(&mut beacon);

    // A fifth validator registers and leaves; its key proof is bound to its identity.
    let fifth = IdentitySecret::generate(&mut rng);
    let encryption = EncryptionSecret::generate(&mut rng);
    let mut registration = Registration {
        chain: CHAIN,
        operator: operator.public(),
        sequence: 0,
        identity: fifth.public(),
        encryption_key: encryption.public(),
        proof: encryption.prove(&members[0].0, &mut rng),
        consent: IdentitySignature([0; 64]),
        signature: IdentitySignature([0; 64]),
    };
    let seal = |registration: &mut Registration| {
        let message = registration.signed_bytes();
        registration.consent = fifth.sign(DomainTag::RegistrationConsent, &message);
        registration.signature = operator.sign(DomainTag::Registration, &message);
    };
    seal(&mut registration);
    let operation = Operation::Register(registration.clone());
    assert_eq!(
        beacon.apply(Height(0), &operation),
        Err(BeaconError::EncryptionKeyProof)
    );
    registration.proof = encryption.prove(&fifth.public().0, &mut rng);
    seal(&mut registration);
    let _ = beacon
        .apply(Height(0), &Operation::Register(registration))
        .unwrap();
    let mut departure = Departure {
        chain: CHAIN,
        operator: operator.public(),
        sequence: 1,
        identity: fifth.public(),
        signature: IdentitySignature([0; 64]),
    };
    departure.signature = operator.sign(DomainTag::Departure, &departure.signed_bytes());
    let _ = beacon
        .apply(Height(0), &Operation::Depart(departure))
        .unwrap();

    let frozen = beacon.advance(Height(2)).unwrap();
    assert!(matches!(frozen.effects[..], [Effect::SignSeed { .. }]));
    let _ = beacon.advance(Height(3)).unwrap();
    let (epoch, height) = (Epoch(1), Height(3));
    let message = epoch_seed_message(&CHAIN, epoch);
    let forged = Operation::Seed {
        epoch,
        signature: sign(&old_keys, &message),
    };
    assert_eq!(
        beacon.apply(height, &forged),
        Err(BeaconError::BeaconSignature)
    );
    let signature = sign(&beacon_keys, &message);
    let _ = beacon
        .apply(height, &Operation::Seed { epoch, signature })
        .unwrap();

    let next = committee(epoch, &new_keys, &members);
    let mut proposal = KeyProposal {
        committee: next.clone(),
        ceremony: CeremonyId([5; 32]),
        transcript: TranscriptHash([6; 32]),
        certificate: Signature([0; 48]),
        proposer: members[0],
        signature: IdentitySignature([0; 64]),
    };
    proposal.certificate = sign(&new_keys, &proposal.certified_bytes());
    let message = proposal.signed_bytes();
    proposal.signature = validators[0].0.sign(DomainTag::KeyProposal, &message);
    // Share keys in another order lie on no polynomial of this degree.
    let mut swapped = next.members().to_vec();
    let share_key = swapped[0].share_key;
    swapped[0].share_key = swapped[1].share_key;
    swapped[1].share_key = share_key;
    let mut bad = proposal.clone();
    bad.committee =
        Committee::new(CHAIN, ShardId(0), epoch, None, new_keys.group, swapped).unwrap();
    let shard = ShardId(0);
    assert_eq!(
        beacon.apply(height, &Operation::Propose(bad)),
        Err(BeaconError::Keys { shard })
    );
    let _ = beacon.apply(height, &Operation::Propose(proposal)).unwrap();

    for (index, (identity, _)) in validators.iter().enumerate().take(3) {
        let mut word = MemberReady {
            shard,
            epoch,
            transcript: TranscriptHash([6; 32]),
            member: identity.public(),
            share: Signature([0; 48]),
            signature: IdentitySignature([0; 64]),
        };
        let hash = next.hash();
        let message = word.signed_bytes(&hash);
        word.signature = identity.sign(DomainTag::ShardReady, &message);
        // With the share of the key before, or another member's, it is not ready.
        let message = word.shared_bytes(&hash);
        word.share = old_keys.secrets[index].sign_share(&message);
        let member = word.member;
        let refused = beacon.apply(height, &Operation::Ready(word.clone()));
        assert_eq!(refused, Err(BeaconError::Share { member }));
        word.share = new_keys.secrets[index].sign_share(&message);
        let _ = beacon.apply(height, &Operation::Ready(word)).unwrap();
    }
    assert_eq!(beacon.successor(shard), Some(&next));
    let last = certify(&old_keys, Epoch(0), 9, next.hash());
    let _ = beacon.apply(height, &Operation::Anchor(last)).unwrap();
    assert_eq!(beacon.phase(), Phase::Resting);
    let _ = certify_newest(&mut beacon);

    let light = TrustedBeacon::new(CHAIN, &beacon_keys.group).unwrap();
    let certificate = beacon.certificate().unwrap();
    assert!(light.verify_epoch(&certificate.to_bytes()).is_ok());
    let proof = EpochProof::new(beacon.record(), certificate.signature, shard).unwrap();
    let bundle = |certificate: &Certificate| {
        let bundle = ProofBundle::new(proof.clone(), certificate, Claim::Finality);
        light.verify_bundle(&bundle.to_bytes())
    };
    let tenth = certify(&new_keys, epoch, 10, CommitteeHash::ZERO);
    assert_eq!(bundle(&tenth).unwrap().header(), &tenth.header);
    assert!(bundle(&certify(&old_keys, epoch, 10, CommitteeHash::ZERO)).is_err());
    assert!(bundle(&certify(&new_keys, epoch, 9, CommitteeHash::ZERO)).is_err());
}
