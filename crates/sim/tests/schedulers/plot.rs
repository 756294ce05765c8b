//! A picture of commits over rounds.

use std::fmt::Write;
use std::path::Path;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 40.0;
const COLOURS: [&str; 4] = ["#c62828", "#1f6feb", "#ef8e19", "#2e7d32"];
/// Rounds between two points of a line.
const STEP: usize = 20;

/// Lines of cumulative commits, one value a round.
pub(crate) fn svg(lines: &[(&str, Vec<u64>)], rounds: u64) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        LEFT + WIDTH + 30.0,
        TOP + HEIGHT + 50.0
    );
    let x = |round: f64| LEFT + round / rounds as f64 * WIDTH;
    let y = |commits: f64| TOP + HEIGHT - commits / rounds as f64 * HEIGHT;
    let mut push = |element: String| writeln!(out, "{element}").expect("strings take everything");
    push(text(
        LEFT,
        TOP - 16.0,
        "start",
        "committed leaders while a scheduler delays the leaders that it can know",
    ));
    for part in 0..=4 {
        let value = rounds as f64 * f64::from(part) / 4.0;
        let (at, right) = (y(value), LEFT + WIDTH);
        push(format!(
            "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#ddd\" fill=\"none\"/>"
        ));
        push(text(LEFT - 8.0, at + 4.0, "end", &format!("{value:.0}")));
        let under = TOP + HEIGHT + 18.0;
        push(text(x(value), under, "middle", &format!("{value:.0}")));
    }
    push(text(
        LEFT + WIDTH / 2.0,
        TOP + HEIGHT + 38.0,
        "middle",
        "rounds",
    ));
    for (index, ((name, line), colour)) in lines.iter().zip(COLOURS).enumerate() {
        let sampled = line.iter().enumerate().skip(STEP - 1).step_by(STEP);
        let points: Vec<String> = sampled
            .map(|(round, commits)| {
                format!("{:.1},{:.1}", x(round as f64 + 1.0), y(*commits as f64))
            })
            .collect();
        push(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        ));
        let last = line.last().copied().unwrap_or(0);
        let row = TOP + 16.0 + 18.0 * index as f64;
        push(format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>",
            LEFT + 12.0,
            row - 10.0
        ));
        let label = format!("{name}: {last} of {rounds} rounds");
        push(text(LEFT + 30.0, row, "start", &label));
    }
    out.push_str("</svg>\n");
    out
}

fn text(x: f64, y: f64, anchor: &str, words: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#333\">{words}</text>")
}

/// Compares with the checked-in picture, or writes it if `QUORATE_REWRITE` is set.
pub(crate) fn compare_or_rewrite(picture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scheduler.svg");
    if std::env::var_os("QUORATE_REWRITE").is_some() {
        std::fs::write(&path, picture).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap();
    assert!(
        known == picture,
        "docs/scheduler.svg is of other runs: set QUORATE_REWRITE=1"
    );
}
