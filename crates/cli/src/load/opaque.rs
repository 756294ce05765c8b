//! Payloads that mean nothing: random bytes, no two alike.

use bytes::{BufMut, Bytes, BytesMut};
use quorate_rpc::submit::v1::SubmitResult;
use rand_chacha::rand_core::Rng;

use super::Source;
use crate::random;

/// Bytes that make a payload unlike all others: a number of its connection, and its own.
const UNIQUE_BYTES: usize = 16;

/// Payloads of one connection.
pub(crate) struct Opaque {
    connection: u64,
    next: u64,
    filler: Vec<u8>,
}

impl Opaque {
    /// Payloads of `bytes` bytes, at least 16.
    pub(crate) fn new(bytes: usize) -> Self {
        let mut rng = random::generator();
        let mut filler = vec![0; bytes.saturating_sub(UNIQUE_BYTES)];
        rng.fill_bytes(&mut filler);
        Self {
            connection: rng.next_u64(),
            next: 0,
            filler,
        }
    }
}

impl Source for Opaque {
    type Ticket = ();

    fn take(&mut self, count: usize) -> (Vec<Bytes>, ()) {
        let size = self.transaction_bytes();
        let mut buffer = BytesMut::with_capacity(size * count);
        let mut transactions = Vec::with_capacity(count);
        for _ in 0..count {
            buffer.put_u64_le(self.connection);
            buffer.put_u64_le(self.next);
            buffer.put_slice(&self.filler);
            self.next += 1;
            transactions.push(buffer.split().freeze());
        }
        (transactions, ())
    }

    fn answered(&mut self, (): (), _results: Option<&[SubmitResult]>) {}

    fn transaction_bytes(&self) -> usize {
        UNIQUE_BYTES + self.filler.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn payloads_have_their_length_and_are_distinct() {
        let mut sources = [Opaque::new(100), Opaque::new(100)];
        let mut seen = BTreeSet::new();
        for source in &mut sources {
            for _ in 0..3 {
                for payload in source.take(5).0 {
                    assert_eq!(payload.len(), 100);
                    assert!(seen.insert(payload));
                }
            }
        }
        assert_eq!(seen.len(), 30);
    }
}
