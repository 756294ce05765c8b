//! Operations across shards, as this shard sees them (SETTLEMENT 2.5).
//!
//! A prepared amount is in escrow, not locked: the account trades on inside it. Every doubt ends by what its peers'
//! certified receipts say, each exactly once: applied when all of them prepared, released when one refused. After its
//! deadline an operation can no longer be prepared here, for rounds only grow: the rejection by 6004 is final, and its
//! certified receipt is this shard's refusal.

use quorate_margin::{Change, LaneId};
use quorate_types::{AccountId, Hash32, RejectCode, Round, ShardId};

use super::Market;
use super::margin::{escrow_code, margin_code};
use super::shift::Payer;
use crate::applied::Event;
use crate::entity::{Decision, Doubt, PeerOutcome};
use crate::limits::{PEERS_MAX, SUPPLY_MAX};
use crate::mutation::Mutation;
use crate::operation::PeerReceipt;

impl Market {
    /// Validates an amount and holds it in escrow. The certified receipt of this is the shard's vote.
    pub(super) fn prepare(
        &mut self,
        id: AccountId,
        cross: Hash32,
        cash: i128,
        peers: &[ShardId],
        deadline: Round,
    ) -> Result<(), RejectCode> {
        if self.doubts.contains_key(&cross) || self.decisions.contains_key(&cross) {
            return Err(RejectCode::CrossReplay);
        }
        let parameters = self.parameters.current;
        let (round, most) = (self.clock.round, parameters.doubt_rounds_max);
        if deadline < round || deadline > round.forward(most) {
            return Err(RejectCode::CrossDeadline);
        }
        let ascending = peers.windows(2).all(|two| two[0] < two[1]);
        let few = u32::try_from(peers.len()).is_ok_and(|count| (1..=PEERS_MAX).contains(&count));
        if !ascending || !few || peers.contains(&self.facts.shard) || cash == 0 {
            return Err(RejectCode::BadEncoding);
        }
        if cash.unsigned_abs() >= SUPPLY_MAX {
            return Err(RejectCode::Overflow);
        }
        self.require_open(id)?;
        if self.doubts_of(id).count() >= usize::try_from(parameters.doubts_max).unwrap_or(0) {
            return Err(RejectCode::InDoubtLimit);
        }
        if cash < 0 {
            let account = self.require_thawed(id)?;
            let have = super::journal::signed(account.collateral_of(self.facts.quote));
            let reserved = self.reserved(id);
            if have.saturating_sub(reserved) < -cash {
                return Err(RejectCode::InsufficientCollateral);
            }
            self.require_fresh(id)?;
        }
        self.escrow(id)?;
        let doubt = Doubt {
            account: id,
            number: self.next_number(id)?,
            cash,
            deadline,
            peers: peers.to_vec(),
            prepared: Vec::new(),
            is_refused: false,
        };
        let change = Change::new(cash, &[]).map_err(margin_code)?;
        let lane = LaneId(doubt.number);
        self.escrow(id)?.push(lane, change).map_err(escrow_code)?;
        self.set_doubt(cross, Some(doubt));
        if cash < 0 {
            self.require_robust(id)?;
        }
        Ok(())
    }

    /// Notes what a peer did.
    pub(super) fn note_receipt(&mut self, receipt: &PeerReceipt) -> Result<(), RejectCode> {
        let mut doubt = self.undecided(&receipt.cross)?.clone();
        if !doubt.peers.contains(&receipt.shard) {
            return Err(RejectCode::CrossCertificate);
        }
        let place = doubt.prepared.binary_search(&receipt.shard);
        match (receipt.outcome, place) {
            (PeerOutcome::Prepared, Err(place)) => doubt.prepared.insert(place, receipt.shard),
            (PeerOutcome::Refused, Err(_)) if !doubt.is_refused => doubt.is_refused = true,
            // Nobody does both: a certificate of it would convict the peer.
            (PeerOutcome::Refused, Ok(_)) => return Err(RejectCode::CrossCertificate),
            (PeerOutcome::Prepared, Ok(_)) | (PeerOutcome::Refused, Err(_)) => {
                return Err(RejectCode::CrossReplay);
            }
        }
        self.set_doubt(receipt.cross, Some(doubt));
        Ok(())
    }

    /// Applies what all peers prepared. Never fails for want of margin: the escrow kept it possible.
    pub(super) fn commit(&mut self, cross: Hash32) -> Result<(), RejectCode> {
        let doubt = self.undecided(&cross)?.clone();
        if !doubt.is_certified() || doubt.is_refused {
            return Err(RejectCode::CrossCertificate);
        }
        let quote = self.asset_mut(self.facts.quote)?;
        let abroad = quote.abroad.checked_add(doubt.cash);
        quote.abroad = abroad.ok_or(RejectCode::Overflow)?;
        self.pay(doubt.account, doubt.cash, Payer::Protocol)?;
        self.decide(cross, doubt.account, true);
        Ok(())
    }

    /// Releases what a peer refused.
    pub(super) fn abort(&mut self, cross: Hash32) -> Result<(), RejectCode> {
        let doubt = self.undecided(&cross)?;
        if !doubt.is_refused {
            return Err(RejectCode::CrossCertificate);
        }
        let account = doubt.account;
        if self.broken(Mutation::EscrowKept) {
            let _ = self.account_mut(account)?;
            let decision = Decision {
                is_applied: false,
                round: self.clock.round,
            };
            self.set_doubt(cross, None);
            self.set_decision(cross, decision);
            return Ok(());
        }
        self.decide(cross, account, false);
        Ok(())
    }

    fn decide(&mut self, cross: Hash32, account: AccountId, is_applied: bool) {
        self.set_doubt(cross, None);
        self.forget(account);
        let decision = Decision {
            is_applied,
            round: self.clock.round,
        };
        self.set_decision(cross, decision);
        self.events.push(Event::Decided { cross, is_applied });
    }

    fn undecided(&self, cross: &Hash32) -> Result<&Doubt, RejectCode> {
        if self.decisions.contains_key(cross) {
            return Err(RejectCode::CrossDecided);
        }
        self.doubts.get(cross).ok_or(RejectCode::CrossUnknown)
    }
}
