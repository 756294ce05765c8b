//! What happened, as a hash for machines and as lines for people.

use std::sync::{Arc, Mutex, PoisonError};

use quorate_types::{Timestamp, ValidatorIndex};

use crate::recording::{Recorder, Recording};

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Moment {
    /// When, in microseconds of the world's clock.
    pub micros: u64,
    /// At which validator; none: to the world.
    pub validator: Option<u16>,
    /// What happened.
    pub what: String,
}

/// The last moments of a world, outliving its panics.
pub(crate) type Timeline = Arc<Mutex<std::collections::VecDeque<Moment>>>;

/// Most moments that are kept: the last ones tell what went wrong.
const MOMENTS_MAX: usize = 400;

/// Takes note of everything.
#[derive(Debug)]
pub(crate) struct Trace {
    hasher: blake3::Hasher,
    timeline: Option<Timeline>,
    recorder: Option<Recorder>,
}

/// What a note of the hash is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Deliver = 1,
    Internal,
    Crash,
    Restart,
    Fault,
    Mend,
    Client,
    Persist,
    SendBlock,
    SendShare,
    Fetch,
    Compute,
    Execute,
    Header,
    Checkpoint,
    Certified,
    Reclaim,
    Evidence,
    Heal,
    Join,
}

impl Trace {
    pub(crate) fn new(timeline: Option<Timeline>) -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            timeline,
            recorder: None,
        }
    }

    /// Also writes all of it down.
    pub(crate) fn recording(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder;
        self
    }

    /// Writes something down, if all is written down.
    pub(crate) fn record(&self, write: impl FnOnce(&mut Recording)) {
        if let Some(recorder) = &self.recorder {
            write(&mut recorder.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(crate) fn note(
        &mut self,
        now: Timestamp,
        kind: Kind,
        at: ValidatorIndex,
        number: u64,
        bytes: &[u8],
    ) {
        let mut entry = [0; 19];
        entry[..8].copy_from_slice(&now.0.to_le_bytes());
        entry[8] = kind as u8;
        entry[9..11].copy_from_slice(&at.0.to_le_bytes());
        entry[11..].copy_from_slice(&number.to_le_bytes());
        self.hasher.update(&entry);
        self.hasher.update(bytes);
    }

    /// Tells people, if somebody listens.
    pub(crate) fn say(
        &self,
        now: Timestamp,
        at: Option<ValidatorIndex>,
        what: impl FnOnce() -> String,
    ) {
        if self.recorder.is_none() {
            self.say_in_passing(now, at, what);
            return;
        }
        let what = what();
        self.record(|recording| {
            recording.moments.push(Moment {
                micros: now.0,
                validator: at.map(|at| at.0),
                what: what.clone(),
            });
        });
        self.say_in_passing(now, at, || what);
    }

    /// The same of what happens all the time, and is recorded in a form of its own.
    pub(crate) fn say_in_passing(
        &self,
        now: Timestamp,
        at: Option<ValidatorIndex>,
        what: impl FnOnce() -> String,
    ) {
        let Some(timeline) = &self.timeline else {
            return;
        };
        let mut moments = timeline.lock().unwrap_or_else(PoisonError::into_inner);
        if moments.len() == MOMENTS_MAX {
            moments.pop_front();
        }
        moments.push_back(Moment {
            micros: now.0,
            validator: at.map(|at| at.0),
            what: what(),
        });
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }
}
