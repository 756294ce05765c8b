//! What the verifier lets through, with real keys.

use quorate_crypto::IdentitySecret;
use quorate_crypto::dealer::{Dealt, deal};
use quorate_types::{
    Block, BlockBuilder, BlockId, BlockRef, ChainId, Committee, DomainTag, Epoch, Member, Round,
    ShardId, Signature, ThresholdKey, ValidatorIndex,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::{BlockError, Verifier};

struct Keys {
    committee: Committee,
    identities: Vec<IdentitySecret>,
    dealt: Dealt,
}

fn keys(shard: u32, epoch: u64) -> Keys {
    let dealt = deal(4, 3, &mut ChaCha20Rng::seed_from_u64(5));
    let identities: Vec<_> = (0..4)
        .map(|index| IdentitySecret::from_bytes(&[index + 1; 32]))
        .collect();
    let members = identities.iter().zip(&dealt.shares_public);
    let members = members.map(|(identity, share_key)| Member {
        identity: identity.public(),
        share_key: *share_key,
    });
    let committee = Committee::new(
        ChainId([1; 32]),
        ShardId(shard),
        Epoch(epoch),
        None,
        dealt.group,
        members.collect(),
    );
    Keys {
        committee: committee.expect("four members"),
        identities,
        dealt,
    }
}

impl Keys {
    fn share(&self, author: u16, round: u64) -> Signature {
        let message = self.committee.coin_message(Round(round));
        self.dealt.secrets[usize::from(author)].sign_share(&message)
    }

    fn block(&self, author: u16, round: u64, parents: &[BlockRef], share: Signature) -> Block {
        let builder = BlockBuilder::new(
            &self.committee.chain(),
            self.committee.shard(),
            self.committee.epoch(),
            ValidatorIndex(author),
            Round(round),
            7,
            parents,
            &share,
            [b"payload".as_slice()].into_iter(),
        );
        let signer = &self.identities[usize::from(author) % 4];
        let signature = signer.sign(DomainTag::BlockSignature, builder.digest());
        builder.finish(&signature).expect("within limits")
    }

    fn genesis(&self, authors: &[u16]) -> Vec<BlockRef> {
        let of = |author: &u16| self.committee.genesis_block(ValidatorIndex(*author));
        authors.iter().map(of).collect()
    }
}

fn other(author: u16, round: u64) -> BlockRef {
    BlockRef {
        round: Round(round),
        author: ValidatorIndex(author),
        id: BlockId([9; 32]),
    }
}

fn others(places: &[(u16, u64)]) -> Vec<BlockRef> {
    let of = |(author, round): &(u16, u64)| other(*author, *round);
    places.iter().map(of).collect()
}

#[test]
fn good_blocks_pass() {
    let keys = keys(0, 0);
    let verifier = Verifier::new(&keys.committee).expect("keys are good");
    let cases = [
        (1, keys.genesis(&[2, 0, 1, 3])),
        (1, keys.genesis(&[2, 0, 1])),
        (5, others(&[(2, 4), (0, 4), (1, 4), (3, 1)])),
        // Its own last block may be older than the round before.
        (5, others(&[(2, 2), (0, 4), (1, 4), (3, 4)])),
        // Back from a pause: no own parent.
        (5, others(&[(0, 4), (1, 4), (3, 4)])),
    ];
    for (round, parents) in cases {
        let block = keys.block(2, round, &parents, keys.share(2, round));
        assert!(verifier.verify(block.clone()).is_ok(), "{parents:?}");
        assert!(verifier.recovered(block).is_ok());
    }
}

#[test]
fn bad_parents_are_named() {
    let keys = keys(0, 0);
    let verifier = Verifier::new(&keys.committee).expect("keys are good");
    let index = ValidatorIndex;
    let quorum = |found| BlockError::ParentQuorum { found, quorum: 3 };
    let order = |author| BlockError::ParentOrder {
        author: index(author),
    };
    let cases = [
        (5, vec![], quorum(0)),
        (5, others(&[(2, 4), (0, 4)]), quorum(2)),
        (5, others(&[(2, 4), (0, 4), (1, 3), (3, 3)]), quorum(2)),
        (1, keys.genesis(&[2, 0]), quorum(2)),
        (5, others(&[(2, 4), (1, 4), (0, 4)]), order(0)),
        (5, others(&[(2, 4), (0, 4), (0, 4), (1, 4)]), order(0)),
        (5, others(&[(2, 4), (0, 4), (1, 4), (2, 3)]), order(2)),
        (5, others(&[(0, 4), (1, 4), (2, 4)]), order(2)),
        (
            5,
            others(&[(2, 4), (0, 5), (1, 4), (3, 4)]),
            BlockError::ParentRound {
                author: index(0),
                found: Round(5),
                round: Round(5),
            },
        ),
        (
            5,
            others(&[(2, 4), (0, 4), (1, 4), (4, 4)]),
            BlockError::UnknownParentAuthor {
                author: index(4),
                size: 4,
            },
        ),
        (
            1,
            others(&[(2, 0), (0, 0), (1, 0)]),
            BlockError::FalseGenesis { author: index(2) },
        ),
    ];
    for (round, parents, error) in cases {
        let block = keys.block(2, round, &parents, keys.share(2, round));
        assert_eq!(verifier.recovered(block.clone()).err(), Some(error));
        assert_eq!(verifier.verify(block).err(), Some(error));
    }
}

#[test]
fn other_committees_and_bad_keys_are_refused() {
    let ours = keys(0, 0);
    let verifier = Verifier::new(&ours.committee).expect("keys are good");
    let parents = ours.genesis(&[2, 0, 1, 3]);
    let share = ours.share(2, 1);
    let error = |block| verifier.verify(block).expect_err("is wrong");

    let shard = keys(1, 0).block(2, 1, &parents, share);
    assert!(matches!(error(shard), BlockError::Shard { .. }));
    let epoch = keys(0, 1).block(2, 1, &parents, share);
    assert!(matches!(error(epoch), BlockError::Epoch { .. }));
    let stranger = ours.block(4, 1, &parents, share);
    assert!(matches!(error(stranger), BlockError::UnknownAuthor { .. }));
    assert_eq!(
        error(ours.block(2, 0, &[], share)),
        BlockError::GenesisRound
    );

    let author = ValidatorIndex(2);
    let good = ours.block(2, 1, &parents, share);
    let mut bytes = good.bytes().to_vec();
    *bytes.last_mut().expect("not empty") ^= 1;
    let forged = Block::decode(bytes.into()).expect("well-formed");
    assert_eq!(error(forged.clone()), BlockError::Signature { author });
    assert!(verifier.recovered(forged).is_ok(), "the own log is trusted");

    let no_point = ours.block(2, 1, &parents, Signature([0xff; 48]));
    assert_eq!(error(no_point), BlockError::CoinShare { author });
    // A well-formed share of another round passes: only combining shows it.
    let stale = ours.block(2, 1, &parents, ours.share(2, 9));
    assert!(verifier.verify(stale).is_ok());
}

#[test]
fn a_committee_with_a_key_that_is_none_is_refused() {
    let ours = keys(0, 0);
    let mut members = ours.committee.members().to_vec();
    // No point of the curve has this y-coordinate.
    members[3].identity.0 = [0; 32];
    members[3].identity.0[0] = 2;
    let key = ThresholdKey([0; 96]);
    let committee = Committee::new(ChainId([1; 32]), ShardId(0), Epoch(0), None, key, members);
    let refused = Verifier::new(&committee.expect("distinct keys"));
    assert!(refused.is_err());
}
