//! The test that committed shares lie on a polynomial of low degree (SCRAPE, ePrint 2017/216, section 2.1).

use super::challenge::Batch;
use super::parameters::Parameters;
use crate::bls::{Polynomial, Scalar, interpolation_denominators};

/// For each value at 0, 1, ..., n its coefficient in a sum that is zero if a polynomial with as many coefficients as
/// the lane's threshold has these values. If none has, it is zero for one of 2^255 seeds at most.
///
/// The values' Reed-Solomon code has a dual code: polynomials m with so many coefficients that m times p has a degree
/// below n, at each point divided by the product of its distances to the others. A random word of it is taken.
pub(super) fn coefficients(parameters: &Parameters, batch: &Batch, lane: usize) -> Vec<Scalar> {
    let members = parameters.count();
    let word = members - usize::from(parameters.thresholds()[lane]) + 1;
    let word = Polynomial::new(batch.degree_test(lane, word));
    let points: Vec<i64> = (0..=i64::from(parameters.members())).collect();
    let denominators = interpolation_denominators(&points);
    let values = (0..).map(|point: u64| word.evaluate(Scalar::from(point)));
    denominators
        .iter()
        .zip(values)
        .map(|(denominator, value)| *denominator * value)
        .collect()
}
