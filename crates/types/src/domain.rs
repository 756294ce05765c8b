//! Domain separation: every hash and every signature in Quorate starts with one of these tags.

/// The purpose of a hash or a signature.
///
/// A tag is eight bytes, zero padded, so no length prefix is needed and no tag is a prefix of another message of
/// a different purpose. `docs/domain-tags.md` lists them with what follows each tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DomainTag {
    /// BLS: a finality share or certificate over a header hash.
    Finality,
    /// BLS: a coin share; chain, shard, epoch and round follow.
    Coin,
    /// BLAKE3: coin signature to the seed of a leader shuffle.
    CoinSeed,
    /// BLAKE3: unsigned encoding of a block.
    BlockDigest,
    /// BLAKE3: block digest and signature, the block's id.
    BlockId,
    /// BLAKE3: the implicit round-0 block of an author.
    GenesisBlock,
    /// Ed25519: a block digest, by its author.
    BlockSignature,
    /// BLAKE3: unsigned encoding of a transaction, its id.
    TransactionId,
    /// Ed25519: a transaction id, by an account key.
    TransactionSignature,
    /// BLAKE3: owner key and sub-account number, the account's id.
    AccountId,
    /// SHA-256: a header.
    Header,
    /// SHA-256: a committee.
    Committee,
    /// SHA-256: a genesis file's canonical content, the chain's id.
    Genesis,
    /// BLAKE3: a key of the state tree.
    StateKey,
    /// BLAKE3: a value of the state tree.
    StateValue,
    /// BLAKE3: a leaf of the state tree.
    StateLeaf,
    /// BLAKE3: an inner node of the state tree.
    StateNode,
    /// BLS: weights of a random linear combination.
    BatchWeights,
    /// Ed25519: a statement of a validator about itself, made when peers connect.
    Peer,
    /// BLAKE3: chain, identity key and 32 random bytes, to what a validator's files are bound.
    Store,
    /// BLAKE3: challenge of a proof of possession of an encryption key.
    EncryptionKeyProof,
    /// BLAKE3: the list of keys that a dealing is encrypted to.
    EncryptionKeys,
    /// BLAKE3: the statement that a dealing's proofs prove.
    PvssInstance,
    /// BLAKE3: challenge bits of the chunking proof.
    PvssBits,
    /// BLAKE3: second challenge of the chunking proof.
    PvssChunks,
    /// BLAKE3: recipients' weights in the sharing proof.
    PvssMix,
    /// BLAKE3: challenge of the sharing proof.
    PvssSharing,
    /// BLAKE3: seed of the weights that merge a dealing's equations.
    PvssBatch,
    /// BLAKE3: weights that merge a dealing's equations, and the words of the degree and subgroup tests.
    PvssWeights,
    /// BLAKE3: challenge of the proof that a chunk was decrypted rightly.
    PvssOpening,
    /// BLAKE3: seed of a dealer's generator.
    PvssRandomness,
    /// Ed25519: an enrolment, by its member.
    Enrolment,
    /// SHA-256: a ceremony's definition.
    CeremonyDefinition,
    /// Ed25519: a definition's hash, by its organiser.
    DefinitionSignature,
    /// SHA-256: a signed definition, the ceremony's id.
    Ceremony,
    /// BLAKE3: ceremony and dealer, the context of a dealing.
    DealingContext,
    /// BLAKE3: a dealing.
    DealingHash,
    /// Ed25519: ceremony, dealer and dealing's hash, by the dealer.
    DealingSignature,
    /// BLS: a coin of a ceremony's binary agreement.
    CeremonyCoin,
    /// BLAKE3: coin signature to a bit.
    CeremonyCoinBit,
    /// SHA-256: what a ceremony agreed on.
    Transcript,
    /// BLS: the end of a key generation, under its new keys.
    DkgCompletion,
    /// BLS: the end of a resharing, under its new shares.
    DkgReady,
    /// BLS: a challenge, by which a member proves its share.
    ShareChallenge,
    /// BLAKE3: a file of headers, certificates and state that was written out of a store.
    Export,
    /// BLAKE3: seed of an epoch, shard and a validator's key, to the order in which the shard takes validators.
    ShardScore,
    /// BLAKE3: unsigned encoding of a settlement operation, its id.
    SettlementOperation,
    /// Ed25519: a settlement operation's id, by an account's owner.
    SettlementSignature,
    /// BLAKE3: unsigned encoding of an order, its id.
    OrderId,
    /// Ed25519: an order's id, by an account's owner.
    OrderSignature,
    /// BLS: one round of a feed.
    OracleRound,
    /// BLS: the price at which a feed's instruments of one expiry settle.
    SettlementPrice,
    /// BLS: value that came from outside.
    Deposit,
    /// BLS: a change of a market's parameters or instruments.
    Governance,
    /// BLAKE3: all entries of a market's state.
    MarketRoot,
}

impl DomainTag {
    /// All tags, in the order of the enum.
    pub const ALL: [Self; 55] = [
        Self::Finality,
        Self::Coin,
        Self::CoinSeed,
        Self::BlockDigest,
        Self::BlockId,
        Self::GenesisBlock,
        Self::BlockSignature,
        Self::TransactionId,
        Self::TransactionSignature,
        Self::AccountId,
        Self::Header,
        Self::Committee,
        Self::Genesis,
        Self::StateKey,
        Self::StateValue,
        Self::StateLeaf,
        Self::StateNode,
        Self::BatchWeights,
        Self::Peer,
        Self::Store,
        Self::EncryptionKeyProof,
        Self::EncryptionKeys,
        Self::PvssInstance,
        Self::PvssBits,
        Self::PvssChunks,
        Self::PvssMix,
        Self::PvssSharing,
        Self::PvssBatch,
        Self::PvssWeights,
        Self::PvssOpening,
        Self::PvssRandomness,
        Self::Enrolment,
        Self::CeremonyDefinition,
        Self::DefinitionSignature,
        Self::Ceremony,
        Self::DealingContext,
        Self::DealingHash,
        Self::DealingSignature,
        Self::CeremonyCoin,
        Self::CeremonyCoinBit,
        Self::Transcript,
        Self::DkgCompletion,
        Self::DkgReady,
        Self::ShareChallenge,
        Self::Export,
        Self::ShardScore,
        Self::SettlementOperation,
        Self::SettlementSignature,
        Self::OrderId,
        Self::OrderSignature,
        Self::OracleRound,
        Self::SettlementPrice,
        Self::Deposit,
        Self::Governance,
        Self::MarketRoot,
    ];

    /// The tag's eight bytes.
    #[must_use]
    pub const fn bytes(self) -> &'static [u8; 8] {
        match self {
            Self::Finality => b"finality",
            Self::Coin => b"coin\0\0\0\0",
            Self::CoinSeed => b"coinseed",
            Self::BlockDigest => b"blk-dig\0",
            Self::BlockId => b"block-id",
            Self::GenesisBlock => b"blk-gen\0",
            Self::BlockSignature => b"blk-sig\0",
            Self::TransactionId => b"tx-id\0\0\0",
            Self::TransactionSignature => b"tx-sig\0\0",
            Self::AccountId => b"acct-id\0",
            Self::Header => b"header\0\0",
            Self::Committee => b"committe",
            Self::Genesis => b"genesis\0",
            Self::StateKey => b"st-key\0\0",
            Self::StateValue => b"st-value",
            Self::StateLeaf => b"st-leaf\0",
            Self::StateNode => b"st-node\0",
            Self::BatchWeights => b"weights\0",
            Self::Peer => b"peer\0\0\0\0",
            Self::Store => b"store\0\0\0",
            Self::EncryptionKeyProof => b"enc-pop\0",
            Self::EncryptionKeys => b"enc-keys",
            Self::PvssInstance => b"pvs-inst",
            Self::PvssBits => b"pvs-bits",
            Self::PvssChunks => b"pvs-chnk",
            Self::PvssMix => b"pvs-mix\0",
            Self::PvssSharing => b"pvs-shar",
            Self::PvssBatch => b"pvs-btch",
            Self::PvssWeights => b"pvs-wght",
            Self::PvssOpening => b"pvs-open",
            Self::PvssRandomness => b"pvs-rand",
            Self::Enrolment => b"enrol\0\0\0",
            Self::CeremonyDefinition => b"dkg-def\0",
            Self::DefinitionSignature => b"dkg-dsig",
            Self::Ceremony => b"dkg-cid\0",
            Self::DealingContext => b"dkg-ctx\0",
            Self::DealingHash => b"dkg-body",
            Self::DealingSignature => b"dkg-deal",
            Self::CeremonyCoin => b"dkg-coin",
            Self::CeremonyCoinBit => b"dkg-bit\0",
            Self::Transcript => b"dkg-tran",
            Self::DkgCompletion => b"dkg-cert",
            Self::DkgReady => b"dkg-redy",
            Self::ShareChallenge => b"shr-prov",
            Self::Export => b"export\0\0",
            Self::ShardScore => b"shrd-scr",
            Self::SettlementOperation => b"stl-op\0\0",
            Self::SettlementSignature => b"stl-sig\0",
            Self::OrderId => b"order-id",
            Self::OrderSignature => b"ord-sig\0",
            Self::OracleRound => b"orac-rnd",
            Self::SettlementPrice => b"stl-pric",
            Self::Deposit => b"deposit\0",
            Self::Governance => b"govern\0\0",
            Self::MarketRoot => b"mkt-root",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DomainTag;
    use alloc::collections::BTreeSet;

    #[test]
    fn tags_are_distinct_and_all_are_listed() {
        let distinct: BTreeSet<_> = DomainTag::ALL.iter().map(|tag| tag.bytes()).collect();
        assert_eq!(distinct.len(), DomainTag::ALL.len());
        for (position, tag) in DomainTag::ALL.iter().enumerate() {
            assert_eq!(*tag as usize, position);
        }
    }
}
