//! Threads for dealings.

use std::sync::Arc;

use quorate_crypto::pvss::Parallel;
use rayon::prelude::*;

use super::error::CeremonyError;

/// Lends the threads of a rayon pool to cryptography.
#[derive(Clone, Debug)]
pub struct RayonParallel(Arc<rayon::ThreadPool>);

impl RayonParallel {
    /// A pool of its own, with one thread for each core.
    ///
    /// # Errors
    /// [`CeremonyError::System`]: no threads can be had.
    pub fn new() -> Result<Self, CeremonyError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|index| format!("dealings-{index}"))
            .build()
            .map_err(|error| CeremonyError::system("threads")(std::io::Error::other(error)))?;
        Ok(Self(Arc::new(pool)))
    }
}

impl Parallel for RayonParallel {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        self.0.install(|| (0..jobs).into_par_iter().for_each(job));
    }
}
