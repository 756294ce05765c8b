//! Reading a dealing: parsed and proven, or refused.

use core::ops::Range;

use quorate_types::{ThresholdKey, ValidatorIndex};

use super::challenge::Batch;
use super::encoding::{G1_PARTS, G2_PARTS, Part, View};
use super::equations::Equations;
use super::parallel::{Parallel, map};
use super::parameters::Parameters;
use super::recipients::Recipients;
use crate::bls::{G1, G2, PointError, Scalar, ScalarError, SubgroupTest, TiledG1, TiledG2};

/// Points that one job parses: some milliseconds of work.
const SLICE: usize = 64;

/// A valid dealing: committed shares on polynomials of the right degree, encrypted to their members in chunks that
/// can be found.
///
/// Its bytes are not kept.
pub struct Dealing {
    parameters: Parameters,
    context: [u8; 32],
    recipients: Recipients,
    /// V, lane by lane.
    commitments: Vec<G2>,
    /// R, then C.
    ciphertexts: Vec<G1>,
}

/// Why bytes are no valid dealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DealingError {
    /// The parameters, the recipients and the expected keys do not fit each other: the caller's mistake.
    #[error(
        "{recipients} recipients and {expected} expected keys for {members} members and {lanes} lanes"
    )]
    Arguments {
        /// Members of the parameters.
        members: u16,
        /// Lanes of the parameters.
        lanes: usize,
        /// Recipients given.
        recipients: usize,
        /// Expected keys given.
        expected: usize,
    },
    /// The length is not the one that dealings of these parameters have.
    #[error("a dealing has {expected} bytes, not {found}")]
    Length {
        /// What the parameters say.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A point is none of the prime-order subgroup, or the identity.
    #[error("point {position} of {part:?}: {error}")]
    Point {
        /// The part it stands in.
        part: Part,
        /// Its place there.
        position: usize,
        /// What is wrong.
        error: PointError,
    },
    /// A response is no scalar.
    #[error("number {position} of {part:?}: {error}")]
    Scalar {
        /// The part it stands in.
        part: Part,
        /// Its place there.
        position: usize,
        /// What is wrong.
        error: ScalarError,
    },
    /// A sum of chunks is larger than the chunking proof allows.
    #[error("sum {position} is {sum}, sums are below {bound}")]
    Sum {
        /// Which repetition's.
        position: usize,
        /// The sum.
        sum: u64,
        /// Z.
        bound: u64,
    },
    /// A lane shares another secret than it has to.
    #[error("lane {lane} shares another secret than the expected one")]
    SecretMismatch {
        /// Which lane.
        lane: usize,
    },
    /// The proofs do not hold: which equation fails is not said.
    #[error("the dealing's proofs do not hold")]
    Proof,
}

/// The numbers of a dealing's proofs.
pub(super) struct Responses {
    pub(super) sums: Vec<u64>,
    pub(super) randomness: Vec<Scalar>,
    pub(super) blind: Scalar,
    pub(super) sharing: Vec<Scalar>,
    pub(super) shares: Vec<Scalar>,
}

impl Dealing {
    /// Parses and proves a dealing that was made for this context and these recipients. `expected` has the public key
    /// of each lane's secret, where the secret is one that exists already.
    ///
    /// The verdict depends on the arguments alone: not on the threads, and on no random number.
    ///
    /// # Errors
    /// [`DealingError`], the first that there is.
    pub fn validate(
        parameters: &Parameters,
        context: &[u8; 32],
        recipients: &Recipients,
        expected: &[Option<ThresholdKey>],
        bytes: &[u8],
        parallel: &dyn Parallel,
    ) -> Result<Self, DealingError> {
        if recipients.len() != parameters.count() || expected.len() != parameters.lanes() {
            return Err(DealingError::Arguments {
                members: parameters.members(),
                lanes: parameters.lanes(),
                recipients: recipients.len(),
                expected: expected.len(),
            });
        }
        let view = View::new(parameters, bytes).ok_or(DealingError::Length {
            expected: parameters.dealing_bytes(),
            found: bytes.len(),
        })?;
        check_secrets(&view, expected)?;
        let responses = Responses::parse(&view)?;
        let equations = Equations::new(&view, context, recipients, &responses);
        let (mut g2, mut g1) = parse_points(&view, equations.batch(), parallel)?;
        if !holds(&equations, &g1, &g2, recipients, parallel) {
            return Err(DealingError::Proof);
        }
        // What stands first in either group is what members need; the rest was the proofs'.
        g2.truncate(parameters.elements(Part::Commitments));
        g2.shrink_to_fit();
        g1.truncate(parameters.elements(Part::Ephemerals) + parameters.elements(Part::Ciphertexts));
        g1.shrink_to_fit();
        Ok(Self {
            parameters: parameters.clone(),
            context: *context,
            recipients: recipients.clone(),
            commitments: g2,
            ciphertexts: g1,
        })
    }

    /// What the dealing was made with.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The public key of a lane's secret (`k` = 0) or of the share of member `k` - 1.
    ///
    /// # Panics
    /// If there is no such lane or member.
    #[must_use]
    pub fn commitment(&self, lane: usize, k: u16) -> &G2 {
        let mut lanes = self.commitments.chunks_exact(self.parameters.count() + 1);
        &lanes.nth(lane).expect("a lane of the dealing")[usize::from(k)]
    }

    /// What the dealing was validated for.
    pub(super) const fn context(&self) -> &[u8; 32] {
        &self.context
    }

    /// Whom the dealing is encrypted to.
    pub(super) const fn recipients(&self) -> &Recipients {
        &self.recipients
    }

    /// R: the dealer's half of the encryption of a column.
    ///
    /// # Panics
    /// If there is no such lane or chunk.
    pub(super) fn ephemeral(&self, column: usize) -> &G1 {
        &self.ciphertexts[..self.parameters.columns()][column]
    }

    /// C: the encrypted chunks of a member, lane by lane, the lowest chunk of a share first.
    ///
    /// # Panics
    /// If there is no such member.
    pub(super) fn ciphertexts(&self, member: ValidatorIndex) -> &[G1] {
        let columns = self.parameters.columns();
        let start = columns * (usize::from(member.0) + 1);
        &self.ciphertexts[start..start + columns]
    }
}

impl Responses {
    fn parse(view: &View<'_>) -> Result<Self, DealingError> {
        let scalars = |part| parse_scalars(view, part);
        Ok(Self {
            sums: parse_sums(view)?,
            randomness: scalars(Part::RandomnessResponses)?,
            blind: scalars(Part::BlindResponse)?[0],
            sharing: scalars(Part::SharingResponses)?,
            shares: scalars(Part::ShareResponses)?,
        })
    }
}

/// Encodings are canonical, so that other bytes are another key or none.
fn check_secrets(view: &View<'_>, expected: &[Option<ThresholdKey>]) -> Result<(), DealingError> {
    let committed = view
        .elements(Part::Commitments)
        .step_by(view.parameters.count() + 1);
    for (lane, (bytes, key)) in committed.zip(expected).enumerate() {
        if key.is_some_and(|key| key.0 != *bytes) {
            return Err(DealingError::SecretMismatch { lane });
        }
    }
    Ok(())
}

fn parse_sums(view: &View<'_>) -> Result<Vec<u64>, DealingError> {
    let bound = view.parameters.chunk_bound();
    let parse = |(position, bytes): (usize, &[u8])| {
        let sum = u64::from_le_bytes(bytes.try_into().expect("a sum has eight bytes"));
        if sum >= bound {
            return Err(DealingError::Sum {
                position,
                sum,
                bound,
            });
        }
        Ok(sum)
    };
    view.elements(Part::Sums).enumerate().map(parse).collect()
}

fn parse_scalars(view: &View<'_>, part: Part) -> Result<Vec<Scalar>, DealingError> {
    let parse = |(position, bytes): (usize, &[u8])| {
        let bytes = bytes.try_into().expect("a scalar has 32 bytes");
        Scalar::from_bytes(bytes).map_err(|error| DealingError::Scalar {
            part,
            position,
            error,
        })
    };
    view.elements(part).enumerate().map(parse).collect()
}

/// The points of one job.
enum Points {
    G1(Vec<G1>),
    G2(Vec<G2>),
}

/// All points of both groups in the order of their encoding.
///
/// Nearly all of them are in G1, and asking each of those whether it is in the subgroup would be most of a dealing's check: all are
/// asked together. A dealing that has a bad point is read once more, point by point, to say which.
fn parse_points(
    view: &View<'_>,
    batch: &Batch,
    parallel: &dyn Parallel,
) -> Result<(Vec<G2>, Vec<G1>), DealingError> {
    if let Ok((g2, g1)) = parse(view, G1::on_curve_from_bytes, parallel)
        && in_subgroup(&g1, batch, parallel)
    {
        return Ok((g2, g1));
    }
    parse(view, G1::from_bytes, parallel)
}

/// Whether all points are in the subgroup of G1. A dealing that has others passes with a probability below 2^-133 for every hash
/// that its dealer computes.
fn in_subgroup(points: &[G1], batch: &Batch, parallel: &dyn Parallel) -> bool {
    let chance = batch.subgroup_test(SubgroupTest::chance_bytes(points.len()));
    let test = SubgroupTest::new(points, &chance);
    let parts = map(parallel, SubgroupTest::parts(), |part| {
        test.part_holds(part)
    });
    parts.into_iter().all(|holds| holds)
}

/// As [`parse_points`], with the given way to read a point of G1.
fn parse(
    view: &View<'_>,
    read_g1: fn(&[u8]) -> Result<G1, PointError>,
    parallel: &dyn Parallel,
) -> Result<(Vec<G2>, Vec<G1>), DealingError> {
    let slices = slices(view.parameters);
    let parsed = map(parallel, slices.len(), |job| {
        let (part, range) = slices[job].clone();
        let elements = view
            .elements(part)
            .enumerate()
            .skip(range.start)
            .take(range.len());
        if G2_PARTS.contains(&part) {
            read(elements, part, G2::from_bytes).map(Points::G2)
        } else {
            read(elements, part, read_g1).map(Points::G1)
        }
    });
    let (mut g2, mut g1) = (Vec::new(), Vec::new());
    for points in parsed {
        match points? {
            Points::G1(points) => g1.extend(points),
            Points::G2(points) => g2.extend(points),
        }
    }
    Ok((g2, g1))
}

/// Points out of elements of a part.
fn read<'a, P>(
    elements: impl Iterator<Item = (usize, &'a [u8])>,
    part: Part,
    read: fn(&[u8]) -> Result<P, PointError>,
) -> Result<Vec<P>, DealingError> {
    let point = |(position, bytes): (usize, &[u8])| {
        read(bytes).map_err(|error| DealingError::Point {
            part,
            position,
            error,
        })
    };
    elements.map(point).collect()
}

/// The parts with points, cut into what one job parses.
fn slices(parameters: &Parameters) -> Vec<(Part, Range<usize>)> {
    let parts = G2_PARTS.iter().chain(G1_PARTS);
    let cut = |part: &Part| {
        let (part, elements) = (*part, parameters.elements(*part));
        let starts = (0..elements).step_by(SLICE);
        starts.map(move |start| (part, start..elements.min(start + SLICE)))
    };
    parts.flat_map(cut).collect()
}

/// Whether both merged sums are zero.
fn holds(
    equations: &Equations<'_>,
    g1: &[G1],
    g2: &[G2],
    recipients: &Recipients,
    parallel: &dyn Parallel,
) -> bool {
    let coefficients = equations.in_g1();
    let points = g1.iter().chain(recipients.points());
    let scalars = coefficients.dealing.iter().chain(&coefficients.recipients);
    let generator = G1::generator();
    let last = core::iter::once((&generator, &coefficients.generator));
    let in_g1 = TiledG1::new(points.zip(scalars).chain(last));

    let coefficients = equations.in_g2();
    let generator = G2::generator();
    let last = core::iter::once((&generator, &coefficients.generator));
    let in_g2 = TiledG2::new(g2.iter().zip(&coefficients.dealing).chain(last));

    // One list of jobs, so that no thread waits between the two.
    let (g1_parts, g2_parts) = (in_g1.parts(), in_g2.parts());
    let parts = map(parallel, g1_parts + g2_parts, |job| {
        match job.checked_sub(g1_parts) {
            None => (Some(in_g1.part(job)), None),
            Some(job) => (None, Some(in_g2.part(job))),
        }
    });
    let (in_one, in_two): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let in_one: Vec<_> = in_one.into_iter().flatten().collect();
    let in_two: Vec<_> = in_two.into_iter().flatten().collect();
    in_g1.is_identity(&in_one) && in_g2.is_identity(&in_two)
}
