//! Proposals, the agreements on them, and their coins.

use quorate_types::{Signature, ValidatorIndex};

use super::Engine;
use crate::agreement::Output;
use crate::io::{CoinJob, DealingName, Effect, Job};
use crate::member_set::MemberSet;
use crate::message::{Message, MessageError};

impl Engine {
    /// Proposes once n - f dealings are available; echoes and readies that are due.
    pub(super) fn progress_proposals(&mut self, out: &mut Vec<Effect>) {
        let me = self.me;
        let own = &mut self.proposals[me.position()];
        if own.announced.is_none() && self.available.len() >= self.thresholds.quorum {
            let set = self.available;
            own.announced = Some(set);
            self.say(Message::Proposal { set }, out);
        }
        for proposer in self.ceremony.indices() {
            let proposal = &mut self.proposals[proposer.position()];
            if let Some(set) = proposal.due_echo(me, self.available)
                && proposal.broadcast.echo(me, set).is_ok()
            {
                self.say(Message::ProposalEcho { proposer, set }, out);
            }
            let proposal = &mut self.proposals[proposer.position()];
            if let Some(set) = proposal.broadcast.due_ready(me, self.thresholds)
                && proposal.broadcast.ready(me, set).is_ok()
            {
                self.say(Message::ProposalReady { proposer, set }, out);
            }
        }
    }

    /// Starts the agreements that can be started, and sees to all coins.
    pub(super) fn progress_agreements(&mut self, out: &mut Vec<Effect>) {
        while self.start_agreements(out) {}
        for proposer in self.ceremony.indices() {
            self.progress_coins(proposer, out);
        }
    }

    /// Opinion 1 on a proposal that can be used, while none is accepted; opinion 0 on all others as soon as one is.
    /// Whether any agreement was started.
    fn start_agreements(&mut self, out: &mut Vec<Effect>) -> bool {
        let mut any = false;
        for proposer in self.ceremony.indices() {
            let agreement = &self.proposals[proposer.position()].agreement;
            if agreement.is_started() || agreement.is_halted() {
                continue;
            }
            let accepted = self.any_accepted();
            let proposal = &mut self.proposals[proposer.position()];
            let usable = proposal.usable(self.thresholds, self.available).is_some();
            if accepted || usable {
                let mut outputs = Vec::new();
                proposal.agreement.start(!accepted, &mut outputs);
                self.follow(proposer, outputs, out);
                any = true;
            }
        }
        any
    }

    fn any_accepted(&self) -> bool {
        let mut proposals = self.proposals.iter();
        proposals.any(|proposal| proposal.agreement.decision() == Some(true))
    }

    /// Does what an agreement asks for.
    pub(super) fn follow(
        &mut self,
        proposer: ValidatorIndex,
        outputs: Vec<Output>,
        out: &mut Vec<Effect>,
    ) {
        for output in outputs {
            let proposal = &mut self.proposals[proposer.position()];
            match output {
                Output::Send(message) => self.say(Message::Agreement { proposer, message }, out),
                Output::WantCoin(round) => {
                    proposal.coins.entry(round).or_default().wanted = true;
                }
                // Read from the agreement when it matters.
                Output::Decided(_) => {}
                Output::Halted => proposal.coins.clear(),
            }
        }
    }

    /// Signs and combines the coins that an agreement wants, once its proposal can be used.
    fn progress_coins(&mut self, proposer: ValidatorIndex, out: &mut Vec<Effect>) {
        let proposal = &self.proposals[proposer.position()];
        let due = proposal
            .coins
            .values()
            .any(|coin| coin.wanted && !coin.known);
        if !due {
            return;
        }
        let Some(set) = proposal.usable(self.thresholds, self.available) else {
            return;
        };
        let dealings = self.names_of(set);
        let least = self.thresholds.amplify;
        for (round, coin) in &mut self.proposals[proposer.position()].coins {
            if !coin.wanted || coin.known {
                continue;
            }
            let job = || CoinJob {
                proposer,
                set,
                dealings: dealings.clone(),
                round: *round,
            };
            if !coin.signing && !coin.have().contains(self.me) {
                coin.signing = true;
                out.push(Effect::Compute(Job::SignCoin(job())));
            }
            if let Some(shares) = coin.due(least) {
                coin.combining = true;
                let coin = job();
                out.push(Effect::Compute(Job::CombineCoin { coin, shares }));
            }
        }
    }

    /// The delivered dealings of these dealers, ascending.
    pub(super) fn names_of(&self, set: MemberSet) -> Vec<DealingName> {
        set.iter()
            .filter_map(|dealer| self.name_of(dealer))
            .collect()
    }

    /// Reveals the own share of a coin.
    pub(super) fn coin_signed(
        &mut self,
        proposer: ValidatorIndex,
        round: u32,
        share: Signature,
        out: &mut Vec<Effect>,
    ) {
        if !self.takes_part() {
            return;
        }
        // The agreement may have ended meanwhile, and the coin with it.
        let coin = self
            .proposals
            .get_mut(proposer.position())
            .and_then(|proposal| proposal.coins.get_mut(&round));
        if let Some(coin) = coin
            && coin.add(self.me, share).is_ok()
        {
            let message = Message::CoinShare {
                proposer,
                round,
                share,
            };
            self.say(message, out);
        }
    }

    /// Hands a coin to its agreement, and refuses whoever sent a bad share of it.
    pub(super) fn coin_combined(
        &mut self,
        proposer: ValidatorIndex,
        round: u32,
        value: Option<bool>,
        bad: &[ValidatorIndex],
        out: &mut Vec<Effect>,
    ) {
        for from in bad {
            self.refuse(*from, MessageError::CoinShare { proposer, round }, out);
        }
        if !self.takes_part() {
            return;
        }
        let Some(proposal) = self.proposals.get_mut(proposer.position()) else {
            return;
        };
        let Some(coin) = proposal.coins.get_mut(&round) else {
            return;
        };
        coin.combining = false;
        for from in bad {
            coin.drop_share(*from);
        }
        if let Some(value) = value {
            coin.known = true;
            let mut outputs = Vec::new();
            proposal.agreement.coin(round, value, &mut outputs);
            self.follow(proposer, outputs, out);
        }
    }
}
