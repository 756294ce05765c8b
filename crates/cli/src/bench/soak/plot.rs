//! A picture of a soak: memory, log and tables over time, each against an axis of its own that begins at zero.

use super::Sample;
use crate::svg::{page, polyline, push, text};

const WIDTH: f64 = 720.0;
const PANEL: f64 = 150.0;
const LEFT: f64 = 64.0;
const GAP: f64 = 46.0;
/// Parts of an axis.
const PARTS: u8 = 4;

/// What a panel shows: its title, and a sample's value.
type Quantity = (&'static str, fn(&Sample) -> f64);

const QUANTITIES: [Quantity; 3] = [
    ("resident memory of the largest validator, MiB", |sample| {
        sample.resident_mib
    }),
    ("log on disk of the largest validator, MiB", |sample| {
        sample.log_mib
    }),
    ("tables on disk of the largest validator, MiB", |sample| {
        sample.tables_mib
    }),
];

/// A self-contained SVG.
pub(super) fn svg(samples: &[Sample]) -> String {
    let mut body = String::new();
    let mut top = GAP;
    for quantity in QUANTITIES {
        panel(&mut body, samples, quantity, top);
        top += PANEL + GAP;
    }
    page((WIDTH + LEFT + 24.0, top), &body)
}

fn panel(out: &mut String, samples: &[Sample], (title, of): Quantity, top: f64) {
    let end = samples.last().map_or(1.0, |sample| sample.seconds).max(1.0);
    let scale = round_up(samples.iter().map(of).fold(0.0, f64::max));
    let x = |seconds: f64| LEFT + seconds / end * WIDTH;
    let y = |value: f64| top + PANEL - value / scale * PANEL;
    let right = LEFT + WIDTH;
    text(out, (LEFT, top - 8.0), "start", title);
    for part in 0..=PARTS {
        let share = f64::from(part) / f64::from(PARTS);
        let (value, at) = (scale * share, y(scale * share));
        text(out, (LEFT - 6.0, at + 4.0), "end", &format!("{value:.0}"));
        let minute = format!("{:.1} min", end * share / 60.0);
        let under = (x(end * share), top + PANEL + 16.0);
        text(out, under, "middle", &minute);
        push(
            out,
            format_args!("<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#ddd\" fill=\"none\"/>"),
        );
    }
    let points = samples
        .iter()
        .map(|sample| (x(sample.seconds), y(of(sample))));
    polyline(out, points, "#1f6feb", "");
}

/// The next of 1, 2, 5, 10, ... at or above a value, and at least 5.
fn round_up(value: f64) -> f64 {
    let mut step = 1.0;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if step * factor >= value.max(5.0) {
                return step * factor;
            }
        }
        step *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, end) in [(0.0, 5.0), (5.0, 5.0), (6.0, 10.0), (340.0, 500.0)] {
            assert_eq!(round_up(value), end);
        }
    }

    #[test]
    fn a_picture_has_a_line_for_each_quantity() {
        let sample = |seconds: f64| Sample {
            seconds,
            height: 1,
            transactions: 1,
            resident_mib: 90.0,
            log_mib: 10.0,
            tables_mib: 20.0,
        };
        let picture = svg(&[sample(0.0), sample(60.0)]);
        assert_eq!(picture.matches("<polyline").count(), QUANTITIES.len());
        assert!(picture.contains("\"64.0,") && picture.contains(" 784.0,"));
        assert!(!picture.contains("NaN"));
    }
}
