//! A total while it is computed from scratch.

use alloc::vec;
use alloc::vec::Vec;

use super::{Reach, Total};
use crate::lane::{LaneScan, Side};
use crate::portfolio::{MarginError, PENDING_MAX, Portfolio};
use crate::table::ScenarioTable;

/// No reach of an instrument yet.
const NOWHERE: u32 = u32::MAX;

/// A total to which lanes are added one after the other, with minima and charges left for the end.
///
/// With thousands of lanes, finding each leg's instrument in a sorted list, and making room for it there, would take as
/// long as the arithmetic. So places are kept by instrument, and the list is sorted once.
#[derive(Debug)]
pub(crate) struct Draft {
    total: Total,
    /// The place in `total.reach` of each instrument of the table. Empty until there is a lane with legs.
    places: Vec<u32>,
}

impl Draft {
    /// Nothing pending.
    pub(crate) fn new(
        side: Side,
        table: &ScenarioTable,
        portfolio: &Portfolio,
    ) -> Result<Self, MarginError> {
        Ok(Self {
            total: Total::settled(side, table, portfolio)?,
            places: Vec::new(),
        })
    }

    /// Adds a lane.
    pub(crate) fn include(
        &mut self,
        table: &ScenarioTable,
        lane: &LaneScan,
    ) -> Result<(), MarginError> {
        self.total.add_values(table, lane);
        if self.total.weight > PENDING_MAX {
            return Err(MarginError::TooManyPending(self.total.weight));
        }
        for leg in lane.legs() {
            let reach = self.reach(table, leg.instrument);
            reach.low += leg.low;
            reach.high += leg.high;
        }
        Ok(())
    }

    /// Checks ranges, and finds minima and charges.
    pub(crate) fn finish(self, table: &ScenarioTable) -> Result<Total, MarginError> {
        let mut total = self.total;
        total.check_cash(0)?;
        total.reach.sort_unstable_by_key(|reach| reach.instrument);
        for reach in &total.reach {
            total.check_reach(table, reach.instrument, reach.low, reach.high)?;
        }
        total.refresh_all(table);
        total.check_count(0)?;
        Ok(total)
    }

    fn reach(&mut self, table: &ScenarioTable, instrument: usize) -> &mut Reach {
        let reach = &mut self.total.reach;
        let number = |place: usize| u32::try_from(place).expect("positions and legs are few");
        if self.places.is_empty() {
            self.places = vec![NOWHERE; table.instruments().len()];
            for (place, held) in reach.iter().enumerate() {
                self.places[held.instrument] = number(place);
            }
        }
        if self.places[instrument] == NOWHERE {
            self.places[instrument] = number(reach.len());
            reach.push(Reach::at(instrument, 0));
        }
        let place = usize::try_from(self.places[instrument]).expect("a place in a list");
        &mut reach[place]
    }
}
