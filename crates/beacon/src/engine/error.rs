//! Why an entry of the log changes nothing.

use quorate_types::{
    ChainId, CommitteeHash, EncryptionKey, Epoch, Height, IdentityKey, ShardId, TranscriptHash,
    ValidatorIndex,
};

use super::parameters::ParametersError;
use crate::error::AssignmentError;

/// Where the turn to the next epoch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The newest record rules; the registry is open.
    Resting,
    /// The next epoch's registry is frozen; its seed is waited for.
    Frozen,
    /// Committees are drawn; shards make keys and hand over.
    Drawn,
}

impl core::fmt::Display for Phase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Resting => "resting",
            Self::Frozen => "frozen",
            Self::Drawn => "drawn",
        })
    }
}

/// Why a beacon refuses to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeaconGenesisError {
    /// The rules are out of bounds.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// The first validators cannot be placed.
    #[error(transparent)]
    Assignment(#[from] AssignmentError),
    /// A first validator is refused.
    #[error("the validator {identity}: {error}")]
    Validator {
        /// Its identity.
        identity: IdentityKey,
        /// What is wrong.
        error: BeaconError,
    },
    /// There are not as many committees as shards.
    #[error("{found} committees for {shards} shards")]
    Committees {
        /// Committees given.
        found: usize,
        /// Shards.
        shards: u32,
    },
    /// A committee is not the one that the seed draws, or its key is unusable or comes twice.
    #[error("the committee of shard {shard}: {error}")]
    Committee {
        /// The shard.
        shard: ShardId,
        /// What is wrong.
        error: BeaconError,
    },
}

/// Why an entry of the beacon's log is refused. It changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    /// Heights only grow.
    #[error("height {found} after {current}")]
    HeightBehind {
        /// The newest height.
        current: Height,
        /// The height given.
        found: Height,
    },
    /// The height was not begun.
    #[error("an entry of height {found}, the open one is {current}")]
    HeightNotOpen {
        /// The newest height.
        current: Height,
        /// The entry's height.
        found: Height,
    },
    /// It was signed for another chain.
    #[error("for the chain {found}, this is {expected}")]
    WrongChain {
        /// This chain.
        expected: ChainId,
        /// The chain named.
        found: ChainId,
    },
    /// There is no such shard.
    #[error("no shard {shard} among {shards}")]
    UnknownShard {
        /// The number given.
        shard: ShardId,
        /// How many there are.
        shards: u32,
    },

    // The registry.
    /// This key may not run validators.
    #[error("no operator {operator}")]
    UnknownOperator {
        /// The key.
        operator: IdentityKey,
    },
    /// It was ordered before, or something before it was not.
    #[error("sequence number {found} of an operator whose next one is {expected}")]
    Sequence {
        /// The next one.
        expected: u64,
        /// The one given.
        found: u64,
    },
    /// The identity is another operator's.
    #[error("the validator {identity} is run by {operator}")]
    ForeignIdentity {
        /// The identity.
        identity: IdentityKey,
        /// Who runs it.
        operator: IdentityKey,
    },
    /// The encryption key is another validator's.
    #[error("the encryption key {encryption_key} belongs to {identity}")]
    ForeignEncryptionKey {
        /// The key.
        encryption_key: EncryptionKey,
        /// Whose it is.
        identity: IdentityKey,
    },
    /// The validator was ejected.
    #[error("the validator {identity} was ejected")]
    Ejected {
        /// Its identity.
        identity: IdentityKey,
    },
    /// No such validator is registered.
    #[error("no validator {identity}")]
    UnknownValidator {
        /// The identity.
        identity: IdentityKey,
    },
    /// The operator runs as many validators as it may.
    #[error("an operator runs at most {limit} validators, ejected ones included")]
    OperatorFull {
        /// The limit.
        limit: u32,
    },
    /// No more validators can be placed.
    #[error("at most {limit} validators can be placed")]
    RegistryFull {
        /// The limit.
        limit: u32,
    },
    /// The operator did not sign this.
    #[error("not signed by the operator")]
    OperatorSignature,
    /// The holder of the identity did not sign this.
    #[error("not signed by the identity")]
    IdentitySignature,
    /// Nobody is shown to hold the encryption key.
    #[error("no proof of possession of the encryption key")]
    EncryptionKeyProof,

    // The turn.
    /// It belongs to another phase of the turn.
    #[error("in phase {found}, not {expected}")]
    Phase {
        /// The phase it belongs to.
        expected: Phase,
        /// The phase there is.
        found: Phase,
    },
    /// It is for another epoch.
    #[error("for epoch {found}, not {expected}")]
    WrongEpoch {
        /// The epoch there is.
        expected: Epoch,
        /// The epoch named.
        found: Epoch,
    },
    /// The seed is ordered at the very height of the freeze, which cannot have been final before.
    #[error("a seed at height {frozen_at}, at which the registry was frozen")]
    SeedTooEarly {
        /// The height of the freeze.
        frozen_at: Height,
    },
    /// It is not the beacon's signature.
    #[error("not signed by the beacon")]
    BeaconSignature,
    /// The newest epoch record is certified already.
    #[error("the record of epoch {epoch} is certified already")]
    Certified {
        /// Its epoch.
        epoch: Epoch,
    },
    /// The sender does not sit in the incoming committee.
    #[error("{identity} does not sit in the incoming committee of shard {shard}")]
    NotIncoming {
        /// The shard.
        shard: ShardId,
        /// The sender.
        identity: IdentityKey,
    },
    /// The committee has other members than were drawn.
    #[error("the members of shard {shard} are not those that were drawn")]
    OtherMembers {
        /// The shard.
        shard: ShardId,
    },
    /// The committee has another quorum than the rule gives.
    #[error("a quorum of {found}, the rule gives {expected}")]
    OtherQuorum {
        /// By the rule.
        expected: u16,
        /// The committee's.
        found: u16,
    },
    /// The group key is in use, here or in another shard, or is the beacon's.
    #[error("the group key of shard {shard} is no fresh one")]
    KeyUsed {
        /// The shard.
        shard: ShardId,
    },
    /// The committee's keys are malformed or do not belong together.
    #[error("the keys of shard {shard} do not belong together")]
    Keys {
        /// The shard.
        shard: ShardId,
    },
    /// The transcript is not certified by the new key.
    #[error("the transcript is not certified by the new key of shard {shard}")]
    Transcript {
        /// The shard.
        shard: ShardId,
    },
    /// The member proposed before, or the transcript was proposed before.
    #[error("{proposer} proposed a key of shard {shard} already")]
    ProposedAlready {
        /// The shard.
        shard: ShardId,
        /// Who proposed it.
        proposer: IdentityKey,
    },
    /// The next committee is ready, and the shard has not handed over to it yet.
    #[error("shard {shard} has a next committee, of epoch {epoch}, and has not handed over to it")]
    SuccessorWaits {
        /// The shard.
        shard: ShardId,
        /// The epoch in which its term is to begin.
        epoch: Epoch,
    },
    /// No such transcript was proposed.
    #[error("no transcript {transcript} of shard {shard}")]
    UnknownTranscript {
        /// The shard.
        shard: ShardId,
        /// The transcript named.
        transcript: TranscriptHash,
    },
    /// The member said that it is ready before.
    #[error("{member} is ready already, with transcript {transcript}")]
    ReadyAlready {
        /// The member.
        member: IdentityKey,
        /// The transcript it named.
        transcript: TranscriptHash,
    },
    /// The share is not the member's.
    #[error("{member} did not sign with its share of the new key")]
    Share {
        /// The member.
        member: IdentityKey,
    },

    // Anchors.
    /// It is of a term that is not, or no longer, known.
    #[error("a certificate of term {found} of shard {shard}, whose term is {expected}")]
    WrongTerm {
        /// The shard.
        shard: ShardId,
        /// The term there is.
        expected: Epoch,
        /// The term named.
        found: Epoch,
    },
    /// The shard did not certify this.
    #[error("not certified by shard {shard}")]
    ShardSignature {
        /// The shard.
        shard: ShardId,
    },
    /// A certificate of at least this height is anchored.
    #[error("height {found} of shard {shard}, anchored is {anchored}")]
    AnchorBehind {
        /// The shard.
        shard: ShardId,
        /// The highest anchored height.
        anchored: Height,
        /// The height given.
        found: Height,
    },
    /// There is no height above it for anybody to go on at. No honest shard gets there.
    #[error("shard {shard} certified the highest height there is")]
    HighestHeight {
        /// The shard.
        shard: ShardId,
    },
    /// The term ended below this height. With the term's last certificate this is fraud.
    #[error("height {found} of a term of shard {shard} that ended at {last}")]
    AboveLast {
        /// The shard.
        shard: ShardId,
        /// The last height of the term.
        last: Height,
        /// The height given.
        found: Height,
    },
    /// Another last certificate of the term is anchored. The two are fraud.
    #[error(
        "two last certificates of a term of shard {shard}, anchored is the one of height {last}"
    )]
    TwoLast {
        /// The shard.
        shard: ShardId,
        /// The height of the anchored one.
        last: Height,
    },
    /// Another certificate of this height is anchored. The two are fraud.
    #[error("two certificates of height {height} of shard {shard}")]
    TwoCertificates {
        /// The shard.
        shard: ShardId,
        /// Their height.
        height: Height,
    },
    /// It hands over to a committee that is not the next one.
    #[error("shard {shard} hands over to {found}, which is not its next committee")]
    OtherSuccessor {
        /// The shard.
        shard: ShardId,
        /// The committee named.
        found: CommitteeHash,
    },
    /// The shard is frozen: nothing of it counts until it is retired.
    #[error("shard {shard} is frozen")]
    Frozen {
        /// The shard.
        shard: ShardId,
    },
    /// The term contradicted itself: nothing of it counts.
    #[error("shard {shard} is forked in that term")]
    Forked {
        /// The shard.
        shard: ShardId,
    },
    /// The two certificates can both be honest.
    #[error("the two certificates do not contradict each other")]
    NoContradiction,

    // Evidence.
    /// The author has no seat in the committee.
    #[error("no member {author} in that term of shard {shard}")]
    UnknownMember {
        /// The shard.
        shard: ShardId,
        /// The author.
        author: ValidatorIndex,
    },
    /// The author did not sign a block.
    #[error("a block is not signed by its author")]
    BlockSignature,
    /// The report shows nothing wrong.
    #[error("the report shows nothing wrong")]
    NoOffence,

    // Stalled shards.
    /// The shard is not stalled.
    #[error("shard {shard} was last anchored in epoch {anchored} and is not stalled in {epoch}")]
    NotStalled {
        /// The shard.
        shard: ShardId,
        /// The epoch of its last anchor.
        anchored: Epoch,
        /// The newest epoch.
        epoch: Epoch,
    },
    /// It was ordered in this epoch.
    #[error("ordered already in epoch {epoch}")]
    OrderedAlready {
        /// The epoch.
        epoch: Epoch,
    },
    /// The shard is not frozen.
    #[error("shard {shard} is not frozen")]
    NotFrozen {
        /// The shard.
        shard: ShardId,
    },
    /// The shard acknowledged before.
    #[error("shard {from} acknowledged the freeze of {shard} already")]
    AcknowledgedAlready {
        /// The frozen shard.
        shard: ShardId,
        /// The one that acknowledged.
        from: ShardId,
    },
    /// A shard does not acknowledge its own freeze.
    #[error("shard {shard} acknowledges its own freeze")]
    OwnFreeze {
        /// The shard.
        shard: ShardId,
    },
    /// Not all other shards acknowledged.
    #[error("{found} of {needed} shards acknowledged the freeze of {shard}")]
    Unacknowledged {
        /// The frozen shard.
        shard: ShardId,
        /// How many did.
        found: u32,
        /// How many there are besides it.
        needed: u32,
    },
    /// No committee is ready to take over.
    #[error("no committee is ready to take over shard {shard}")]
    NoSuccessor {
        /// The shard.
        shard: ShardId,
    },
}
