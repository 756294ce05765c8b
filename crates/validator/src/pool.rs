//! Transactions that were admitted and wait for a block.

use std::collections::VecDeque;

use bytes::Bytes;
use quorate_types::Timestamp;
use quorate_types::limits::{PAYLOAD_BYTES_MAX, PAYLOAD_TRANSACTIONS_MAX};

/// Bounds of a [`Pool`].
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Most bytes that wait: above it new transactions are refused, and the client slows down.
    pub bytes_max: usize,
    /// Most transactions that wait.
    pub transactions_max: usize,
    /// Most bytes one block takes: blocks above it delay the block after.
    pub block_bytes_max: usize,
}

impl Default for PoolLimits {
    /// Some seconds' worth of a saturated validator, and blocks of at most 2 MiB.
    fn default() -> Self {
        Self {
            bytes_max: 64 * 1024 * 1024,
            transactions_max: 200_000,
            block_bytes_max: 2 * 1024 * 1024,
        }
    }
}

/// The pool is full: try again when it has drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{waiting_bytes} bytes in {waiting} transactions wait already")]
pub struct PoolFull {
    /// Transactions waiting.
    pub waiting: usize,
    /// Bytes waiting.
    pub waiting_bytes: usize,
}

/// A bounded first-in, first-out queue of transactions.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    queue: VecDeque<(Timestamp, Bytes)>,
    bytes: usize,
}

/// What a block takes from the pool.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// The transactions, in order.
    pub transactions: Vec<Bytes>,
    /// How many of them arrived at each instant, in order.
    pub arrivals: Vec<(Timestamp, u32)>,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub const fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            queue: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Queues one transaction of at most [`quorate_types::limits::TRANSACTION_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`PoolFull`]; nothing was queued.
    pub fn push(&mut self, now: Timestamp, transaction: Bytes) -> Result<(), PoolFull> {
        let full = self.queue.len() >= self.limits.transactions_max;
        if full || self.bytes + transaction.len() > self.limits.bytes_max {
            return Err(PoolFull {
                waiting: self.queue.len(),
                waiting_bytes: self.bytes,
            });
        }
        self.bytes += transaction.len();
        self.queue.push_back((now, transaction));
        Ok(())
    }

    /// Puts transactions back in front: they were proposed in a block that will never be output. They may pass the
    /// limits, since they were admitted once.
    pub fn restore(
        &mut self,
        now: Timestamp,
        transactions: impl DoubleEndedIterator<Item = Bytes>,
    ) {
        for transaction in transactions.rev() {
            self.bytes += transaction.len();
            self.queue.push_front((now, transaction));
        }
    }

    /// Takes the payload of one block.
    pub fn take(&mut self) -> Taken {
        let bytes_max = self.limits.block_bytes_max.min(PAYLOAD_BYTES_MAX as usize);
        let mut taken = Taken::default();
        let mut bytes = 0;
        while let Some((arrived, transaction)) = self.queue.front() {
            bytes += transaction.len();
            if bytes > bytes_max || taken.transactions.len() >= PAYLOAD_TRANSACTIONS_MAX as usize {
                break;
            }
            match taken.arrivals.last_mut() {
                Some((instant, count)) if instant == arrived => *count += 1,
                _ => taken.arrivals.push((*arrived, 1)),
            }
            let (_, transaction) = self.queue.pop_front().expect("the front was there");
            self.bytes -= transaction.len();
            taken.transactions.push(transaction);
        }
        taken
    }

    /// Whether the smallest transaction would be taken.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.queue.len() < self.limits.transactions_max && self.bytes < self.limits.bytes_max
    }

    /// How many transactions wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many bytes wait.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(bytes_max: usize, transactions_max: usize, block_bytes_max: usize) -> PoolLimits {
        PoolLimits {
            bytes_max,
            transactions_max,
            block_bytes_max,
        }
    }

    #[test]
    fn a_full_pool_refuses_and_takes_again_once_drained() {
        let mut pool = Pool::new(limits(10, 3, 6));
        for byte in 0..2u8 {
            pool.push(Timestamp(1), vec![byte; 4].into()).unwrap();
        }
        let refused = pool.push(Timestamp(2), vec![9; 4].into()).unwrap_err();
        assert_eq!((refused.waiting, refused.waiting_bytes), (2, 8));
        pool.push(Timestamp(2), vec![2; 1].into()).unwrap();
        assert!(
            pool.push(Timestamp(2), Bytes::new()).is_err(),
            "three are the most"
        );
        assert!(!pool.has_room());

        let taken = pool.take();
        assert_eq!(
            taken.transactions,
            [vec![0; 4]],
            "a second one would pass the block's six bytes"
        );
        assert_eq!(taken.arrivals, [(Timestamp(1), 1)]);
        assert!(pool.has_room());
        pool.restore(Timestamp(3), taken.transactions.into_iter());
        assert_eq!((pool.len(), pool.bytes()), (3, 9));
        assert_eq!(pool.take().transactions[0], vec![0; 4]);
        let rest = pool.take();
        assert_eq!(rest.arrivals, [(Timestamp(1), 1), (Timestamp(2), 1)]);
        assert!(pool.is_empty());
    }
}
