//! Interpolation: coefficients that make a polynomial's value out of its values elsewhere.

use super::multi_scalar::Signed;
use super::points::G1;
use super::polynomial::ShareIndex;
use super::scalar::Scalar;

/// Two shares have the same index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two shares have evaluation point {}", .0.number())]
pub struct DuplicateShare(pub ShareIndex);

/// Lagrange coefficients at zero: p(0) is the sum of p(i) times the coefficient of i, for every polynomial p of a
/// degree below the number of indices.
///
/// # Errors
/// [`DuplicateShare`].
pub fn lagrange_at_zero(indices: &[ShareIndex]) -> Result<Vec<Scalar>, DuplicateShare> {
    // The coefficient of i is the product of j / (j - i) over all j but i: the product of all j, over i times the
    // product of all (j - i).
    let points: Vec<i64> = indices
        .iter()
        .map(|index| i64::from(index.number()))
        .collect();
    let mut denominators = Vec::with_capacity(points.len());
    for (position, (point, index)) in points.iter().zip(indices).enumerate() {
        let others = points
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != position);
        let denominator = small_product(others.map(|(_, other)| other - point).chain([*point]));
        if denominator == Scalar::zero() {
            return Err(DuplicateShare(*index));
        }
        denominators.push(denominator);
    }
    let numerator = small_product(points.into_iter());
    let inverses = invert_all(&denominators);
    Ok(inverses
        .into_iter()
        .map(|inverse| numerator * inverse)
        .collect())
}

/// For every x among distinct `points`, the inverse of the product of (x - y) over all other points y: what
/// interpolation at any place divides by.
pub(crate) fn interpolation_denominators(points: &[i64]) -> Vec<Scalar> {
    let products: Vec<Scalar> = points
        .iter()
        .map(|point| {
            small_product(
                points
                    .iter()
                    .filter(|other| *other != point)
                    .map(|other| point - other),
            )
        })
        .collect();
    invert_all(&products)
}

/// The product of small numbers. Most multiplications are of machine words: a committee's differences have eight
/// bits, and folding eight of them before each field multiplication is what makes the square number of them cheap.
fn small_product(numbers: impl Iterator<Item = i64>) -> Scalar {
    let mut product = Scalar::one();
    let mut word = 1u64;
    let mut negative = false;
    for number in numbers {
        negative ^= number < 0;
        let magnitude = number.unsigned_abs();
        word = word.checked_mul(magnitude).unwrap_or_else(|| {
            product = product * Scalar::from(word);
            magnitude
        });
    }
    product = product * Scalar::from(word);
    if negative { -product } else { product }
}

/// The inverses of numbers that are not zero, with a single field inversion (Montgomery's trick).
fn invert_all(numbers: &[Scalar]) -> Vec<Scalar> {
    let mut prefix = Scalar::one();
    let mut inverses = Vec::with_capacity(numbers.len());
    for number in numbers {
        inverses.push(prefix);
        prefix = prefix * *number;
    }
    let mut suffix = prefix
        .inverse()
        .expect("a product of numbers that are not zero");
    for (inverse, number) in inverses.iter_mut().zip(numbers).rev() {
        *inverse = *inverse * suffix;
        suffix = suffix * *number;
    }
    inverses
}

/// The value at zero of the polynomial of least degree with these values at distinct indices, in variable time.
///
/// # Panics
/// If two indices are equal, or there are not as many as points.
pub(crate) fn interpolate_at_zero(indices: &[ShareIndex], points: &[G1]) -> G1 {
    if let Some(ShortCoefficients { numbers, factor }) = ShortCoefficients::new(indices)
        && numbers.iter().all(|number| number.magnitude < SHORT_BELOW)
    {
        let sum = G1::short_sum(points, &numbers);
        return if factor == Scalar::one() {
            sum
        } else {
            G1::multi_scalar(&[sum], &[factor])
        };
    }
    let coefficients = lagrange_at_zero(indices).expect("the caller's indices are distinct");
    G1::multi_scalar(points, &coefficients)
}

/// Above this, numbers and the factor's multiplication cost more than coefficients of full length, which are two numbers of
/// half their length for twice as many points.
const SHORT_BELOW: u128 = 1 << 112;

/// Coefficients as whole numbers without a common divisor, and the factor that they have in common. A polynomial's values
/// at the first t indices, or at most of few, have short ones: binomials.
#[derive(Debug, PartialEq, Eq)]
struct ShortCoefficients {
    numbers: Vec<Signed>,
    factor: Scalar,
}

/// Indices of committees are at most this.
const INDEX_MAX: usize = quorate_types::limits::COMMITTEE_MAX as usize;
/// Primes up to [`INDEX_MAX`].
const PRIMES: [u8; 31] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127,
];
/// For every number up to [`INDEX_MAX`], the place of its least prime in [`PRIMES`]; nothing is meant for 0 and 1.
const LEAST_PRIME: [u8; INDEX_MAX + 1] = least_primes();

#[expect(
    clippy::cast_possible_truncation,
    reason = "31 primes; From is not const"
)]
const fn least_primes() -> [u8; INDEX_MAX + 1] {
    let mut least = [0; INDEX_MAX + 1];
    let mut place = PRIMES.len();
    while place > 0 {
        place -= 1;
        let mut multiple = PRIMES[place] as usize;
        while multiple <= INDEX_MAX {
            least[multiple] = place as u8;
            multiple += PRIMES[place] as usize;
        }
    }
    least
}

/// A product of small numbers as its primes' exponents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Factors([i16; PRIMES.len()]);

impl Factors {
    /// Multiplies by a number of 1 to [`INDEX_MAX`].
    fn multiply(&mut self, number: u32) {
        let mut number = number as usize;
        while number > 1 {
            let place = usize::from(LEAST_PRIME[number]);
            self.0[place] += 1;
            number /= usize::from(PRIMES[place]);
        }
    }

    /// The least common multiple.
    fn raise_to(&mut self, other: &Self) {
        for (exponent, other) in self.0.iter_mut().zip(other.0) {
            *exponent = (*exponent).max(other);
        }
    }

    fn over(mut self, other: &Self) -> Self {
        for (exponent, other) in self.0.iter_mut().zip(other.0) {
            *exponent -= other;
        }
        self
    }

    /// The whole number, if it has at most 128 bits.
    fn whole(&self) -> Option<u128> {
        let powers = PRIMES.iter().zip(self.0);
        powers
            .into_iter()
            .try_fold(1u128, |product, (prime, exponent)| {
                let power = u128::from(*prime).checked_pow(u32::try_from(exponent).ok()?)?;
                product.checked_mul(power)
            })
    }

    /// The fraction, as a number modulo the group order.
    fn fraction(&self) -> Scalar {
        let product = |sign: i16| {
            let powers = PRIMES.iter().zip(self.0);
            let factors = powers.flat_map(|(prime, exponent)| {
                let times = usize::try_from(exponent * sign).unwrap_or(0);
                core::iter::repeat_n(i64::from(*prime), times)
            });
            small_product(factors)
        };
        let below = product(-1)
            .inverse()
            .expect("small primes are not the group order");
        product(1) * below
    }
}

impl ShortCoefficients {
    /// The coefficients of [`lagrange_at_zero`]; `None` if an index is too large or comes twice, or a number too long.
    fn new(indices: &[ShareIndex]) -> Option<Self> {
        let mut numerator = Factors::default();
        let mut denominators = Vec::with_capacity(indices.len());
        let mut multiple = Factors::default();
        for (position, index) in indices.iter().enumerate() {
            let index = index.number();
            if usize::try_from(index).ok()? > INDEX_MAX {
                return None;
            }
            let mut denominator = Factors::default();
            let mut negative = false;
            denominator.multiply(index);
            for (other, point) in indices.iter().enumerate() {
                let point = point.number();
                let distance = point.abs_diff(index);
                if other != position {
                    if distance == 0 || distance as usize > INDEX_MAX {
                        return None;
                    }
                    negative ^= point < index;
                    denominator.multiply(distance);
                }
            }
            numerator.multiply(index);
            multiple.raise_to(&denominator);
            denominators.push((denominator, negative));
        }
        let numbers = denominators.iter().map(|(denominator, negative)| {
            Some(Signed {
                magnitude: multiple.over(denominator).whole()?,
                negative: *negative,
            })
        });
        Some(Self {
            numbers: numbers.collect::<Option<_>>()?,
            factor: numerator.over(&multiple).fraction(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quorate_types::ValidatorIndex;

    fn indices(members: impl IntoIterator<Item = u16>) -> Vec<ShareIndex> {
        let members = members.into_iter();
        members
            .map(|member| ValidatorIndex(member).into())
            .collect()
    }

    #[test]
    fn the_first_members_have_binomials() {
        let short = ShortCoefficients::new(&indices(0..4)).unwrap();
        let numbers = [(4, false), (6, true), (4, false), (1, true)];
        let numbers = numbers.map(|(magnitude, negative)| Signed {
            magnitude,
            negative,
        });
        assert_eq!(short.numbers, numbers);
        assert_eq!(short.factor, Scalar::one());
        // 8/3, -2 and 1/3.
        let short = ShortCoefficients::new(&indices([0, 1, 3])).unwrap();
        let numbers = [(8, false), (6, true), (1, false)];
        let numbers = numbers.map(|(magnitude, negative)| Signed {
            magnitude,
            negative,
        });
        assert_eq!(short.numbers, numbers);
        assert_eq!(short.factor * Scalar::from(3), Scalar::one());
        assert_eq!(ShortCoefficients::new(&indices([0, 1, 0])), None);
        assert_eq!(ShortCoefficients::new(&indices([0, 128])), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn short_coefficients_are_the_coefficients(
            members in proptest::collection::btree_set(0u16..40, 1..14),
            shift in 0u16..80,
            contiguous in any::<bool>(),
            turn in any::<prop::sample::Index>(),
        ) {
            let mut members: Vec<u16> = if contiguous {
                (0..20 + shift).collect()
            } else {
                members.into_iter().map(|member| member + shift).collect()
            };
            let turn = turn.index(members.len());
            members.rotate_left(turn);
            let indices = indices(members);
            let coefficients = lagrange_at_zero(&indices).unwrap();
            if let Some(short) = ShortCoefficients::new(&indices) {
                for (number, coefficient) in short.numbers.iter().zip(&coefficients) {
                    let magnitude = Scalar::from_wide_bytes(&number.magnitude.to_be_bytes());
                    let number = if number.negative { -magnitude } else { magnitude };
                    prop_assert_eq!(number * short.factor, *coefficient);
                }
            } else {
                prop_assert!(indices.len() > 8, "few members have short coefficients");
            }
        }

        #[test]
        fn interpolation_finds_the_constant(
            members in proptest::collection::btree_set(0u16..128, 1..40),
            constant in any::<u64>(),
        ) {
            // The polynomial with coefficients constant, 1, 2, 3, ...
            let indices = indices(members);
            let mut coefficients: Vec<Scalar> = (0..indices.len() as u64).map(Scalar::from).collect();
            coefficients[0] = Scalar::from(constant);
            let polynomial = crate::bls::Polynomial::new(coefficients);
            let value = |index: &ShareIndex| polynomial.evaluate(Scalar::from(*index));
            let points: Vec<G1> = indices.iter().map(|index| G1::generator().multiply(&value(index))).collect();
            let expected = G1::generator().multiply(&Scalar::from(constant));
            prop_assert_eq!(interpolate_at_zero(&indices, &points), expected);
        }
    }
}
