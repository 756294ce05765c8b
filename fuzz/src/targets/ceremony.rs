//! One member of four in a key ceremony, whose peers and driver do anything in any order.

use std::collections::{BTreeSet, VecDeque};

use quorate_dkg::agreement::Message as Vote;
use quorate_dkg::{
    DealerEvidence, DealingName, Effect, Engine, Input, Job, JobResult, MemberSet, Message, Record,
    Role, SignedDealing,
};
use quorate_types::{Encode, Signature, TranscriptHash, ValidatorIndex};

use super::dkg::set;
use crate::Target;
use crate::choices::Choices;
use crate::samples::ceremony::GENESIS;
use crate::samples::chain::{MEMBERS, member};

const ME: ValidatorIndex = ValidatorIndex(0);
/// The dealer whose dealings contradict each other, and which alone may be convicted.
const LIAR: ValidatorIndex = ValidatorIndex(3);

/// The place of the own dealing.
const DEALT: (u8, u16) = (0, 0);

pub(super) fn targets() -> Vec<Target> {
    vec![
        Target::new("ceremony-step", step, steps)
            .mutations(600)
            .allocated_max(4 << 20),
    ]
}

/// The engine, its log, and what its driver has to do.
struct Driven {
    engine: Engine,
    log: Vec<Record>,
    /// Everything said so far, encoded.
    said: BTreeSet<Vec<u8>>,
    /// What can be said once: kind, and of whose dealing or proposal.
    places: BTreeSet<(u8, u16)>,
    jobs: VecDeque<Job>,
    fetches: VecDeque<DealingName>,
    /// It learned that it forgot what it said.
    silent: bool,
}

/// Peers (who claim to have read no more of its outbox than there is) say anything about any dealing, proposal and round; jobs come to anything; answers come from anybody; and the member is
/// killed and reads its log again. It says nothing twice, contradicts nothing that it said, and convicts nobody who dealt once.
fn step(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let mut driven = Driven::new();
    while !choices.is_empty() {
        driven.happen(&mut choices);
    }
    !driven.said.is_empty()
}

impl Driven {
    fn new() -> Self {
        let mut driven = Self {
            engine: Engine::new(GENESIS.ceremony.clone(), ME, Role::Member),
            log: Vec::new(),
            said: BTreeSet::new(),
            places: BTreeSet::new(),
            jobs: VecDeque::new(),
            fetches: VecDeque::new(),
            silent: false,
        };
        driven.step(Input::Start);
        driven
    }

    fn happen(&mut self, choices: &mut Choices<'_>) {
        match choices.below(8) {
            0..=3 => self.hear(choices),
            4 | 5 => self.run_job(choices),
            6 => self.answer(choices),
            _ => match choices.below(8) {
                0 => self.restart(),
                1 => {
                    let held = choices.number();
                    let from = member(1 + choices.below(3));
                    // More than it said would be another member's word that it forgot something.
                    let held = held.min(self.engine.outbox_len());
                    self.step(Input::PeerClaims { from, held });
                }
                _ => self.hear(choices),
            },
        }
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.engine.step(input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Persist(record) => {
                    if let Record::Outgoing(message) = &record {
                        self.say(message);
                    }
                    self.log.push(record);
                }
                Effect::Compute(job) => self.jobs.push_back(job),
                Effect::Fetch { dealer, hash, .. } => self.fetches.push_back((dealer, hash)),
                Effect::Evidence(evidence) => accuse(&evidence),
                Effect::Amnesia => {
                    // Peers cannot have its dealing before it made one; here they say so all the same.
                    assert!(!self.places.contains(&DEALT), "it forgot nothing");
                    self.silent = true;
                }
                Effect::Refused { .. } | Effect::Complete(_) => {}
            }
        }
    }

    fn say(&mut self, message: &Message) {
        assert!(!self.silent, "it speaks although it forgot: {message:?}");
        assert!(
            self.said.insert(message.to_bytes()),
            "said twice: {message:?}"
        );
        let place = match message {
            Message::Dealing(_) => DEALT,
            Message::Echo { dealer, .. } => (1, dealer.0),
            Message::Ready { dealer, .. } => (2, dealer.0),
            Message::Proposal { .. } => (3, 0),
            Message::ProposalEcho { proposer, .. } => (4, proposer.0),
            Message::ProposalReady { proposer, .. } => (5, proposer.0),
            Message::CompletionShare { .. } => (6, 0),
            Message::Complete { .. } => (7, 0),
            // Several of them are right.
            Message::Agreement { .. } | Message::CoinShare { .. } => return,
        };
        assert!(
            self.places.insert(place),
            "it contradicts itself: {message:?}"
        );
    }

    fn restart(&mut self) {
        // A driver remembers that its log was lost.
        let role = if self.silent {
            Role::Silent
        } else {
            Role::Member
        };
        self.engine = Engine::new(GENESIS.ceremony.clone(), ME, role);
        self.jobs.clear();
        self.fetches.clear();
        for record in self.log.clone() {
            self.engine.step(Input::Recovered(record), &mut Vec::new());
        }
        self.step(Input::Start);
    }

    /// The next message of a peer's outbox.
    fn hear(&mut self, choices: &mut Choices<'_>) {
        let from = member(1 + choices.below(3));
        let about = member(choices.below(usize::from(MEMBERS)));
        let message = match choices.below(12) {
            0 => Message::Dealing(dealing(from, choices)),
            1 | 2 => {
                let dealing = dealing(about, choices);
                Message::Echo {
                    dealer: about,
                    hash: dealing.hash(),
                    signature: dealing.signature,
                }
            }
            3 | 4 => Message::Ready {
                dealer: about,
                hash: dealing(about, choices).hash(),
            },
            5 => Message::Proposal {
                set: dealers(choices),
            },
            6 => Message::ProposalEcho {
                proposer: about,
                set: dealers(choices),
            },
            7 => Message::ProposalReady {
                proposer: about,
                set: dealers(choices),
            },
            8 | 9 => Message::Agreement {
                proposer: about,
                message: vote(choices),
            },
            10 => Message::CoinShare {
                proposer: about,
                round: round(choices),
                share: Signature([choices.byte(); 48]),
            },
            _ => match choices.below(2) {
                0 => Message::CompletionShare {
                    transcript: TranscriptHash([choices.byte(); 32]),
                    share: Signature([1; 48]),
                },
                _ => {
                    let set = dealers(choices);
                    let hashes = set.iter().map(|dealer| dealing(dealer, choices).hash());
                    Message::Complete {
                        hashes: hashes.collect(),
                        set,
                        certificate: Signature([2; 48]),
                    }
                }
            },
        };
        // Now and then out of its place.
        let skipped = u64::from(choices.byte() == 0xff);
        let position = self.engine.next_position(from) + skipped;
        self.step(Input::Received {
            from,
            position,
            message,
        });
    }

    /// Somebody answers a request, or none that was made.
    fn answer(&mut self, choices: &mut Choices<'_>) {
        let asked = self.fetches.pop_front();
        let about = member(choices.below(usize::from(MEMBERS)));
        let (dealer, hash) = asked.unwrap_or_else(|| (about, dealing(about, choices).hash()));
        let answer = (choices.below(4) > 0).then(|| {
            let right = [false, true].map(|twin| of(dealer, twin));
            let right = right.into_iter().find(|dealing| dealing.hash() == hash);
            right.unwrap_or_else(|| dealing(dealer, choices))
        });
        self.step(Input::Fetched {
            from: member(1 + choices.below(3)),
            dealer,
            hash,
            dealing: answer,
        });
    }

    fn run_job(&mut self, choices: &mut Choices<'_>) {
        let count = self.jobs.len();
        let Some(job) = self.jobs.remove(choices.below(count)) else {
            return;
        };
        let signature = Signature([choices.byte(); 48]);
        let bad = |choices: &mut Choices<'_>| match choices.below(4) {
            0 => vec![LIAR],
            _ => Vec::new(),
        };
        let result = match job {
            Job::Deal => JobResult::Dealt(of(ME, false)),
            Job::Validate(dealing) => JobResult::Validated {
                dealing: (dealing.dealer, dealing.hash()),
                verdict: Ok(()),
                evidence: Vec::new(),
            },
            Job::SignCoin(coin) => JobResult::CoinSigned {
                proposer: coin.proposer,
                round: coin.round,
                share: signature,
            },
            Job::CombineCoin { coin, .. } => {
                let bad = bad(choices);
                JobResult::CoinCombined {
                    proposer: coin.proposer,
                    round: coin.round,
                    coin: bad.is_empty().then(|| choices.below(2) == 0),
                    bad,
                }
            }
            Job::SignCompletion { .. } => JobResult::CompletionSigned {
                transcript: GENESIS.transcript.hash(),
                keys: GENESIS.transcript.keys.clone(),
                share: signature,
            },
            Job::CombineCompletion { .. } => {
                let bad = bad(choices);
                JobResult::CompletionCombined {
                    certificate: bad.is_empty().then_some(signature),
                    bad,
                }
            }
            Job::CheckComplete {
                dealings,
                certificate,
            } => JobResult::CompleteChecked {
                dealings,
                certificate,
                keys: (choices.below(2) == 0).then(|| GENESIS.transcript.keys.clone()),
            },
        };
        self.step(Input::Done(result));
    }
}

fn accuse(evidence: &DealerEvidence) {
    assert_eq!(evidence.dealer(), LIAR, "an honest dealer is accused");
}

/// A dealer's dealing or, of the liar, another. Of whom is no member, somebody's.
fn of(dealer: ValidatorIndex, twin: bool) -> SignedDealing {
    let real = &GENESIS.dealings[dealer.position() % usize::from(MEMBERS)];
    if dealer != LIAR || !twin {
        return real.clone();
    }
    let identity = &GENESIS.identities[LIAR.position()];
    let body = GENESIS.dealings[1].body.clone();
    SignedDealing::sign(&GENESIS.ceremony, LIAR, body, identity)
}

fn dealing(dealer: ValidatorIndex, choices: &mut Choices<'_>) -> SignedDealing {
    of(dealer, choices.below(4) == 3)
}

/// A set of enough dealers most of the time.
fn dealers(choices: &mut Choices<'_>) -> MemberSet {
    match choices.below(8) {
        0 | 1 => set([0, 1, 2]),
        2 => set([0, 1, 3]),
        3 => set([1, 2, 3]),
        4 => set([0, 1, 2, 3]),
        5 => set([0, 2, 3]),
        6 => set([0, 1]),
        _ => set([1, 2, 77]),
    }
}

/// Small, mostly.
fn round(choices: &mut Choices<'_>) -> u32 {
    u32::try_from(choices.number()).unwrap_or(u32::MAX)
}

fn vote(choices: &mut Choices<'_>) -> Vote {
    let (kind, value) = (choices.below(4), choices.below(2) == 0);
    let round = round(choices);
    match kind {
        0 => Vote::Echo1 { round, value },
        1 => Vote::Echo2 { round, value },
        2 => Vote::Echo3 {
            round,
            value: (choices.below(3) > 0).then_some(value),
        },
        _ => Vote::Finish {
            value,
            round: (choices.below(2) == 0).then_some(round),
        },
    }
}

/// A ceremony that comes to accept dealings, with a restart amid it.
fn steps() -> Vec<Vec<u8>> {
    // The own dealing, and those of the others with their echoes.
    let mut smooth = vec![4, 0, 0, 4, 0, 0];
    for peer in 0..3u8 {
        smooth.extend([0, peer, 0, 0, 0, 0]);
    }
    smooth.extend([4, 0, 0].repeat(4));
    for dealer in 0..4u8 {
        for kind in [1, 3] {
            for peer in 0..3u8 {
                smooth.extend([0, peer, dealer, kind, 0, 0]);
            }
        }
    }
    for peer in 0..3u8 {
        smooth.extend([0, peer, 0, 5, 0, 0]);
    }
    for proposer in 0..4u8 {
        for kind in [6, 7] {
            for peer in 0..3u8 {
                smooth.extend([0, peer, proposer, kind, 0, 0]);
            }
        }
    }
    let mut amid = smooth.clone();
    amid.extend([7, 0]);
    amid.extend([4, 0, 0].repeat(6));
    for proposer in 0..4u8 {
        for (kind, rest) in [(0u8, 0u8), (1, 0), (2, 1)] {
            for peer in 0..3u8 {
                amid.extend([0, peer, proposer, 8, kind, 0, 0, rest, 0]);
            }
        }
    }
    vec![smooth, amid]
}
