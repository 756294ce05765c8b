//! The grid of prices that margin is defined on, and the windows of it that a rule looks at.
//!
//! Node `k` stands at the price `e^(k step)` for every integer `k`: the grid is absolute, the same whatever the price is.
//! The cell of node `k` reaches from `e^((k - 1/2) step)` to `e^((k + 1/2) step)`, and the node in whose cell a price lies
//! is its *centre*. A risk array holds values at the centre and the nodes around it, and margin is *defined* as the least
//! over the nodes of a window around the centre (SETTLEMENT 3.4).
//!
//! That makes a promise possible that outlives a price. If margin holds over a window that is wider by the nodes of a band
//! ([`Grid::nodes_for_band`]), then at every price inside the band the window around that price's centre is a part of the
//! wider window, its nodes stand at the very same prices, and a least over fewer values is not less. Nothing is
//! interpolated, so nothing between nodes needs an argument.
//!
//! It also takes that values at a node do not change meanwhile. Therefore time to expiry is counted in whole slices
//! ([`SLICE_MS`](crate::SLICE_MS)), and the price itself enters a risk array through its centre alone: within a slice, and
//! while a feed's curves stand, the same node has the same value in every round. With another slice, curve or volatility
//! factor an operation is judged anew, or judged beforehand against the arrays of both.

use core::ops::Range;

use thiserror::Error;

use crate::fixed::Fixed;
use crate::rounding::{RangeError, check_price};

/// Nodes that a risk array covers: the centre and [`REACH`] on each side.
pub const NODES: usize = 13;

/// Nodes that a risk array covers on each side of its centre.
pub const REACH: u32 = 6;

/// Volatilities at each node.
pub const VOLATILITIES: usize = 3;

/// The cells of a risk array.
pub const CELLS: usize = NODES * VOLATILITIES;

/// The steps of a grid: from a thousandth to a fifth, in 1e-4 of the logarithm.
pub const STEP_RANGE: core::ops::RangeInclusive<u32> = 10..=2_000;

/// The lowest price with a centre, in 1e-8 quote: 0.0001. Well above it even the smallest step is many units wide; far below,
/// nodes would fall together.
pub const GRID_PRICE_LEAST: i64 = 10_000;

/// Steps count this part of the natural logarithm.
const STEP_SCALE: i64 = 10_000;

/// Units per whole price.
const PRICE_SCALE: i64 = 100_000_000;

/// Logarithms of all prices with a centre lie between these, in 1e-4: `e^-10 < 0.0001` and `e^15 > 2^47 / 10^8`.
const LOGARITHMS: Range<i64> = -100_000..150_000;

/// A setting or price with which a grid does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GridError {
    /// A step outside [`STEP_RANGE`].
    #[error("grid step {0} is not in 10..=2000")]
    Step(u32),
    /// A price outside its bounds.
    #[error(transparent)]
    Price(#[from] RangeError),
    /// A price below [`GRID_PRICE_LEAST`].
    #[error("price {0} is below 10000, the least on a grid")]
    PriceTooLow(i64),
    /// A node whose price is outside the bounds of prices.
    #[error("node {0} has no price within bounds")]
    Node(i32),
    /// A band that reaches down to zero.
    #[error("a band of {0} basis points reaches to zero")]
    Band(u32),
    /// A window that reaches beyond a risk array.
    #[error("a window of {0} nodes on each side exceeds the reach of a risk array")]
    Window(u32),
}

/// A grid of prices with equal steps of their logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grid {
    step: u32,
}

impl Grid {
    /// The grid with this step of the natural logarithm, in 1e-4: 450 makes one price 4.6 % higher than the one below.
    ///
    /// # Errors
    ///
    /// [`GridError::Step`].
    pub fn new(step: u32) -> Result<Self, GridError> {
        if STEP_RANGE.contains(&step) {
            Ok(Self { step })
        } else {
            Err(GridError::Step(step))
        }
    }

    /// The step of the natural logarithm, in 1e-4.
    #[must_use]
    pub const fn step(self) -> u32 {
        self.step
    }

    /// The price at a node: `e^(node step)` of the quote asset, to the nearest 1e-8.
    ///
    /// # Errors
    ///
    /// [`GridError::Node`] if that is not a price within bounds.
    pub fn node_price(self, node: i32) -> Result<i64, GridError> {
        let half_steps = 2 * i64::from(node);
        self.price_at(half_steps)
            .and_then(|price| check_price(price).ok())
            .ok_or(GridError::Node(node))
    }

    /// The prices of a centre and [`REACH`] nodes on each side, ascending.
    ///
    /// # Errors
    ///
    /// [`GridError::Node`] with the first node without a price within bounds, or the centre if that is no node at all.
    pub fn prices_around(self, centre: i32) -> Result<[i64; NODES], GridError> {
        let reach = i32::try_from(REACH).expect("a small constant");
        let first = centre.checked_sub(reach).ok_or(GridError::Node(centre))?;
        let mut prices = [0; NODES];
        for (price, offset) in prices.iter_mut().zip(0..) {
            let node = first.checked_add(offset).ok_or(GridError::Node(centre))?;
            *price = self.node_price(node)?;
        }
        Ok(prices)
    }

    /// The node in whose cell a price (1e-8 quote) lies; a boundary belongs to the cell above it. Every price has one centre,
    /// and a higher price no lower centre, because boundaries are integers too, and ascend.
    ///
    /// # Errors
    ///
    /// [`GridError::Price`] or [`GridError::PriceTooLow`] for a price out of range.
    pub fn centre(self, price: i64) -> Result<i32, GridError> {
        check_price(price)?;
        if price < GRID_PRICE_LEAST {
            return Err(GridError::PriceTooLow(price));
        }
        // Bisection: the lower boundary of `low` is at most the price, that of `high` above it. Both hold at first by the
        // choice of `LOGARITHMS`.
        let step = i64::from(self.step);
        let (mut low, mut high) = (LOGARITHMS.start / step, LOGARITHMS.end / step + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self
                .price_at(2 * middle - 1)
                .is_some_and(|boundary| boundary <= price)
            {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(i32::try_from(low).expect("150,000 in magnitude at most"))
    }

    /// How many nodes the centre moves at most while the price stays within `band_bp` basis points of where it was, either
    /// way: what a window must be wider by on each side for a promise that holds throughout the band.
    ///
    /// # Errors
    ///
    /// [`GridError::Band`] for a band of 10,000 basis points or more.
    pub fn nodes_for_band(self, band_bp: u32) -> Result<u32, GridError> {
        if band_bp == 0 {
            return Ok(0);
        }
        // Down is the farther side: -ln(1 - band) > ln(1 + band). Boundaries between two prices p < q, rounded to integers, lie
        // in p + 1..=q, so before rounding between p + 1/2 and q + 1/2, whose ratio is less than that of p and q. The slack
        // covers the error of logarithms.
        let error = GridError::Band(band_bp);
        let rest = 10_000_i128 - i128::from(band_bp);
        let logarithm = Fixed::from_ratio(rest, 10_000)
            .and_then(Fixed::ln)
            .ok_or(error)?;
        let length = Fixed::from_raw((1 << 32) - logarithm.raw());
        let steps = length
            .checked_mul(Fixed::from(STEP_SCALE))
            .and_then(|length| length.checked_div(Fixed::from(i64::from(self.step))))
            .expect("a logarithm is below 10, and a step not zero");
        // A stretch of this length holds one boundary more than whole steps at most.
        Ok(u32::try_from(steps.floor() + 1).expect("fewer than 100,000 steps"))
    }

    /// `e^(half_steps step / 2)` of the quote asset, to the nearest 1e-8. `None` far outside the range of prices.
    fn price_at(self, half_steps: i64) -> Option<i64> {
        let logarithm = half_steps * i64::from(self.step);
        if logarithm.abs() > 2 * LOGARITHMS.end {
            return None;
        }
        let exponent = Fixed::from_ratio(i128::from(logarithm), i128::from(2 * STEP_SCALE))?;
        let price = exponent.exp()?.checked_mul(Fixed::from(PRICE_SCALE))?;
        let half = Fixed::from_raw(Fixed::ONE.raw() / 2);
        i64::try_from(price.checked_add(half)?.floor()).ok()
    }
}

/// Nodes around a centre that a rule takes its least value over, in equal number on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    nodes: u32,
}

impl Window {
    /// Four nodes on each side: initial margin. 27 scenarios.
    pub const INITIAL: Self = Self { nodes: 4 };
    /// Three nodes on each side: maintenance margin. 21 scenarios.
    pub const MAINTENANCE: Self = Self { nodes: 3 };
    /// What initial margin is wider by while confidence in a price is low. Maintenance margin is not: nobody is called for
    /// an oracle's doubt.
    pub const LOW_CONFIDENCE: u32 = 1;

    /// This window with more nodes on each side.
    ///
    /// # Errors
    ///
    /// [`GridError::Window`] if it would exceed [`REACH`].
    pub fn widened(self, nodes: u32) -> Result<Self, GridError> {
        let nodes = self.nodes.saturating_add(nodes);
        if nodes <= REACH {
            Ok(Self { nodes })
        } else {
            Err(GridError::Window(nodes))
        }
    }

    /// How many nodes it has on each side of the centre.
    #[must_use]
    pub const fn nodes(self) -> u32 {
        self.nodes
    }

    /// The places of its scenarios among the cells of a risk array, which are node-major: consecutive, the least price first.
    #[must_use]
    pub fn cells(self) -> Range<usize> {
        let outside = usize::try_from(REACH - self.nodes).expect("within reach") * VOLATILITIES;
        outside..CELLS - outside
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rounding::PRICE_LIMIT;

    fn grid() -> impl Strategy<Value = Grid> {
        STEP_RANGE.prop_map(|step| Grid { step })
    }

    fn price() -> impl Strategy<Value = i64> {
        (GRID_PRICE_LEAST..PRICE_LIMIT, 0..34_u32)
            .prop_map(|(price, shift)| (price >> shift).max(GRID_PRICE_LEAST))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_price_lies_in_the_cell_of_its_centre(grid in grid(), price in price()) {
            let half_steps = 2 * i64::from(grid.centre(price).unwrap());
            prop_assert!(grid.price_at(half_steps - 1).unwrap() <= price);
            prop_assert!(grid.price_at(half_steps + 1).is_none_or(|boundary| price < boundary));
        }

        #[test]
        fn centres_change_at_boundaries_and_nowhere_else(grid in grid(), price in price()) {
            let centre = grid.centre(price).unwrap();
            let half_steps = 2 * i64::from(centre);
            let upper = grid.price_at(half_steps + 1).unwrap();
            if upper < PRICE_LIMIT {
                prop_assert_eq!(grid.centre(upper - 1), Ok(centre));
                prop_assert_eq!(grid.centre(upper), Ok(centre + 1));
            }
            if let Ok(stand) = grid.node_price(centre)
                && stand >= GRID_PRICE_LEAST
            {
                prop_assert_eq!(grid.centre(stand), Ok(centre));
            }
        }

        #[test]
        fn a_higher_price_has_no_lower_centre(grid in grid(), a in price(), b in price()) {
            prop_assert!(grid.centre(a.min(b)).unwrap() <= grid.centre(a.max(b)).unwrap());
        }

        #[test]
        fn windows_inside_a_band_lie_inside_the_wider_window(
            grid in grid(), price in price(), band_bp in 0..9_000_u32, place in 0..=1_000_i128, far in any::<bool>()
        ) {
            let (price_wide, band) = (i128::from(price), i128::from(band_bp));
            let lowest = -(-price_wide * (10_000 - band)).div_euclid(10_000);
            let highest = price_wide * (10_000 + band) / 10_000;
            // At the ends of the band as often as inside it.
            let place = if far { 1_000 * (place % 2) } else { place };
            let moved = i64::try_from(lowest + (highest - lowest) * place / 1_000).unwrap();
            if (GRID_PRICE_LEAST..PRICE_LIMIT).contains(&moved) {
                let nodes = grid.nodes_for_band(band_bp).unwrap();
                let travelled = grid.centre(moved).unwrap().abs_diff(grid.centre(price).unwrap());
                prop_assert!(travelled <= nodes, "{travelled} {nodes}");
            }
        }
    }

    #[test]
    fn a_grid_of_four_and_a_half_percent() {
        let grid = Grid::new(450).unwrap();
        assert_eq!(grid.node_price(0), Ok(100_000_000));
        assert_eq!(grid.centre(100_000_000), Ok(0));
        // e^0.045 = 1.04602785990871..., e^0.0225 = 1.02275503...
        assert_eq!(grid.node_price(1), Ok(104_602_786));
        assert_eq!(grid.centre(102_275_502), Ok(0));
        assert_eq!(grid.centre(102_275_503), Ok(1));
        let prices = grid.prices_around(0).unwrap();
        assert_eq!((prices[6], prices[7]), (100_000_000, 104_602_786));
        assert!(prices.is_sorted());
        // 3 % is less than a step, which takes one boundary at most; -ln(0.95) = 0.0513 may take two.
        assert_eq!(grid.nodes_for_band(300), Ok(1));
        assert_eq!(grid.nodes_for_band(500), Ok(2));
        assert_eq!(grid.nodes_for_band(0), Ok(0));
    }

    #[test]
    fn arguments_out_of_range() {
        assert_eq!(Grid::new(9), Err(GridError::Step(9)));
        assert_eq!(Grid::new(2_001), Err(GridError::Step(2_001)));
        let grid = Grid::new(450).unwrap();
        assert_eq!(grid.centre(0), Err(GridError::Price(RangeError::Price(0))));
        assert_eq!(grid.centre(9_999), Err(GridError::PriceTooLow(9_999)));
        assert!(grid.centre(GRID_PRICE_LEAST).is_ok());
        let dearest = grid.centre(PRICE_LIMIT - 1).unwrap();
        assert_eq!(
            grid.node_price(dearest + 1),
            Err(GridError::Node(dearest + 1))
        );
        for node in [i32::MIN, i32::MAX, 1_000, -1_000] {
            assert_eq!(grid.node_price(node), Err(GridError::Node(node)));
            assert!(grid.prices_around(node).is_err());
        }
        assert_eq!(grid.nodes_for_band(10_000), Err(GridError::Band(10_000)));
        assert_eq!(
            grid.nodes_for_band(u32::MAX),
            Err(GridError::Band(u32::MAX))
        );
    }

    #[test]
    fn windows() {
        assert_eq!(Window::INITIAL.cells(), 6..33);
        assert_eq!(Window::INITIAL.cells().len(), 27);
        assert_eq!(Window::MAINTENANCE.cells().len(), 21);
        let wide = Window::INITIAL.widened(Window::LOW_CONFIDENCE).unwrap();
        assert_eq!(wide.cells().len(), 33);
        assert_eq!(wide.widened(1).map(Window::cells), Ok(0..CELLS));
        assert_eq!(wide.widened(2), Err(GridError::Window(7)));
        assert_eq!(wide.widened(u32::MAX), Err(GridError::Window(u32::MAX)));
    }
}
