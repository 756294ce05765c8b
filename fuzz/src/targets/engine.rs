//! One validator of four, whose peers and driver do anything in any order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock};

use quorate_consensus::{Options, VerifiedBlock};
use quorate_ledger::Ledger;
use quorate_sim::{HashKeys, KeyedHashCryptography};
use quorate_types::{
    BlockRef, Certificate, Commit, Evidence, FinalityShare, Header, HeaderHash, Height, Round,
    Signature, Timestamp, ValidatorIndex,
};
use quorate_validator::{Cryptography, Effect, Greeting, Input, Job, Resume, Validator};

use crate::Target;
use crate::choices::Choices;
use crate::samples::chain::{CHAIN, MEMBERS, QUORUM, member};

const ME: ValidatorIndex = ValidatorIndex(0);
/// The one member whose finality shares lie.
const LIAR: usize = 3;

pub(super) fn targets() -> Vec<Target> {
    vec![
        Target::new("validator-step", step, steps)
            .mutations(300)
            .allocated_max(16 << 20),
    ]
}

/// The keys of the committee.
static KEYS: LazyLock<Arc<HashKeys>> = LazyLock::new(|| Arc::new(HashKeys::new([9; 32], QUORUM)));
static CRYPTOGRAPHY: LazyLock<Vec<KeyedHashCryptography>> = LazyLock::new(|| {
    let keys = |me| KeyedHashCryptography::new(CHAIN.committee.clone(), me, Arc::clone(&KEYS));
    let members = CHAIN.committee.indices().map(keys);
    members.map(|keys| keys.unwrap()).collect()
});

/// The validator, and what its driver has to do.
struct Driven {
    validator: Validator,
    now: Timestamp,
    jobs: VecDeque<Job>,
    commits: VecDeque<Commit>,
    /// What waits for the disk.
    gated: VecDeque<Vec<Effect>>,
    ledger: Ledger,
    headers: Vec<Header>,
    /// Blocks that exist, by round: own ones and those of others.
    blocks: BTreeMap<Round, Vec<VerifiedBlock>>,
    sent: Round,
    committed: Height,
    certified: Height,
}

/// Peers send blocks that are well-formed, shares, certificates and greetings of any content; jobs, executions and the disk take
/// as long as they like. The validator sends one block a round at most, commits and certifies without gaps, and never finds
/// that it computed what the committee did not.
fn step(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let mut driven = Driven::new();
    while !choices.is_empty() {
        driven.happen(&mut choices);
    }
    driven.committed > Height(0) || driven.sent > Round(0)
}

impl Driven {
    fn new() -> Self {
        let options = Options::new(CHAIN.genesis.rule);
        let validator = Validator::new(&CHAIN.committee, ME, options, Resume::default());
        let mut driven = Self {
            validator,
            now: Timestamp(0),
            jobs: VecDeque::new(),
            commits: VecDeque::new(),
            gated: VecDeque::new(),
            ledger: CHAIN.start.clone(),
            headers: Vec::new(),
            blocks: BTreeMap::new(),
            sent: Round(0),
            committed: Height(0),
            certified: Height(0),
        };
        let mut effects = Vec::new();
        driven.validator.start(driven.now, &mut effects);
        driven.carry_out(effects);
        driven
    }

    fn happen(&mut self, choices: &mut Choices<'_>) {
        match choices.below(12) {
            0 | 1 => self.others_propose(choices),
            2 => self.deliver_again(choices),
            3 => self.hear_share(choices),
            4 => self.hear_certificate(choices),
            5 => {
                let greeting = Greeting {
                    held: Round(choices.number()),
                    round: Round(choices.number()),
                };
                let from = member(1 + choices.below(3));
                self.step(Input::Greeting { from, greeting });
            }
            6 => self.step(Input::PayloadWaiting(choices.below(2) == 0)),
            7 => {
                self.now = self.now.plus_micros(1000 * choices.number().min(1 << 20));
                self.step(Input::Tick);
            }
            8 => self.execute(),
            9 => {
                for effects in std::mem::take(&mut self.gated) {
                    self.carry_out(effects);
                }
            }
            _ => self.run_job(choices),
        }
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.validator.step(self.now, input, &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Persist { then, .. } => self.gated.push_back(then),
                Effect::SendBlock(block) => {
                    assert!(block.round() > self.sent, "two blocks of one round");
                    self.sent = block.round();
                    self.blocks.entry(self.sent).or_default().push(block);
                }
                Effect::Compute(job) => self.jobs.push_back(job),
                Effect::Execute(commit) => {
                    assert_eq!(commit.height, self.committed.next(), "a gap");
                    self.committed = commit.height;
                    self.commits.push_back(commit);
                }
                Effect::Certified(certificate) => {
                    let height = certificate.header.height;
                    assert_eq!(height, self.certified.next(), "a gap");
                    self.certified = height;
                    let message = certificate.header.hash().signing_bytes();
                    assert_eq!(certificate.signature, KEYS.group_signature(&message));
                }
                Effect::Evidence(evidence) => {
                    assert_ne!(accused(&evidence), ME, "it accuses itself");
                }
                Effect::Diverged { height, .. } => panic!("diverged at height {height}"),
                Effect::SendShare(_)
                | Effect::Fetch { .. }
                | Effect::Checkpoint(_)
                | Effect::Reclaim { .. }
                | Effect::Amnesia { .. } => {}
            }
        }
    }

    /// A peer's next block, on what is there at the highest round that has a quorum, or on the round before.
    fn others_propose(&mut self, choices: &mut Choices<'_>) {
        let author = 1 + choices.below(3);
        let oddity = choices.byte();
        let full = |blocks: &Vec<VerifiedBlock>| {
            let authors = (0..MEMBERS).filter(|author| {
                blocks
                    .iter()
                    .any(|block| block.author() == ValidatorIndex(*author))
            });
            authors.count() >= usize::from(QUORUM)
        };
        let rounds = self.blocks.iter().rev();
        let mut rounds = rounds.filter(|(_, blocks)| full(blocks));
        let back = usize::from(oddity >= 0xe0);
        let below = rounds.nth(back).map_or(Round(0), |(round, _)| *round);
        let mut parents = self.parents(member(author), below, choices);
        if oddity % 4 == 3 && parents.len() > usize::from(QUORUM) {
            parents.pop();
        }
        let time = choices.number();
        let payload = [vec![oddity; usize::from(oddity % 8)].into()];
        let keys = &CRYPTOGRAPHY[author];
        let Ok(block) = keys.propose(below.next(), &parents, time, &payload) else {
            return;
        };
        let siblings = self.blocks.entry(block.round()).or_default();
        if !siblings.contains(&block) {
            siblings.push(block.clone());
        }
        // Some come late, or never.
        if oddity % 8 != 7 {
            self.deliver(member(author), block);
        }
    }

    /// For each author at `round` one of its blocks; the author's own latest first.
    fn parents(
        &self,
        author: ValidatorIndex,
        round: Round,
        choices: &mut Choices<'_>,
    ) -> Vec<BlockRef> {
        let mut parents = Vec::new();
        for other in CHAIN.committee.indices() {
            let blocks = self.blocks.get(&round).into_iter().flatten();
            let twins: Vec<_> = blocks.filter(|block| block.author() == other).collect();
            let parent = match twins.len() {
                0 if round == Round(0) => CHAIN.committee.genesis_block(other),
                0 => continue,
                1 => twins[0].reference(),
                count => twins[choices.below(count)].reference(),
            };
            let place = if other == author { 0 } else { parents.len() };
            parents.insert(place, parent);
        }
        if parents.iter().all(|parent| parent.author != author) {
            let own = self.blocks.range(..round).rev().find_map(|(_, blocks)| {
                let own = blocks.iter().find(|block| block.author() == author)?;
                Some(own.reference())
            });
            let genesis = || CHAIN.committee.genesis_block(author);
            parents.insert(0, own.unwrap_or_else(genesis));
        }
        parents
    }

    fn deliver(&mut self, from: ValidatorIndex, block: VerifiedBlock) {
        // A driver reads no block beyond the window.
        if block.round() <= *self.validator.consensus().window().end() {
            self.step(Input::Block { from, block });
        }
    }

    fn deliver_again(&mut self, choices: &mut Choices<'_>) {
        let from = member(1 + choices.below(3));
        let count = self.blocks.len();
        let back = choices.below(count);
        let Some((_, blocks)) = self.blocks.iter().rev().nth(back) else {
            return;
        };
        let block = blocks[choices.below(blocks.len())].clone();
        self.deliver(from, block);
    }

    fn hear_share(&mut self, choices: &mut Choices<'_>) {
        let author = 1 + choices.below(3);
        let height = Height(choices.number());
        let executed = usize::try_from(height.0.saturating_sub(1)).unwrap_or(usize::MAX);
        let header = self.headers.get(executed).filter(|_| height.0 > 0);
        let lies = author == LIAR && choices.below(2) == 0;
        let hash = match header {
            Some(header) if !lies => header.hash(),
            // What it will be nobody knows yet, so nobody signs it.
            None if author != LIAR => return,
            _ => HeaderHash([choices.byte(); 32]),
        };
        let mut share: FinalityShare = CRYPTOGRAPHY[author].sign_share(height, hash);
        if lies && choices.below(2) == 0 {
            share.signature = Signature([7; 48]);
        }
        let from = member(author);
        self.step(Input::Share { from, share });
    }

    fn hear_certificate(&mut self, choices: &mut Choices<'_>) {
        let from = member(1 + choices.below(3));
        let count = self.headers.len();
        let header = self.headers.get(choices.below(count));
        let mut certificate = Certificate {
            header: header.unwrap_or(&CHAIN.certificate.header).clone(),
            signature: Signature([3; 48]),
        };
        match choices.below(4) {
            0 if header.is_some() => {
                let message = certificate.header.hash().signing_bytes();
                certificate.signature = KEYS.group_signature(&message);
            }
            1 => certificate.header.height = Height(choices.number()),
            2 => certificate.header.timestamp_ms = choices.number(),
            _ => {}
        }
        self.step(Input::Certificate { from, certificate });
    }

    fn run_job(&mut self, choices: &mut Choices<'_>) {
        let count = self.jobs.len();
        let Some(job) = self.jobs.remove(choices.below(count)) else {
            return;
        };
        let keys = &CRYPTOGRAPHY[ME.position()];
        let input = if let Job::Propose { round, parents } = &job {
            let time = self.now.0 / 1000;
            let block = keys.propose(*round, parents, time, &[]);
            Input::Built(block.expect("the engine proposes what is valid"))
        } else {
            job.run(keys).expect("it takes no payload")
        };
        self.step(input);
    }

    fn execute(&mut self) {
        if let Some(commit) = self.commits.pop_front() {
            let header = self.ledger.execute(&commit).unwrap().header;
            self.headers.push(header.clone());
            self.step(Input::Executed(header));
        }
    }
}

const fn accused(evidence: &Evidence) -> ValidatorIndex {
    match evidence {
        Evidence::Equivocation { first, .. } => first.author,
        Evidence::BadCoinShare { author, .. } | Evidence::BadFinalityShare { author, .. } => {
            *author
        }
    }
}

/// A committee that goes on for some rounds, with a payload that keeps it busy, and one amid a twin and a liar.
fn steps() -> Vec<Vec<u8>> {
    // Greetings of all, then rounds: three blocks with their author, oddity and time; the disk; all jobs; an execution.
    let mut smooth = Vec::new();
    for peer in 0..3 {
        smooth.extend([5, 0, 0, peer]);
    }
    smooth.extend([6, 0, 7, 10]);
    let round = [
        0, 0, 1, 1, 0, 1, 1, 1, 0, 2, 1, 1, 9, 10, 0, 10, 0, 9, 10, 0, 10, 0, 9, 8, 7, 10, 10, 0, 9,
    ];
    let mut rounds = smooth.clone();
    for _ in 0..14 {
        rounds.extend(round);
    }
    let mut amid = smooth;
    for number in 0..12 {
        amid.extend(round);
        // A twin; a share; a certificate that is none; a block once more.
        amid.extend([
            0, 2, 0xe1, 9, 3, 2, number, 0, 1, 5, 4, 1, 0, 2, 9, 2, 0, 1, 0,
        ]);
    }
    vec![rounds, amid]
}
