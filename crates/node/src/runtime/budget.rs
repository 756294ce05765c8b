//! Bytes that one queue between threads may hold.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A number of bytes that several threads share out. What is larger than all of it goes alone.
#[derive(Clone, Debug)]
pub(crate) struct ByteBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    used: Mutex<usize>,
    freed: Condvar,
}

/// A part of a budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    shared: Arc<Shared>,
    bytes: usize,
}

impl ByteBudget {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Shared {
            bytes_max,
            used: Mutex::new(0),
            freed: Condvar::new(),
        }))
    }

    /// Waits until `bytes` fit.
    pub(crate) fn take(&self, bytes: usize) -> Held {
        let mut used = self.0.used();
        while !self.0.fits(*used, bytes) {
            used = self
                .0
                .freed
                .wait(used)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *used += bytes;
        self.held(bytes)
    }

    /// `bytes` if they fit now.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Held> {
        let mut used = self.0.used();
        if !self.0.fits(*used, bytes) {
            return None;
        }
        *used += bytes;
        Some(self.held(bytes))
    }

    fn held(&self, bytes: usize) -> Held {
        Held {
            shared: Arc::clone(&self.0),
            bytes,
        }
    }
}

impl Shared {
    fn fits(&self, used: usize, bytes: usize) -> bool {
        used == 0 || used.saturating_add(bytes) <= self.bytes_max
    }

    fn used(&self) -> MutexGuard<'_, usize> {
        // A sum has no half-done states.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.shared.used() -= self.bytes;
        self.shared.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn bytes_beyond_the_budget_wait_and_the_largest_go_alone() {
        let budget = ByteBudget::new(10);
        let first = budget.take(7);
        assert!(budget.try_take(4).is_none());
        let second = budget.try_take(3).expect("it fits exactly");
        let (done, waited) = sync_channel(1);
        let waiting = budget.clone();
        let thread = std::thread::spawn(move || {
            let alone = waiting.take(100);
            done.send(()).expect("somebody listens");
            drop(alone);
        });
        drop(first);
        assert!(waited.try_recv().is_err(), "three bytes are still held");
        drop(second);
        thread.join().expect("it got its turn");
        assert!(waited.try_recv().is_ok());
        assert!(budget.try_take(10).is_some());
    }

    #[test]
    fn what_a_dropped_queue_held_is_given_back() {
        let budget = ByteBudget::new(1);
        let (queue, items) = sync_channel(1);
        queue.send(budget.take(1)).expect("there is room");
        drop(items);
        assert!(budget.try_take(1).is_some());
    }
}
