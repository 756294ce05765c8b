//! Margin calls.

use quorate_types::{AccountId, RejectCode};

use super::Market;
use crate::applied::Event;
use crate::entity::Status;
use crate::mutation::Mutation;
use crate::operation::NamedRound;

impl Market {
    /// Calls an account of which no order of what is certified brings it to maintenance margin, U < 0, at the rounds that
    /// the caller saw (SETTLEMENT 3.5).
    pub(super) fn call(&mut self, id: AccountId, rounds: &[NamedRound]) -> Result<(), RejectCode> {
        let account = self.require_open(id)?;
        self.require_rounds(account, rounds)?;
        if account.status != Status::Active {
            return Err(RejectCode::NotCallable);
        }
        let account = account.clone();
        let bound = if self.broken(Mutation::CallWithoutUpper) {
            self.maintenance(&account)?
        } else {
            self.upper_bound(id)?
        };
        if bound >= 0 {
            return Err(RejectCode::NotCallable);
        }
        let deadline = self
            .clock
            .round
            .forward(self.parameters.current.grace_rounds);
        self.account_mut(id)?.status = Status::Called { deadline };
        self.events.push(Event::Called {
            account: id,
            deadline,
        });
        Ok(())
    }
}
