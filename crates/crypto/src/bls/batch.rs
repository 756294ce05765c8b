//! Additions of many public points of G1 at once: the divisions of all share one inversion (Montgomery's trick).
//!
//! Formulas are those of the affine chord: of (x1, y1) and (x2, y2) with different x, the sum has
//! x = l^2 - x1 - x2 and y = l (x1 - x) - y1, where l = (y2 - y1) / (x2 - x1). Points with equal x take another way.
//! All of it takes variable time.

use blst::{blst_fp, blst_p1_affine};

use super::ffi::{self, field};
use super::points::G1;

/// Points that share an inversion.
const BLOCK: usize = 512;

/// Calls `visit` with k and k times `step` for k = 1..=`count`, in order. The step is not the identity, and the count
/// is below the group order.
pub(crate) fn visit_multiples(step: &G1, count: u32, mut visit: impl FnMut(u32, &G1)) {
    let mut block = vec![*step.affine()];
    let mut scratch = Inversion::default();
    // With m times the step added, the multiples 1..=m become m + 1..=2m.
    while block.len() < BLOCK {
        let mut next = block.clone();
        add_to_all(&mut next, &block[block.len() - 1], &mut scratch);
        block.append(&mut next);
    }
    let stride = block[block.len() - 1];
    let mut number = 0;
    loop {
        for point in &block {
            if number == count {
                return;
            }
            number += 1;
            visit(number, &G1::from_affine(*point));
        }
        add_to_all(&mut block, &stride, &mut scratch);
    }
}

/// Adds `addend` to every point; none is the identity.
fn add_to_all(points: &mut [blst_p1_affine], addend: &blst_p1_affine, scratch: &mut Inversion) {
    scratch.clear();
    for point in points.iter() {
        scratch.push(field::sub(&addend.x, &point.x));
    }
    scratch.invert();
    for (point, inverse) in points.iter_mut().zip(&scratch.inverses) {
        if *inverse == blst_fp::default() {
            *point = ffi::g1::add(point, addend);
            continue;
        }
        let slope = field::mul(&field::sub(&addend.y, &point.y), inverse);
        let x = field::sub(&field::square(&slope), &field::add(&point.x, &addend.x));
        let y = field::sub(&field::mul(&slope, &field::sub(&point.x, &x)), &point.y);
        *point = blst_p1_affine { x, y };
    }
}

/// What lies around a center at given distances on both sides.
#[derive(Default)]
pub(crate) struct Around {
    scratch: Inversion,
}

impl Around {
    /// Calls `visit` with the position of every distance D, and the x tags ([`G1::tag_of_x`]) of C + D and C - D for
    /// the center C, until `visit` returns something. Where C is D or its inverse, both tags are `None`.
    pub(crate) fn visit<T>(
        &mut self,
        center: &G1,
        distances: &[G1],
        mut visit: impl FnMut(usize, Option<[u64; 2]>) -> Option<T>,
    ) -> Option<T> {
        let center = center.affine();
        for (block, distances) in distances.chunks(BLOCK).enumerate() {
            self.scratch.clear();
            for distance in distances {
                self.scratch
                    .push(field::sub(&distance.affine().x, &center.x));
            }
            self.scratch.invert();
            let pairs = distances.iter().zip(&self.scratch.inverses);
            for (place, (distance, inverse)) in pairs.enumerate() {
                let distance = distance.affine();
                let tags = (*inverse != blst_fp::default()).then(|| {
                    let sum = field::add(&center.x, &distance.x);
                    // The slopes to D and to its inverse, which has -y.
                    [
                        field::sub(&distance.y, &center.y),
                        field::add(&distance.y, &center.y),
                    ]
                    .map(|rise| {
                        let slope = field::mul(&rise, inverse);
                        field::sub(&field::square(&slope), &sum).l[0]
                    })
                });
                if let Some(found) = visit(block * BLOCK + place, tags) {
                    return Some(found);
                }
            }
        }
        None
    }
}

/// Inverses of many field elements with one inversion. Zero has the inverse zero.
#[derive(Default)]
struct Inversion {
    elements: Vec<blst_fp>,
    inverses: Vec<blst_fp>,
}

impl Inversion {
    fn clear(&mut self) {
        self.elements.clear();
        self.inverses.clear();
    }

    fn push(&mut self, element: blst_fp) {
        self.elements.push(element);
    }

    fn invert(&mut self) {
        let zero = blst_fp::default();
        let mut prefix = field::one();
        for element in &self.elements {
            self.inverses.push(prefix);
            if *element != zero {
                prefix = field::mul(&prefix, element);
            }
        }
        let mut suffix = field::inverse(&prefix);
        for (inverse, element) in self.inverses.iter_mut().zip(&self.elements).rev() {
            if *element == zero {
                *inverse = zero;
                continue;
            }
            *inverse = field::mul(inverse, &suffix);
            suffix = field::mul(&suffix, element);
        }
    }
}
