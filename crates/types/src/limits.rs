//! Named limits on everything that crosses the network, each with its reason.

/// Smallest committee: the least n for which f >= 1.
pub const COMMITTEE_MIN: u16 = 4;
/// Largest committee: dealing a key costs n^2, and 128 members is what key generation was measured for.
pub const COMMITTEE_MAX: u16 = 128;
/// Most bytes of transactions in one block: four such blocks fit a round of a small committee into a few
/// milliseconds of loopback or one round trip of a fast wide-area link.
pub const PAYLOAD_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// Most transactions in one block.
pub const PAYLOAD_TRANSACTIONS_MAX: u32 = 65_536;
/// Most bytes of one transaction: the largest body has eight legs and stays far below.
pub const TRANSACTION_BYTES_MAX: u32 = 16 * 1024;
/// Most bytes of a whole block: payload, its length fields, at most 128 parents, share and signature.
pub const BLOCK_BYTES_MAX: u32 = PAYLOAD_BYTES_MAX + 4 * PAYLOAD_TRANSACTIONS_MAX + 16 * 1024;
/// Most accounts a transaction may name.
pub const ACCESS_MAX: u32 = 64;
/// Most causal parents of a transaction.
pub const DEPENDENCIES_MAX: u32 = 16;
/// Most signatures on a transaction.
pub const SIGNATURES_MAX: u32 = 8;
/// Most lanes of one account, each with a sequence of its own.
pub const LANES_MAX: u32 = 64;
/// Most assets of a chain.
pub const ASSETS_MAX: u32 = 256;
/// Most changes one receipt lists.
pub const DELTAS_MAX: u32 = 64;
/// Most hashes in a Merkle path: trees have at most 2^64 leaves.
pub const MERKLE_PATH_MAX: u32 = 64;
/// Most hashes in a proof of consecutive leaves: a path on either side of them.
pub const RANGE_PATH_MAX: u32 = 2 * MERKLE_PATH_MAX;
/// Most siblings in a state proof: one for every bit of a key.
pub const STATE_PATH_MAX: u32 = 256;
/// Longest validator name in bytes.
pub const NAME_BYTES_MAX: u32 = 64;
/// Most first balances in a genesis file.
pub const ALLOCATIONS_MAX: u32 = 1_000_000;
/// Most leader slots in a round: more only delay the decision of the round's last slot.
pub const LEADERS_MAX: u16 = 16;
/// Most shards: the least committee fills them from a tenth of the largest registry, and each shard costs one hash for
/// every validator.
pub const SHARDS_MAX: u32 = 256;
