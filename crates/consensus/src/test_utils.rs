//! Committees, blocks and coins without keys, for tests.

use quorate_types::{
    Blake3, Block, BlockBuilder, BlockRef, ChainId, Committee, DomainTag, Epoch, IdentityKey,
    IdentitySignature, Member, Round, ShardId, Signature, ThresholdKey, ValidatorIndex,
};

use crate::verify::VerifiedBlock;

/// A committee of `size` members with the default quorum, whose keys are no keys.
///
/// # Panics
/// If the size is out of bounds.
#[must_use]
pub fn committee(size: u16) -> Committee {
    let member = |index: u16| Member {
        identity: IdentityKey(wide(index)),
        share_key: ThresholdKey([0; 96]),
    };
    Committee::new(
        ChainId([7; 32]),
        ShardId(0),
        Epoch(0),
        None,
        ThresholdKey([0; 96]),
        (0..size).map(member).collect(),
    )
    .expect("the size is in bounds")
}

/// A block with a signature that is none. Blocks that differ in `nonce` alone are twins. It claims the time
/// `round * 1000 + author` and carries one transaction of `payload` if that is not empty.
///
/// # Panics
/// If the payload is above a limit.
#[must_use]
pub fn block(
    committee: &Committee,
    author: ValidatorIndex,
    round: Round,
    parents: &[BlockRef],
    payload: &[u8],
    nonce: u8,
) -> VerifiedBlock {
    let payload = (!payload.is_empty()).then_some(payload);
    let built: Result<Block, _> = BlockBuilder::new(
        &committee.chain(),
        committee.shard(),
        committee.epoch(),
        author,
        round,
        round.0 * 1000 + u64::from(author.0),
        parents,
        &coin_share(round),
        payload.into_iter(),
    )
    .finish(&IdentitySignature([nonce; 64]));
    VerifiedBlock::unverified(built.expect("test blocks are within limits"))
}

/// The share that test blocks carry at `round`: the same for all authors.
#[must_use]
pub fn coin_share(round: Round) -> Signature {
    coin(u64::MAX, round)
}

/// A stand-in for the coin of `round`: a hash keyed by `seed`. A scheduler that does not read the seed cannot foresee
/// it.
#[must_use]
pub fn coin(seed: u64, round: Round) -> Signature {
    let mut signature = [0; 48];
    Blake3::new(DomainTag::Coin)
        .chain(seed.to_le_bytes())
        .chain(round.0.to_le_bytes())
        .finish_into(&mut signature);
    Signature(signature)
}

fn wide(index: u16) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&index.to_le_bytes());
    bytes
}
