//! `quorate bench ceremony`: what a key ceremony costs one member, in this process and on one thread.
//!
//! All dealings of a committee are made and checked here, as each member makes one and checks all; messages are left out,
//! which cost next to nothing beside that. Times are processor time of the thread, where the system tells it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use nix::time::{ClockId, clock_gettime};
use quorate_crypto::pvss::{ChunkTable, Dealing, EncryptionSecret, Sequential};
use quorate_crypto::{IdentitySecret, ShareSecret};
use quorate_dkg::{
    Ceremony, Definition, Enrolment, HIGH, Keys, Purpose, SignedDealing, Transcript,
    transcript_hash,
};
use quorate_node::ceremony::RayonParallel;
use quorate_node::files::{Audience, Existing, write_file};
use quorate_types::{Encode, Signature, ValidatorIndex};
use serde::Serialize;

use crate::args::BenchCeremonyArgs;
use crate::failure::{Failure, Kind};
use crate::output::{self, grouped};
use crate::random;

/// Dealings that are checked with all threads; one alone tells little.
const IN_PARALLEL: usize = 8;

/// A committee's row.
#[derive(Serialize)]
struct Row {
    members: u16,
    dealing_bytes: usize,
    deal_ms: f64,
    validate_ms: f64,
    /// Not processor time: how long one takes with all threads.
    validate_parallel_ms: f64,
    decrypt_ms: f64,
    /// One dealing made, all checked and decrypted, the keys summed, a share of the certificate made.
    member_ms: f64,
    /// A whole transcript checked offline, with all threads; not processor time.
    transcript_ms: f64,
    transcript_bytes: usize,
}

pub(super) fn run(args: &BenchCeremonyArgs, json: bool) -> Result<(), Failure> {
    if let Some(folder) = args
        .transcripts
        .as_deref()
        .filter(|folder| !folder.is_dir())
    {
        let error = anyhow!(
            "{} is no directory: transcripts would go there",
            folder.display()
        );
        return Err(Failure::new(Kind::File, error));
    }
    let mut rows = Vec::new();
    for members in &args.members {
        eprintln!("{members} members: making and checking {members} dealings");
        rows.push(measure(*members, args.transcripts.as_deref())?);
    }
    output::print(json, &rows, |rows| text(rows))?;
    Ok(())
}

/// The secrets of all members: what no process of a real ceremony ever has.
struct Committee {
    ceremony: Ceremony,
    identities: Vec<IdentitySecret>,
    encryption: Vec<EncryptionSecret>,
}

impl Committee {
    fn new(members: u16) -> anyhow::Result<Self> {
        let mut rng = random::generator();
        let identities: Vec<_> = (0..members)
            .map(|_| IdentitySecret::generate(&mut rng))
            .collect();
        let encryption: Vec<_> = (0..members)
            .map(|_| EncryptionSecret::generate(&mut rng))
            .collect();
        let mut enrolments = Vec::new();
        for (index, (identity, key)) in identities.iter().zip(&encryption).enumerate() {
            let name = format!("member-{index}");
            let address = format!("localhost:{}", 1 + index);
            enrolments.push(Enrolment::new(identity, key, name, address, &mut rng)?);
        }
        let name = format!("bench of {members}");
        let definition =
            Definition::sign(name, Purpose::Genesis, 0, None, enrolments, &identities[0]);
        Ok(Self {
            ceremony: Ceremony::new(definition)?,
            identities,
            encryption,
        })
    }
}

fn measure(members: u16, transcripts: Option<&Path>) -> anyhow::Result<Row> {
    let committee = Committee::new(members)?;
    let ceremony = &committee.ceremony;
    let threads = RayonParallel::new()?;
    let mut rng = random::generator();
    let clock = Clock::start();
    let mut signed = Vec::new();
    for identity in &committee.identities {
        signed.push(SignedDealing::deal(ceremony, identity, None, &mut rng)?);
    }
    let deal = clock.elapsed() / u32::from(members);
    let some = &signed[..signed.len().min(IN_PARALLEL)];
    let start = Instant::now();
    for dealing in some {
        dealing.validate(ceremony, &threads)?;
    }
    let parallel_ms = milliseconds(start.elapsed()) / some.len() as f64;
    let clock = Clock::start();
    let mut dealings = Vec::new();
    for dealing in &signed {
        dealings.push((dealing.dealer, dealing.validate(ceremony, &Sequential)?));
    }
    let validate = clock.elapsed();
    let clock = Clock::start();
    let keys = Keys::of(ceremony, HIGH, pairs(&dealings));
    let sum = clock.elapsed();
    let table = ChunkTable::new();
    let clock = Clock::start();
    for (_, dealing) in &dealings {
        dealing.decrypt(&committee.encryption[0], ValidatorIndex(0), &table)?;
    }
    let decrypt = clock.elapsed();
    let transcript = certify(&committee, signed, &dealings, keys, &table)?;
    let start = Instant::now();
    transcript.verify(&threads)?;
    let verify = start.elapsed();
    let bytes = transcript.to_bytes();
    if let Some(folder) = transcripts {
        let path = folder.join(format!("transcript-{members}.bin"));
        write_file(&path, &bytes, Audience::Everybody, Existing::Replace)?;
    }
    let per_dealing = |total: Duration| milliseconds(total) / f64::from(members);
    Ok(Row {
        members,
        dealing_bytes: ceremony.parameters().dealing_bytes(),
        deal_ms: milliseconds(deal),
        validate_ms: per_dealing(validate),
        validate_parallel_ms: parallel_ms,
        decrypt_ms: per_dealing(decrypt),
        member_ms: milliseconds(deal + validate + sum + decrypt),
        transcript_ms: milliseconds(verify),
        transcript_bytes: bytes.len(),
    })
}

fn pairs(
    dealings: &[(ValidatorIndex, Dealing)],
) -> impl Iterator<Item = (ValidatorIndex, &Dealing)> {
    dealings.iter().map(|(dealer, dealing)| (*dealer, dealing))
}

/// The transcript, with a certificate from the shares of a quorum.
fn certify(
    committee: &Committee,
    signed: Vec<SignedDealing>,
    dealings: &[(ValidatorIndex, Dealing)],
    keys: Keys,
    table: &ChunkTable,
) -> anyhow::Result<Transcript> {
    let ceremony = &committee.ceremony;
    let hashes: Vec<_> = signed
        .iter()
        .map(|dealing| (dealing.dealer, dealing.hash()))
        .collect();
    let hash = transcript_hash(&ceremony.id(), &hashes, &keys);
    let message = ceremony.completion_message(&hash);
    let mut shares: Vec<(ValidatorIndex, Signature)> = Vec::new();
    for index in ceremony.indices().take(usize::from(ceremony.quorum())) {
        let secret = &committee.encryption[index.position()];
        let mut lanes = Vec::new();
        for (_, dealing) in dealings {
            let mut decrypted = dealing.decrypt(secret, index, table)?;
            lanes.push(decrypted.shares.swap_remove(HIGH));
        }
        let share = ShareSecret::sum(&lanes);
        shares.push((index, share.sign_share(&message)));
    }
    let public = keys.parse(ceremony.quorum())?;
    let combined = public
        .combine(&message, &shares)
        .context("a quorum's shares do not combine")?;
    Ok(Transcript {
        definition: ceremony.definition().clone(),
        dealings: signed,
        keys,
        certificate: combined.signature,
    })
}

/// Processor time of this thread; passed time where the system does not tell.
struct Clock {
    start: Instant,
    processor: Option<Duration>,
}

impl Clock {
    fn start() -> Self {
        Self {
            start: Instant::now(),
            processor: thread_time(),
        }
    }

    fn elapsed(&self) -> Duration {
        let processor = thread_time().zip(self.processor);
        processor.map_or_else(|| self.start.elapsed(), |(now, then)| now - then)
    }
}

/// How long this thread has run. What /proc tells of it moves only when the scheduler looks, every few milliseconds: too
/// seldom for what takes three.
fn thread_time() -> Option<Duration> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok()?;
    Some(time.into())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn text(rows: &[Row]) -> String {
    let number = |value: f64| format!("{value:.1}");
    let bytes = |length: usize| grouped(u64::try_from(length).unwrap_or(u64::MAX));
    let rows = rows.iter().map(|row| {
        [
            row.members.to_string(),
            bytes(row.dealing_bytes),
            number(row.deal_ms),
            number(row.validate_ms),
            number(row.validate_parallel_ms),
            number(row.decrypt_ms),
            number(row.member_ms / 1e3),
            number(row.transcript_ms / 1e3),
            bytes(row.transcript_bytes),
        ]
    });
    let head = [
        "members",
        "dealing bytes",
        "deal ms",
        "validate ms",
        "all threads ms",
        "decrypt ms",
        "one member's work s",
        "verify transcript s",
        "transcript bytes",
    ];
    output::table(head, rows)
}

#[cfg(test)]
mod tests {
    use super::thread_time;

    #[test]
    fn the_clock_is_finer_than_a_tick_of_the_scheduler() {
        let times: Vec<_> = (0..100).map(|_| thread_time().unwrap()).collect();
        assert!(times.is_sorted_by(|earlier, later| earlier < later));
    }
}
