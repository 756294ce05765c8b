//! Four whole validators with real keys, wired in a loop without loss: certificates come out, restarts contradict nothing.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use quorate_consensus::{Checkpoint, Options};
use quorate_crypto::IdentitySecret;
use quorate_crypto::dealer::deal;
use quorate_types::{
    Certificate, ChainId, Commit, Committee, CommitteeHash, Epoch, FinalityShare, Hash32, Header,
    HeaderHash, Height, Member, Round, RuleParameters, ShardId, Timestamp, ValidatorIndex,
    blocks_root,
};
use quorate_validator::{
    BlsCryptography, CHECKPOINT_HEIGHTS, Cryptography, Effect, Greeting, Input, Job, KeyError,
    Logged, Record, Resume, Validator,
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

const N: u16 = 4;

fn committee() -> (Committee, Vec<BlsCryptography>) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let dealt = deal(N, 3, &mut rng);
    let identities: Vec<IdentitySecret> =
        (0..N).map(|_| IdentitySecret::generate(&mut rng)).collect();
    let members = identities
        .iter()
        .zip(&dealt.shares_public)
        .map(|(identity, share)| Member {
            identity: identity.public(),
            share_key: *share,
        })
        .collect();
    let chain = ChainId([9; 32]);
    let committee =
        Committee::new(chain, ShardId(0), Epoch(0), None, dealt.group, members).unwrap();
    let secrets = identities.into_iter().zip(dealt.secrets);
    let keys = secrets
        .map(|(identity, share)| BlsCryptography::new(committee.clone(), identity, share).unwrap())
        .collect();
    (committee, keys)
}

fn options() -> Options {
    let mut options = Options::new(RuleParameters::default());
    options.pacing.idle_interval_micros = 0;
    options.pacing.busy_interval_micros = 0;
    options.pacing.quorum_wait_micros = 0;
    options
}

/// A ledger that only hashes what it is given.
fn execute(previous: &Header, commit: &Commit) -> Header {
    Header {
        height: commit.height,
        previous: previous.hash(),
        leader_round: commit.leader.round,
        leader_author: commit.leader.author,
        leader: commit.leader.id,
        timestamp_ms: commit.timestamp_ms,
        blocks_root: blocks_root(commit.references()),
        ..previous.clone()
    }
}

fn genesis_header(committee: &Committee) -> Header {
    Header {
        chain: committee.chain(),
        shard: committee.shard(),
        epoch: committee.epoch(),
        height: Height(0),
        previous: HeaderHash([0; 32]),
        leader_round: Round(0),
        leader_author: ValidatorIndex(0),
        leader: quorate_types::BlockId([0; 32]),
        timestamp_ms: 0,
        transactions_total: 0,
        blocks_root: Hash32::ZERO,
        receipts_root: Hash32::ZERO,
        outbox_root: Hash32::ZERO,
        state_root: Hash32::ZERO,
        next_committee: CommitteeHash([0; 32]),
    }
}

struct Seat {
    validator: Validator,
    head: Header,
    log: Vec<(u8, Bytes)>,
    certificates: BTreeMap<Height, Certificate>,
    sent_blocks: BTreeMap<Round, quorate_types::BlockRef>,
    votes: BTreeMap<Height, HeaderHash>,
    shares: Vec<FinalityShare>,
    headers: BTreeMap<Height, Header>,
    checkpoint: Option<Checkpoint>,
}

struct Net<'a> {
    keys: &'a [BlsCryptography],
    members: Vec<Seat>,
    queue: VecDeque<(usize, Input)>,
    now: u64,
}

impl Net<'_> {
    fn perform(&mut self, at: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Persist { record, then } => {
                    if let Record::Vote {
                        height,
                        header_hash,
                    } = &record
                    {
                        let earlier = self.members[at].votes.insert(*height, *header_hash);
                        assert!(
                            earlier.is_none_or(|earlier| earlier == *header_hash),
                            "two votes at {height}"
                        );
                    }
                    self.members[at].log.push((record.kind(), record.payload()));
                    self.perform(at, then);
                }
                Effect::SendBlock(block) => {
                    let earlier = self.members[at]
                        .sent_blocks
                        .insert(block.round(), block.reference());
                    assert!(
                        earlier.is_none_or(|earlier| earlier == block.reference()),
                        "two blocks"
                    );
                    for to in (0..self.keys.len()).filter(|to| *to != at) {
                        let decoded = quorate_types::Block::decode(block.bytes().clone()).unwrap();
                        let block = self.keys[to].verify_block(decoded).unwrap();
                        let from = ValidatorIndex(u16::try_from(at).unwrap());
                        self.queue.push_back((to, Input::Block { from, block }));
                    }
                }
                Effect::SendShare(share) => {
                    self.members[at].shares.push(share);
                    for to in (0..self.keys.len()).filter(|to| *to != at) {
                        let from = ValidatorIndex(u16::try_from(at).unwrap());
                        self.queue.push_back((to, Input::Share { from, share }));
                    }
                }
                Effect::Compute(Job::Propose { round, parents }) => {
                    let payload = [Bytes::from(format!("{at} at {round}"))];
                    let block = self.keys[at]
                        .propose(round, &parents, self.now, &payload)
                        .unwrap();
                    self.queue.push_back((at, Input::Built(block)));
                }
                Effect::Compute(job) => {
                    let input = job.run(&self.keys[at]).expect("not a proposal");
                    self.queue.push_back((at, input));
                }
                Effect::Execute(commit) => {
                    let header = execute(&self.members[at].head, &commit);
                    self.members[at].head = header.clone();
                    self.members[at]
                        .headers
                        .insert(header.height, header.clone());
                    self.queue.push_back((at, Input::Executed(header)));
                }
                Effect::Certified(certificate) => {
                    let height = certificate.header.height;
                    self.members[at].certificates.insert(height, *certificate);
                }
                Effect::Fetch { peer, blocks } => {
                    for reference in blocks {
                        let held = self.members[peer.position()]
                            .validator
                            .block(&reference)
                            .cloned();
                        self.queue
                            .extend(held.map(|block| (at, Input::Block { from: peer, block })));
                    }
                }
                Effect::Checkpoint(checkpoint) => self.members[at].checkpoint = Some(checkpoint),
                Effect::Reclaim { .. } => {}
                Effect::Amnesia { .. } => {}
                Effect::Evidence(evidence) => panic!("nobody lies: {evidence:?}"),
                Effect::Diverged { height, .. } => panic!("diverged at {height}"),
            }
        }
    }

    fn run_until(&mut self, height: Height) {
        for _ in 0..60_000 {
            if self
                .members
                .iter()
                .all(|member| member.certificates.contains_key(&height))
            {
                return;
            }
            let Some((to, input)) = self.queue.pop_front() else {
                for at in 0..self.members.len() {
                    self.queue.push_back((at, Input::Tick));
                }
                self.now += 1000;
                continue;
            };
            let mut out = Vec::new();
            self.members[to]
                .validator
                .step(Timestamp(self.now), input, &mut out);
            self.perform(to, out);
        }
        panic!("no certificate at {height}");
    }

    /// Everybody else tells a member what it holds from it.
    fn greet(&mut self, at: usize) {
        let sent = self.members[at].sent_blocks.last_key_value();
        let held = sent.map_or(Round(0), |(round, _)| *round);
        for peer in (0..self.members.len()).filter(|peer| *peer != at) {
            let round = self.members[peer].validator.status().round;
            let greeting = Greeting { held, round };
            let from = ValidatorIndex(u16::try_from(peer).unwrap());
            self.queue
                .push_back((at, Input::Greeting { from, greeting }));
        }
    }

    /// Member 0 sends all its certificates again, and everybody else all shares: what a node that reconnects gets.
    fn stream_finality_again(&mut self, at: usize) {
        for certificate in self.members[0].certificates.values().cloned() {
            let from = ValidatorIndex(0);
            self.queue
                .push_back((at, Input::Certificate { from, certificate }));
        }
        for peer in (0..self.members.len()).filter(|peer| *peer != at) {
            let from = ValidatorIndex(u16::try_from(peer).unwrap());
            for share in self.members[peer].shares.iter().copied() {
                self.queue.push_back((at, Input::Share { from, share }));
            }
        }
    }

    /// Starts member `at` again from its log.
    fn restart(&mut self, at: usize, committee: &Committee) {
        self.restart_with(at, committee, false);
        self.greet(at);
    }

    fn restart_with(&mut self, at: usize, committee: &Committee, lost: bool) {
        let resume = Resume {
            lost,
            ..Resume::default()
        };
        self.members[at].head = genesis_header(committee);
        self.resume(at, committee, resume);
    }

    /// Starts member `at` again from a checkpoint and what the log has behind it; the rest of the log is cut off.
    fn restart_from(&mut self, at: usize, committee: &Committee, checkpoint: Checkpoint) {
        let seat = &mut self.members[at];
        let kept = seat.log.iter().position(|(kind, bytes)| {
            let logged = Logged::decode(*kind, bytes.clone()).unwrap();
            matches!(logged, Logged::Block(block) if block.round() >= checkpoint.gc_round)
        });
        seat.log.drain(..kept.unwrap());
        seat.head = seat.headers[&checkpoint.height].clone();
        let certified = seat.certificates.last_key_value();
        let certified = certified.map_or(Height(0), |(height, _)| *height);
        let certified = certified.min(checkpoint.height);
        let uncertified = seat.headers.range(certified.next()..);
        let uncertified = uncertified.take_while(|(height, _)| **height <= checkpoint.height);
        let resume = Resume {
            certified,
            uncertified: uncertified.map(|(_, header)| header.clone()).collect(),
            checkpoint: Some(checkpoint),
            lost: false,
        };
        self.resume(at, committee, resume);
    }

    fn resume(&mut self, at: usize, committee: &Committee, resume: Resume) {
        let me = ValidatorIndex(u16::try_from(at).unwrap());
        let log = std::mem::take(&mut self.members[at].log);
        self.queue.retain(|(to, _)| *to != at);
        let from = resume.checkpoint.as_ref();
        let from = from.map_or(Round(0), |checkpoint| checkpoint.gc_round);
        self.members[at].validator = Validator::new(committee, me, options(), resume);
        let mut out = Vec::new();
        for (kind, bytes) in &log {
            let logged = Logged::decode(*kind, bytes.clone()).unwrap();
            if logged.round().is_some_and(|round| round < from) {
                continue;
            }
            let record = match logged {
                Logged::Block(block) => {
                    Record::Block(self.keys[at].recovered_block(*block).unwrap())
                }
                Logged::Coin { round, signature } => Record::Coin { round, signature },
                Logged::Vote {
                    height,
                    header_hash,
                } => Record::Vote {
                    height,
                    header_hash,
                },
                Logged::Lost => Record::Lost,
                Logged::ProposedPast { round } => Record::ProposedPast { round },
                Logged::Doubtful { round } => Record::Doubtful { round },
            };
            self.members[at]
                .validator
                .recover(Timestamp(self.now), record, &mut out);
        }
        self.members[at]
            .validator
            .start(Timestamp(self.now), &mut out);
        self.members[at].log = log;
        self.perform(at, out);
    }
}

fn net<'a>(committee: &Committee, keys: &'a [BlsCryptography]) -> Net<'a> {
    let mut net = Net {
        keys,
        members: Vec::new(),
        queue: VecDeque::new(),
        now: 0,
    };
    for me in committee.indices() {
        net.members.push(Seat {
            validator: Validator::new(committee, me, options(), Resume::default()),
            head: genesis_header(committee),
            log: Vec::new(),
            certificates: BTreeMap::new(),
            sent_blocks: BTreeMap::new(),
            votes: BTreeMap::new(),
            shares: Vec::new(),
            headers: BTreeMap::new(),
            checkpoint: None,
        });
    }
    for at in 0..net.members.len() {
        let mut out = Vec::new();
        net.members[at].validator.start(Timestamp(0), &mut out);
        net.perform(at, out);
        net.greet(at);
    }
    net
}

/// Its blocks are all known to the others: `perform` would notice a second one of a round.
#[test]
fn a_lost_log_leads_to_no_second_block() {
    let (committee, keys) = committee();
    let mut net = net(&committee, &keys);
    net.run_until(Height(8));
    let last = *net.members[2].sent_blocks.last_key_value().unwrap().0;
    net.members[2].log.clear();
    net.members[2].certificates.clear();
    net.restart_with(2, &committee, true);
    net.greet(2);
    net.stream_finality_again(2);
    assert!(!net.members[2].validator.may_propose());
    net.run_until(Height(30));
    assert!(net.members[2].validator.may_propose());
    let again = net.members[2]
        .sent_blocks
        .keys()
        .filter(|round| **round > last);
    assert!(again.count() > 2, "it takes part again");
    // What it has learned is in the new log.
    net.restart(2, &committee);
    net.stream_finality_again(2);
    net.run_until(Height(40));
}

/// Its log is cut at a checkpoint of the time before it knew what it had sent, and nobody says again that its disk was lost.
#[test]
fn a_lost_log_is_remembered_when_the_log_is_cut() {
    let (committee, keys) = committee();
    let mut net = net(&committee, &keys);
    net.run_until(Height(8));
    net.members[2].log.clear();
    net.restart_with(2, &committee, true);
    net.stream_finality_again(2);
    net.run_until(Height(CHECKPOINT_HEIGHTS + 5));
    assert!(!net.members[2].validator.may_propose(), "nobody greeted it");
    let checkpoint = net.members[2].checkpoint.take().unwrap();
    assert!(checkpoint.gc_round > Round(8));
    net.restart_from(2, &committee, checkpoint);
    // As many as an ordinary start waits for, and they hide what they hold.
    for peer in [0, 1] {
        let from = ValidatorIndex(peer);
        let round = net.members[0].validator.status().round;
        let held = Round(0);
        let greeting = Greeting { held, round };
        net.queue.push_back((2, Input::Greeting { from, greeting }));
    }
    net.stream_finality_again(2);
    net.run_until(Height(CHECKPOINT_HEIGHTS + 10));
    assert!(!net.members[2].validator.may_propose());
    net.greet(2);
    net.run_until(Height(CHECKPOINT_HEIGHTS + 15));
    assert!(net.members[2].validator.may_propose());
}

/// The bound lies above all that the checkpoint rules out.
#[test]
fn a_bound_is_remembered_when_the_log_is_cut() {
    let (committee, keys) = committee();
    let mut net = net(&committee, &keys);
    let bound = Round(1_000_000);
    let past = Record::ProposedPast { round: bound };
    net.members[3].log = vec![(past.kind(), past.payload())];
    net.restart(3, &committee);
    net.run_until(Height(CHECKPOINT_HEIGHTS + 5));
    let checkpoint = net.members[3].checkpoint.take().unwrap();
    net.restart_from(3, &committee, checkpoint);
    assert_eq!(net.members[3].validator.consensus().proposed_past(), bound);
}

/// A loss that is mended leaves older own blocks in doubt, and no more than that: a log that is cut says it again in one record.
#[test]
fn a_doubt_is_remembered_when_the_log_is_cut() {
    let (committee, keys) = committee();
    let mut net = net(&committee, &keys);
    let past = Record::ProposedPast {
        round: Round(1_000_000),
    };
    let lost = Record::Lost;
    net.members[3].log = vec![(lost.kind(), lost.payload()), (past.kind(), past.payload())];
    net.restart(3, &committee);
    net.members[3].log.clear();
    net.run_until(Height(CHECKPOINT_HEIGHTS + 5));
    let log = &net.members[3].log;
    let doubtful = Record::Doubtful {
        round: Round(1_000_000),
    };
    assert!(log.contains(&(doubtful.kind(), doubtful.payload())));
    assert!(
        log.iter().all(|(kind, _)| *kind != lost.kind()),
        "it is not lost again"
    );
}

#[test]
fn own_blocks_that_were_output_before_a_restart_are_forgotten_in_time() {
    let (committee, keys) = committee();
    let mut net = net(&committee, &keys);
    net.run_until(Height(30));
    let checkpoint = net.members[1].validator.consensus().checkpoint();
    net.restart_from(1, &committee, checkpoint);
    net.greet(1);
    net.stream_finality_again(1);
    let recovered = net.members[1].validator.own_waiting();
    assert!(recovered > 20, "the log gives them all back: {recovered}");
    let last = net.members[1].validator.status().round;
    let mut height = Height(30);
    while net.members[1].validator.status().gc_round <= last {
        height = Height(height.0 + 20);
        net.run_until(height);
    }
    let waiting = net.members[1].validator.own_waiting();
    assert!(waiting < 12, "only what is not output yet: {waiting}");
}

/// Nobody told it. It waits, since no greeting counts, until a block of its own comes back to it.
#[test]
fn a_log_that_was_lost_unnoticed_leads_to_no_second_block() {
    let (committee, keys) = committee();
    let mut net = net(&committee, &keys);
    net.run_until(Height(8));
    net.members[1].log.clear();
    net.members[1].certificates.clear();
    net.restart(1, &committee);
    net.stream_finality_again(1);
    net.run_until(Height(20));
    let lost = Record::Lost.kind();
    let records = net.members[1].log.iter();
    assert!(records.map(|(kind, _)| *kind).any(|kind| kind == lost));
    assert!(net.members[1].validator.may_propose());
}

/// Without q - 1 others nobody gets anywhere; with them nothing more is waited for.
#[test]
fn the_first_proposal_waits_for_greetings() {
    let (committee, keys) = committee();
    let mut validator = Validator::new(&committee, ValidatorIndex(0), options(), Resume::default());
    let mut out = Vec::new();
    validator.start(Timestamp(0), &mut out);
    let greeting = Greeting {
        held: Round(0),
        round: Round(0),
    };
    // The own greeting is none.
    for from in [0, 1, 1] {
        let from = ValidatorIndex(from);
        validator.step(Timestamp(1), Input::Greeting { from, greeting }, &mut out);
        assert!(out.is_empty(), "{out:?}");
    }
    let from = ValidatorIndex(3);
    validator.step(Timestamp(1), Input::Greeting { from, greeting }, &mut out);
    assert!(
        matches!(out[..], [Effect::Compute(Job::Propose { .. })]),
        "{out:?}"
    );
    drop(keys);
}

#[test]
fn a_committee_certifies_and_all_certificates_agree_and_verify() {
    let (committee, keys) = committee();
    let mut net = net(&committee, &keys);
    net.run_until(Height(12));
    let first = net.members[0].certificates.clone();
    for member in &net.members {
        for (height, certificate) in &member.certificates {
            let other = first.get(height);
            assert!(
                other.is_none_or(|other| other == certificate),
                "height {height}"
            );
        }
    }
    for certificate in first.values() {
        let message = certificate.header.hash().signing_bytes();
        let key = quorate_crypto::GroupKey::parse(committee.group_key()).unwrap();
        key.verify(&message, &certificate.signature).unwrap();
    }
}

#[test]
fn a_restart_from_the_log_repeats_what_was_sent_and_goes_on() {
    let (committee, keys) = committee();
    let mut net = net(&committee, &keys);
    net.run_until(Height(5));
    let before = net.members[2].certificates.clone();
    net.members[2].certificates.clear();
    net.restart(2, &committee);
    net.stream_finality_again(2);
    let further = net
        .members
        .iter()
        .map(|member| member.head.height.0)
        .max()
        .unwrap()
        + 5;
    net.run_until(Height(further));
    for (height, certificate) in before {
        assert_eq!(net.members[2].certificates.get(&height), Some(&certificate));
    }
}

#[test]
fn a_vote_that_the_ledger_does_not_repeat_stops_the_validator() {
    let (committee, keys) = committee();
    let mut net = net(&committee, &keys);
    net.run_until(Height(2));
    let me = ValidatorIndex(1);
    let mut validator = Validator::new(&committee, me, options(), Resume::default());
    let mut out = Vec::new();
    let vote = Record::Vote {
        height: Height(1),
        header_hash: HeaderHash([1; 32]),
    };
    validator.recover(Timestamp(0), vote, &mut out);
    let header = net.members[0].certificates[&Height(1)].header.clone();
    validator.step(Timestamp(0), Input::Executed(header), &mut out);
    assert!(matches!(
        out[..],
        [Effect::Diverged {
            height: Height(1),
            ..
        }]
    ));
}

#[test]
fn keys_of_nobody_and_of_somebody_else_are_refused() {
    let (committee, _) = committee();
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let dealt = deal(N, 3, &mut rng);
    let identities: Vec<IdentitySecret> =
        (0..N).map(|_| IdentitySecret::generate(&mut rng)).collect();
    let mut shares = dealt.secrets.into_iter();
    let stranger = IdentitySecret::generate(&mut rng);
    let refused = BlsCryptography::new(committee.clone(), stranger, shares.next().unwrap()).err();
    assert!(matches!(refused, Some(KeyError::NotMember)));
    let first = identities.into_iter().next().unwrap();
    let refused = BlsCryptography::new(committee, first, shares.next().unwrap()).err();
    assert!(matches!(
        refused,
        Some(KeyError::ForeignShare {
            index: ValidatorIndex(0)
        })
    ));
}
