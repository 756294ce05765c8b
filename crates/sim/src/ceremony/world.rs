//! A world: members, what connects them, and what befalls them. There is no clock: one thing happens after another, in the
//! order that the schedule chooses, until every honest member has its result or nothing is left to happen.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_crypto::pvss::{Dealing, Sequential};
use quorate_dkg::{
    DealingFault, DealingName, Effect, Engine, Input, JobResult, MessageError, Record, Role,
};
use quorate_dkg::{Job, Message, SignedDealing};
use quorate_types::{Encode, Timestamp, ValidatorIndex};

use crate::ceremony::checks::{Checks, check_results};
use crate::ceremony::failure::{BrokenPromise, CeremonyCause, CeremonyStall, Limit};
use crate::ceremony::liar::Liar;
use crate::ceremony::mix::CeremonyMix;
use crate::ceremony::node::Node;
use crate::ceremony::options::{CeremonyFault, CeremonyOptions};
use crate::ceremony::report::CeremonyReport;
use crate::ceremony::schedule::{Action, Coins, Held, choose, held_back};
use crate::ceremony::setup::{CeremonySetup, chunk_table};
use crate::dice::Dice;
use crate::trace::{Kind, Timeline, Trace};

/// No agreement gets this far: with honest coins, half of all rounds from the third on end it.
const ROUNDS_MAX: u32 = 50;
/// One seed in so many verifies a whole transcript from its bytes.
const THOROUGH_EVERY: u64 = 8;

type Verdict = Result<Arc<Dealing>, DealingFault>;

/// Members and everything around them.
pub(crate) struct World {
    seed: u64,
    setup: CeremonySetup,
    mix: CeremonyMix,
    nodes: Vec<Node>,
    dice: Dice,
    /// Chance for cryptography.
    chance: Dice,
    checks: Checks,
    trace: Trace,
    coins: Coins,
    /// Verdicts on dealings, the same at all members; the engine checks a signature before it asks for one.
    verdicts: BTreeMap<DealingName, Verdict>,
    step: u64,
    fault: Option<CeremonyFault>,
    report: CeremonyReport,
    #[cfg(feature = "mutants")]
    mutation: Option<quorate_dkg::agreement::Mutation>,
}

impl World {
    pub(crate) fn new(
        seed: u64,
        options: &CeremonyOptions,
        mix: CeremonyMix,
        timeline: Option<Timeline>,
    ) -> Self {
        let size = options.members;
        let setup = CeremonySetup::new(seed, size, &mix);
        let mut dice = Dice::new(seed, size, "ceremony world");
        let node = |me| {
            let liar = mix.liars.get(&me);
            let liar =
                liar.map(|lies| Liar::new(*lies, size, Dice::new(dice.next(), size, "liar")));
            Node::new(me, liar)
        };
        let nodes = (0..size).map(ValidatorIndex).map(node).collect();
        Self {
            seed,
            report: CeremonyReport::new(size, seed, &mix),
            nodes,
            dice,
            chance: Dice::new(seed, size, "ceremony cryptography"),
            checks: Checks::default(),
            trace: Trace::new(timeline),
            coins: Coins::new(),
            verdicts: BTreeMap::new(),
            step: 0,
            fault: options.fault,
            #[cfg(feature = "mutants")]
            mutation: options.mutation,
            setup,
            mix,
        }
    }

    /// Runs until all honest members have their result.
    pub(crate) fn run(mut self) -> Result<CeremonyReport, CeremonyCause> {
        let size = self.setup.ceremony.size();
        let steps_max = 6_000 * u64::from(size) * u64::from(size);
        for me in self.setup.ceremony.indices() {
            self.start(me);
        }
        while !self.is_over() {
            self.step += 1;
            self.happen();
            if let Some(broken) = self.checks.broken() {
                return Err(CeremonyCause::Safety(broken.clone()));
            }
            if self.step > steps_max {
                return Err(self.stall(Some(Limit::Steps(steps_max))));
            }
            if self.report.rounds > ROUNDS_MAX {
                return Err(self.stall(Some(Limit::Rounds(self.report.rounds))));
            }
            if self.choices().is_empty()
                && self.nodes.iter().all(|node| node.running.is_some())
                && !self.is_over()
            {
                return Err(self.stall(None));
            }
        }
        self.finish()
    }

    fn is_over(&self) -> bool {
        let mut honest = self.nodes.iter().filter(|node| node.liar.is_none());
        honest.all(|node| node.outcome().is_some())
    }

    /// One step: a crash, a return, a loss, or something that the schedule chooses.
    fn happen(&mut self) {
        if let Some(lost) = self.mix.lost
            && lost.step == self.step
            && self.nodes[lost.member.position()].outcome().is_none()
        {
            self.lose_disk(lost.member, lost.declared);
        }
        if self.report.crashes < self.mix.crashes_max && self.dice.per_mille(self.mix.crash) {
            let at = self.dice.below(self.nodes.len() as u64);
            self.crash(usize::try_from(at).expect("below n"));
        }
        let choices = self.choices();
        for at in self.setup.ceremony.indices() {
            let back = choices.is_empty() || self.dice.per_mille(self.mix.restart);
            if self.nodes[at.position()].running.is_none() && back {
                self.start(at);
            }
        }
        if choices.is_empty() {
            return;
        }
        let action = choose(&self.mix, &mut self.dice, &choices);
        self.act(action);
    }

    fn choices(&self) -> Vec<(Action, Held, u64)> {
        let mut choices = Vec::new();
        let mut add = |action, message: Option<&Message>, said: u64| {
            let held = held_back(&self.mix, &self.coins, action, message);
            choices.push((action, held, said));
        };
        for node in &self.nodes {
            let at = node.me;
            if node.disk.unsynced() > 0 && node.running.is_some() {
                add(Action::Sync(at), None, node.spoke);
            }
            if node.liar.as_ref().is_some_and(|liar| liar.chatter > 0) {
                add(Action::Chat(at), None, 0);
            }
            let Some(running) = &node.running else {
                continue;
            };
            for job in 0..running.jobs.len() {
                add(Action::Work { at, job }, None, self.step);
            }
            for from in self.nodes.iter().filter(|from| from.me != at) {
                if let Some((_, message)) = from.message_for(node, self.shows_early()) {
                    let (from, said) = (from.me, from.spoke);
                    add(Action::Deliver { from, to: at }, Some(message), said);
                }
            }
        }
        for node in &self.nodes {
            let requests = node
                .running
                .as_ref()
                .map_or(&[][..], |running| &running.requests);
            for (request, (peer, name)) in requests.iter().enumerate() {
                let action = Action::Answer {
                    at: node.me,
                    request,
                };
                let useful = self.has(*peer, name);
                let held = if useful {
                    held_back(&self.mix, &self.coins, action, None)
                } else {
                    Held::Idle
                };
                choices.push((action, held, self.step));
            }
        }
        choices
    }

    const fn shows_early(&self) -> bool {
        matches!(self.fault, Some(CeremonyFault::ShowBeforeDurable))
    }

    fn has(&self, peer: ValidatorIndex, name: &DealingName) -> bool {
        let running = self.nodes[peer.position()].running.as_ref();
        running.is_some_and(|running| running.engine.dealing(name).is_some())
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Deliver { from, to } => self.deliver(from, to),
            Action::Sync(at) => {
                self.note(Kind::Persist, at, 0, &[]);
                self.nodes[at.position()].disk.sync();
            }
            Action::Work { at, job } => self.work(at, job),
            Action::Answer { at, request } => self.answer(at, request),
            Action::Chat(at) => {
                self.note(Kind::Client, at, 0, &[]);
                let node = &mut self.nodes[at.position()];
                if let Some(liar) = &mut node.liar {
                    liar.chat(at);
                    node.spoke = self.step;
                }
            }
        }
    }

    fn deliver(&mut self, from: ValidatorIndex, to: ValidatorIndex) {
        let (source, reader) = (&self.nodes[from.position()], &self.nodes[to.position()]);
        let early = self.shows_early();
        let Some((position, message)) = source.message_for(reader, early) else {
            return;
        };
        let message = message.clone();
        self.report.messages += 1;
        let bytes = message.to_bytes();
        self.note(Kind::Deliver, to, position, &bytes);
        self.trace.say(Timestamp(self.step), Some(to), || {
            format!("reads {position} of {from}: {message:?}")
        });
        let honest = self.mix.is_honest(from);
        if honest && !self.mix.loses_disk(from) {
            self.checks.hear(from, &message);
        }
        let trusted = honest || matches!(message, Message::Dealing(_));
        if trusted && self.speaks(to) {
            self.checks.learn(&self.setup, to, &message);
        }
        self.input(
            to,
            Input::Received {
                from,
                position,
                message,
            },
        );
    }

    /// Whether an honest member still takes part.
    fn speaks(&self, at: ValidatorIndex) -> bool {
        let node = &self.nodes[at.position()];
        let running = node.running.as_ref();
        let part = running.is_some_and(|running| {
            running.outcome.is_none() && running.engine.status().role == Role::Member
        });
        node.liar.is_none() && !self.mix.loses_disk(at) && part
    }

    fn work(&mut self, at: ValidatorIndex, job: usize) {
        let node = &mut self.nodes[at.position()];
        let Some(running) = &mut node.running else {
            return;
        };
        let job = running.jobs.remove(job);
        let result = match (&mut node.liar, &job) {
            (Some(liar), Job::Deal) => liar.deal(&self.setup, at).map(JobResult::Dealt),
            (_, Job::Validate(dealing)) => {
                let (table, rng) = (chunk_table(), self.chance.rng());
                let ceremony = &self.setup.ceremony;
                let name = (dealing.dealer, dealing.hash());
                let verdict = self.verdicts.entry(name).or_insert_with(|| {
                    let verdict = dealing.validate(ceremony, &Sequential);
                    verdict.map(Arc::new)
                });
                let holder = &mut running.holder;
                Some(holder.accept(ceremony, dealing, verdict.clone(), table, rng))
            }
            _ => {
                let (table, rng) = (chunk_table(), self.chance.rng());
                let ceremony = &self.setup.ceremony;
                let holder = &mut running.holder;
                Some(holder.perform(ceremony, job, table, &Sequential, rng))
            }
        };
        let Some(result) = result else {
            return;
        };
        let honest = node.liar.is_none();
        self.note(Kind::Compute, at, 0, format!("{result:?}").as_bytes());
        if let JobResult::CoinCombined {
            proposer,
            round,
            coin: Some(coin),
            ..
        } = &result
        {
            self.coins.insert((*proposer, *round), *coin);
            self.report.coins += 1;
        }
        let convictable = match &result {
            JobResult::Validated {
                dealing,
                verdict,
                evidence,
            } => {
                let invalid = verdict.as_ref().is_err_and(|fault| fault.convicts());
                (invalid || !evidence.is_empty()).then_some(dealing.0)
            }
            JobResult::Failed(failure) if honest => {
                let failure = failure.clone();
                self.checks.report(BrokenPromise::Job {
                    member: at,
                    failure,
                });
                None
            }
            _ => None,
        };
        self.input(at, Input::Done(result));
        if let Some(dealer) = convictable.filter(|_| honest) {
            self.report.lies_seen += 1;
            let evidence = self.nodes[at.position()].running.as_ref();
            let mut evidence = evidence.into_iter().flat_map(|running| &running.evidence);
            if !evidence.any(|one| one.dealer() == dealer) {
                self.checks
                    .report(BrokenPromise::NoEvidence { member: at, dealer });
            }
        }
    }

    fn answer(&mut self, at: ValidatorIndex, request: usize) {
        let Some(running) = &mut self.nodes[at.position()].running else {
            return;
        };
        let (from, name) = running.requests.remove(request);
        let peer = &mut self.nodes[from.position()];
        let held = peer
            .running
            .as_ref()
            .and_then(|peer| peer.engine.dealing(&name));
        let mut dealing: Option<SignedDealing> = held.cloned();
        if let Some(liar) = &mut peer.liar {
            dealing = liar.answer(dealing);
        }
        if self.fault == Some(CeremonyFault::NoAnswers) {
            dealing = None;
        }
        self.report.fetches += 1;
        self.note(
            Kind::Fetch,
            at,
            u64::from(from.0),
            &[u8::from(dealing.is_some())],
        );
        let (dealer, hash) = name;
        self.input(
            at,
            Input::Fetched {
                from,
                dealer,
                hash,
                dealing,
            },
        );
    }

    fn input(&mut self, at: ValidatorIndex, input: Input) {
        let Some(running) = &mut self.nodes[at.position()].running else {
            return;
        };
        let mut effects = Vec::new();
        running.engine.step(input, &mut effects);
        self.carry_out(at, effects);
        if self.speaks(at) {
            let running = self.nodes[at.position()].running.as_ref();
            let evidence = running.map_or(&[][..], |running| &running.evidence);
            self.checks.check_twins(at, evidence);
        }
    }

    fn carry_out(&mut self, at: ValidatorIndex, effects: Vec<Effect>) {
        for effect in effects {
            let step = self.step;
            if let Effect::Persist(record) = &effect {
                self.note(Kind::SendBlock, at, 0, &record.to_bytes());
            } else {
                self.note(Kind::Internal, at, 0, format!("{effect:?}").as_bytes());
            }
            self.trace
                .say(Timestamp(step), Some(at), || format!("{effect:?}"));
            let node = &mut self.nodes[at.position()];
            let Some(running) = &mut node.running else {
                return;
            };
            match effect {
                Effect::Persist(record) => {
                    if let Record::Outgoing(Message::Agreement { message, .. }) = &record
                        && node.liar.is_none()
                    {
                        let round = message.round().unwrap_or(0);
                        self.report.rounds = self.report.rounds.max(round);
                    }
                    if let (Some(liar), Record::Outgoing(message)) = (&mut node.liar, &record) {
                        liar.say(at, message);
                    }
                    node.disk.append(record);
                    node.spoke = step;
                }
                Effect::Fetch { from, dealer, hash } => {
                    running.requests.push((from, (dealer, hash)))
                }
                Effect::Compute(job) => running.jobs.push(job),
                Effect::Refused { from, error } => self.refuse(at, from, error),
                Effect::Evidence(evidence) => {
                    running.evidence.push(evidence.clone());
                    if node.liar.is_none() {
                        self.checks.accuse(&self.setup, &self.mix, at, &evidence);
                    }
                }
                Effect::Amnesia => {
                    node.role = Role::Silent;
                    self.report.amnesias += 1;
                }
                Effect::Complete(outcome) => running.outcome = Some(outcome),
            }
        }
    }

    fn refuse(&mut self, at: ValidatorIndex, from: ValidatorIndex, error: MessageError) {
        let node = &mut self.nodes[at.position()];
        if let Some(running) = &mut node.running {
            running.refused.insert(from);
        }
        let honest = self.mix.is_honest(from) && !self.mix.loses_disk(from);
        if honest && node.liar.is_none() {
            self.checks.report(BrokenPromise::Refused {
                member: at,
                refused: from,
                error,
            });
        }
    }

    /// Starts a member that is down, from what its disk has.
    fn start(&mut self, at: ValidatorIndex) {
        let silent_liar = self.mix.liars.get(&at).is_some_and(|lies| lies.silent);
        let claims: Vec<(ValidatorIndex, u64)> = self
            .nodes
            .iter()
            .filter_map(|peer| {
                let lies = peer.liar.as_ref().is_some_and(|liar| liar.lies.broadcasts);
                let held = peer.running.as_ref()?.engine.next_position(at);
                Some((peer.me, if lies { u64::MAX } else { held }))
            })
            .collect();
        self.note(Kind::Restart, at, 0, &[]);
        #[cfg(feature = "mutants")]
        let mutation = self.mutation;
        let prepare = |engine: Engine| {
            #[cfg(feature = "mutants")]
            let engine = engine.with_mutation(mutation);
            engine
        };
        let forget = self.fault == Some(CeremonyFault::ForgetLog);
        let node = &mut self.nodes[at.position()];
        let effects = node.start(&self.setup, forget, &claims, prepare);
        self.checks.forget(at);
        if !silent_liar {
            self.carry_out(at, effects);
        }
    }

    /// Lets an honest member die now, with what is durable and maybe some of the rest.
    fn crash(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.liar.is_some() || node.running.take().is_none() {
            return;
        }
        let kept = self.dice.below(node.disk.unsynced() as u64 + 1);
        node.disk.cut(usize::try_from(kept).expect("a length"));
        let me = node.me;
        self.report.crashes += 1;
        self.note(Kind::Crash, me, kept, &[]);
        self.trace
            .say(Timestamp(self.step), Some(me), || "crashes".to_owned());
    }

    fn lose_disk(&mut self, at: ValidatorIndex, declared: bool) {
        let liar = None;
        self.nodes[at.position()] = Node::new(at, liar);
        if declared {
            self.nodes[at.position()].role = Role::Silent;
        }
        self.report.disks_lost += 1;
        self.note(Kind::Fault, at, 0, &[]);
        self.trace.say(Timestamp(self.step), Some(at), || {
            "loses its disk".to_owned()
        });
    }

    fn note(&mut self, kind: Kind, at: ValidatorIndex, number: u64, bytes: &[u8]) {
        self.trace
            .note(Timestamp(self.step), kind, at, number, bytes);
    }

    fn stall(&self, limit: Option<Limit>) -> CeremonyCause {
        let honest = self.nodes.iter().filter(|node| node.liar.is_none());
        let waiting = honest.filter(|node| node.outcome().is_none()).map(|node| {
            let running = node.running.as_ref();
            let waiting = running.map_or(Vec::new(), |running| running.engine.explain());
            (node.me, waiting.iter().map(ToString::to_string).collect())
        });
        let waiting = waiting.collect();
        CeremonyCause::Liveness(CeremonyStall { limit, waiting })
    }

    fn finish(mut self) -> Result<CeremonyReport, CeremonyCause> {
        let honest = self.nodes.iter().filter(|node| node.liar.is_none());
        let held: Vec<_> = honest
            .filter_map(|node| {
                let running = node.running.as_ref()?;
                let outcome = running.outcome.as_deref()?;
                Some((node.me, outcome, running.holder.share()))
            })
            .collect();
        let thorough = self.seed.is_multiple_of(THOROUGH_EVERY);
        check_results(&self.setup, &held, &mut self.chance, thorough)
            .map_err(CeremonyCause::Safety)?;
        self.report.dealings = held[0].1.transcript.dealings.len() as u64;
        self.report.convicted = self.checks.convicted.len() as u64;
        self.report.steps = self.step;
        self.report.transcript = held[0].1.hash.to_string();
        self.report.trace_hash = hex::encode(self.trace.hash());
        Ok(self.report)
    }
}
