//! Where a shard's term ends: a pure function of what its committee ordered.
//!
//! When a quorum of the next committee is ready ([`Effect::Turn`](crate::Effect::Turn)), each sitting member puts an
//! [`EpochSeen`] that names it into its blocks. The term ends with the **stop commit**: the first commit whose causal history
//! holds [`EpochSeen`]s of q distinct authors that name one committee. All members order the same blocks in the same
//! commits, so all stop at the same height h*, whatever they heard from the beacon and when. The header of h* names the
//! next committee, and its certificate is the hand-over: the last one under the old key. Nothing is ordered above h*; the
//! next committee goes on at h*+1 with what the old one did not order.
//!
//! An author counts once, for the committee that it named first, so that two committees never both get q of n. With fewer
//! than 2q - n Byzantine authors the q include an honest one, which named a committee that the beacon said is ready.
//!
//! Nothing is wired in: who puts [`EpochSeen`]s into blocks, and who asks [`StopRule`], is the consensus engine's driver.
//!
//! Source: SHARDING 2.5, steps 3 and 4.

use alloc::collections::BTreeMap;

use quorate_types::{Committee, CommitteeHash, Epoch, EpochSeen, Header, Height, ValidatorIndex};

/// The end of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// h*: the last height of the term.
    pub height: Height,
    /// The committee that goes on above it.
    pub next: CommitteeHash,
}

/// Why a commit or a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandoverError {
    /// The term ended.
    #[error("height {found} of a term that ended at {last}")]
    AboveStop {
        /// h*.
        last: Height,
        /// The height given.
        found: Height,
    },
    /// Commits come without gaps, each once.
    #[error("commit {found}, the next one is {expected}")]
    OutOfOrder {
        /// The next height.
        expected: Height,
        /// The height given.
        found: Height,
    },
    /// A header names another next committee than its height calls for.
    #[error("the header of height {height} names {found} as the next committee, not {expected}")]
    OtherSuccessor {
        /// Its height.
        height: Height,
        /// What it must name.
        expected: CommitteeHash,
        /// What it names.
        found: CommitteeHash,
    },
    /// The commit that a header is of was not looked at yet.
    #[error("the header of height {found} before its commit; the next one is {next}")]
    NotCommitted {
        /// The next commit's height.
        next: Height,
        /// The header's.
        found: Height,
    },
}

/// Counts who has seen the next committee, commit by commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopRule {
    epoch: Epoch,
    quorum: u16,
    members: u16,
    next: Height,
    seen: BTreeMap<ValidatorIndex, CommitteeHash>,
    stop: Option<Stop>,
}

impl StopRule {
    /// For the term of `committee`, whose first commit has height `first`.
    #[must_use]
    pub fn new(committee: &Committee, first: Height) -> Self {
        Self {
            epoch: committee.epoch(),
            quorum: committee.quorum(),
            members: committee.size(),
            next: first,
            seen: BTreeMap::new(),
            stop: None,
        }
    }

    /// Takes the next commit: what the blocks that it orders, and no commit before, say was seen. Gives the stop if this is
    /// the stop commit. What names no later epoch, or comes from no member, is passed over: it came in a valid block.
    ///
    /// # Errors
    /// [`HandoverError::AboveStop`], [`HandoverError::OutOfOrder`].
    pub fn commit(
        &mut self,
        height: Height,
        seen: impl IntoIterator<Item = (ValidatorIndex, EpochSeen)>,
    ) -> Result<Option<Stop>, HandoverError> {
        self.require_open(height)?;
        if height != self.next {
            return Err(HandoverError::OutOfOrder {
                expected: self.next,
                found: height,
            });
        }
        for (author, said) in seen {
            if said.epoch > self.epoch && author.0 < self.members {
                self.seen.entry(author).or_insert(said.committee);
            }
        }
        self.next = Height(height.0.saturating_add(1));
        self.stop = self.agreed().map(|next| Stop { height, next });
        Ok(self.stop)
    }

    /// The committee that q distinct authors named.
    fn agreed(&self) -> Option<CommitteeHash> {
        let mut counts: BTreeMap<CommitteeHash, u16> = BTreeMap::new();
        for committee in self.seen.values() {
            let count = counts.entry(*committee).or_default();
            *count = count.saturating_add(1);
        }
        let agreed = counts.into_iter().find(|(_, count)| *count >= self.quorum);
        agreed.map(|(committee, _)| committee)
    }

    /// Refuses heights above the end of the term: blocks, votes and shares for them are not made and not taken.
    ///
    /// # Errors
    /// [`HandoverError::AboveStop`].
    pub fn require_open(&self, height: Height) -> Result<(), HandoverError> {
        match self.stop {
            Some(stop) if height > stop.height => Err(HandoverError::AboveStop {
                last: stop.height,
                found: height,
            }),
            _ => Ok(()),
        }
    }

    /// The end of the term, once its commit was taken.
    #[must_use]
    pub const fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// What the header of a height names as [`Header::next_committee`]: the next committee at h*, zero below it.
    ///
    /// # Errors
    /// [`HandoverError::AboveStop`], and [`HandoverError::NotCommitted`] if the height's commit was not taken yet.
    pub fn next_committee(&self, height: Height) -> Result<CommitteeHash, HandoverError> {
        self.require_open(height)?;
        if height >= self.next {
            return Err(HandoverError::NotCommitted {
                next: self.next,
                found: height,
            });
        }
        Ok(match self.stop {
            Some(stop) if stop.height == height => stop.next,
            _ => CommitteeHash::ZERO,
        })
    }

    /// Checks that a header ends the term exactly if its height does: what a member asks before it signs.
    ///
    /// # Errors
    /// As [`StopRule::next_committee`], and [`HandoverError::OtherSuccessor`].
    pub fn require_header(&self, header: &Header) -> Result<(), HandoverError> {
        let expected = self.next_committee(header.height)?;
        if header.next_committee == expected {
            return Ok(());
        }
        Err(HandoverError::OtherSuccessor {
            height: header.height,
            expected,
            found: header.next_committee,
        })
    }
}
