//! Measured delays of a wide-area network.

use quorate_types::ValidatorIndex;

/// Regions, in the order of the table. Validators sit in them one after the other, and again from the first.
///
/// Dallas, Toronto, Washington, Frankfurt, London, Madrid, Osaka, Sydney, Tokyo, São Paulo.
const REGIONS: usize = 10;

/// Mean round trips between regions in milliseconds, as IBM Cloud published them for 27 July to 25 August 2024 ("Network latency
/// dashboards", inter-region latency), and one within a region.
#[rustfmt::skip]
const ROUND_TRIPS: [[u64; REGIONS]; REGIONS] = [
    [  1,  34,  31, 123, 113, 119, 150, 186, 143, 146],
    [ 34,   1,  19,  93,  82, 108, 168, 215, 162, 129],
    [ 31,  19,   1,  91,  75,  87, 172, 214, 164, 118],
    [123,  93,  91,   1,  13,  29, 232, 250, 233, 198],
    [113,  83,  75,  13,   1,  27, 244, 261, 243, 188],
    [122, 106,  88,  29,  27,   1, 257, 275, 258, 209],
    [150, 169, 172, 231, 243, 257,   1, 122,   9, 293],
    [186, 214, 214, 249, 261, 275, 122,   1, 115, 328],
    [143, 162, 166, 233, 244, 256,   9, 115,   1, 284],
    [144, 128, 119, 196, 187, 208, 291, 328, 283,   1],
];

/// How long a message takes at least, in microseconds: half a round trip.
pub(crate) fn one_way_micros(from: ValidatorIndex, to: ValidatorIndex) -> u64 {
    let region = |validator: ValidatorIndex| validator.position() % REGIONS;
    ROUND_TRIPS[region(from)][region(to)] * 500
}
