//! Rounds of feeds: the ladder of tests that a round passes before it counts.

use quorate_types::{FeedId, RejectCode, Signature};

use super::Market;
use crate::applied::Event;
use crate::authentic::Authenticator;
use crate::entity::{Feed, FeedRound, Halt};
use crate::operation::OracleStatement;

impl Market {
    /// Takes a round of a feed. In order of the tests: signature; a round after the last one seen; a time after the last
    /// one's, not ahead of the ledger's and not stale; an uncertainty that still counts; then a price within the band,
    /// or the feed is halted until later rounds confirm the jump or take it back. Low confidence widens initial margin.
    pub(super) fn update_feed(
        &mut self,
        statement: &OracleStatement,
        signature: &Signature,
        authenticator: &impl Authenticator,
    ) -> Result<(), RejectCode> {
        let (id, round) = (statement.feed, &statement.round);
        if statement.chain != self.facts.chain {
            return Err(RejectCode::WrongChain);
        }
        let feed = self.feeds.get(&id).ok_or(RejectCode::NoInstrument)?;
        let bytes = statement.signing_bytes();
        if !authenticator.is_certified(&feed.key, &bytes, signature) {
            return Err(RejectCode::BadSignature);
        }
        self.check_time(feed, round)?;
        if round.confidence_bp > feed.confidence_most_bp {
            return Err(RejectCode::LowConfidence);
        }
        let halt = judge_jump(feed, round, self.parameters.current.halt_confirmations);
        if let Some(halt) = halt {
            self.feed_mut(id)?.halt = Some(halt);
            let round = round.round;
            self.events.push(Event::Halted { feed: id, round });
            return Ok(());
        }
        let prices = self.price_feed(id, feed, round);
        let prices = prices.map_err(|_| RejectCode::NoPrice)?;
        let is_held = |instrument| self.instruments[&instrument].open_interest > 0;
        if prices.first_unpriced(is_held).is_some() {
            return Err(RejectCode::NoPrice);
        }
        let feed = self.feed_mut(id)?;
        feed.last = Some(round.clone());
        feed.halt = None;
        self.set_prices(prices);
        let round = round.round;
        self.events.push(Event::Priced { feed: id, round });
        Ok(())
    }

    fn check_time(&self, feed: &Feed, round: &FeedRound) -> Result<(), RejectCode> {
        if feed.round_seen().is_some_and(|seen| round.round <= seen) {
            return Err(RejectCode::OldRound);
        }
        let halted = feed.halt.map(|halt| halt.timestamp_ms);
        let last = halted.or(feed.last.as_ref().map(|last| last.timestamp_ms));
        if last.is_some_and(|last| round.timestamp_ms <= last) {
            return Err(RejectCode::OldRound);
        }
        let now_ms = self.clock.now_ms;
        let drift_ms = self.parameters.current.clock_drift_ms;
        let ahead = round.timestamp_ms.saturating_sub(now_ms);
        let behind = now_ms.saturating_sub(round.timestamp_ms);
        if ahead > drift_ms || behind > feed.age_most_ms {
            return Err(RejectCode::StalePrice);
        }
        Ok(())
    }

    /// Whether an operation names the present rounds of all feeds that an account is exposed to, which must be fresh.
    pub(super) fn require_rounds(
        &self,
        account: &crate::entity::Account,
        rounds: &[crate::operation::NamedRound],
    ) -> Result<(), RejectCode> {
        let feeds = self.feeds_of(account);
        for feed in &feeds {
            self.require_feed(*feed)?;
        }
        let last = |feed: &FeedId| {
            self.feeds
                .get(feed)
                .and_then(|feed| Some(feed.last.as_ref()?.round))
        };
        let named: Vec<(FeedId, u64)> = rounds
            .iter()
            .map(|named| (named.feed, named.round))
            .collect();
        let expected: Option<Vec<(FeedId, u64)>> = feeds
            .iter()
            .map(|feed| Some((*feed, last(feed)?)))
            .collect();
        if expected.as_ref() == Some(&named) {
            Ok(())
        } else {
            Err(RejectCode::OldRound)
        }
    }
}

/// Whether a round halts its feed, or leaves it halted.
fn judge_jump(feed: &Feed, round: &FeedRound, needed: u32) -> Option<Halt> {
    let last = feed.last.as_ref()?;
    if is_within(last.price, round.price, feed.band_bp) {
        return None;
    }
    let confirmations = match feed.halt {
        Some(halt) if is_within(halt.candidate, round.price, feed.band_bp) => {
            halt.confirmations.saturating_add(1)
        }
        _ => 0,
    };
    (confirmations < needed).then_some(Halt {
        round: round.round,
        timestamp_ms: round.timestamp_ms,
        candidate: round.price,
        confirmations,
    })
}

/// Whether a price is within a band around another.
fn is_within(centre: i64, price: i64, band_bp: u32) -> bool {
    let away = i128::from(price) - i128::from(centre);
    away.abs() * 10_000 <= i128::from(centre) * i128::from(band_bp)
}
