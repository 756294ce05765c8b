//! What honest validators have found out about others, and whom they accuse of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use quorate_types::{BlockId, BlockRef, Evidence, Height, Round, ValidatorIndex};

/// A lie that its author cannot deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// Two blocks of one round.
    Equivocation(Round),
    /// A coin share that does not verify.
    CoinShare(Round),
    /// A finality share, or a certificate, that does not verify.
    FinalityShare(Height),
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equivocation(round) => write!(f, "two blocks of round {round}"),
            Self::CoinShare(round) => write!(f, "a bad coin share of round {round}"),
            Self::FinalityShare(height) => write!(f, "a bad signature for height {height}"),
        }
    }
}

/// One validator's knowledge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Convictions {
    /// The first block of each slot that its present boot accepted.
    accepted: BTreeMap<(ValidatorIndex, Round), BlockId>,
    found: BTreeSet<(ValidatorIndex, Lie)>,
    convicted: BTreeSet<(ValidatorIndex, Lie)>,
}

impl Convictions {
    /// It accepts a block.
    pub(crate) fn accept(&mut self, block: BlockRef) {
        let slot = (block.author, block.round);
        if *self.accepted.entry(slot).or_insert(block.id) != block.id {
            self.find(block.author, Lie::Equivocation(block.round));
        }
    }

    /// It has looked at something that does not verify.
    pub(crate) fn find(&mut self, liar: ValidatorIndex, lie: Lie) {
        self.found.insert((liar, lie));
    }

    /// It has evidence.
    pub(crate) fn convict(&mut self, evidence: &Evidence) {
        self.convicted.insert(match evidence {
            Evidence::Equivocation { first, .. } => (first.author, Lie::Equivocation(first.round)),
            Evidence::BadCoinShare { author, round } => (*author, Lie::CoinShare(*round)),
            Evidence::BadFinalityShare { author, height } => (*author, Lie::FinalityShare(*height)),
        });
    }

    /// It starts again. What it was about to say when it died is lost, and the blocks that were not durable too.
    pub(crate) fn restart(&mut self) {
        self.accepted.clear();
        self.found = &self.found & &self.convicted;
    }

    /// Who was found out and not convicted.
    pub(crate) fn let_go(&self) -> Option<(ValidatorIndex, Lie)> {
        self.found.difference(&self.convicted).next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_accepted_twins_call_for_evidence_unless_a_crash_came_between() {
        let block = |id| BlockRef {
            author: ValidatorIndex(2),
            round: Round(7),
            id: BlockId([id; 32]),
        };
        let mut convictions = Convictions::default();
        convictions.accept(block(1));
        convictions.accept(block(1));
        assert_eq!(convictions.let_go(), None);
        convictions.restart();
        convictions.accept(block(2));
        assert_eq!(convictions.let_go(), None, "the first may not be durable");
        convictions.accept(block(3));
        let lie = Lie::Equivocation(Round(7));
        assert_eq!(convictions.let_go(), Some((ValidatorIndex(2), lie)));
        convictions.convict(&Evidence::Equivocation {
            first: block(2),
            second: block(3),
        });
        assert_eq!(convictions.let_go(), None);
    }
}
