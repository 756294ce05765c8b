//! A picture of a verdict: for each feed what the account is worth against the price, if the other feeds are at their worst.

use quorate_margin::{FeedExplanation, VOLATILITIES};

use super::situation::Situation;
use crate::svg::{coloured_text, page, polyline, push, text};

const WIDTH: f64 = 680.0;
const PANEL: f64 = 240.0;
const LEFT: f64 = 90.0;
const GAP: f64 = 64.0;
const COLOURS: [&str; VOLATILITIES] = ["#1f6feb", "#333333", "#cf222e"];
const ATOMS: f64 = 1e6;
const PRICES: f64 = 1e8;

/// A self-contained SVG.
pub(super) fn svg(situation: &Situation) -> anyhow::Result<String> {
    let mut body = String::new();
    let mut top = GAP;
    for feed in &situation.explanation.feeds {
        Panel::new(situation, feed)?.draw(&mut body, top);
        top += PANEL + GAP;
    }
    Ok(page((WIDTH + LEFT + 24.0, top), &body))
}

struct Panel {
    title: String,
    prices: Vec<f64>,
    factors: Vec<u32>,
    /// By scenario: with nothing pending, and with all of it at its worst.
    now: Vec<f64>,
    worst: Vec<f64>,
    binding: usize,
}

impl Panel {
    #[expect(
        clippy::cast_precision_loss,
        clippy::as_conversions,
        reason = "a picture needs no more"
    )]
    fn new(situation: &Situation, of: &FeedExplanation) -> anyhow::Result<Self> {
        let all = &situation.explanation;
        let feed = &situation.feeds[usize::try_from(of.feed.0)?];
        let (settled, pending) = of.scenarios[of.scenario];
        let worst = all.robust - settled - pending;
        let least = of.scenarios.iter().map(|(settled, _)| *settled).min();
        let now = all.surplus - least.unwrap_or(0);
        let mut panel = Self {
            title: format!(
                "{}: surplus against price at initial margin, other feeds at their worst (R = {:.2})",
                feed.name,
                all.robust as f64 / ATOMS
            ),
            prices: Vec::new(),
            factors: feed.market.volatility_factors().to_vec(),
            now: Vec::new(),
            worst: Vec::new(),
            binding: of.scenario,
        };
        for (scenario, (settled, pending)) in of.scenarios.iter().enumerate() {
            panel
                .prices
                .push(feed.scenario(scenario)?.0 as f64 / PRICES);
            panel.now.push((now + settled) as f64 / ATOMS);
            panel.worst.push((worst + settled + pending) as f64 / ATOMS);
        }
        Ok(panel)
    }

    fn draw(&self, out: &mut String, top: f64) {
        let all = || self.now.iter().chain(&self.worst).copied();
        let (low, high) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
        let span = if high > low { high - low } else { 1.0 };
        let (first, last) = (self.prices[0], self.prices[self.prices.len() - 1]);
        // Nodes stand at equal distances in the logarithm.
        let x = |price: f64| LEFT + (price / first).ln() / (last / first).ln() * WIDTH;
        let y = |value: f64| top + (high - value) / span * PANEL;
        text(out, (LEFT, top - 24.0), "start", &self.title);
        let zero = y(0.0);
        let right = LEFT + WIDTH;
        push(
            out,
            format_args!("<path d=\"M{LEFT} {zero:.1}H{right}\" stroke=\"#999\"/>"),
        );
        for value in [low, 0.0, high] {
            text(
                out,
                (LEFT - 6.0, y(value) + 4.0),
                "end",
                &format!("{value:.0}"),
            );
        }
        for price in self.prices.iter().step_by(VOLATILITIES) {
            let under = (x(*price), top + PANEL + 18.0);
            text(out, under, "middle", &format!("{price:.0}"));
        }
        for (volatility, colour) in COLOURS.iter().enumerate() {
            for (values, dash) in [(&self.now, " stroke-dasharray=\"4 4\""), (&self.worst, "")] {
                let at = (volatility..values.len()).step_by(VOLATILITIES);
                let points = at.map(|at| (x(self.prices[at]), y(values[at])));
                polyline(out, points, colour, dash);
            }
        }
        let mut at = LEFT;
        for (factor, colour) in self.factors.iter().zip(COLOURS) {
            let words = format!("volatility x {}", f64::from(*factor) / 1e4);
            coloured_text(out, (at, top - 8.0), "start", colour, &words);
            at += 150.0;
        }
        text(out, (right, top - 8.0), "end", "dashed: nothing pending");
        let (price, value) = (self.prices[self.binding], self.worst[self.binding]);
        push(
            out,
            format_args!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"none\" stroke=\"#000\" stroke-width=\"2\"/>",
                x(price),
                y(value)
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lowest points of the lines are M and R.
    #[test]
    fn lines_end_at_the_figures_that_the_text_gives() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/margin/");
        for (name, surplus, robust) in [
            ("holds", 966.93183, 719.341097),
            ("breach", -1226.00428, -1226.00428),
        ] {
            let text = std::fs::read_to_string(format!("{docs}{name}.toml")).unwrap();
            let situation = Situation::new(&toml::from_str(&text).unwrap()).unwrap();
            let panel = Panel::new(&situation, &situation.explanation.feeds[0]).unwrap();
            let least = |values: &[f64]| values.iter().copied().fold(f64::MAX, f64::min);
            assert!((least(&panel.now) - surplus).abs() < 1e-5);
            assert!((least(&panel.worst) - robust).abs() < 1e-5);
        }
    }
}
