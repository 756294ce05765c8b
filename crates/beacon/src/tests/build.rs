//! Values for tests: networks, committees, operations.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use quorate_types::{
    BlockId, CeremonyId, Certificate, ChainId, Committee, CommitteeHash, DomainTag, EncryptionKey,
    Epoch, Hash32, Header, HeaderHash, Height, IdentityKey, IdentitySignature, Member, Round,
    ShardId, Signature, ThresholdKey, TranscriptHash, ValidatorIndex,
};

use super::fake::{Fake, group_key, prove, share_key, sign, threshold_sign};
use crate::assignment::{Assignment, Placement};
use crate::engine::{
    Applied, Beacon, BeaconGenesis, Departure, FirstValidator, KeyProposal, MemberReady, Operation,
    Parameters, Registration,
};
use crate::quorum::QuorumRule;
use crate::registry::Registry;

pub(super) const CHAIN: ChainId = ChainId([0xc4; 32]);
pub(super) const SHARDS: u32 = 3;
/// Operator i runs validators 2i and 2i + 1 at first, and may run one more.
pub(super) const VALIDATORS: u32 = 12;

pub(super) fn beacon_key() -> ThresholdKey {
    group_key(u64::MAX)
}

pub(super) fn operator(number: u32) -> IdentityKey {
    let mut key = IdentityKey([0x0f; 32]);
    key.0[..4].copy_from_slice(&number.to_be_bytes());
    key
}

pub(super) fn identity(number: u32) -> IdentityKey {
    let mut key = IdentityKey([0x1d; 32]);
    key.0[..4].copy_from_slice(&number.to_be_bytes());
    key
}

pub(super) fn encryption_key(number: u32, generation: u32) -> EncryptionKey {
    let mut key = EncryptionKey([0xec; 48]);
    key.0[..4].copy_from_slice(&number.to_be_bytes());
    key.0[4..8].copy_from_slice(&generation.to_be_bytes());
    key
}

pub(super) fn parameters(placement: Placement) -> Parameters {
    Parameters {
        chain: CHAIN,
        beacon_key: beacon_key(),
        placement,
        quorum: QuorumRule::LEAST,
        shards: SHARDS,
        epoch_length: 3,
        turn_length: 12,
        stall_epochs: 2,
        operators: (0..VALIDATORS / 2).map(operator).collect::<BTreeSet<_>>(),
        validators_per_operator: 4,
    }
}

pub(super) fn genesis(placement: Placement) -> BeaconGenesis {
    let parameters = parameters(placement);
    let first = |number| FirstValidator {
        operator: operator(number / 2),
        identity: identity(number),
        encryption_key: encryption_key(number, 0),
    };
    let seed = Hash32([0x5e; 32]);
    let registry = Registry::new((0..VALIDATORS).map(identity).collect()).unwrap();
    let assignment = Assignment::first(placement, SHARDS, &registry, &seed).unwrap();
    let committees = (0..SHARDS)
        .map(ShardId)
        .map(|shard| {
            let members: Vec<_> = assignment.members(shard).copied().collect();
            committee(shard, Epoch(0), group_key(u64::from(shard.0)), &members)
        })
        .collect();
    BeaconGenesis {
        parameters,
        validators: (0..VALIDATORS).map(first).collect(),
        seed,
        committees,
    }
}

pub(super) fn start(placement: Placement) -> (Beacon<Fake>, Applied) {
    Beacon::new(genesis(placement), Fake).unwrap()
}

pub(super) fn committee(
    shard: ShardId,
    epoch: Epoch,
    key: ThresholdKey,
    members: &[IdentityKey],
) -> Committee {
    let members = (0..)
        .zip(members)
        .map(|(index, identity)| Member {
            identity: *identity,
            share_key: share_key(&key, index),
        })
        .collect();
    Committee::new(CHAIN, shard, epoch, None, key, members).unwrap()
}

pub(super) fn register(
    operator: IdentityKey,
    sequence: u64,
    identity: IdentityKey,
    encryption_key: EncryptionKey,
) -> Registration {
    let mut registration = Registration {
        chain: CHAIN,
        operator,
        sequence,
        identity,
        encryption_key,
        proof: prove(&encryption_key, &identity.0),
        consent: IdentitySignature([0; 64]),
        signature: IdentitySignature([0; 64]),
    };
    sign_registration(&mut registration);
    registration
}

pub(super) fn sign_registration(registration: &mut Registration) {
    let message = registration.signed_bytes();
    let tag = DomainTag::RegistrationConsent;
    registration.consent = sign(&registration.identity, tag, &message);
    registration.signature = sign(&registration.operator, DomainTag::Registration, &message);
}

pub(super) fn depart(operator: IdentityKey, sequence: u64, identity: IdentityKey) -> Departure {
    let mut departure = Departure {
        chain: CHAIN,
        operator,
        sequence,
        identity,
        signature: IdentitySignature([0; 64]),
    };
    let message = departure.signed_bytes();
    departure.signature = sign(&operator, DomainTag::Departure, &message);
    departure
}

pub(super) fn seed_of(epoch: Epoch) -> Operation {
    let message = quorate_types::epoch_seed_message(&CHAIN, epoch);
    Operation::Seed {
        epoch,
        signature: threshold_sign(&beacon_key(), &message),
    }
}

pub(super) fn certify(epoch: Epoch, hash: quorate_types::EpochRecordHash) -> Operation {
    Operation::Certify {
        epoch,
        signature: threshold_sign(&beacon_key(), &hash.signing_bytes()),
    }
}

pub(super) fn propose(committee: &Committee, proposer: IdentityKey, number: u8) -> KeyProposal {
    let mut proposal = KeyProposal {
        committee: committee.clone(),
        ceremony: CeremonyId([number; 32]),
        transcript: TranscriptHash([number; 32]),
        certificate: Signature([0; 48]),
        proposer,
        signature: IdentitySignature([0; 64]),
    };
    let key = committee.group_key();
    proposal.certificate = threshold_sign(key, &proposal.certified_bytes());
    let message = proposal.signed_bytes();
    proposal.signature = sign(&proposer, DomainTag::KeyProposal, &message);
    proposal
}

pub(super) fn ready(committee: &Committee, number: u8, member: IdentityKey) -> MemberReady {
    let mut ready = MemberReady {
        shard: committee.shard(),
        epoch: committee.epoch(),
        transcript: TranscriptHash([number; 32]),
        member,
        share: Signature([0; 48]),
        signature: IdentitySignature([0; 64]),
    };
    let hash = committee.hash();
    let index = committee.index_of(&member).unwrap_or(ValidatorIndex(0));
    let share = share_key(committee.group_key(), index.0);
    ready.share = threshold_sign(&share, &ready.shared_bytes(&hash));
    let message = ready.signed_bytes(&hash);
    ready.signature = sign(&member, DomainTag::ShardReady, &message);
    ready
}

pub(super) fn certificate(
    committee: &Committee,
    height: u64,
    next: CommitteeHash,
    salt: u8,
) -> Certificate {
    let header = Header {
        chain: CHAIN,
        shard: committee.shard(),
        epoch: committee.epoch(),
        height: Height(height),
        previous: HeaderHash([0x22; 32]),
        leader_round: Round(height),
        leader_author: ValidatorIndex(0),
        leader: BlockId([salt; 32]),
        timestamp_ms: height,
        transactions_total: 0,
        blocks_root: Hash32::ZERO,
        receipts_root: Hash32::ZERO,
        outbox_root: Hash32::ZERO,
        state_root: Hash32::ZERO,
        next_committee: next,
    };
    let message = header.hash().signing_bytes();
    Certificate {
        signature: threshold_sign(committee.group_key(), &message),
        header,
    }
}
