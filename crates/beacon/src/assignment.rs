//! Who sits in which shard.
//!
//! Everything follows from [`score`]: each shard orders validators by a hash of the epoch's seed, its own number and
//! their key, takes those with low scores first and parts with those with high scores first. Nothing depends on the
//! order in which validators registered, and whoever has the seed computes the same.
//!
//! Source: SHARDING 2.3 (overlapping committees) and 2.4 (scores and the bounded swap). Not here: the commensal cuckoo
//! rule, which a registration open to anybody would need against validators that leave and join to choose their shard.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use quorate_types::limits::COMMITTEE_MIN;
use quorate_types::{Blake3, DomainTag, Hash32, IdentityKey, ShardId};

use crate::error::AssignmentError;
use crate::quorum::QuorumRule;
use crate::registry::Registry;
use crate::{SHARDS_MAX, VALIDATORS_MAX};

type Members = BTreeSet<IdentityKey>;

/// How a shard values a validator: `score(i, s) = H(R_e, s, key_i)`. Lower is taken earlier. `seed` is R_e, 32 bytes,
/// known to nobody before the registry is frozen.
///
/// Source: SHARDING 2.4, step 3; `docs/domain-tags.md` has the bytes.
#[must_use]
pub fn score(seed: &Hash32, shard: ShardId, key: &IdentityKey) -> Hash32 {
    let mut hash = Blake3::new(DomainTag::ShardScore);
    hash.update(seed);
    hash.update(shard.0.to_le_bytes());
    hash.update(key);
    Hash32(hash.finish())
}

/// How committees are made of validators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Every validator sits in every shard: n = N and nothing is left to chance.
    #[default]
    Everyone,
    /// Each shard draws its own committee from all validators, so that one may sit in several, or in none.
    Drawn {
        /// n, members of each committee.
        seats: u32,
    },
    /// Every validator sits in exactly one shard, and sizes are as equal as possible.
    Partition,
}

/// The committees of all shards in one epoch: shards 0, 1, .. in order, the members of each in ascending order of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    placement: Placement,
    shards: Vec<Members>,
}

/// An assignment and how it differs from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassignment {
    /// The new committees.
    pub assignment: Assignment,
    /// What changed, by shard.
    pub changes: Vec<ShardChange>,
}

/// How one shard's committee differs from the one before; keys ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardChange {
    /// Members that are no longer registered.
    pub exited: Vec<IdentityKey>,
    /// Members that are registered and were moved away: at most w less those that exited.
    pub moved: Vec<IdentityKey>,
    /// New members, which need the shard's state before they vote.
    pub arrived: Vec<IdentityKey>,
}

impl Assignment {
    /// The first assignment of a registry to `shards` shards under `seed` (R_e).
    ///
    /// Drawn committees are the `seats` lowest scores of each shard. In a partition the shards take turns, each time the
    /// smallest one, lowest number first, and take whom they score lowest among those still free. As scores of different
    /// shards are independent, every partition into these sizes is equally likely.
    ///
    /// # Errors
    /// [`AssignmentError::Shards`] outside 1..=[`SHARDS_MAX`], [`AssignmentError::Seats`] if drawn committees would have
    /// fewer than 4 members or more than there are, [`AssignmentError::ShardTooSmall`] if a partition would have
    /// committees of fewer than 4.
    pub fn first(
        placement: Placement,
        shards: u32,
        registry: &Registry,
        seed: &Hash32,
    ) -> Result<Self, AssignmentError> {
        if !(1..=SHARDS_MAX).contains(&shards) {
            return Err(AssignmentError::Shards { found: shards });
        }
        check_seats(placement, registry)?;
        let committees = (0..shards).map(ShardId).map(|shard| match placement {
            Placement::Everyone => registry.keys().iter().copied().collect(),
            Placement::Drawn { seats } => by_score(seed, shard, registry.keys().iter().copied())
                .into_iter()
                .take(position(seats))
                .collect(),
            Placement::Partition => Members::new(),
        });
        let mut committees: Vec<Members> = committees.collect();
        if placement == Placement::Partition {
            deal(seed, registry.keys(), &mut committees);
        }
        Self::checked(placement, committees)
    }

    /// The assignment of the next epoch: for its frozen `registry`, under its `seed` (R_e), with few members exchanged.
    ///
    /// 1. Members that are no longer registered go.
    /// 2. With n the size of a committee so far and q its quorum by `rule`, w = max(1, floor((n-q)/2)) members leave, or
    ///    fewer by those that just went: the ones the shard scores highest.
    /// 3. In a partition, those that left and those newly registered are one pool, and the shards take turns at it as in
    ///    [`Assignment::first`]. So a newcomer lands in a random shard, and sizes that differ after exits level out as far
    ///    as w allows. One that left may come back if nobody else takes it.
    /// 4. Drawn committees fill up with the lowest scores among those that are not in them. Everybody remains everywhere.
    ///
    /// The law of the first epoch is kept: the rule treats all validators alike, so if every partition was equally likely
    /// before, it is so again. That holds for exits and newcomers that do not depend on the assignment.
    ///
    /// # Errors
    /// [`AssignmentError::Seats`] if there are fewer validators than seats of a drawn committee,
    /// [`AssignmentError::ShardTooSmall`] if exits left a shard with too few members; a fresh [`Assignment::first`] is then
    /// the way out, if there are enough validators at all.
    pub fn next(
        &self,
        rule: QuorumRule,
        registry: &Registry,
        seed: &Hash32,
    ) -> Result<Reassignment, AssignmentError> {
        check_seats(self.placement, registry)?;
        let everyone = || registry.keys().iter().copied();
        let mut committees: Vec<Members> = match self.placement {
            Placement::Everyone => self.shards.iter().map(|_| everyone().collect()).collect(),
            Placement::Drawn { .. } | Placement::Partition => (0..)
                .map(ShardId)
                .zip(&self.shards)
                .map(|(shard, members)| remaining(seed, shard, members, rule, registry))
                .collect(),
        };
        match self.placement {
            Placement::Everyone => {}
            Placement::Drawn { seats } => {
                for ((shard, before), members) in (0..).zip(&self.shards).zip(&mut committees) {
                    refill(seed, ShardId(shard), seats, before, members, registry);
                }
            }
            Placement::Partition => {
                let placed: Members = committees.iter().flatten().copied().collect();
                let pool: Vec<IdentityKey> =
                    everyone().filter(|key| !placed.contains(key)).collect();
                deal(seed, &pool, &mut committees);
            }
        }
        let assignment = Self::checked(self.placement, committees)?;
        let pairs = self.shards.iter().zip(&assignment.shards);
        let changes = pairs
            .map(|(before, after)| ShardChange::between(before, after, registry))
            .collect();
        Ok(Reassignment {
            assignment,
            changes,
        })
    }

    /// How these committees were made.
    #[must_use]
    pub const fn placement(&self) -> Placement {
        self.placement
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u32 {
        u32::try_from(self.shards.len()).expect("bounded in Assignment::first")
    }

    /// The members of a shard in ascending order of keys; none if there is no such shard.
    pub fn members(&self, shard: ShardId) -> impl ExactSizeIterator<Item = &IdentityKey> {
        static NOBODY: Members = Members::new();
        self.shards.get(position(shard.0)).unwrap_or(&NOBODY).iter()
    }

    /// The shards that a validator sits in, ascending.
    pub fn shards_of(&self, key: &IdentityKey) -> impl Iterator<Item = ShardId> {
        (0..)
            .map(ShardId)
            .zip(&self.shards)
            .filter_map(move |(shard, members)| members.contains(key).then_some(shard))
    }

    /// An assignment of committees that were computed before.
    ///
    /// # Errors
    /// [`AssignmentError::Shards`], [`AssignmentError::ShardTooSmall`].
    pub(crate) fn restore(
        placement: Placement,
        shards: Vec<BTreeSet<IdentityKey>>,
    ) -> Result<Self, AssignmentError> {
        let found = u32::try_from(shards.len()).unwrap_or(u32::MAX);
        if !(1..=SHARDS_MAX).contains(&found) {
            return Err(AssignmentError::Shards { found });
        }
        Self::checked(placement, shards)
    }

    fn checked(placement: Placement, shards: Vec<Members>) -> Result<Self, AssignmentError> {
        for (shard, members) in (0..).zip(&shards) {
            let members = count(members);
            if members < u32::from(COMMITTEE_MIN) {
                let shard = ShardId(shard);
                return Err(AssignmentError::ShardTooSmall { shard, members });
            }
        }
        Ok(Self { placement, shards })
    }
}

impl ShardChange {
    fn between(before: &Members, after: &Members, registry: &Registry) -> Self {
        let gone = before.difference(after).copied();
        let (moved, exited) = gone.partition(|key| registry.contains(key));
        Self {
            exited,
            moved,
            arrived: after.difference(before).copied().collect(),
        }
    }
}

fn check_seats(placement: Placement, registry: &Registry) -> Result<(), AssignmentError> {
    let validators = registry.validators();
    match placement {
        Placement::Drawn { seats } if !(u32::from(COMMITTEE_MIN)..=validators).contains(&seats) => {
            Err(AssignmentError::Seats { seats, validators })
        }
        _ => Ok(()),
    }
}

/// `keys` in the order in which `shard` takes them. Scores of distinct keys do not collide; if they did, keys decide.
fn by_score(
    seed: &Hash32,
    shard: ShardId,
    keys: impl Iterator<Item = IdentityKey>,
) -> Vec<IdentityKey> {
    let mut scored: Vec<(Hash32, IdentityKey)> =
        keys.map(|key| (score(seed, shard, &key), key)).collect();
    scored.sort_unstable();
    scored.into_iter().map(|(_, key)| key).collect()
}

/// Steps 1 and 2 of [`Assignment::next`] for one shard: who stays.
fn remaining(
    seed: &Hash32,
    shard: ShardId,
    members: &Members,
    rule: QuorumRule,
    registry: &Registry,
) -> Members {
    let registered = members.iter().copied().filter(|key| registry.contains(key));
    let mut order = by_score(seed, shard, registered);
    let exited = members.len() - order.len();
    let swap = rule
        .swap_max(count(members))
        .expect("an assignment has committees of 4 to VALIDATORS_MAX members");
    let leaving = position(swap).saturating_sub(exited);
    order.truncate(order.len().saturating_sub(leaving));
    order.into_iter().collect()
}

/// Step 4 for one drawn committee: fills it up to `seats` from those that were not in it before, and only where they
/// do not suffice from those that left it.
fn refill(
    seed: &Hash32,
    shard: ShardId,
    seats: u32,
    before: &Members,
    members: &mut Members,
    registry: &Registry,
) {
    let free = registry.keys().iter().filter(|key| !members.contains(key));
    let (left, others): (Vec<_>, Vec<_>) = free.copied().partition(|key| before.contains(key));
    let others = by_score(seed, shard, others.into_iter());
    let left = by_score(seed, shard, left.into_iter());
    let open = position(seats).saturating_sub(members.len());
    members.extend(others.into_iter().chain(left).take(open));
}

/// Deals a pool to shards: again and again the smallest shard, lowest number first, takes whom it scores lowest.
fn deal(seed: &Hash32, pool: &[IdentityKey], shards: &mut [Members]) {
    // As positions in the pool: 256 shards order up to 10000 validators each.
    let mut orders: Vec<_> = (0..)
        .map(ShardId)
        .zip(shards.iter())
        .map(|(shard, _)| preferences(seed, shard, pool).into_iter())
        .collect();
    let mut free = alloc::vec![true; pool.len()];
    for _ in pool {
        let smallest = (0..shards.len())
            .min_by_key(|shard| (shards[*shard].len(), *shard))
            .expect("there is a shard: checked in Assignment::first");
        let taken = orders[smallest]
            .find(|candidate| free[*candidate])
            .expect("an order lists the whole pool, and part of it is free");
        free[taken] = false;
        shards[smallest].insert(pool[taken]);
    }
}

/// Positions in `pool` in the order in which `shard` takes them.
fn preferences(seed: &Hash32, shard: ShardId, pool: &[IdentityKey]) -> Vec<usize> {
    let mut scored: Vec<(Hash32, IdentityKey, usize)> = (0..)
        .zip(pool)
        .map(|(at, key)| (score(seed, shard, key), *key, at))
        .collect();
    scored.sort_unstable();
    scored.into_iter().map(|(_, _, at)| at).collect()
}

fn position(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn count(members: &Members) -> u32 {
    u32::try_from(members.len()).unwrap_or(VALIDATORS_MAX)
}
