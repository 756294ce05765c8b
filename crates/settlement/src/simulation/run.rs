//! Runs seeds.

use std::collections::BTreeMap;
use std::fmt;

use quorate_types::{Hash32, RejectCode};

use super::audit::{Audit, Breach};
use super::input::Input;
use super::setting::{BTC_FEED, ETH_FEED, Setting};
use super::world::World;
use crate::applied::{Applied, Context, Event};
use crate::check::Violation;
use crate::entity::EntryKey;
use crate::error::MarketError;
use crate::market::Market;
use crate::mutation::Mutation;

/// How to run a seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Blocks after the opening one.
    pub blocks: u64,
    /// Operations in a block, besides those of oracles and listings.
    pub operations: u64,
    /// Whether the inputs are kept.
    pub keeps_log: bool,
    /// The market is restored from its entries after every so many blocks; 0 never.
    pub restore_every: u64,
    /// A defect.
    pub mutation: Option<Mutation>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            blocks: 100,
            operations: 100,
            keeps_log: false,
            restore_every: 0,
            mutation: None,
        }
    }
}

/// What a seed gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Inputs given.
    pub operations: u64,
    /// Inputs applied, by kind.
    pub applied: BTreeMap<u8, u64>,
    /// Inputs rejected, by code.
    pub rejected: BTreeMap<RejectCode, u64>,
    /// Things that happened: halts, liquidations, absorptions with what each party paid in quote atoms.
    pub halts: u64,
    /// Slices that changed hands.
    pub liquidations: u64,
    /// Insolvent accounts closed.
    pub absorptions: u64,
    /// Quote atoms that insurance paid for them.
    pub insured: u128,
    /// Quote atoms that the other side paid for them.
    pub shared: u128,
    /// The final state's digest.
    pub digest: Option<Hash32>,
    /// The inputs, if kept.
    pub log: Vec<(Context, Input)>,
}

/// Why a seed failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// A step broke a promise.
    #[error(transparent)]
    Breach(#[from] Breach),
    /// A state breaks an invariant.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// A state cannot be restored from its entries.
    #[error(transparent)]
    Restore(#[from] MarketError),
    /// What is restored is another state.
    #[error("what is restored has another digest")]
    Digest,
    /// The entries handed out as changed do not give the state.
    #[error("the changes handed out do not give the entry {0:?}")]
    Changes(EntryKey),
}

/// A seed that failed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The block, from 1.
    pub block: u64,
    /// How many inputs were given.
    pub operations: u64,
    /// Why.
    pub cause: Cause,
    /// The input, if it was one.
    pub input: Option<Box<Input>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {} failed in block {} at input {}: {}",
            self.seed, self.block, self.operations, self.cause
        )?;
        if let Some(input) = &self.input {
            writeln!(f, "input: {input:?}")?;
        }
        write!(
            f,
            "replay: cargo run --profile quick -p quorate-settlement --features simulation \
             --example market_seeds -- {} {}",
            self.seed,
            self.seed.saturating_add(1)
        )
    }
}

/// Runs one seed.
///
/// # Errors
/// The first promise or invariant that is broken.
pub fn run(seed: u64, options: &Options) -> Result<Report, Box<Failure>> {
    let mut world = World::new(seed);
    let market = world.setting.market().with_mutation(options.mutation);
    let mut runner = Runner {
        seed,
        options: *options,
        audit: Audit::default(),
        report: Report::default(),
        block: 0,
        entries: market.entries().collect(),
        market,
    };
    for body in world.opening(&runner.market) {
        let input = world.open(&runner.market, body);
        runner.give(&world, input)?;
    }
    for input in world.first_posts(&runner.market) {
        runner.give(&world, input)?;
    }
    runner.end(&world)?;
    for _ in 0..options.blocks {
        world.next_block();
        for body in world.listings(&runner.market) {
            let input = world.open(&runner.market, body);
            runner.give(&world, input)?;
        }
        for feed in [ETH_FEED, BTC_FEED] {
            for body in world.round(&runner.market, feed) {
                let input = world.open(&runner.market, body);
                runner.give(&world, input)?;
            }
        }
        for _ in 0..options.operations {
            let input = world.next(&mut runner.market);
            runner.give(&world, input)?;
        }
        for body in world.settlements(&runner.market) {
            let input = world.open(&runner.market, body);
            runner.give(&world, input)?;
        }
        runner.end(&world)?;
    }
    runner.report.digest = Some(runner.market.digest());
    Ok(runner.report)
}

/// Gives a log to a fresh market, and gives the digest of where it leads.
#[must_use]
pub fn run_from_log(log: &[(Context, Input)]) -> Hash32 {
    let mut market = Setting::default().market();
    for (context, input) in log {
        // What was rejected is rejected again.
        let _ = input.apply(&mut market, *context);
    }
    market.digest()
}

struct Runner {
    seed: u64,
    options: Options,
    market: Market,
    audit: Audit,
    report: Report,
    block: u64,
    /// What a store would hold: the first entries, and then what was handed out as changed.
    entries: BTreeMap<EntryKey, Vec<u8>>,
}

impl Runner {
    fn give(&mut self, world: &World, input: Input) -> Result<(), Box<Failure>> {
        let context = world.context;
        let before = self.audit.before(&mut self.market, &input);
        let before = before.map_err(|breach| self.failure(breach.into(), Some(&input)))?;
        if self.options.keeps_log {
            self.report.log.push((context, input.clone()));
        }
        self.report.operations += 1;
        match input.apply(&mut self.market, context) {
            Ok(applied) => {
                self.count(&input, &applied);
                let (audit, market) = (&mut self.audit, &mut self.market);
                audit
                    .after(market, context, &before, &input, &applied)
                    .map_err(|breach| self.failure(breach.into(), Some(&input)))
            }
            Err(code) => {
                *self.report.rejected.entry(code).or_insert(0) += 1;
                Ok(())
            }
        }
    }

    fn end(&mut self, world: &World) -> Result<(), Box<Failure>> {
        let context = world.context;
        if self.options.keeps_log {
            self.report.log.push((context, Input::EndOfBlock));
        }
        self.market.end_of_block(context);
        self.block += 1;
        let checked = self.market.check();
        checked.map_err(|violation| self.failure(violation.into(), None))?;
        for (key, value) in self.market.take_changes() {
            match value {
                Some(value) => self.entries.insert(key, value),
                None => self.entries.remove(&key),
            };
        }
        let every = self.options.restore_every;
        if every > 0 && self.block.is_multiple_of(every) {
            self.restore().map_err(|cause| self.failure(cause, None))?;
        }
        Ok(())
    }

    /// Goes on with a market made from what a store would hold.
    fn restore(&mut self) -> Result<(), Cause> {
        for (key, value) in self.market.entries() {
            if self.entries.get(&key) != Some(&value) {
                return Err(Cause::Changes(key));
            }
        }
        let digest = self.market.digest();
        let restored = Market::restore(*self.market.facts(), self.entries.clone())?;
        if restored.digest() != digest {
            return Err(Cause::Digest);
        }
        self.market = restored.with_mutation(self.options.mutation);
        Ok(())
    }

    fn count(&mut self, input: &Input, applied: &Applied) {
        let kind = match input {
            Input::Operation(signed) => signed.operation.body.kind(),
            Input::Receipt(_) | Input::EndOfBlock => 0,
        };
        *self.report.applied.entry(kind).or_insert(0) += 1;
        for event in &applied.events {
            match event {
                Event::Halted { .. } => self.report.halts += 1,
                Event::Liquidated { .. } => self.report.liquidations += 1,
                Event::Absorbed {
                    insurance, shared, ..
                } => {
                    self.report.absorptions += 1;
                    self.report.insured += insurance;
                    self.report.shared += shared;
                }
                _ => {}
            }
        }
    }

    fn failure(&self, cause: Cause, input: Option<&Input>) -> Box<Failure> {
        Box::new(Failure {
            seed: self.seed,
            block: self.block,
            operations: self.report.operations,
            cause,
            input: input.map(|input| Box::new(input.clone())),
        })
    }
}
