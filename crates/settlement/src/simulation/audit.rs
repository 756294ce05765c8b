//! What a step between two states must not do: a model beside the market, which knows what happened before.

use std::collections::{BTreeMap, BTreeSet};

use quorate_margin::Portfolio;
use quorate_types::{AccountId, Hash32, InstrumentId, RejectCode};

use super::input::Input;
use crate::applied::{Applied, Bucket, Context, Event};
use crate::entity::Life;
use crate::market::Market;
use crate::operation::{Body, SignedOperation};

/// A step that broke a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// An owner's operation left an account below R = 0 without reducing its risk.
    #[error("account {0} was left short by what its owner did")]
    Margin(AccountId),
    /// A call or liquidation with U >= 0.
    #[error("account {0} was called or liquidated above maintenance margin")]
    Healthy(AccountId),
    /// A loss taken from somebody without positions.
    #[error("account {0} paid for others without a position")]
    Bystander(AccountId),
    /// A free balance debited without its owner's signature.
    #[error("account {0} lost free balance without signing")]
    Free(AccountId),
    /// A signer's number was not taken.
    #[error("a number of account {0} was not taken")]
    Number(AccountId),
    /// A deposit credited twice.
    #[error("deposit {number} of source {source_number} was credited twice")]
    Deposit {
        /// The source.
        source_number: u32,
        /// The number.
        number: u64,
    },
    /// An order filled beyond its quantity, all fills counted here.
    #[error("order {0} was filled beyond its quantity")]
    Order(Hash32),
    /// A round's funding applied twice.
    #[error("funding of instrument {0} was applied twice for one round")]
    Funding(InstrumentId),
    /// A trade outside an instrument's life.
    #[error("instrument {0} was traded outside its life")]
    Traded(InstrumentId),
    /// An account paid twice for one instrument.
    #[error("account {account} was paid twice for instrument {instrument}")]
    PaidTwice {
        /// The account.
        account: AccountId,
        /// The instrument.
        instrument: InstrumentId,
    },
    /// An operation across shards decided twice, or differently.
    #[error("operation {0} was decided twice")]
    Decided(Hash32),
    /// A margin of an account cannot be computed.
    #[error("account {account} has no margin: {code}")]
    NoMargin {
        /// The account.
        account: AccountId,
        /// Why.
        code: RejectCode,
    },
}

/// What was before.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// R and portfolios.
    margins: Vec<(AccountId, i128, Portfolio)>,
    /// U of who is called or liquidated.
    upper: Option<i128>,
    bystanders: Vec<(AccountId, u128)>,
}

/// Remembers what may happen only once.
#[derive(Debug, Default)]
pub(super) struct Audit {
    deposits: BTreeSet<(u32, u64)>,
    orders: BTreeMap<Hash32, u64>,
    funded: BTreeSet<(InstrumentId, u64)>,
    paid: BTreeSet<(AccountId, InstrumentId)>,
    decided: BTreeSet<Hash32>,
}

impl Audit {
    /// Looks at what an input may change.
    pub(super) fn before(&self, market: &mut Market, input: &Input) -> Result<Before, Breach> {
        let mut before = Before::default();
        let Input::Operation(signed) = input else {
            return Ok(before);
        };
        for id in judged(signed) {
            let (robust, portfolio) = margin(market, id)?;
            before.margins.push((id, robust, portfolio));
        }
        if let Body::MarginCall { account, .. } | Body::Liquidate { account, .. } =
            &signed.operation.body
        {
            before.upper = market
                .standing(*account)
                .ok()
                .map(|standing| standing.upper);
        }
        if let Body::Absorb { account, .. } = &signed.operation.body {
            before.bystanders = bystanders(market, *account);
        }
        Ok(before)
    }

    /// Looks at what an applied input changed.
    pub(super) fn after(
        &mut self,
        market: &mut Market,
        context: Context,
        before: &Before,
        input: &Input,
        applied: &Applied,
    ) -> Result<(), Breach> {
        self.events(applied)?;
        let Input::Operation(signed) = input else {
            return Ok(());
        };
        let operation = &signed.operation;
        for signer in &operation.signers {
            let next = market.account(&signer.account);
            let next = next.map_or(0, |account| account.next_sequence(signer.lane));
            if next != signer.sequence.wrapping_add(1) {
                return Err(Breach::Number(signer.account));
            }
        }
        let debited = applied.deltas.iter().find(|delta| {
            let signs = |signer: &crate::operation::Signer| signer.account == delta.account;
            delta.bucket == Bucket::Free && delta.change < 0 && !operation.signers.iter().any(signs)
        });
        if let Some(delta) = debited {
            return Err(Breach::Free(delta.account));
        }
        match &operation.body {
            Body::MarginCall { account, .. } | Body::Liquidate { account, .. }
                if before.upper.is_none_or(|upper| upper >= 0) =>
            {
                return Err(Breach::Healthy(*account));
            }
            Body::Absorb { .. } => {
                // Whoever had no position before; others may have lost theirs just now.
                let mut people = before.bystanders.iter();
                if let Some((id, _)) = people.find(|(id, had)| owned(market, id) != *had) {
                    return Err(Breach::Bystander(*id));
                }
            }
            _ => {}
        }
        self.once(market, operation_body(signed))?;
        traded(market, context, operation_body(signed))?;
        margins(market, before)
    }

    fn events(&mut self, applied: &Applied) -> Result<(), Breach> {
        for event in &applied.events {
            match event {
                Event::PaidOut {
                    account,
                    instrument,
                    ..
                } if !self.paid.insert((*account, *instrument)) => {
                    return Err(Breach::PaidTwice {
                        account: *account,
                        instrument: *instrument,
                    });
                }
                Event::Decided { cross, .. } if !self.decided.insert(*cross) => {
                    return Err(Breach::Decided(*cross));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn once(&mut self, market: &Market, body: &Body) -> Result<(), Breach> {
        match body {
            Body::Deposit(statement, _) => {
                let key = (statement.source, statement.number);
                if !self.deposits.insert(key) {
                    return Err(Breach::Deposit {
                        source_number: key.0,
                        number: key.1,
                    });
                }
            }
            Body::Fund { instrument } => {
                let feed = market.instrument(*instrument).map(|facts| facts.feed);
                let feed = feed.and_then(|feed| market.feed(feed)?.last.as_ref());
                let round = feed.map_or(0, |last| last.round);
                if !self.funded.insert((*instrument, round)) {
                    return Err(Breach::Funding(*instrument));
                }
            }
            Body::FillBatch { fills, .. } => {
                for fill in fills {
                    for signed in [&fill.buy, &fill.sell] {
                        let id = signed.order.id();
                        let filled = self.orders.entry(id).or_insert(0);
                        *filled = filled.saturating_add(fill.lots);
                        if *filled > signed.order.lots {
                            return Err(Breach::Order(id));
                        }
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn operation_body(signed: &SignedOperation) -> &Body {
    &signed.operation.body
}

/// Accounts whose margin an operation is judged by.
fn judged(signed: &SignedOperation) -> Vec<AccountId> {
    let operation = &signed.operation;
    let mut ids: Vec<AccountId> = match &operation.body {
        Body::Trade(_)
        | Body::Novate(_)
        | Body::Release { .. }
        | Body::GrantBudget { .. }
        | Body::CrossPrepare { .. } => operation.signers.iter().map(|of| of.account).collect(),
        // The account liquidated is judged by U alone.
        Body::Liquidate { .. } => operation.signers.iter().map(|of| of.account).collect(),
        Body::FillBatch { fills, .. } => fills
            .iter()
            .flat_map(|fill| [fill.buy.order.account, fill.sell.order.account])
            .collect(),
        _ => Vec::new(),
    };
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// R and portfolio, from scratch.
fn margin(market: &mut Market, id: AccountId) -> Result<(i128, Portfolio), Breach> {
    match market.robust(id) {
        // Hostile operations name accounts that are not there.
        Err(RejectCode::NoAccount) => Ok((0, Portfolio::default())),
        other => other.map_err(|code| Breach::NoMargin { account: id, code }),
    }
}

/// What everybody without positions owns, but for one account.
fn bystanders(market: &Market, but: AccountId) -> Vec<(AccountId, u128)> {
    let accounts = market.accounts();
    let without = accounts.filter(|(id, account)| **id != but && account.positions.is_empty());
    without.map(|(id, _)| (*id, owned(market, id))).collect()
}

/// All atoms of an account, less debt.
fn owned(market: &Market, id: &AccountId) -> u128 {
    market.account(id).map_or(0, |account| {
        let all = account.free.values().chain(account.collateral.values());
        let sum = all.fold(0_u128, |sum, amount| sum.saturating_add(*amount));
        sum.saturating_sub(account.debt)
    })
}

fn traded(market: &Market, context: Context, body: &Body) -> Result<(), Breach> {
    let instruments: Vec<InstrumentId> = match body {
        Body::Trade(legs) => legs.iter().map(|leg| leg.instrument).collect(),
        Body::Novate(leg) => vec![leg.instrument],
        Body::FillBatch { fills, .. } => {
            fills.iter().map(|fill| fill.buy.order.instrument).collect()
        }
        _ => Vec::new(),
    };
    for id in instruments {
        let alive = market.instrument(id).is_some_and(|instrument| {
            let expiry = instrument.contract.terms().expiry_ms();
            let early = expiry.is_none_or(|expiry_ms| context.now_ms < expiry_ms);
            instrument.life == Life::Trading && early
        });
        if !alive {
            return Err(Breach::Traded(id));
        }
    }
    Ok(())
}

/// Invariant 4: after an owner's operation R is not negative; or it was, and the operation reduced risk; or a line paid
/// for it, and R is no lower.
fn margins(market: &mut Market, before: &Before) -> Result<(), Breach> {
    for (id, robust, portfolio) in &before.margins {
        let (now, after) = margin(market, *id)?;
        if now >= 0 || now >= *robust {
            continue;
        }
        if *robust >= 0 || market.reduces_risk(portfolio, &after) != Ok(true) {
            return Err(Breach::Margin(*id));
        }
    }
    Ok(())
}
