//! A verdict and its reasons, for people and for machines.

use std::fmt::Write;

use quorate_margin::{FeedExplanation, Verdict};
use serde::Serialize;

use super::decimal;
use super::situation::{PRICE_PLACES, QUOTE_PLACES, Situation};
use crate::output;

/// What `explain` found. Amounts are decimal numbers of the quote asset.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    verdict: &'static str,
    /// R, over every order and part of what is pending, at initial margin.
    robust: String,
    /// U, over every order and part of what is certified, at maintenance margin.
    upper: String,
    /// M, with nothing pending, at initial margin.
    surplus: String,
    cash: String,
    /// Pending cash that no feed bears, at its lowest.
    loose: String,
    add_on: String,
    feeds: Vec<FeedFacts>,
    operations: Vec<OperationFacts>,
}

#[derive(Debug, Serialize)]
struct FeedFacts {
    feed: String,
    price: String,
    /// The scenario that binds.
    binding: ScenarioFacts,
    positions: Vec<PositionFacts>,
    operations: Vec<PartFacts>,
    scenarios: Vec<ScenarioFacts>,
}

#[derive(Debug, Serialize)]
struct ScenarioFacts {
    price: String,
    /// What volatilities are multiplied by, in 1e-4.
    volatility_factor: u32,
    settled: String,
    pending: String,
}

#[derive(Debug, Serialize)]
struct PositionFacts {
    instrument: String,
    lots: i64,
    /// At the feed's price.
    marked: String,
    /// In the binding scenario.
    value: String,
}

#[derive(Debug, Serialize)]
struct PartFacts {
    operation: String,
    value: String,
}

#[derive(Debug, Serialize)]
struct OperationFacts {
    operation: String,
    certified: bool,
    /// The least that it can move the surplus by, whatever else happens; and the most.
    lowest: String,
    highest: String,
}

impl Facts {
    pub(super) fn new(situation: &Situation) -> anyhow::Result<Self> {
        let of = &situation.explanation;
        let feeds = of.feeds.iter().map(|feed| FeedFacts::new(situation, feed));
        let operations = of.operations.iter().map(|operation| {
            let named = &situation.lanes[operation.lane][operation.change];
            OperationFacts {
                operation: named.name.clone(),
                certified: named.certified,
                lowest: quote(operation.lowest),
                highest: quote(operation.highest),
            }
        });
        Ok(Self {
            verdict: match of.verdict {
                Verdict::MustHold => "must_hold",
                Verdict::MustBreach => "must_breach",
                Verdict::Open => "open",
            },
            robust: quote(of.robust),
            upper: quote(of.upper),
            surplus: quote(of.surplus),
            cash: quote(of.cash),
            loose: quote(of.loose),
            add_on: quote(of.add_on),
            feeds: feeds.collect::<anyhow::Result<_>>()?,
            operations: operations.collect(),
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.meaning());
        text += &output::list([
            ("R, all that is pending at its worst", self.robust.clone()),
            ("M, nothing pending", self.surplus.clone()),
            ("U, certified credits at their best", self.upper.clone()),
            ("cash, with futures' entries", self.cash.clone()),
            ("pending cash beside the feeds", self.loose.clone()),
            ("add-ons", self.add_on.clone()),
        ]);
        for feed in &self.feeds {
            feed.describe(&mut text);
        }
        if !self.operations.is_empty() {
            let rows = self.operations.iter().map(|of| {
                let certified = if of.certified { "yes" } else { "no" };
                let (lowest, highest) = (of.lowest.clone(), of.highest.clone());
                [of.operation.clone(), certified.into(), lowest, highest]
            });
            let head = ["pending", "certified", "moves M by at least", "at most"];
            let _ = write!(text, "\n{}\n", output::table(head, rows));
        }
        text
    }

    fn meaning(&self) -> &'static str {
        match self.verdict {
            "must_hold" => {
                "MUST HOLD: every pending operation succeeds, in every order, and with any of them left out."
            }
            "must_breach" => {
                "MUST BREACH: no order of what is certified brings the account to maintenance margin; it may be called."
            }
            _ => "OPEN: it depends on the order, or on which pending operations come to pass.",
        }
    }
}

impl FeedFacts {
    fn new(situation: &Situation, of: &FeedExplanation) -> anyhow::Result<Self> {
        let feed = &situation.feeds[usize::try_from(of.feed.0)?];
        let name = |lane: usize, change: usize| situation.lanes[lane][change].name.clone();
        let positions = of.positions.iter().map(|position| {
            let instrument = &situation.instruments[usize::try_from(position.instrument.0)?];
            Ok(PositionFacts {
                instrument: instrument.name.clone(),
                lots: position.quantity,
                marked: quote(i128::from(instrument.mark) * i128::from(position.quantity)),
                value: quote(position.value),
            })
        });
        let scenario = |(scenario, (settled, pending)): (usize, &(i128, i128))| {
            let (price, volatility_factor) = feed.scenario(scenario)?;
            Ok(ScenarioFacts {
                price: decimal::show(i128::from(price), PRICE_PLACES),
                volatility_factor,
                settled: quote(*settled),
                pending: quote(*pending),
            })
        };
        let operations = of.operations.iter().map(|part| PartFacts {
            operation: name(part.lane, part.change),
            value: quote(part.value),
        });
        let scenarios = of.scenarios.iter().enumerate().map(scenario);
        Ok(Self {
            feed: feed.name.clone(),
            price: decimal::show(i128::from(feed.market.price()), PRICE_PLACES),
            binding: scenario((of.scenario, &(of.settled, of.pending)))?,
            positions: positions.collect::<anyhow::Result<_>>()?,
            operations: operations.collect(),
            scenarios: scenarios.collect::<anyhow::Result<_>>()?,
        })
    }

    fn describe(&self, text: &mut String) {
        let ScenarioFacts {
            price,
            volatility_factor,
            settled,
            pending,
        } = &self.binding;
        let factor = decimal::show(i128::from(*volatility_factor), 4);
        let _ = writeln!(
            text,
            "\n{}, now {}: the scenario at {price} with volatilities times {factor} binds; {settled} settled, {pending} pending",
            self.feed, self.price
        );
        let positions = self.positions.iter().map(|of| {
            let (marked, value) = (of.marked.clone(), of.value.clone());
            [of.instrument.clone(), of.lots.to_string(), marked, value]
        });
        let operations = self.operations.iter().map(|of| {
            let nothing = String::new;
            [of.operation.clone(), nothing(), nothing(), of.value.clone()]
        });
        let rows: Vec<_> = positions.chain(operations).collect();
        if !rows.is_empty() {
            let head = ["held or pending", "lots", "marked", "in that scenario"];
            let _ = writeln!(text, "{}", output::table(head, rows));
        }
    }
}

fn quote(atoms: i128) -> String {
    decimal::show(atoms, QUOTE_PLACES)
}
