//! Failures and their exit codes.

use std::fmt;
use std::process::ExitCode;

/// What kind of failure ends the program; `--help` lists the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Other = 1,
    Usage = 2,
    File = 3,
    Endpoint = 4,
    Unverified = 5,
    Disagreement = 6,
    NothingCommitted = 7,
    ValidatorEnded = 8,
    Start = 9,
    Rejected = 10,
    Incomplete = 11,
    Liar = 12,
    SeedPanicked = 13,
    SeedStalled = 14,
    PromiseBroken = 15,
    NotDeterministic = 16,
    Busy = 17,
}

/// A failure: its kind, and the story for people.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(kind: Kind, error: impl Into<anyhow::Error>) -> Self {
        Self {
            kind,
            error: error.into(),
        }
    }

    /// The same failure, told with more.
    #[must_use]
    pub(crate) fn context(self, more: &'static str) -> Self {
        Self {
            kind: self.kind,
            error: self.error.context(more),
        }
    }

    #[cfg(test)]
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for Failure {
    /// The chain of causes on one line. Some errors repeat their cause, which is left out then.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut story = String::new();
        for cause in self.error.chain().map(ToString::to_string) {
            if story.is_empty() {
                story = cause;
            } else if !story.contains(cause.trim_end()) {
                story = format!("{}: {cause}", story.trim_end());
            }
        }
        f.write_str(story.trim_end())
    }
}

/// Errors without a kind of their own are of kind 1.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Kind::Other, error)
    }
}

/// Puts a kind on an error.
pub(crate) trait OrFail<T> {
    fn or_fail(self, kind: Kind) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_fail(self, kind: Kind) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(kind, error))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let error = anyhow!("no such file")
            .context("cannot read a.json: no such file")
            .context("no genesis");
        let story = Failure::new(Kind::File, error).to_string();
        assert_eq!(story, "no genesis: cannot read a.json: no such file");
    }
}
