//! What the engine knows, for people.

use quorate_types::ValidatorIndex;

use super::{Engine, Role};
use crate::agreement::Stage;
use crate::member_set::MemberSet;
use crate::proposal::Proposal;
use crate::status::{Awaited, Phase, Status, Waiting};

impl Engine {
    /// How far this member is.
    #[must_use]
    pub fn status(&self) -> Status {
        let refused = self.ceremony.indices().filter_map(|index| {
            let error = self.peers[index.position()].refused.clone()?;
            Some((index, error))
        });
        Status {
            role: self.role,
            phase: self.phase(),
            dealings_valid: self.dealers_with(|state, dealer| {
                let mut hashes = state.signed.keys();
                hashes.any(|hash| self.bodies.valid(&(dealer, *hash)).is_some())
            }),
            dealings_delivered: self.available,
            proposals_delivered: self
                .proposers_with(|proposal| proposal.broadcast.delivered(self.thresholds).is_some()),
            proposals_accepted: self
                .proposers_with(|proposal| proposal.agreement.decision() == Some(true)),
            proposals_rejected: self
                .proposers_with(|proposal| proposal.agreement.decision() == Some(false)),
            round_max: self
                .proposals
                .iter()
                .filter_map(|proposal| proposal.agreement.round())
                .max(),
            completion_shares: self.completion.have(),
            outbox: self.outbox,
            refused: refused.collect(),
            doubted_by: self.doubters(),
            failures: self.failures.clone(),
        }
    }

    /// What this member waits for, and for whom; nothing once the result is here. Waiting for somebody is no reproach:
    /// its message may be under way.
    #[must_use]
    pub fn explain(&self) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        if self.finished {
            return waiting;
        }
        if !self.started {
            waiting.push(nobody(Awaited::Recovery));
            return waiting;
        }
        if !self.takes_part() {
            if self.role == Role::Silent {
                waiting.push(self.missing(Awaited::Result, MemberSet::EMPTY));
            }
            self.explain_claims(&mut waiting);
            return waiting;
        }
        let decided = |proposal: &Proposal| proposal.agreement.decision().is_some();
        let blocking = self.blocking_dealers();
        for dealer in blocking.iter() {
            waiting.push(self.explain_dealing(dealer));
        }
        let accepted = self.proposers_with(|p| p.agreement.decision() == Some(true));
        for proposer in self.ceremony.indices() {
            let proposal = &self.proposals[proposer.position()];
            let needed = accepted.is_empty() || accepted.contains(proposer);
            let usable = proposal.usable(self.thresholds, self.available);
            if needed && usable.is_none() && self.available.len() >= self.thresholds.quorum {
                waiting.push(self.explain_proposal(proposer));
            }
            if !decided(proposal) {
                waiting.extend(self.explain_agreement(proposer));
            }
        }
        if self.proposals.iter().all(decided) && self.completion.dealings.is_some() {
            let have = self.completion.have();
            let need = usize::from(self.ceremony.quorum());
            let what = Awaited::CompletionShares {
                have: have.len(),
                need,
            };
            waiting.push(self.missing(what, have));
        }
        self.explain_claims(&mut waiting);
        waiting
    }

    fn phase(&self) -> Phase {
        let proposals = &self.proposals;
        let usable = |p: &Proposal| p.usable(self.thresholds, self.available).is_some();
        let decided = |p: &Proposal| p.agreement.decision().is_some();
        if self.finished {
            Phase::Complete
        } else if !self.started {
            Phase::Recovering
        } else if proposals.iter().all(decided) {
            Phase::Completing
        } else if proposals.iter().any(|p| usable(p) || decided(p)) {
            Phase::Agreeing
        } else if self.available.len() >= self.thresholds.quorum {
            Phase::Proposing
        } else {
            Phase::Dealing
        }
    }

    /// Dealers whose dealings are not delivered and hold something up: all until n - f are there, then those that
    /// proposals name, unless their proposal was rejected.
    fn blocking_dealers(&self) -> MemberSet {
        let all = MemberSet::all(self.ceremony.size());
        if self.available.len() < self.thresholds.quorum {
            return all.without(self.available);
        }
        let mut named = MemberSet::EMPTY;
        for proposal in &self.proposals {
            if proposal.agreement.decision() != Some(false) {
                let delivered = proposal.broadcast.delivered(self.thresholds);
                let set = delivered.or(proposal.announced);
                named = named.union(set.unwrap_or_default());
            }
        }
        named.without(self.available)
    }

    fn explain_dealing(&self, dealer: ValidatorIndex) -> Waiting {
        let state = &self.dealings[dealer.position()];
        if let Some(name) = self.name_of(dealer) {
            if self.bodies.holds(&name) {
                return nobody(Awaited::Validation { dealer });
            }
            let asked = self.bodies.asked(&name);
            let on = self.sources(&name).iter().collect();
            let what = Awaited::Body { dealer, asked };
            return Waiting { what, on };
        }
        let (echoes, readies) = state.broadcast.progress();
        let echoed = state.broadcast.echo_senders().contains(self.me);
        let held = state.announced.is_some_and(|hash| {
            let name = (dealer, hash);
            self.bodies.holds(&name)
        });
        if state.broadcast.ready_senders().contains(self.me) {
            let (have, need) = (readies.len(), self.thresholds.deliver);
            let what = Awaited::DealingReadies { dealer, have, need };
            return self.missing(what, readies);
        }
        if state.announced.is_none() && !echoed {
            let on = vec![dealer];
            let what = Awaited::Dealing { dealer };
            return Waiting { what, on };
        }
        if held && !echoed {
            return nobody(Awaited::Validation { dealer });
        }
        let (have, need) = (echoes.len(), self.thresholds.echo);
        let what = Awaited::DealingEchoes { dealer, have, need };
        self.missing(what, echoes)
    }

    fn explain_proposal(&self, proposer: ValidatorIndex) -> Waiting {
        let proposal = &self.proposals[proposer.position()];
        let delivered = proposal.broadcast.delivered(self.thresholds);
        let unavailable = |set: MemberSet| !set.is_subset(self.available);
        if delivered.is_some() || proposal.announced.is_some_and(unavailable) {
            let set = delivered.or(proposal.announced).unwrap_or_default();
            let on = set.without(self.available).iter().collect();
            let what = Awaited::ProposalDealings { proposer };
            return Waiting { what, on };
        }
        let (echoes, readies) = proposal.broadcast.progress();
        if proposal.broadcast.ready_senders().contains(self.me) {
            let what = Awaited::ProposalReadies {
                proposer,
                have: readies.len(),
                need: self.thresholds.deliver,
            };
            return self.missing(what, readies);
        }
        if proposal.announced.is_none() {
            let on = vec![proposer];
            let what = Awaited::Proposal { proposer };
            return Waiting { what, on };
        }
        let what = Awaited::ProposalEchoes {
            proposer,
            have: echoes.len(),
            need: self.thresholds.echo,
        };
        self.missing(what, echoes)
    }

    /// Nothing if the agreement was not started: it waits for its proposal, or for another to be accepted.
    fn explain_agreement(&self, proposer: ValidatorIndex) -> Option<Waiting> {
        let proposal = &self.proposals[proposer.position()];
        match proposal.agreement.stage() {
            Stage::NotStarted | Stage::Finishes { .. } | Stage::Halted => None,
            Stage::Echoes {
                round,
                phase,
                have,
                need,
            } => {
                let what = Awaited::AgreementEchoes {
                    proposer,
                    round,
                    phase,
                    have: have.len(),
                    need,
                };
                Some(self.missing(what, have))
            }
            Stage::Coin { round } => {
                let coin = proposal.coins.get(&round);
                let have = coin.map_or(MemberSet::EMPTY, crate::coin::Coin::have);
                let what = Awaited::CoinShares {
                    proposer,
                    round,
                    have: have.len(),
                    need: self.thresholds.amplify,
                };
                Some(self.missing(what, have))
            }
        }
    }

    /// Dealings of a claimed result that are not here.
    fn explain_claims(&self, waiting: &mut Vec<Waiting>) {
        for claim in self.completion.claims() {
            for name in &claim.dealings {
                let dealer = name.0;
                if self.bodies.valid(name).is_some() {
                    continue;
                }
                if self.bodies.holds(name) {
                    waiting.push(nobody(Awaited::Validation { dealer }));
                    continue;
                }
                let asked = self.bodies.asked(name);
                let on = self.sources(name).iter().collect();
                let what = Awaited::Body { dealer, asked };
                waiting.push(Waiting { what, on });
            }
        }
    }

    /// Waiting for all peers but those in a set.
    fn missing(&self, what: Awaited, have: MemberSet) -> Waiting {
        let mut missing = MemberSet::all(self.ceremony.size()).without(have);
        missing.remove(self.me);
        let on = missing.iter().collect();
        Waiting { what, on }
    }

    fn dealers_with(
        &self,
        holds: impl Fn(&super::DealingState, ValidatorIndex) -> bool,
    ) -> MemberSet {
        let indices = self.ceremony.indices();
        indices
            .filter(|dealer| holds(&self.dealings[dealer.position()], *dealer))
            .collect()
    }

    fn proposers_with(&self, holds: impl Fn(&Proposal) -> bool) -> MemberSet {
        let indices = self.ceremony.indices();
        indices
            .filter(|proposer| holds(&self.proposals[proposer.position()]))
            .collect()
    }
}

/// Waiting for this member itself.
fn nobody(what: Awaited) -> Waiting {
    Waiting {
        what,
        on: Vec::new(),
    }
}
