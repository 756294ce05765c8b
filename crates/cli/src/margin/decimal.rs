//! Decimal numbers, exactly.

use anyhow::{anyhow, bail};

/// `text` as a whole number of units of `10^-places`. More digits than that are refused, not rounded.
pub(super) fn parse(text: &str, places: usize) -> anyhow::Result<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        bail!("\"{text}\" is no decimal number");
    }
    if fraction.len() > places {
        bail!("\"{text}\" has more than {places} digits after the point");
    }
    let magnitude: i128 = format!("{whole}{fraction:0<places$}")
        .parse()
        .map_err(|_| anyhow!("\"{text}\" is out of range"))?;
    Ok(if negative { -magnitude } else { magnitude })
}

/// Units of `10^-places` as a decimal number, without zeros at the end but with two digits after the point.
pub(super) fn show(units: i128, places: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let fraction = fraction.trim_end_matches('0');
    format!("{sign}{whole}.{fraction:0<2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were() {
        for (text, units, shown) in [
            ("0", 0, "0.00"),
            ("1200", 1_200_000_000, "1200.00"),
            ("-0.5", -500_000, "-0.50"),
            ("12.345678", 12_345_678, "12.345678"),
            ("007.10", 7_100_000, "7.10"),
        ] {
            assert_eq!(parse(text, 6).unwrap(), units);
            assert_eq!(show(units, 6), shown);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let long = "9".repeat(60);
        for text in ["", "-", ".5", "1e3", "1,000", "+1", "0.1234567", &long] {
            assert!(parse(text, 6).is_err(), "{text}");
        }
    }
}
