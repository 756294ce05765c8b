//! The engine: one member's part in a key generation.

mod agreements;
mod dealings;
mod explain;
mod finish;
mod receive;
mod recover;

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_types::{DealingHash, IdentitySignature, ValidatorIndex};

use crate::agreement::ROUND_MAX;
use crate::bodies::Bodies;
use crate::broadcast::{Broadcast, Thresholds};
use crate::ceremony::Ceremony;
use crate::completion::Completion;
use crate::dealing::SignedDealing;
use crate::io::{DealingName, Effect, Input, Job, JobFailure, JobResult, Record};
use crate::member_set::MemberSet;
use crate::message::{Message, MessageError};
use crate::proposal::Proposal;

/// How a member takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It deals, answers and signs.
    Member,
    /// It lost its log: it might contradict what it said before, so it says nothing, waits for the result, and computes
    /// its share from that.
    Silent,
}

/// One member's view of a key generation and what it should do next.
///
/// [`Engine::step`] is the only way in, its effects the only way out; same inputs, same effects. Nothing waits on
/// time. No secret is in here: what needs one is a [`Job`].
///
/// The state is a fold over the outboxes of all members. What this member said before a restart comes first
/// ([`Input::Recovered`]) and fills the places in which it would say something: none is filled twice.
#[derive(Clone, Debug)]
pub struct Engine {
    ceremony: Arc<Ceremony>,
    me: ValidatorIndex,
    role: Role,
    thresholds: Thresholds,
    started: bool,
    /// The result was handed out.
    finished: bool,
    /// The log has a result, so nothing but that is of interest.
    completed_before: bool,
    /// How many messages the own outbox has.
    outbox: u64,
    /// By index, the own one unused.
    peers: Vec<Peer>,
    /// By dealer.
    dealings: Vec<DealingState>,
    bodies: Bodies,
    /// Dealers whose dealing is delivered and held.
    available: MemberSet,
    /// By proposer.
    proposals: Vec<Proposal>,
    completion: Completion,
    failures: Vec<JobFailure>,
}

/// A peer's outbox.
#[derive(Clone, Debug, Default)]
struct Peer {
    next: u64,
    refused: Option<MessageError>,
    /// How many messages of this member's outbox it says it has read.
    claimed: u64,
}

/// The broadcast of one dealer's dealing.
#[derive(Clone, Debug)]
struct DealingState {
    /// By hash.
    broadcast: Broadcast<DealingHash>,
    /// What the dealer sent itself.
    announced: Option<DealingHash>,
    /// The hashes that the dealer is known to have signed.
    signed: BTreeMap<DealingHash, IdentitySignature>,
}

impl Engine {
    /// Begins in recovery: the driver hands in the log, then [`Input::Start`].
    ///
    /// # Panics
    /// If `me` is no member, or the ceremony is a resharing, which needs no agreement of this kind
    /// (see [`crate::reshare`]).
    #[must_use]
    pub fn new(ceremony: Arc<Ceremony>, me: ValidatorIndex, role: Role) -> Self {
        assert!(!ceremony.is_reshare(), "the ceremony makes a fresh key");
        let (size, faults) = (ceremony.size(), ceremony.faults());
        assert!(me.0 < size, "the engine's owner is a member");
        let thresholds = Thresholds {
            echo: usize::from(ceremony.echo_quorum()),
            amplify: usize::from(faults) + 1,
            deliver: 2 * usize::from(faults) + 1,
            quorum: usize::from(ceremony.agreement_quorum()),
        };
        let dealing = DealingState {
            broadcast: Broadcast::new(),
            announced: None,
            signed: BTreeMap::new(),
        };
        let members = usize::from(size);
        Self {
            me,
            role,
            thresholds,
            started: false,
            finished: false,
            completed_before: false,
            outbox: 0,
            peers: vec![Peer::default(); members],
            dealings: vec![dealing; members],
            bodies: Bodies::default(),
            available: MemberSet::EMPTY,
            proposals: vec![Proposal::new(size, faults, me); members],
            completion: Completion::default(),
            failures: Vec::new(),
            ceremony,
        }
    }

    /// The same with one rule of every binary agreement broken.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn with_mutation(mut self, mutation: Option<crate::agreement::Mutation>) -> Self {
        for proposal in &mut self.proposals {
            let agreement = proposal.agreement.clone();
            proposal.agreement = agreement.with_mutation(mutation);
        }
        self
    }

    /// Takes one input and appends what is to be done to `out`, in the order in which it is to be done.
    pub fn step(&mut self, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Recovered(record) => self.recover(record),
            Input::Start => self.start(out),
            Input::Received {
                from,
                position,
                message,
            } => self.received(from, position, message, out),
            Input::Fetched {
                from,
                dealer,
                hash,
                dealing,
            } => self.fetched(from, (dealer, hash), dealing, out),
            Input::Done(result) => self.done(result, out),
            Input::PeerClaims { from, held } => self.claimed(from, held, out),
        }
        self.progress(out);
    }

    /// The position of the next message to hand in from a peer's outbox.
    #[must_use]
    pub fn next_position(&self, peer: ValidatorIndex) -> u64 {
        self.peers.get(peer.position()).map_or(0, |peer| peer.next)
    }

    /// How many messages this member said so far.
    #[must_use]
    pub const fn outbox_len(&self) -> u64 {
        self.outbox
    }

    /// A valid dealing, to serve to a peer that asks for it.
    #[must_use]
    pub fn dealing(&self, name: &DealingName) -> Option<&SignedDealing> {
        self.bodies.valid(name)
    }

    /// How many messages an honest member's outbox has at most.
    #[must_use]
    pub fn outbox_max(&self) -> u64 {
        let members = u64::from(self.ceremony.size());
        let rounds = u64::from(ROUND_MAX) + 1;
        // Dealing, proposal, completion share, result; two for each dealing and each proposal; two first echoes, one
        // second, one third and a share for each round of each agreement, and two finishes.
        4 + members * (2 + 2 + rounds * 5 + 2)
    }

    fn start(&mut self, out: &mut Vec<Effect>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        self.check_claims(out);
        let needed: Vec<DealingName> = match self.completion.claims().first() {
            Some(claim) => claim.dealings.clone(),
            None => Vec::new(),
        };
        let all = !self.completed_before;
        for dealing in self
            .bodies
            .take_recovered(|name| all || needed.contains(name))
        {
            out.push(Effect::Compute(Job::Validate(dealing)));
        }
        if self.takes_part() && self.dealings[self.me.position()].announced.is_none() {
            out.push(Effect::Compute(Job::Deal));
        }
    }

    /// Whether this member says anything.
    fn takes_part(&self) -> bool {
        self.started && self.role == Role::Member && !self.finished && !self.completed_before
    }

    fn done(&mut self, result: JobResult, out: &mut Vec<Effect>) {
        match result {
            JobResult::Dealt(dealing) => self.dealt(dealing, out),
            JobResult::Validated {
                dealing,
                verdict,
                evidence,
            } => self.validated(dealing, verdict, evidence, out),
            JobResult::CoinSigned {
                proposer,
                round,
                share,
            } => self.coin_signed(proposer, round, share, out),
            JobResult::CoinCombined {
                proposer,
                round,
                coin,
                bad,
            } => self.coin_combined(proposer, round, coin, &bad, out),
            JobResult::CompletionSigned {
                transcript,
                keys,
                share,
            } => self.completion_signed(transcript, keys, share, out),
            JobResult::CompletionCombined { certificate, bad } => {
                self.completion_combined(certificate, &bad, out);
            }
            JobResult::CompleteChecked {
                dealings,
                certificate,
                keys,
            } => self.complete_checked(&dealings, certificate, keys, out),
            JobResult::Failed(failure) => {
                if !self.failures.contains(&failure) {
                    self.failures.push(failure);
                }
            }
        }
    }

    /// Does whatever has become due.
    fn progress(&mut self, out: &mut Vec<Effect>) {
        if !self.started || self.finished {
            return;
        }
        if self.takes_part() {
            self.progress_dealings(out);
            self.progress_proposals(out);
            self.progress_agreements(out);
            self.progress_completion(out);
        }
        self.progress_claims(out);
        self.request_bodies(out);
    }

    /// Appends a message to the outbox. The caller has noted it as its own.
    fn say(&mut self, message: Message, out: &mut Vec<Effect>) {
        debug_assert!(self.role == Role::Member, "silent members say nothing");
        self.outbox += 1;
        out.push(Effect::Persist(Record::Outgoing(message)));
    }

    /// Stops listening to a liar.
    fn refuse(&mut self, from: ValidatorIndex, error: MessageError, out: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(from.position()) else {
            return;
        };
        if from == self.me || peer.refused.is_some() {
            return;
        }
        peer.refused = Some(error.clone());
        out.push(Effect::Refused { from, error });
    }

    fn is_refused(&self, peer: ValidatorIndex) -> bool {
        let peer = self.peers.get(peer.position());
        peer.is_none_or(|peer| peer.refused.is_some())
    }

    /// A peer's word alone would let one liar silence everybody: that of more than f members has an honest one among
    /// them. (A single peer that shows a dealing signed with the own key is enough, see `receive`.)
    fn claimed(&mut self, from: ValidatorIndex, held: u64, out: &mut Vec<Effect>) {
        if let Some(peer) = self.peers.get_mut(from.position())
            && from != self.me
        {
            peer.claimed = held;
            self.check_claims(out);
        }
    }

    fn check_claims(&mut self, out: &mut Vec<Effect>) {
        if self.started && self.doubters().len() >= self.thresholds.amplify {
            self.fall_silent(out);
        }
    }

    /// Who claims to have read more than there is.
    fn doubters(&self) -> MemberSet {
        let peers = (0..).map(ValidatorIndex).zip(&self.peers);
        peers
            .filter(|(_, peer)| peer.claimed > self.outbox)
            .map(|(index, _)| index)
            .collect()
    }

    fn fall_silent(&mut self, out: &mut Vec<Effect>) {
        if self.takes_part() {
            self.role = Role::Silent;
            out.push(Effect::Amnesia);
        }
    }

    fn name_of(&self, dealer: ValidatorIndex) -> Option<DealingName> {
        let state = self.dealings.get(dealer.position())?;
        Some((dealer, state.broadcast.delivered(self.thresholds)?))
    }
}
