//! What the checks notice.

use quorate_crypto::ShareSecret;
use quorate_types::{
    BlockId, ChainId, CommitteeHash, Epoch, Hash32, Header, HeaderHash, ShardId, ValidatorIndex,
};

use super::*;
use crate::random;

/// A committee of one, and what it trusts.
struct World {
    secret: ShareSecret,
    trust: Trust,
}

impl World {
    fn new() -> Self {
        let secret = ShareSecret::random(&mut random::generator());
        let (chain, shard, epoch) = (ChainId([1; 32]), ShardId(0), Epoch(0));
        let trust = Trust::new(chain, shard, epoch, secret.public_key(), "a test".into());
        Self {
            trust: trust.unwrap(),
            secret,
        }
    }

    /// A certificate of height 7 with this state root.
    fn certificate(&self, state: u8) -> Certificate {
        let header = Header {
            chain: ChainId([1; 32]),
            shard: ShardId(0),
            epoch: Epoch(0),
            height: Height(7),
            previous: HeaderHash([0; 32]),
            leader_round: Round(9),
            leader_author: ValidatorIndex(1),
            leader: BlockId([2; 32]),
            timestamp_ms: 0,
            transactions_total: 5,
            blocks_root: Hash32::ZERO,
            receipts_root: Hash32::ZERO,
            outbox_root: Hash32::ZERO,
            state_root: Hash32([state; 32]),
            next_committee: CommitteeHash([0; 32]),
        };
        let signature = self.secret.sign_share(&header.hash().signing_bytes());
        Certificate { header, signature }
    }

    fn judge(&self, height: u64, certificates: &[&Certificate]) -> Result<usize, Kind> {
        let mut agreement = Agreement::new(&self.trust);
        let answers = ["a", "b", "c", "d"].into_iter().zip(certificates);
        let answers = answers.map(|(name, certificate)| (name, certificate.to_bytes().into()));
        let judged = agreement.judge(Height(height), answers.collect());
        judged
            .map(|()| agreement.good.len())
            .map_err(|failure| failure.kind())
    }
}

#[test]
fn equal_certificates_are_verified_once() {
    let world = World::new();
    let good = world.certificate(1);
    assert_eq!(world.judge(7, &[&good, &good, &good]), Ok(1));
}

#[test]
fn two_headers_at_one_height_are_a_disagreement_however_well_signed() {
    let world = World::new();
    let (good, fork) = (world.certificate(1), world.certificate(2));
    assert_eq!(
        world.judge(7, &[&good, &good, &fork]),
        Err(Kind::Disagreement)
    );
}

#[test]
fn bad_signatures_and_other_heights_are_noticed() {
    let world = World::new();
    let (good, mut bad) = (world.certificate(1), world.certificate(1));
    bad.signature = world.certificate(2).signature;
    assert_eq!(world.judge(7, &[&good, &bad]), Err(Kind::Unverified));
    assert_eq!(world.judge(8, &[&good, &good]), Err(Kind::Unverified));
    let foreign = World::new().certificate(1);
    assert_eq!(world.judge(7, &[&foreign]), Err(Kind::Unverified));
}

#[test]
fn standing_still_is_noticed() {
    let validator = |certified_height, transactions| CheckedValidator {
        name: String::new(),
        round: 1,
        height: 1,
        certified_height,
        transactions,
        certificate_p50_ms: None,
        certificate_p99_ms: None,
    };
    let kind = |validators: &[CheckedValidator], loaded| {
        require_progress(validators, loaded).map_err(|failure| failure.kind())
    };
    assert_eq!(kind(&[validator(1, 1), validator(2, 0)], true), Ok(()));
    assert_eq!(kind(&[validator(1, 0)], false), Ok(()));
    assert_eq!(kind(&[validator(1, 0)], true), Err(Kind::NothingCommitted));
    assert_eq!(
        kind(&[validator(1, 1), validator(0, 1)], true),
        Err(Kind::NothingCommitted)
    );
}

#[test]
fn samples_are_spread_and_have_both_ends() {
    assert_eq!(sample(1), BTreeSet::from([1]));
    assert_eq!(sample(2), BTreeSet::from([1, 2]));
    assert_eq!(sample(SAMPLE).len() as u64, SAMPLE);
    let long = sample(1_000);
    assert_eq!(long.len() as u64, SAMPLE);
    assert_eq!((long.first(), long.last()), (Some(&1), Some(&1_000)));
}

#[test]
fn money_from_nowhere_is_noticed() {
    let sums = Sums {
        balances: 10,
        fees: 2,
    };
    assert!(sums.require(12).is_ok());
    assert_eq!(sums.require(11).unwrap_err().kind(), Kind::Disagreement);
}
