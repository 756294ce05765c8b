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
    /// SHA-256: the head of an epoch record.
    EpochRecord,
    /// SHA-256: where an epoch record comes from.
    EpochOrigin,
    /// BLS: an epoch record's hash, by the beacon.
    EpochCertificate,
    /// BLS: chain and epoch, by the beacon; the signature is the epoch's randomness.
    EpochSeed,
    /// SHA-256: signature of the epoch's seed message to the seed.
    EpochRandomness,
    /// Ed25519: a validator's registration, by its operator.
    Registration,
    /// Ed25519: a validator's registration, by its identity.
    RegistrationConsent,
    /// Ed25519: a validator's departure, by its operator.
    Departure,
    /// Ed25519: a shard's next committee and key, by an incoming member.
    KeyProposal,
    /// Ed25519 and BLS: an incoming member holds its share of a shard's next key.
    ShardReady,
    /// BLAKE3: the beacon engine's state.
    BeaconState,
    /// SHA-256: number of leaves and tree hash of a mountain range, its root.
    MmrRoot,
    /// BLAKE3: unsigned encoding of an atomic transaction, its id.
    AtomicId,
    /// Ed25519: an atomic transaction's id, by an owner whom it debits.
    AtomicSignature,
    /// Ed25519: an atomic transaction's id, by a key that may cancel it.
    AtomicCancel,
    /// BLAKE3: what one shard gives and takes in an atomic transaction.
    AtomicLegs,
    /// BLAKE3: who voted YES on an atomic transaction, and with which lock versions.
    AtomicVotes,
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
    pub const ALL: [Self; 72] = [
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
        Self::EpochRecord,
        Self::EpochOrigin,
        Self::EpochCertificate,
        Self::EpochSeed,
        Self::EpochRandomness,
        Self::Registration,
        Self::RegistrationConsent,
        Self::Departure,
        Self::KeyProposal,
        Self::ShardReady,
        Self::BeaconState,
        Self::MmrRoot,
        Self::AtomicId,
        Self::AtomicSignature,
        Self::AtomicCancel,
        Self::AtomicLegs,
        Self::AtomicVotes,
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
            Self::EpochRecord => b"ep-rec\0\0",
            Self::EpochOrigin => b"ep-orig\0",
            Self::EpochCertificate => b"ep-cert\0",
            Self::EpochSeed => b"ep-seed\0",
            Self::EpochRandomness => b"ep-rand\0",
            Self::Registration => b"reg-op\0\0",
            Self::RegistrationConsent => b"reg-id\0\0",
            Self::Departure => b"reg-exit",
            Self::KeyProposal => b"key-prop",
            Self::ShardReady => b"key-redy",
            Self::BeaconState => b"bcn-stat",
            Self::MmrRoot => b"mmr-root",
            Self::AtomicId => b"atom-id\0",
            Self::AtomicSignature => b"atom-sig",
            Self::AtomicCancel => b"atom-can",
            Self::AtomicLegs => b"atom-leg",
            Self::AtomicVotes => b"atom-vot",
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
