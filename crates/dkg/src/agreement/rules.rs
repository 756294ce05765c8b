//! The thresholds, whole or broken on purpose.

#[cfg(any(test, feature = "mutants"))]
use super::Mutation;

/// The thresholds, and what breaks them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rules {
    pub(super) members: u16,
    pub(super) faults: u16,
    #[cfg(any(test, feature = "mutants"))]
    pub(super) mutation: Option<Mutation>,
}

impl Rules {
    pub(super) fn quorum(&self) -> usize {
        usize::from(self.members - self.faults)
    }

    pub(super) fn amplification(&self) -> usize {
        usize::from(self.faults) + 1
    }

    #[cfg(any(test, feature = "mutants"))]
    pub(super) fn broken(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// How many echo1 approve a value.
    pub(super) fn approval(&self) -> usize {
        #[cfg(any(test, feature = "mutants"))]
        if self.broken(Mutation::LowApproval) {
            return self.amplification();
        }
        self.quorum()
    }

    /// How many echo2 of a value let echo3 name it.
    pub(super) fn support(&self) -> usize {
        #[cfg(any(test, feature = "mutants"))]
        if self.broken(Mutation::UnsupportedEcho3) {
            return 0;
        }
        self.quorum()
    }

    /// How many echo3 of a value make it the output.
    pub(super) fn output(&self) -> usize {
        #[cfg(any(test, feature = "mutants"))]
        if self.broken(Mutation::LowOutput) {
            return self.amplification();
        }
        self.quorum()
    }

    /// How many finishes decide.
    pub(super) fn decision(&self) -> usize {
        #[cfg(any(test, feature = "mutants"))]
        if self.broken(Mutation::LowFinish) {
            return usize::from(self.faults).max(1);
        }
        self.amplification()
    }

    /// Whether a finish stands for its sender's echoes in a round.
    pub(super) fn stands_for_echoes(&self, last: Option<u32>, round: u32) -> bool {
        #[cfg(any(test, feature = "mutants"))]
        match self.mutation {
            Some(Mutation::HaltOnDecide) => return true,
            Some(Mutation::PlayOn) => return false,
            _ => {}
        }
        last.is_some_and(|last| round > last)
    }

    /// Whether who decided enters later rounds: never.
    pub(super) fn plays_on(&self) -> bool {
        #[cfg(any(test, feature = "mutants"))]
        if self.broken(Mutation::PlayOn) {
            return true;
        }
        false
    }
}
