//! The check of all invariants that a state shows by itself; those of a step between states are for whoever takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_margin::{SCALE, ScenarioTable};
use quorate_types::{AccountId, AssetId, InstrumentId};

use super::journal::signed;
use super::{Market, Slot, is_over};
use crate::check::Violation;
use crate::entity::{Life, Status};

impl Market {
    /// Checks the invariants of SETTLEMENT 2.4 from scratch, in time proportional to the state.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        for asset in self.assets.keys() {
            self.check_conservation(*asset)?;
        }
        let lots = self.lots_by_instrument()?;
        for id in self.instruments.keys() {
            self.check_instrument(*id, &lots)?;
        }
        let initial = self.build_tables().map_err(|_| Violation::Range)?.initial;
        for (id, slot) in &self.accounts {
            self.check_account(*id, slot, &initial)?;
        }
        self.check_named()?;
        self.check_indices()
    }

    fn check_conservation(&self, asset: AssetId) -> Result<(), Violation> {
        let facts = &self.assets[&asset];
        let is_quote = asset == self.facts.quote;
        let mut found = Some(0_i128);
        let mut add = |amount: i128| found = found.and_then(|sum| sum.checked_add(amount));
        add(signed(facts.insurance));
        add(signed(facts.fees));
        for slot in self.accounts.values() {
            let account = &slot.account;
            add(signed(account.free_of(asset)));
            add(signed(account.collateral_of(asset)));
            if is_quote {
                add(-signed(account.debt));
                for (id, position) in &account.positions {
                    let entry = self.entry_now(*id, position);
                    add(entry.map_err(|_| Violation::Range)?);
                }
            }
        }
        if facts.dust < 0 {
            return Err(Violation::Dust(asset));
        }
        // Parts of atoms: what payoffs paid and what rounding left over make whole ones together.
        let mut parts = Some(facts.dust);
        for instrument in self.instruments.values().filter(|_| is_quote) {
            parts = parts.and_then(|sum| sum.checked_add(instrument.pool));
        }
        let parts = parts.ok_or(Violation::Range)?;
        add(parts.div_euclid(SCALE));
        let expected = signed(facts.deposited)
            .checked_sub(signed(facts.withdrawn))
            .and_then(|sum| sum.checked_add(facts.abroad));
        let (found, expected) = (
            found.ok_or(Violation::Range)?,
            expected.ok_or(Violation::Range)?,
        );
        if found != expected || parts.rem_euclid(SCALE) != 0 {
            return Err(Violation::Conservation {
                asset,
                expected,
                found,
            });
        }
        Ok(())
    }

    /// The sum of lots and of those held long.
    fn lots_by_instrument(&self) -> Result<BTreeMap<InstrumentId, (i128, i128)>, Violation> {
        let mut lots = BTreeMap::new();
        for slot in self.accounts.values() {
            for (id, position) in &slot.account.positions {
                let held = i128::from(position.lots);
                let sums = lots.entry(*id).or_insert((0_i128, 0_i128));
                sums.0 = sums.0.checked_add(held).ok_or(Violation::Range)?;
                sums.1 = sums.1.checked_add(held.max(0)).ok_or(Violation::Range)?;
            }
        }
        Ok(lots)
    }

    fn check_instrument(
        &self,
        id: InstrumentId,
        lots: &BTreeMap<InstrumentId, (i128, i128)>,
    ) -> Result<(), Violation> {
        let instrument = &self.instruments[&id];
        let (sum, longs) = lots.get(&id).copied().unwrap_or((0, 0));
        if longs != i128::from(instrument.open_interest) {
            return Err(Violation::OpenInterest(id));
        }
        let over = is_over(instrument, self.clock.now_ms);
        let fits = match instrument.life {
            Life::Listed | Life::Trading => !over && instrument.pool == 0,
            Life::Expired => over && instrument.pool == 0,
            Life::Settled { .. } => over,
            Life::Purged => over && longs == 0 && sum == 0 && instrument.pool == 0,
        };
        if !fits {
            return Err(Violation::Life(id));
        }
        let Life::Settled { price } = instrument.life else {
            // While positions are paid out, one side may be gone already.
            return if sum == 0 {
                Ok(())
            } else {
                Err(Violation::ZeroSum {
                    instrument: id,
                    lots: sum,
                })
            };
        };
        let unit = instrument.contract.payoff_numerator(price, 1);
        let unit = unit.map_err(|_| Violation::Range)?;
        let due = unit.checked_mul(sum).ok_or(Violation::Range)?;
        if due != instrument.pool {
            return Err(Violation::Payoffs(id));
        }
        Ok(())
    }

    fn check_account(
        &self,
        id: AccountId,
        slot: &Slot,
        initial: &Arc<ScenarioTable>,
    ) -> Result<(), Violation> {
        let account = &slot.account;
        let is_liquidated = matches!(account.status, Status::Liquidating { .. });
        let has_quote = account.collateral_of(self.facts.quote) > 0;
        if account.debt > 0 && (!is_liquidated || has_quote) {
            return Err(Violation::Debt(id));
        }
        for (_, budget) in self.budgets_of(id) {
            if budget.left.iter().any(|left| *left > budget.granted) {
                return Err(Violation::Budget(id));
            }
        }
        let no_margin = |code| Violation::NoMargin { account: id, code };
        let portfolio = self.portfolio_of(account).map_err(no_margin)?;
        let Some(cache) = &slot.cache else {
            return Ok(());
        };
        if !self.is_current(cache) {
            return Ok(());
        }
        let fresh = self.build_escrow(id, account, initial.clone());
        let fresh = fresh.map_err(no_margin)?;
        let at_hand = &cache.escrow;
        let same = *at_hand.portfolio() == portfolio
            && at_hand.is_consistent()
            && at_hand.surplus() == fresh.surplus()
            && at_hand.lanes().eq(fresh.lanes());
        if !same {
            return Err(Violation::Margin(id));
        }
        Ok(())
    }

    fn check_named(&self) -> Result<(), Violation> {
        for (id, fill) in &self.orders {
            if fill.filled > fill.lots || fill.filled == 0 {
                return Err(Violation::Overfill(*id));
            }
        }
        for (cross, doubt) in &self.doubts {
            let known = self.accounts.contains_key(&doubt.account);
            let open = !self.decisions.contains_key(cross);
            let peers = doubt.prepared.iter().all(|peer| doubt.peers.contains(peer));
            if !known || !open || !peers || doubt.peers.is_empty() || doubt.cash == 0 {
                return Err(Violation::Doubt(*cross));
            }
        }
        Ok(())
    }

    fn check_indices(&self) -> Result<(), Violation> {
        let accounts = self.accounts.iter();
        let holders: BTreeSet<_> = accounts
            .flat_map(|(id, slot)| slot.account.positions.keys().map(|held| (*held, *id)))
            .collect();
        let doubts = self.doubts.iter();
        let doubts: BTreeSet<_> = doubts
            .map(|(cross, doubt)| (doubt.account, *cross))
            .collect();
        let same = holders == self.holders
            && doubts == self.doubts_of
            && self.timers_from_scratch() == self.timers;
        if same { Ok(()) } else { Err(Violation::Index) }
    }
}
