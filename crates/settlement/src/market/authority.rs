//! Who may ask: chain, shard, time, numbers and signatures of an operation.

use quorate_types::limits::LANES_MAX;
use quorate_types::{AccountId, DomainTag, IdentityKey, RejectCode};

use super::Market;
use crate::authentic::Authenticator;
use crate::entity::{Account, EntryKey, Status};
use crate::mutation::Mutation;
use crate::operation::{Body, Operation, SignedOperation};

impl Market {
    /// Checks everything that does not depend on what is asked, and takes the signers' numbers: from here on a rejection
    /// burns them. Whoever signs nothing has no number to burn.
    pub(super) fn admit(
        &mut self,
        signed: &SignedOperation,
        authenticator: &impl Authenticator,
    ) -> Result<(), RejectCode> {
        let operation = &signed.operation;
        if operation.chain != self.facts.chain {
            return Err(RejectCode::WrongChain);
        }
        if operation.shard != self.facts.shard {
            return Err(RejectCode::WrongShard);
        }
        let expected = operation.body.signers();
        if operation.signers.len() != expected || signed.signatures.len() != expected {
            return Err(RejectCode::BadSignature);
        }
        if let [first, second] = operation.signers.as_slice()
            && first.account == second.account
        {
            return Err(RejectCode::SelfTrade);
        }
        if operation.valid_until_round < self.clock.round {
            return Err(RejectCode::Expired);
        }
        self.check_signatures(signed, authenticator)?;
        if let Body::CreateAccount { .. } = operation.body {
            let signer = operation.signers[0];
            let first = signer.lane == 0 && signer.sequence == 0;
            return if first {
                Ok(())
            } else {
                Err(RejectCode::BadSequence)
            };
        }
        self.take_numbers(operation)
    }

    fn check_signatures(
        &self,
        signed: &SignedOperation,
        authenticator: &impl Authenticator,
    ) -> Result<(), RejectCode> {
        let operation = &signed.operation;
        if operation.signers.is_empty() {
            return Ok(());
        }
        let id = operation.id();
        for (signer, signature) in operation.signers.iter().zip(&signed.signatures) {
            let owner = self.owner_of(&operation.body, signer.account)?;
            let tag = DomainTag::SettlementSignature;
            if !authenticator.is_signed(&owner, tag, &id.0, signature) {
                return Err(RejectCode::BadSignature);
            }
        }
        Ok(())
    }

    fn owner_of(&self, body: &Body, account: AccountId) -> Result<IdentityKey, RejectCode> {
        if let Body::CreateAccount { owner, sub } = body {
            return if AccountId::derive(owner, *sub) == account {
                Ok(*owner)
            } else {
                Err(RejectCode::KeyScope)
            };
        }
        let account = self.account(&account).ok_or(RejectCode::NoAccount)?;
        Ok(account.owner)
    }

    /// Takes all signers' numbers or none.
    fn take_numbers(&mut self, operation: &Operation) -> Result<(), RejectCode> {
        for signer in &operation.signers {
            let account = self.account(&signer.account).ok_or(RejectCode::NoAccount)?;
            if signer.sequence != account.next_sequence(signer.lane) {
                return Err(RejectCode::BadSequence);
            }
            let lanes = u32::try_from(account.lanes.len());
            let has_room = lanes.is_ok_and(|lanes| lanes < LANES_MAX);
            if !account.lanes.contains_key(&signer.lane) && !has_room {
                return Err(RejectCode::TooManyLanes);
            }
            if signer.sequence == u64::MAX {
                return Err(RejectCode::Overflow);
            }
        }
        if self.broken(Mutation::SequenceKept) {
            return Ok(());
        }
        for signer in &operation.signers {
            if let Some(slot) = self.accounts.get_mut(&signer.account) {
                slot.account.lanes.insert(signer.lane, signer.sequence + 1);
                self.dirty.insert(EntryKey::Account(signer.account));
            }
        }
        Ok(())
    }

    pub(super) fn create_account(
        &mut self,
        owner: IdentityKey,
        sub: u32,
    ) -> Result<(), RejectCode> {
        let mut account = Account::new(owner, sub);
        let id = account.id();
        if self.accounts.contains_key(&id) {
            return Err(RejectCode::AccountExists);
        }
        account.lanes.insert(0, 1);
        self.insert_account(id, account);
        Ok(())
    }

    /// Only an account with nothing in it, owed or in doubt is closed.
    pub(super) fn close_account(&mut self, id: AccountId) -> Result<(), RejectCode> {
        let account = self.require_thawed(id)?;
        let is_empty = account.free.is_empty()
            && account.collateral.is_empty()
            && account.positions.is_empty()
            && account.debt == 0;
        if !is_empty {
            return Err(RejectCode::NotRiskReducing);
        }
        if self.doubts_of(id).next().is_some() || self.budgets_of(id).next().is_some() {
            return Err(RejectCode::InDoubtLimit);
        }
        self.account_mut(id)?.status = Status::Closed;
        Ok(())
    }
}
