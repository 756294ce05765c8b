//! How much one peer may cost in a stretch of time.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// How fast the allowance of a peer grows, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that it grows by every second.
    pub bytes_per_second: u64,
    /// Bytes that it holds at most: what may come at once.
    pub bytes_burst: u64,
}

impl Default for Traffic {
    /// More than a member that keeps to the rules needs: blocks of 2 MiB, sixteen times a second.
    fn default() -> Self {
        Self {
            bytes_per_second: 32 << 20,
            bytes_burst: 32 << 20,
        }
    }
}

/// Bytes that may be spent; they grow back with time. What was begun is finished on credit.
#[derive(Debug)]
pub(crate) struct Allowance {
    traffic: Traffic,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: i128,
    at: Instant,
}

impl Allowance {
    pub(crate) fn new(traffic: Traffic) -> Self {
        Self {
            traffic,
            state: Mutex::new(State {
                left: traffic.bytes_burst.into(),
                at: Instant::now(),
            }),
        }
    }

    /// Spends `bytes`, or says after which time something can be spent again.
    pub(crate) fn admit(&self, bytes: usize) -> Result<(), Duration> {
        let wait = self.spend(0);
        if wait.is_zero() {
            self.spend(bytes);
            return Ok(());
        }
        Err(wait)
    }

    /// Spends `bytes` whatever is left, and says how long to wait until nothing is owed.
    pub(crate) fn spend(&self, bytes: usize) -> Duration {
        let rate = i128::from(self.traffic.bytes_per_second.max(1));
        let mut state = self
            .state
            .lock()
            .expect("no thread panics while it holds an allowance");
        let now = Instant::now();
        let micros = now.duration_since(state.at).as_micros();
        let grown = i128::try_from(micros)
            .unwrap_or(i128::MAX)
            .saturating_mul(rate)
            / 1_000_000;
        // Short stretches that earn nothing yet are added up.
        if grown > 0 {
            state.at = now;
            state.left = state
                .left
                .saturating_add(grown)
                .min(self.traffic.bytes_burst.into());
        }
        state.left -= i128::try_from(bytes).unwrap_or(i128::MAX);
        let owed = state.left.min(0).unsigned_abs();
        let micros = owed.saturating_mul(1_000_000).div_ceil(rate.unsigned_abs());
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_spent_grows_back_up_to_the_burst() {
        let allowance = Allowance::new(Traffic {
            bytes_per_second: 1_000,
            bytes_burst: 3_000,
        });
        assert_eq!(allowance.admit(2_999), Ok(()));
        assert_eq!(allowance.admit(1_001), Ok(()), "on credit");
        assert_eq!(allowance.admit(1), Err(Duration::from_secs(1)));
        assert_eq!(allowance.spend(500), Duration::from_millis(1_500));
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(allowance.admit(0), Ok(()));
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(allowance.spend(3_000), Duration::ZERO);
        assert_eq!(allowance.spend(1), Duration::from_millis(1));
    }
}
