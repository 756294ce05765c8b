//! In which ways a validator may break the protocol.

/// How a validator behaves. A liar may have several behaviours at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// It follows the protocol; it may crash.
    #[default]
    Honest,
    /// It makes two blocks for most of its slots and sends each peer one of them, by chance.
    Equivocating,
    /// It makes two blocks for every slot; one half of its peers gets the one, the other half the other, always.
    Splitting,
    /// It shows its blocks to at most f peers at once, and to the others when they are so many rounds further that it is
    /// just too late for something.
    Withholding,
    /// Its blocks have the least number of parents that is valid.
    OmittingParents,
    /// Its blocks leave out the blocks of some members for ever, as far as that is valid.
    Shunning,
    /// It sends some peers blocks whose parents do not exist, and others the block that it means.
    InventingParents,
    /// Its blocks carry a coin share of another member, of another round, or of no use at all, under a good signature.
    BadCoinShares,
    /// Its finality shares do not verify, or are over another header.
    BadFinalityShares,
    /// It sends old blocks again, blocks of others as its own, blocks of another epoch, shard or chain, and changed certificates.
    Replaying,
    /// It sends blocks of rounds that nobody has reached, the largest blocks that are valid, and bytes that are no block.
    Spamming,
    /// It answers fetches with other blocks, with bytes that are no block, or not at all.
    JunkAnswers,
    /// It says that it holds, has made or has certified more than it has, or less; and it says so unasked.
    FalseGreetings,
}

impl Behaviour {
    /// Every way to lie.
    pub const LIES: [Self; 12] = [
        Self::Equivocating,
        Self::Splitting,
        Self::Withholding,
        Self::OmittingParents,
        Self::Shunning,
        Self::InventingParents,
        Self::BadCoinShares,
        Self::BadFinalityShares,
        Self::Replaying,
        Self::Spamming,
        Self::JunkAnswers,
        Self::FalseGreetings,
    ];

    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Equivocating => "equivocating",
            Self::Splitting => "splitting",
            Self::Withholding => "withholding",
            Self::OmittingParents => "omitting parents",
            Self::Shunning => "shunning",
            Self::InventingParents => "inventing parents",
            Self::BadCoinShares => "bad coin shares",
            Self::BadFinalityShares => "bad finality shares",
            Self::Replaying => "replaying",
            Self::Spamming => "spamming",
            Self::JunkAnswers => "junk answers",
            Self::FalseGreetings => "false greetings",
        }
    }
}
