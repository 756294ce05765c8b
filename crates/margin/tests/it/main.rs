//! Tests of the crate from outside.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "tests read vectors")]

use std::path::Path;

use quorate_margin::Fixed;

mod array;
mod black76;
mod escrow;
mod functions;
mod known_answers;
mod properties;
mod samples;
mod theorem;

/// A file of the larger sets of vectors, where they are present: a clone need not have them.
fn shared(name: &str) -> Option<String> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let text = std::fs::read_to_string(place.join(name)).ok();
    if text.is_none() {
        println!("vectors absent: skipped ({name})");
    }
    text
}

/// The rows of comma-separated text without its comments.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split(',').collect())
}

/// A decimal number times a power of ten, floored to the last place of a fixed-point number. Digits beyond the 17th after
/// the point that remains are dropped.
fn decimal(text: &str, exponent: usize) -> Fixed {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = format!("{fraction:0<exponent$}");
    let (shifted, fraction) = fraction.split_at(exponent);
    let whole: i64 = format!("{whole}{shifted}").parse().unwrap();
    let kept = &fraction[..fraction.len().min(17)];
    let digits: i128 = if kept.is_empty() {
        0
    } else {
        kept.parse().unwrap()
    };
    let scale = 10_i128.pow(u32::try_from(kept.len()).unwrap());
    let fraction = Fixed::from_ratio(digits, scale).unwrap();
    Fixed::from(whole).checked_add(fraction).unwrap()
}
