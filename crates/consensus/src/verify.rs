//! From decoded blocks to blocks that the engine takes.

use std::ops::Deref;
use std::sync::Arc;

use quorate_crypto::{IdentityPublic, parse_signature};
use quorate_types::{
    Block, BlockRef, ChainId, Committee, DomainTag, Epoch, Member, Round, ShardId, ValidatorIndex,
};

/// A block that keeps every rule which can be checked without its parents. The engine takes no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBlock(Arc<Block>);

impl VerifiedBlock {
    /// The block, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<Block> {
        Arc::clone(&self.0)
    }

    /// Takes a block on trust, for tests.
    #[cfg(any(test, feature = "test-utils"))]
    #[must_use]
    pub fn unverified(block: Block) -> Self {
        Self(Arc::new(block))
    }
}

impl Deref for VerifiedBlock {
    type Target = Block;

    fn deref(&self) -> &Block {
        &self.0
    }
}

/// Why a block is refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It is meant for another chain.
    #[error("block of chain {found}")]
    Chain {
        /// The chain it names.
        found: ChainId,
    },
    /// It is meant for another shard.
    #[error("block of shard {found}, this committee runs {expected}")]
    Shard {
        /// The shard it names.
        found: ShardId,
        /// The committee's.
        expected: ShardId,
    },
    /// It is of another epoch.
    #[error("block of epoch {found}, this committee serves {expected}")]
    Epoch {
        /// The epoch it names.
        found: Epoch,
        /// The committee's.
        expected: Epoch,
    },
    /// Its author is no member.
    #[error("author {author} is outside the committee of {size}")]
    UnknownAuthor {
        /// The author it names.
        author: ValidatorIndex,
        /// n.
        size: u16,
    },
    /// It stands at round 0, where only the implicit genesis blocks are.
    #[error("a block at round 0")]
    GenesisRound,
    /// A parent's author is no member.
    #[error("parent author {author} is outside the committee of {size}")]
    UnknownParentAuthor {
        /// The parent's author.
        author: ValidatorIndex,
        /// n.
        size: u16,
    },
    /// A parent is not older than the block.
    #[error("parent of {author} at round {found}, not below {round}")]
    ParentRound {
        /// The parent's author.
        author: ValidatorIndex,
        /// The parent's round.
        found: Round,
        /// The block's round.
        round: Round,
    },
    /// Parents after the author's own are not strictly ascending by author, or name an author twice.
    #[error("the parent of {author} is out of order")]
    ParentOrder {
        /// The first parent out of order.
        author: ValidatorIndex,
    },
    /// A parent at round 0 is not the genesis block of its author.
    #[error("a parent at round 0 that is not the genesis block of {author}")]
    FalseGenesis {
        /// The parent's author.
        author: ValidatorIndex,
    },
    /// Too few parents at the round before.
    #[error("parents of {found} authors at the round before, a quorum is {quorum}")]
    ParentQuorum {
        /// How many there are.
        found: u16,
        /// q.
        quorum: u16,
    },
    /// The author's signature does not verify.
    #[error("the signature of {author} does not verify")]
    Signature {
        /// The author.
        author: ValidatorIndex,
    },
    /// The coin share is no point of the right group.
    #[error("the coin share of {author} is not a point of the group")]
    CoinShare {
        /// The author.
        author: ValidatorIndex,
    },
}

/// Why a committee cannot be verified against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// A member's identity key is no valid key.
    #[error("the identity key of member {member} is not valid")]
    IdentityKey {
        /// The member.
        member: ValidatorIndex,
    },
}

/// Checks blocks against one committee. Stateless and shareable between threads.
#[derive(Clone, Debug)]
pub struct Verifier {
    committee: Committee,
    identities: Vec<IdentityPublic>,
    #[cfg(any(test, feature = "mutants"))]
    trusting: bool,
}

impl Verifier {
    /// Parses the members' keys.
    ///
    /// # Errors
    /// [`VerifierError`].
    pub fn new(committee: &Committee) -> Result<Self, VerifierError> {
        let parse = |(member, key): (ValidatorIndex, &Member)| {
            IdentityPublic::parse(&key.identity).map_err(|_| VerifierError::IdentityKey { member })
        };
        let members = committee.indices().zip(committee.members());
        Ok(Self {
            committee: committee.clone(),
            identities: members.map(parse).collect::<Result<_, _>>()?,
            #[cfg(any(test, feature = "mutants"))]
            trusting: false,
        })
    }

    /// Takes blocks with too few parents at the round before: the mistake that tests must notice.
    #[cfg(any(test, feature = "mutants"))]
    #[must_use]
    pub const fn trusting(mut self) -> Self {
        self.trusting = true;
        self
    }

    /// Checks everything that can be checked without the block's parents.
    ///
    /// # Errors
    /// [`BlockError`].
    pub fn verify(&self, block: Block) -> Result<VerifiedBlock, BlockError> {
        self.check_form(&block)?;
        self.check_keys(&block)?;
        Ok(VerifiedBlock(Arc::new(block)))
    }

    /// Takes back a block that was verified before it was logged, or that this validator has just made: checks
    /// everything but the signature and the coin share.
    ///
    /// # Errors
    /// [`BlockError`].
    pub fn recovered(&self, block: Block) -> Result<VerifiedBlock, BlockError> {
        self.check_form(&block)?;
        Ok(VerifiedBlock(Arc::new(block)))
    }

    /// The share's own validity takes a pairing; a bad one shows when shares are combined.
    fn check_keys(&self, block: &Block) -> Result<(), BlockError> {
        let author = block.author();
        let identity = &self.identities[author.position()];
        identity
            .verify(DomainTag::BlockSignature, block.digest(), block.signature())
            .map_err(|_| BlockError::Signature { author })?;
        parse_signature(block.coin_share())
            .map(|_| ())
            .map_err(|_| BlockError::CoinShare { author })
    }

    fn check_form(&self, block: &Block) -> Result<(), BlockError> {
        let committee = &self.committee;
        if *block.chain() != committee.chain() {
            return Err(BlockError::Chain {
                found: *block.chain(),
            });
        }
        if block.shard() != committee.shard() {
            return Err(BlockError::Shard {
                found: block.shard(),
                expected: committee.shard(),
            });
        }
        if block.epoch() != committee.epoch() {
            return Err(BlockError::Epoch {
                found: block.epoch(),
                expected: committee.epoch(),
            });
        }
        if committee.member(block.author()).is_none() {
            return Err(BlockError::UnknownAuthor {
                author: block.author(),
                size: committee.size(),
            });
        }
        if block.round() == Round(0) {
            return Err(BlockError::GenesisRound);
        }
        self.check_parents(block)
    }

    fn check_parents(&self, block: &Block) -> Result<(), BlockError> {
        let own_first = block
            .parents()
            .first()
            .is_some_and(|parent| parent.author == block.author());
        let mut before: Option<ValidatorIndex> = None;
        let mut at_round_before = 0u16;
        for (position, parent) in block.parents().iter().enumerate() {
            self.check_parent(block, parent)?;
            at_round_before += u16::from(parent.round.next() == block.round());
            if own_first && position == 0 {
                continue;
            }
            // The author's own previous block stands first or nowhere.
            let ascends = before.is_none_or(|before| before < parent.author);
            if !ascends || parent.author == block.author() {
                return Err(BlockError::ParentOrder {
                    author: parent.author,
                });
            }
            before = Some(parent.author);
        }
        #[cfg(any(test, feature = "mutants"))]
        if self.trusting {
            return Ok(());
        }
        if at_round_before < self.committee.quorum() {
            return Err(BlockError::ParentQuorum {
                found: at_round_before,
                quorum: self.committee.quorum(),
            });
        }
        Ok(())
    }

    fn check_parent(&self, block: &Block, parent: &BlockRef) -> Result<(), BlockError> {
        if self.committee.member(parent.author).is_none() {
            return Err(BlockError::UnknownParentAuthor {
                author: parent.author,
                size: self.committee.size(),
            });
        }
        if parent.round >= block.round() {
            return Err(BlockError::ParentRound {
                author: parent.author,
                found: parent.round,
                round: block.round(),
            });
        }
        if parent.round == Round(0) && *parent != self.committee.genesis_block(parent.author) {
            return Err(BlockError::FalseGenesis {
                author: parent.author,
            });
        }
        Ok(())
    }
}
