//! Failures and their exit codes.

use std::fmt;
use std::process::ExitCode;

/// What kind of failure ends the program; `--help` lists the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Other = 1,
    File = 3,
    Endpoint = 4,
    Unverified = 5,
    Disagreement = 6,
    NothingCommitted = 7,
    ValidatorEnded = 8,
    Start = 9,
    Rejected = 10,
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

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The alternate form shows the chain of causes.
        write!(f, "{:#}", self.error)
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
