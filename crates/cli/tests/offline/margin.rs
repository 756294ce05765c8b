//! `margin` and `committee`: the documents show what the commands print.

use std::path::Path;

use crate::{Desk, Ran};

/// A file of the repository's docs.
fn docs(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::fs::read_to_string(docs.join(name)).unwrap()
}

/// Explains one of the documented examples.
fn explain(desk: &Desk, name: &str, more: &[&str]) -> Ran {
    let file = format!("{name}.toml");
    desk.write(&file, &docs(&format!("examples/margin/{file}")), 0o644);
    let mut arguments = vec!["margin", "explain", &file];
    arguments.extend(more);
    desk.run(&arguments)
}

#[test]
fn the_documented_verdicts_are_those_of_the_examples() {
    let desk = Desk::new();
    let text = docs("settlement.md");
    for (name, verdict) in [
        ("holds", "must_hold"),
        ("open", "open"),
        ("breach", "must_breach"),
        ("certified", "open"),
    ] {
        assert_eq!(explain(&desk, name, &["--json"]).json()["verdict"], verdict);
    }
    for name in ["holds", "breach"] {
        let out = explain(&desk, name, &[]).out;
        assert!(
            text.contains(out.trim_end()),
            "docs/settlement.md does not show this for {name}:\n{out}"
        );
    }
}

/// Worked by hand in docs/settlement.md.
#[test]
fn the_documented_figures_are_right() {
    let desk = Desk::new();
    let facts = explain(&desk, "breach", &["--json"]).json();
    // Ten lots, the fourth and third node below 2,000, less 21,000 at which they were entered.
    assert_eq!(facts["cash"], "-18000.00");
    let lowest = &facts["feeds"][0]["scenarios"][0];
    assert_eq!(lowest["price"], "1677.39957302");
    assert_eq!(facts["robust"], "-1226.00428");
    assert_eq!(facts["upper"], "-453.93316");
    let certified = explain(&desk, "certified", &["--json"]).json();
    assert_eq!(certified["upper"], "4546.06684");
}

#[test]
fn a_picture_has_three_lines_twice_for_each_feed() {
    let desk = Desk::new();
    let ran = explain(&desk, "holds", &["--svg", "holds.svg"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let picture = std::fs::read_to_string(desk.path("holds.svg")).unwrap();
    assert_eq!(picture.matches("<polyline").count(), 6);
    assert!(picture.contains("ETH: surplus against price") && !picture.contains("NaN"));
}

#[test]
fn files_that_make_no_sense_are_refused_with_what_is_wrong() {
    let desk = Desk::new();
    let good = docs("examples/margin/holds.toml");
    for (change, to, told) in [
        ("cash = \"2500\"", "cash = \"2,500\"", "no decimal number"),
        (
            "cash = \"2500\"",
            "cash = \"0.0000001\"",
            "more than 6 digits",
        ),
        ("strike = \"2400\"\n", "", "strike is missing"),
        ("entry = \"1950\"\n", "", "entry is missing"),
        (
            "volatility = \"0.8\"",
            "rate = \"0\"",
            "either a volatility or a smile",
        ),
        (
            "price = \"2000\"",
            "price = \"-1\"",
            "a price of -1 is not above 0 and below 1407374",
        ),
        ("volatility = \"0.8\"", "volatility = \"-0.8\"", "negative"),
        ("band_bp = 300", "band_bp = 900", "too wide"),
        (
            "short_minimum = \"20\"",
            "short_minimum = \"184467440737095\"",
            "out of range",
        ),
        (
            "cash = \"2500\"",
            "cash = \"170141183460469231731687303715884.105727\"",
            "cash",
        ),
        ("lots = 1\n", "lots = 9223372036854775807\n", "ETH"),
        (
            "name = \"then buy 1 put at 45\"",
            "name = \"sell 1 put at 50\"",
            "more than one pending operation",
        ),
        (
            "instrument = \"ETH-PERP\"",
            "instrument = \"BTC-PERP\"",
            "no instrument \"BTC-PERP\"",
        ),
        ("band_bp = 300", "band = 300", "unknown field"),
    ] {
        assert!(good.contains(change));
        desk.write("bad.toml", &good.replacen(change, to, 1), 0o644);
        desk.run(&["margin", "explain", "bad.toml"])
            .fails(3, &["bad.toml", told]);
    }
    desk.run(&["margin", "explain", "missing.toml"])
        .fails(3, &["missing.toml"]);
}

#[test]
fn the_documented_plan_is_what_is_printed() {
    let desk = Desk::new();
    let plan = [
        "committee",
        "plan",
        "--n",
        "100",
        "--beta",
        "20%",
        "--shards",
        "10",
        "--validators",
        "1000",
    ];
    let out = desk.run(&plan).out;
    assert!(
        docs("sharding-risk.md").contains(out.trim_end()),
        "docs/sharding-risk.md does not show this:\n{out}"
    );
    let json = desk.run(&[&plan[..], &["--json"]].concat()).json();
    assert_eq!(json["quorums"][2]["fork"]["per_epoch"], "9e-12");
    let wrong = [
        "committee",
        "plan",
        "--n",
        "100",
        "--beta",
        "2",
        "--shards",
        "10",
    ];
    desk.run(&wrong).fails(2, &["share"]);
}
