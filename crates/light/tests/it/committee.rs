//! A committee whose keys a dealer made, and what it certifies: signed by the validators' library, never by this one.

use quorate_crypto::ThresholdPublic;
use quorate_crypto::dealer::{Dealt, deal};
use quorate_light::TrustedKey;
use quorate_types::{
    BlockId, Certificate, ChainId, CommitteeHash, Encode, Epoch, Hash32, Header, HeaderHash,
    Height, Round, ShardId, Signature, ThresholdKey, ValidatorIndex, merkle_root,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub(crate) struct TestCommittee {
    dealt: Dealt,
    public: ThresholdPublic,
    quorum: usize,
}

impl TestCommittee {
    pub(crate) fn new(size: u16, quorum: u16, seed: u64) -> Self {
        let dealt = deal(size, quorum, &mut ChaCha20Rng::seed_from_u64(seed));
        let quorum = usize::from(quorum);
        let public = ThresholdPublic::parse(&dealt.group, &dealt.shares_public, quorum).unwrap();
        Self {
            dealt,
            public,
            quorum,
        }
    }

    pub(crate) fn four() -> Self {
        Self::new(4, 3, 1)
    }

    pub(crate) fn group_key(&self) -> &ThresholdKey {
        &self.dealt.group
    }

    pub(crate) fn trusted_key(&self) -> TrustedKey {
        let header = header(1);
        TrustedKey::new(header.chain, header.shard, header.epoch, self.group_key()).unwrap()
    }

    /// The signature combined from the shares of a quorum whose first member is `first`, counting around.
    pub(crate) fn sign(&self, message: &[u8], first: usize) -> Signature {
        let size = self.dealt.secrets.len();
        let shares: Vec<_> = (first..first + self.quorum)
            .map(|member| member % size)
            .map(|member| {
                let index = ValidatorIndex(u16::try_from(member).unwrap());
                (index, self.dealt.secrets[member].sign_share(message))
            })
            .collect();
        let combined = self.public.combine(message, &shares).unwrap();
        assert_eq!(combined.bad, []);
        combined.signature
    }

    pub(crate) fn certify(&self, header: &Header) -> Vec<u8> {
        let certificate = Certificate {
            header: header.clone(),
            signature: self.sign(&header.hash().signing_bytes(), 0),
        };
        certificate.to_bytes()
    }
}

/// A header with something else in every field.
pub(crate) fn header(height: u64) -> Header {
    Header {
        chain: ChainId([0x11; 32]),
        shard: ShardId(7),
        epoch: Epoch(3),
        height: Height(height),
        previous: HeaderHash([0x22; 32]),
        leader_round: Round(height * 2 + 1),
        leader_author: ValidatorIndex(2),
        leader: BlockId([0x33; 32]),
        timestamp_ms: 1_700_000_000_000 + height,
        transactions_total: height * 100,
        blocks_root: Hash32([0x44; 32]),
        receipts_root: Hash32([0x55; 32]),
        outbox_root: merkle_root::<&[u8]>([]),
        state_root: Hash32([0x66; 32]),
        next_committee: CommitteeHash([0; 32]),
    }
}
