//! Named limits, each with its reason.

/// Most shards that an atomic transaction may have legs on: each costs three messages.
pub const PARTICIPANTS_MAX: u32 = 16;
/// Most legs of one kind that an atomic transaction may have on one shard: sixteen such shards stay within
/// [`MESSAGE_BYTES_MAX`].
pub const LEGS_MAX: u32 = 16;
/// Most keys that may cancel an atomic transaction: its owners and a few operators.
pub const CANCEL_KEYS_MAX: u32 = 16;
/// Most signatures of an atomic transaction: one owner for each debit.
pub const SIGNATURES_MAX: u32 = PARTICIPANTS_MAX * LEGS_MAX;
/// Most credits under one receipt: one that names as many is a few ten kilobytes.
pub const CREDITS_MAX: u32 = 256;
/// Most bytes of one message without a receipt's credits: the largest is a vote that carries the largest transaction.
pub const MESSAGE_BYTES_MAX: u32 = 64 * 1024;
/// Most messages in one bundle: what one commit may apply from one channel without being felt.
pub const BUNDLE_MESSAGES_MAX: u32 = 256;
/// Most shards of a network, as in the beacon's assignment.
pub const SHARDS_MAX: u32 = 256;
/// Most assets that a shard's conservation line speaks of.
pub const ASSETS_MAX: u32 = quorate_types::limits::ASSETS_MAX;
