//! Blocks that no honest validator would make, under the liar's own key.

use std::sync::Arc;

use bytes::Bytes;
use quorate_types::limits::{
    BLOCK_BYTES_MAX, PAYLOAD_BYTES_MAX, PAYLOAD_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX,
};
use quorate_types::{
    Block, BlockBuilder, BlockId, BlockRef, ChainId, Epoch, IdentitySignature, Round, ShardId,
    Signature, ValidatorIndex,
};

use crate::dice::Dice;
use crate::setup::Setup;

/// The parts of a block that is not signed yet.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) chain: ChainId,
    pub(super) shard: ShardId,
    pub(super) epoch: Epoch,
    pub(super) author: ValidatorIndex,
    pub(super) round: Round,
    pub(super) timestamp_ms: u64,
    pub(super) parents: Vec<BlockRef>,
    pub(super) coin_share: Signature,
    pub(super) payload: Vec<Bytes>,
}

impl Draft {
    /// The parts of a block.
    pub(super) fn of(block: &Block) -> Self {
        let payload = block.payload();
        Self {
            chain: *block.chain(),
            shard: block.shard(),
            epoch: block.epoch(),
            author: block.author(),
            round: block.round(),
            timestamp_ms: block.timestamp_ms(),
            parents: block.parents().to_vec(),
            coin_share: *block.coin_share(),
            payload: payload
                .map(|bytes| block.bytes().slice_ref(bytes))
                .collect(),
        }
    }

    fn builder(&self) -> BlockBuilder {
        BlockBuilder::new(
            &self.chain,
            self.shard,
            self.epoch,
            self.author,
            self.round,
            self.timestamp_ms,
            &self.parents,
            &self.coin_share,
            self.payload.iter().map(Bytes::as_ref),
        )
    }

    /// The block, signed by its author, who is the liar.
    pub(super) fn signed(&self, setup: &Setup) -> Arc<Block> {
        let builder = self.builder();
        let signature = setup.sign_block(self.author, builder.digest());
        let block = builder.finish(&signature);
        Arc::new(block.expect("drafts keep to the limits of the encoding"))
    }

    /// The block under a signature that is none: how a liar speaks in another's name.
    fn unsigned(&self, dice: &mut Dice) -> Arc<Block> {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&dice.bytes());
        let block = self.builder().finish(&IdentitySignature(signature));
        Arc::new(block.expect("drafts keep to the limits of the encoding"))
    }

    /// Puts parents that do not exist in the place of all but the own one.
    pub(super) fn invent_parents(&mut self, dice: &mut Dice) {
        let before = self.round.back(1);
        for parent in &mut self.parents {
            // At round 0 only the implicit blocks can be named.
            if parent.author != self.author && before > Round(0) {
                parent.id = BlockId(dice.bytes());
                parent.round = before;
            }
        }
    }

    /// Moves the block to a round that nobody has reached, on parents that nobody has made.
    pub(super) fn move_to(&mut self, round: Round, quorum: u16, dice: &mut Dice) {
        self.round = round;
        let parent = |author| BlockRef {
            round: round.back(1),
            author: ValidatorIndex(author),
            id: BlockId(dice.bytes()),
        };
        self.parents = (0..quorum).map(parent).collect();
        let own = self
            .parents
            .iter()
            .position(|parent| parent.author == self.author);
        self.parents[..=own.unwrap_or(0)].rotate_right(1);
    }

    /// As many bytes of payload as are valid.
    pub(super) fn fill(&mut self) {
        let one = Bytes::from(vec![7; TRANSACTION_BYTES_MAX as usize]);
        let count = PAYLOAD_BYTES_MAX / TRANSACTION_BYTES_MAX;
        self.payload = (0..count).map(|_| one.clone()).collect();
    }

    /// The block as one of another epoch, shard or chain, or in another's name: not valid here.
    pub(super) fn out_of_place(mut self, setup: &Setup, dice: &mut Dice) -> Arc<Block> {
        match dice.below(4) {
            0 => self.epoch = Epoch(self.epoch.0 + 1),
            1 => self.shard = ShardId(self.shard.0 + 1),
            2 => self.chain.0[0] ^= 1,
            _ => {
                let size = setup.committee.size();
                self.author = ValidatorIndex((self.author.0 + 1) % size);
                return self.unsigned(dice);
            }
        }
        self.signed(setup)
    }
}

/// Bytes that are no block, made from one that is.
pub(super) fn no_block(block: &Block, dice: &mut Dice) -> Bytes {
    let mut bytes = block.bytes().to_vec();
    match dice.below(5) {
        0 => bytes.push(0),
        1 => bytes.truncate(usize::try_from(dice.below(bytes.len() as u64)).unwrap_or(0)),
        2 => bytes = vec![0; BLOCK_BYTES_MAX as usize + 1],
        3 => {
            // The last field before an empty payload and the signature is the count of transactions.
            let counts = block.payload_bytes() + 4 * block.transaction_count() as usize + 64 + 4;
            let at = bytes.len() - counts;
            let count = PAYLOAD_TRANSACTIONS_MAX + 1;
            bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
        }
        _ => bytes = dice.bytes()[..usize::try_from(dice.below(32)).unwrap_or(0)].to_vec(),
    }
    bytes.into()
}
