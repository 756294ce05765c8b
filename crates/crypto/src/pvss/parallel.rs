//! Threads that the caller lends.

use std::sync::OnceLock;

/// Runs independent jobs. This crate owns no thread: a caller that has some passes them in as this.
pub trait Parallel: Sync {
    /// Calls `job` once with every number below `jobs`, in any order and on any threads, and returns when all calls
    /// have.
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync));
}

/// All jobs one after another on the caller's thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequential;

impl Parallel for Sequential {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..jobs).for_each(job);
    }
}

/// The results of all jobs, in order of their numbers.
pub(super) fn map<T: Send + Sync>(
    parallel: &dyn Parallel,
    jobs: usize,
    job: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let results: Vec<OnceLock<T>> = (0..jobs).map(|_| OnceLock::new()).collect();
    parallel.run(jobs, &|index| {
        results[index].get_or_init(|| job(index));
    });
    results
        .into_iter()
        .map(|result| result.into_inner().expect("a `Parallel` runs every job"))
        .collect()
}
