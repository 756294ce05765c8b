//! What a key ceremony costs, as a table: one dealing, and everything that one member does from its start to the
//! certificate. CPU time of one thread, but where it says otherwise. Sizes may be named on the command line.
//!
//! Only member 0 is measured and does all of its work. The others run the same engine, but take its word for which
//! dealings are valid, and decrypt their shares only to sign the result.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use quorate_crypto::pvss::{ChunkTable, Dealing, EncryptionSecret, Parallel, Sequential};
use quorate_crypto::{IdentitySecret, ShareSecret};
use quorate_dkg::{
    Ceremony, DealingName, Definition, Effect, Engine, Enrolment, HIGH, Input, Job, JobResult,
    KeyHolder, Keys, Message, Outcome, Purpose, Record, Role, SignedDealing, transcript_hash,
};
use quorate_types::ValidatorIndex;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const SIZES: [u16; 4] = [4, 16, 64, 128];
const MEASURED: ValidatorIndex = ValidatorIndex(0);

/// CPU time of this thread so far.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")
        .expect("the bench reads CPU time as Linux tells it");
    let first = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(first.expect("the first field is a number"))
}

/// Least CPU time of a piece of work, over a few batches that are long against the ticks in which systems count it.
fn each<T>(mut work: impl FnMut() -> T) -> Duration {
    let batch = Duration::from_millis(200);
    let (_, once) = wall(&mut work);
    let count = u32::try_from(batch.as_micros() / once.as_micros().max(1)).unwrap_or(u32::MAX) + 1;
    let batches = (0..3).map(|_| {
        let before = cpu();
        for _ in 0..count {
            work();
        }
        (cpu() - before) / count
    });
    batches.min().expect("there are three")
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = cpu();
    let done = work();
    (done, cpu() - before)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

/// Two threads, which take jobs one by one.
struct TwoThreads;

impl Parallel for TwoThreads {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= jobs {
                    return;
                }
                job(index);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(work);
            work();
        });
    }
}

/// A ceremony, its members' secrets, and dealings that were found valid.
struct Setting {
    ceremony: Arc<Ceremony>,
    identities: Vec<Arc<IdentitySecret>>,
    encryption: Vec<Arc<EncryptionSecret>>,
    table: ChunkTable,
    valid: BTreeMap<DealingName, Dealing>,
}

impl Setting {
    fn new(size: u16) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(size));
        let identities: Vec<_> = (0..size)
            .map(|_| Arc::new(IdentitySecret::generate(&mut rng)))
            .collect();
        let encryption: Vec<_> = (0..size)
            .map(|_| Arc::new(EncryptionSecret::generate(&mut rng)))
            .collect();
        let enrolments = identities.iter().zip(&encryption).zip(0..);
        let enrolments: Vec<Enrolment> = enrolments
            .map(|((identity, encryption), number)| {
                let (name, address) = (format!("m{number}"), format!("m{number}.example:1"));
                Enrolment::new(identity, encryption, name, address, &mut rng)
                    .expect("name and address are well formed")
            })
            .collect();
        let definition = Definition::sign(
            "bench".to_owned(),
            Purpose::Genesis,
            0,
            None,
            enrolments,
            &identities[0],
        );
        Self {
            ceremony: Arc::new(Ceremony::new(definition).expect("the definition is in order")),
            identities,
            encryption,
            table: ChunkTable::new(),
            valid: BTreeMap::new(),
        }
    }

    fn deal(&self, dealer: usize) -> SignedDealing {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        SignedDealing::deal(&self.ceremony, &self.identities[dealer], None, &mut rng)
            .expect("sound randomness")
    }

    /// What a member that is not measured does.
    fn stand_in(&mut self, me: ValidatorIndex, job: Job) -> JobResult {
        match job {
            Job::Deal => JobResult::Dealt(self.deal(me.position())),
            Job::Validate(dealing) => {
                let name = (dealing.dealer, dealing.hash());
                if !self.valid.contains_key(&name) {
                    let valid = dealing.validate(&self.ceremony, &TwoThreads);
                    self.valid.insert(name, valid.expect("all are honest"));
                }
                JobResult::Validated {
                    dealing: name,
                    verdict: Ok(()),
                    evidence: Vec::new(),
                }
            }
            Job::SignCompletion { dealings } => self.sign(me, &dealings),
            other => panic!("no such work in a calm ceremony: {other:?}"),
        }
    }

    fn sign(&self, me: ValidatorIndex, names: &[DealingName]) -> JobResult {
        let dealings = names.iter().map(|name| (name.0, &self.valid[name]));
        let keys = Keys::of(&self.ceremony, HIGH, dealings);
        let transcript = transcript_hash(&self.ceremony.id(), names, &keys);
        let secret = &self.encryption[me.position()];
        let shares: Vec<ShareSecret> = names
            .iter()
            .map(|name| {
                let opened = self.valid[name].decrypt(secret, me, &self.table);
                opened.expect("all are honest").shares.swap_remove(HIGH)
            })
            .collect();
        let share =
            ShareSecret::sum(&shares).sign_share(&self.ceremony.completion_message(&transcript));
        JobResult::CompletionSigned {
            transcript,
            keys,
            share,
        }
    }
}

/// All members' engines, and the messages between them in order.
struct Run<'a> {
    setting: &'a mut Setting,
    holder: KeyHolder,
    engines: Vec<Engine>,
    outboxes: Vec<u64>,
    queue: VecDeque<(ValidatorIndex, Event)>,
    /// CPU time of member 0.
    measured: Duration,
    messages: u64,
    outcome: Option<Box<Outcome>>,
}

enum Event {
    Input(Input),
    Work(Job),
}

impl<'a> Run<'a> {
    fn new(setting: &'a mut Setting) -> Self {
        let holder = KeyHolder::new(
            &setting.ceremony,
            setting.identities[0].clone(),
            setting.encryption[0].clone(),
        );
        let engines: Vec<Engine> = setting
            .ceremony
            .indices()
            .map(|me| Engine::new(setting.ceremony.clone(), me, Role::Member))
            .collect();
        Self {
            holder: holder.expect("member 0's secrets"),
            outboxes: vec![0; engines.len()],
            queue: setting
                .ceremony
                .indices()
                .map(|me| (me, Event::Input(Input::Start)))
                .collect(),
            engines,
            setting,
            measured: Duration::ZERO,
            messages: 0,
            outcome: None,
        }
    }

    /// Until member 0 has the result.
    fn run(mut self) -> (Outcome, Duration, u64) {
        while self.outcome.is_none() {
            let (me, event) = self.queue.pop_front().expect("there is an end");
            match event {
                Event::Input(input) => self.step(me, input),
                Event::Work(job) => self.work(me, job),
            }
        }
        let outcome = self.outcome.expect("just looked");
        (*outcome, self.measured, self.messages)
    }

    fn step(&mut self, me: ValidatorIndex, input: Input) {
        let mut out = Vec::new();
        let engine = &mut self.engines[me.position()];
        let ((), time) = timed(|| engine.step(input, &mut out));
        if me == MEASURED {
            self.measured += time;
        }
        for effect in out {
            match effect {
                Effect::Persist(Record::Outgoing(message)) => self.broadcast(me, &message),
                Effect::Persist(Record::Body(_)) => {}
                Effect::Compute(job) => self.queue.push_back((me, Event::Work(job))),
                Effect::Complete(outcome) if me == MEASURED => self.outcome = Some(outcome),
                Effect::Complete(_) => {}
                other => panic!("unexpected in a calm ceremony: {other:?}"),
            }
        }
    }

    fn broadcast(&mut self, from: ValidatorIndex, message: &Message) {
        let position = self.outboxes[from.position()];
        self.outboxes[from.position()] += 1;
        for to in self.setting.ceremony.indices().filter(|to| *to != from) {
            self.messages += u64::from(to == MEASURED);
            let message = message.clone();
            let input = Input::Received {
                from,
                position,
                message,
            };
            self.queue.push_back((to, Event::Input(input)));
        }
    }

    fn work(&mut self, me: ValidatorIndex, job: Job) {
        let result = if me == MEASURED {
            let mut rng = ChaCha20Rng::seed_from_u64(2);
            let (ceremony, table) = (&self.setting.ceremony, &self.setting.table);
            let holder = &mut self.holder;
            let (result, time) =
                timed(|| holder.perform(ceremony, job, table, &Sequential, &mut rng));
            self.measured += time;
            result
        } else {
            match job {
                Job::CombineCompletion { .. } => return,
                job => self.setting.stand_in(me, job),
            }
        };
        self.queue
            .push_back((me, Event::Input(Input::Done(result))));
    }
}

fn wall<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = Instant::now();
    let done = work();
    (done, before.elapsed())
}

fn row(size: u16) {
    let mut setting = Setting::new(size);
    let dealing = setting.deal(1);
    let ceremony = setting.ceremony.clone();
    let deal = each(|| setting.deal(1));
    let validate = |parallel: &dyn Parallel| {
        dealing
            .validate(&ceremony, parallel)
            .expect("an honest dealing")
    };
    let alone = each(|| validate(&Sequential));
    // In turns, so that both meet the same machine.
    let pairs: Vec<_> = (0..5)
        .map(|_| {
            (
                wall(|| validate(&Sequential)).1,
                wall(|| validate(&TwoThreads)).1,
            )
        })
        .collect();
    let one = pairs.iter().map(|pair| pair.0).min().expect("five runs");
    let two = pairs.iter().map(|pair| pair.1).min().expect("five runs");
    let valid = validate(&Sequential);
    let secret = &setting.encryption[0];
    let decrypt = each(|| valid.decrypt(secret, MEASURED, &setting.table));
    let (outcome, member, messages) = Run::new(&mut setting).run();
    let (verified, offline) = wall(|| outcome.transcript.verify(&TwoThreads));
    verified.expect("the transcript verifies");
    println!(
        "{size:>4} {:>9} {:>9} {:>9} {:>6.2} x {:>8} {:>12} {:>9} {messages:>9} {:>12}",
        dealing.body.len(),
        milliseconds(deal),
        milliseconds(alone),
        one.as_secs_f64() / two.as_secs_f64(),
        milliseconds(decrypt),
        milliseconds(member),
        outcome.transcript.dealings.len(),
        milliseconds(offline),
    );
}

fn main() {
    let named: Vec<u16> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    println!(
        "   n   dealing   deal ms  check ms  2 threads  decrypt   ceremony ms  dealings  messages  offline wall"
    );
    let sizes = if named.is_empty() {
        SIZES.to_vec()
    } else {
        named
    };
    for size in sizes {
        row(size);
    }
}
