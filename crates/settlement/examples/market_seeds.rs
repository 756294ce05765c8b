//! Runs seeded markets: `cargo run --profile quick -p quorate-settlement --features simulation --example market_seeds -- 0 100`.
//!
//! Arguments: first seed, seed after the last; then, if wanted, `blocks=N`, `twice` to run every seed again with restores
//! in the middle and compare. `trade` alone times trades instead. Prints each seed that fails with the command that
//! runs it again, and at the end what happened and how fast.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it measures time"
)]

use std::time::Instant;

use quorate_margin::Terms;
use quorate_settlement::simulation::{
    ETH_FEED, Options, QUOTE, Report, Setting, listing_of, owner_of, round_of, run,
};
use quorate_settlement::{Authenticator, Body, Context, Leg, Market, SignedOperation};
use quorate_types::{
    AccountId, DomainTag, Epoch, IdentityKey, IdentitySignature, InstrumentId, Round, Signature,
    ThresholdKey,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|word| word == "trade") {
        time_trades();
        return;
    }
    let number = |at: usize| -> u64 {
        let text = arguments.get(at).map_or("", String::as_str);
        text.parse()
            .expect("two numbers: first seed, seed after the last")
    };
    let (first, end) = (number(0), number(1));
    let blocks = arguments
        .iter()
        .find_map(|word| word.strip_prefix("blocks="));
    let mut options = Options::default();
    if let Some(blocks) = blocks {
        options.blocks = blocks.parse().expect("a number of blocks");
    }
    let twice = arguments.iter().any(|word| word == "twice");
    let start = Instant::now();
    let mut total = Report::default();
    let mut failures = 0_u64;
    for seed in first..end {
        match run(seed, &options) {
            Ok(report) => {
                if twice {
                    compare(seed, &options, &report);
                }
                add(&mut total, &report);
            }
            Err(failure) => {
                failures += 1;
                println!("{failure}");
            }
        }
    }
    let micros = start.elapsed().as_micros().max(1);
    println!("applied, by kind: {:?}", total.applied);
    println!("rejected, by code: {:?}", total.rejected);
    println!(
        "{} halts, {} slices liquidated, {} absorptions: {} paid by insurance, {} by the other side",
        total.halts, total.liquidations, total.absorptions, total.insured, total.shared
    );
    let rate = u128::from(total.operations) * 1_000_000 / micros;
    println!(
        "{} operations in {} s, {rate} operations/s, {} seeds passed, {failures} failed",
        total.operations,
        micros / 1_000_000,
        end - first - failures
    );
    std::process::exit(i32::from(failures > 0));
}

fn compare(seed: u64, options: &Options, report: &Report) {
    let restoring = Options {
        restore_every: 7,
        ..*options
    };
    let again = run(seed, &restoring).expect("it ran once");
    assert_eq!(again.digest, report.digest, "seed {seed} after restores");
}

fn add(total: &mut Report, report: &Report) {
    total.operations += report.operations;
    for (kind, count) in &report.applied {
        *total.applied.entry(*kind).or_insert(0) += count;
    }
    for (code, count) in &report.rejected {
        *total.rejected.entry(*code).or_insert(0) += count;
    }
    total.halts += report.halts;
    total.liquidations += report.liquidations;
    total.absorptions += report.absorptions;
    total.insured += report.insured;
    total.shared += report.shared;
}

/// Takes every signature for good: what is timed is the market, not its signatures.
struct Trusting;

impl Authenticator for Trusting {
    fn is_signed(&self, _: &IdentityKey, _: DomainTag, _: &[u8], _: &IdentitySignature) -> bool {
        true
    }

    fn is_certified(&self, _: &ThresholdKey, _: &[u8], _: &Signature) -> bool {
        true
    }
}

const POSITIONS: u32 = 30;
const RUNS: u32 = 40;
const TRADES: u32 = 500;

/// Trades of one leg between two accounts with 30 positions each, over the 27 scenarios of initial margin.
fn time_trades() {
    let setting = Setting::default();
    let (mut market, context) = (setting.market(), context());
    let ids = [1, 2].map(|number| AccountId::derive(&owner_of(number), 0));
    prepare(&setting, &mut market, context, ids);
    let mut least = u128::MAX;
    for _ in 0..RUNS {
        let trades = trades(&setting, &market, ids);
        let start = Instant::now();
        for trade in &trades {
            let applied = market.apply_with(context, trade, &Trusting);
            assert!(applied.is_ok(), "{applied:?}");
        }
        least = least.min(start.elapsed().as_nanos() / u128::from(TRADES));
    }
    market.check().expect("the invariants hold");
    println!(
        "a trade between accounts with {POSITIONS} positions, 27 scenarios: {least} ns, without signatures"
    );
}

const fn context() -> Context {
    Context {
        round: Round(1),
        now_ms: 1_000_000_000,
        epoch: Epoch(1),
    }
}

fn prepare(setting: &Setting, market: &mut Market, context: Context, ids: [AccountId; 2]) {
    let expiry_ms = context.now_ms + 100 * 3_600_000;
    let mut give = |signers: &[AccountId], body: &dyn Fn(&Market) -> Body| {
        let signed = setting.signed(market, signers, body(market));
        let applied = market.apply_with(context, &signed, &Trusting);
        assert!(applied.is_ok(), "{applied:?}");
    };
    for (number, id) in (1..).zip(ids) {
        let owner = owner_of(number);
        give(&[id], &|_| Body::CreateAccount { owner, sub: 0 });
        let (asset, amount) = (QUOTE, 1 << 60);
        give(&[], &|_| {
            setting.deposit(u64::from(number) - 1, owner, asset, amount)
        });
        give(&[id], &|_| Body::Post { asset, amount });
    }
    for number in 0..POSITIONS {
        let strike = (1_500 + 30 * i64::from(number)) * 100_000_000;
        let terms = Terms::Call { strike, expiry_ms };
        give(&[], &|_| {
            setting.list(listing_of(InstrumentId(number), ETH_FEED, terms))
        });
    }
    let round = round_of(1, context.now_ms, 200_000_000_000, &[expiry_ms], &[]);
    give(&[], &|market| {
        setting.oracle(market, ETH_FEED, round.clone())
    });
    for number in 0..POSITIONS {
        give(&ids, &|market| Body::Trade(vec![leg(market, number, 5)]));
    }
}

/// At the mark, in whole ticks.
fn leg(market: &Market, number: u32, lots: i64) -> Leg {
    let instrument = InstrumentId(number);
    let mark = market.mark_price(instrument).expect("it has a price");
    let price = (mark / 100).max(1) * 1_000_000;
    Leg {
        instrument,
        lots,
        price,
    }
}

fn trades(setting: &Setting, market: &Market, ids: [AccountId; 2]) -> Vec<SignedOperation> {
    let mut trades = Vec::new();
    for number in 0..TRADES {
        let lots = if number % 2 == 0 { 1 } else { -1 };
        let body = Body::Trade(vec![leg(market, number / 2 % POSITIONS, lots)]);
        let mut signed = setting.signed(market, &ids, body);
        for signer in &mut signed.operation.signers {
            signer.sequence += u64::from(number);
        }
        trades.push(signed);
    }
    trades
}
