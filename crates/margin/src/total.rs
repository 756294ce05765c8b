//! An account's settled values and what all its lanes add at worst (or at best), kept up to date lane by lane.

mod draft;

use alloc::vec;
use alloc::vec::Vec;

use crate::lane::{LaneScan, Side};
use crate::portfolio::{
    CASH_LIMIT, MarginError, PENDING_MAX, POSITIONS_MAX, Portfolio, index_of, within,
};
use crate::sums::{add_product, minimum};
use crate::table::{AddOn, ScenarioTable};

pub(crate) use draft::Draft;

/// V and E of SETTLEMENT 3.4, per feed, with the reachable positions that add-ons are charged on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Total {
    side: Side,
    /// Settled.
    pub(crate) cash: i128,
    /// Magnitudes of all pending cash, added.
    cash_moved: i128,
    /// Pending cash that no feed bears, at its extreme.
    pub(crate) loose: i128,
    /// Changes and legs pending.
    weight: usize,
    /// Ascending by feed; none where all values are zero.
    pub(crate) feeds: Vec<FeedTotal>,
    /// Ascending by instrument; none where all quantities are zero.
    pub(crate) reach: Vec<Reach>,
    /// The sum of all feeds' `worst`.
    worst: i128,
    /// The sum of all instruments' `charge`.
    pub(crate) add_on: i128,
}

/// One feed, by scenario, in quote atoms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FeedTotal {
    pub(crate) feed: usize,
    /// Value of settled positions, without cash: V.
    pub(crate) settled: Vec<i128>,
    /// That and the extremes of all lanes, added: V + E. The sum is kept, not E, for it is what every test reads.
    both: Vec<i128>,
    /// The least of `both` over scenarios.
    worst: i128,
}

/// One instrument, in lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) instrument: usize,
    pub(crate) quantity: i64,
    /// The least and the greatest quantity that pending changes can lead to.
    pub(crate) low: i64,
    pub(crate) high: i64,
    charge: i128,
}

impl Total {
    /// Nothing pending.
    pub(crate) fn new(
        side: Side,
        table: &ScenarioTable,
        portfolio: &Portfolio,
    ) -> Result<Self, MarginError> {
        let mut total = Self::settled(side, table, portfolio)?;
        total.refresh_all(table);
        Ok(total)
    }

    /// Nothing pending, with minima and charges left to be refreshed.
    fn settled(
        side: Side,
        table: &ScenarioTable,
        portfolio: &Portfolio,
    ) -> Result<Self, MarginError> {
        let mut total = Self {
            side,
            cash: portfolio.cash(),
            cash_moved: 0,
            loose: 0,
            weight: 0,
            feeds: Vec::with_capacity(1),
            reach: Vec::with_capacity(portfolio.positions().len()),
            worst: 0,
            add_on: 0,
        };
        let mut feeds = Vec::with_capacity(1);
        for (instrument, quantity) in portfolio.positions() {
            let index = index_of(table, *instrument)?;
            table.add_to_feed(&mut feeds, index, *quantity);
            // Positions and rows both ascend by instrument.
            total.reach.push(Reach::at(index, *quantity));
        }
        feeds.sort_unstable_by_key(|(feed, _)| *feed);
        total.feeds.extend(feeds.into_iter().map(|(feed, sums)| {
            let settled = sums.values();
            FeedTotal {
                feed,
                both: settled.clone(),
                settled,
                worst: 0,
            }
        }));
        Ok(total)
    }

    /// The bound, in quote atoms.
    pub(crate) fn bound(&self) -> i128 {
        self.cash + self.loose + self.worst - self.add_on
    }

    /// The bound with lane `new` in place of lane `old`, of which `new` is an extension. Costs as much as `new` touches.
    pub(crate) fn preview(
        &self,
        table: &ScenarioTable,
        old: Option<&LaneScan>,
        new: &LaneScan,
    ) -> Result<i128, MarginError> {
        let weight = self.weight + new.weight - old.map_or(0, |lane| lane.weight);
        if weight > PENDING_MAX {
            return Err(MarginError::TooManyPending(weight));
        }
        self.check_cash(new.cash_moved - old.map_or(0, |lane| lane.cash_moved))?;
        let mut bound = self.bound() + new.loose - old.map_or(0, |lane| lane.loose);
        for (feed, extremes) in new.feeds() {
            let before = old.and_then(|lane| lane.extremes(feed));
            let now = self.find_feed(feed).map(|place| &self.feeds[place]);
            bound += least_with(now, before, extremes) - now.map_or(0, |feed| feed.worst);
        }
        let mut fresh = 0;
        for leg in new.legs() {
            let place = self.find_reach(leg.instrument);
            fresh += usize::from(place.is_none());
            let now = place.map_or(Reach::at(leg.instrument, 0), |place| self.reach[place]);
            let before = old.and_then(|lane| lane.leg(leg.instrument));
            let low = now.low + leg.low - before.map_or(0, |leg| leg.low);
            let high = now.high + leg.high - before.map_or(0, |leg| leg.high);
            self.check_reach(table, leg.instrument, low, high)?;
            bound -= charge(self.side, table.add_on(leg.instrument), low, high) - now.charge;
        }
        self.check_count(fresh)?;
        Ok(bound)
    }

    /// Puts lane `new` in place of lane `old`. What was checked by [`preview`](Self::preview) fits.
    pub(crate) fn replace(
        &mut self,
        table: &ScenarioTable,
        old: Option<&LaneScan>,
        new: Option<&LaneScan>,
    ) {
        self.exchange(table, old, new);
        for lane in [old, new].into_iter().flatten() {
            self.refresh_lane(table, lane);
        }
    }

    /// Settles a change at the front of lane `old`, of which `new` is what stays pending.
    pub(crate) fn settle_front(
        &mut self,
        table: &ScenarioTable,
        old: &LaneScan,
        new: &LaneScan,
        cash: i128,
        legs: &[(usize, i64)],
    ) {
        self.exchange(table, Some(old), Some(new));
        self.add_settled(table, cash, legs);
        // All that the change and the rest touch, the whole touches.
        self.refresh_lane(table, old);
    }

    /// Adds a change to what is settled.
    pub(crate) fn settle(&mut self, table: &ScenarioTable, cash: i128, legs: &[(usize, i64)]) {
        self.add_settled(table, cash, legs);
        for (instrument, _) in legs {
            self.refresh_feed(table.feed_of(*instrument));
            self.refresh_reach(table, *instrument);
        }
    }

    /// Whether cash stays in range with `more` of it moved.
    pub(crate) fn check_cash(&self, more: i128) -> Result<(), MarginError> {
        let reach = self.cash.abs() + self.cash_moved + more;
        if reach < CASH_LIMIT {
            Ok(())
        } else {
            Err(MarginError::Cash(reach))
        }
    }

    /// Whether positions stay in range with these legs added to all that is reachable.
    pub(crate) fn check_legs(
        &self,
        table: &ScenarioTable,
        legs: &[(usize, i64)],
    ) -> Result<(), MarginError> {
        let fresh = |leg: &&(usize, i64)| self.find_reach(leg.0).is_none();
        self.check_count(legs.iter().filter(fresh).count())?;
        for (instrument, lots) in legs {
            let now = self.find_reach(*instrument).map(|place| self.reach[place]);
            let (low, high) = now.map_or((0, 0), |reach| (reach.low, reach.high));
            self.check_reach(table, *instrument, low + lots, high + lots)?;
        }
        Ok(())
    }

    /// Whether all that is held and may come to be held, with `more` instruments, could be held at once.
    fn check_count(&self, more: usize) -> Result<(), MarginError> {
        let count = self.reach.len() + more;
        if self.side == Side::Lowest && count > POSITIONS_MAX {
            return Err(MarginError::TooManyPositions(count));
        }
        Ok(())
    }

    /// A reachable position that no account may hold makes some order fail, so the best case alone may ignore it: its
    /// charge is that of a quantity no larger than the settled one.
    fn check_reach(
        &self,
        table: &ScenarioTable,
        instrument: usize,
        low: i64,
        high: i64,
    ) -> Result<(), MarginError> {
        if self.side == Side::Lowest {
            within(table.id(instrument), low)?;
            within(table.id(instrument), high)?;
        }
        Ok(())
    }

    /// Adds to what is settled. Minima and charges are left to be refreshed, here and in what follows.
    fn add_settled(&mut self, table: &ScenarioTable, cash: i128, legs: &[(usize, i64)]) {
        self.cash += cash;
        for (instrument, lots) in legs {
            let row = table.values(*instrument);
            let place = self.feed_place(table, table.feed_of(*instrument));
            let feed = &mut self.feeds[place];
            add_product(&mut feed.settled, 0, row, *lots);
            add_product(&mut feed.both, 0, row, *lots);
            let place = self.reach_place(*instrument);
            let reach = &mut self.reach[place];
            reach.quantity += lots;
            reach.low += lots;
            reach.high += lots;
        }
    }

    fn exchange(&mut self, table: &ScenarioTable, old: Option<&LaneScan>, new: Option<&LaneScan>) {
        if let Some(lane) = old {
            self.take_values(table, lane);
            for leg in lane.legs() {
                let place = self.reach_place(leg.instrument);
                self.reach[place].low -= leg.low;
                self.reach[place].high -= leg.high;
            }
        }
        if let Some(lane) = new {
            self.add_values(table, lane);
            for leg in lane.legs() {
                let place = self.reach_place(leg.instrument);
                self.reach[place].low += leg.low;
                self.reach[place].high += leg.high;
            }
        }
    }

    /// Adds all of a lane but its legs.
    fn add_values(&mut self, table: &ScenarioTable, lane: &LaneScan) {
        self.loose += lane.loose;
        self.cash_moved += lane.cash_moved;
        self.weight += lane.weight;
        for (feed, extremes) in lane.feeds() {
            let place = self.feed_place(table, feed);
            let both = self.feeds[place].both.iter_mut();
            both.zip(extremes)
                .for_each(|(sum, extreme)| *sum += extreme);
        }
    }

    /// Takes all of a lane away but its legs.
    fn take_values(&mut self, table: &ScenarioTable, lane: &LaneScan) {
        self.loose -= lane.loose;
        self.cash_moved -= lane.cash_moved;
        self.weight -= lane.weight;
        for (feed, extremes) in lane.feeds() {
            let place = self.feed_place(table, feed);
            let both = self.feeds[place].both.iter_mut();
            both.zip(extremes)
                .for_each(|(sum, extreme)| *sum -= extreme);
        }
    }

    fn refresh_lane(&mut self, table: &ScenarioTable, lane: &LaneScan) {
        for (feed, _) in lane.feeds() {
            self.refresh_feed(feed);
        }
        for leg in lane.legs() {
            self.refresh_reach(table, leg.instrument);
        }
    }

    fn refresh_all(&mut self, table: &ScenarioTable) {
        self.worst += self.feeds.iter_mut().map(FeedTotal::refresh).sum::<i128>();
        self.feeds.retain(|of| !of.is_zero());
        let side = self.side;
        let charges = self.reach.iter_mut().map(|of| of.refresh(side, table));
        self.add_on += charges.sum::<i128>();
        self.reach.retain(|of| !of.is_zero());
    }

    /// Finds a feed's minimum again, and forgets the feed where nothing is left in it.
    fn refresh_feed(&mut self, feed: usize) {
        if let Some(place) = self.find_feed(feed) {
            self.worst += self.feeds[place].refresh();
            if self.feeds[place].is_zero() {
                self.feeds.remove(place);
            }
        }
    }

    /// Charges an instrument again, and forgets it where it is neither held nor pending.
    fn refresh_reach(&mut self, table: &ScenarioTable, instrument: usize) {
        if let Some(place) = self.find_reach(instrument) {
            self.add_on += self.reach[place].refresh(self.side, table);
            if self.reach[place].is_zero() {
                self.reach.remove(place);
            }
        }
    }

    pub(crate) fn find_feed(&self, feed: usize) -> Option<usize> {
        self.feeds.binary_search_by_key(&feed, |of| of.feed).ok()
    }

    pub(crate) fn find_reach(&self, instrument: usize) -> Option<usize> {
        self.reach
            .binary_search_by_key(&instrument, |of| of.instrument)
            .ok()
    }

    fn feed_place(&mut self, table: &ScenarioTable, feed: usize) -> usize {
        let found = self.feeds.binary_search_by_key(&feed, |of| of.feed);
        found.unwrap_or_else(|place| {
            let zeros = vec![0; table.feed_scenarios(feed)];
            let fresh = FeedTotal {
                feed,
                settled: zeros.clone(),
                both: zeros,
                worst: 0,
            };
            self.feeds.insert(place, fresh);
            place
        })
    }

    fn reach_place(&mut self, instrument: usize) -> usize {
        let found = self
            .reach
            .binary_search_by_key(&instrument, |of| of.instrument);
        found.unwrap_or_else(|place| {
            self.reach.insert(place, Reach::at(instrument, 0));
            place
        })
    }
}

impl Reach {
    /// Held, with nothing pending, and not charged yet.
    const fn at(instrument: usize, quantity: i64) -> Self {
        Self {
            instrument,
            quantity,
            low: quantity,
            high: quantity,
            charge: 0,
        }
    }

    /// Charges again. Gives what the charge rose by.
    fn refresh(&mut self, side: Side, table: &ScenarioTable) -> i128 {
        let charge = charge(side, table.add_on(self.instrument), self.low, self.high);
        let rise = charge - self.charge;
        self.charge = charge;
        rise
    }

    /// Whether it is neither held nor pending: `low <= quantity <= high`, and any leg moves one of the ends.
    const fn is_zero(&self) -> bool {
        self.quantity == 0 && self.low == 0 && self.high == 0
    }
}

impl FeedTotal {
    /// E in one scenario.
    pub(crate) fn pending(&self, scenario: usize) -> i128 {
        self.both[scenario] - self.settled[scenario]
    }

    /// The first scenario in which the bound is attained.
    pub(crate) fn binding(&self) -> usize {
        let attained = self.both.iter().position(|sum| *sum == self.worst);
        attained.expect("the worst is one of them")
    }

    /// Finds the minimum again. Gives what it rose by.
    fn refresh(&mut self) -> i128 {
        let worst = minimum(&self.both);
        let rise = worst - self.worst;
        self.worst = worst;
        rise
    }

    fn is_zero(&self) -> bool {
        let zero = |values: &[i128]| values.iter().all(|value| *value == 0);
        self.worst == 0 && zero(&self.settled) && zero(&self.both)
    }
}

/// A feed's minimum with extremes `new` in place of `old`.
fn least_with(now: Option<&FeedTotal>, old: Option<&[i128]>, new: &[i128]) -> i128 {
    let Some(now) = now else {
        // Where nothing is held, lanes have been forgotten if their extremes are zero, `old` among them.
        return minimum(new);
    };
    let with_new = now.both.iter().zip(new).map(|(sum, extreme)| sum + extreme);
    let least = match old {
        Some(old) => with_new.zip(old).map(|(sum, extreme)| sum - extreme).min(),
        None => with_new.min(),
    };
    least.expect("every feed of a table has a scenario")
}

/// What add-ons charge at worst, or at best, for a position between `low` and `high`. A convex function has its maximum
/// over an interval at an end; this one has its minimum at 0 or at the end closest to it.
fn charge(side: Side, add_on: &AddOn, low: i64, high: i64) -> i128 {
    match side {
        Side::Lowest if low == high => add_on.charge(low),
        Side::Lowest => add_on.charge(low).max(add_on.charge(high)),
        Side::Highest => add_on.charge(0.clamp(low, high)),
    }
}
