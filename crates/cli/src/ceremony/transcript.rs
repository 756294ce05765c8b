//! `quorate ceremony transcript`, and what other commands need of transcripts.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use quorate_crypto::pvss::Parallel;
use quorate_dkg::{Purpose, Transcript, VerifiedTranscript};
use quorate_node::ceremony::RayonParallel;
use quorate_node::files::{Audience, Existing, write_file};
use quorate_types::{Decode, Encode};
use serde::Serialize;

use super::remote::Remote;
use super::shown::{fingerprint, purpose};
use super::{define, keys};
use crate::args::TranscriptCommand;
use crate::failure::{Failure, Kind, OrFail};
use crate::output::{self, grouped};

/// Largest file that is read: 128 dealings of a quarter megabyte, and room.
pub(crate) const TRANSCRIPT_BYTES_MAX: u64 = 64 << 20;

/// A transcript, verified, as it is shown.
#[derive(Serialize)]
struct Shown {
    verified: bool,
    file: String,
    ceremony: String,
    ceremony_id: String,
    purpose: &'static str,
    members: usize,
    quorum: u16,
    dealings: Vec<u16>,
    bytes: usize,
    group_key: String,
    transcript_hash: String,
    /// Whether the keys before a resharing were compared with the transcript before.
    previous_checked: Option<bool>,
    seconds: f64,
}

pub(crate) async fn run(command: TranscriptCommand, json: bool) -> Result<(), Failure> {
    match command {
        TranscriptCommand::Export { admin, out } => {
            let transcript = Remote::connect(&admin).await?.transcript().await?;
            let start = Instant::now();
            let checked = verify(transcript, &admin)?;
            write(&checked.transcript, &out).or_fail(Kind::File)?;
            print(&out, &checked, None, start.elapsed(), json)
        }
        TranscriptCommand::Verify {
            file,
            definition,
            previous,
        } => {
            let start = Instant::now();
            let transcript = read(&file)?;
            if let Some(definition) = definition {
                require_definition(&transcript, &definition, &file)?;
            }
            let reshared = matches!(transcript.definition.purpose, Purpose::Reshare { .. });
            let checked = verify(transcript, &file.display().to_string())?;
            let compared = previous.is_some();
            if let Some(previous) = previous {
                let before = read_verified(&previous)?;
                require_previous(&checked, &before, &previous).or_fail(Kind::Unverified)?;
            }
            let compared = reshared.then_some(compared);
            print(&file, &checked, compared, start.elapsed(), json)
        }
    }
}

/// Reads a transcript. Nothing of it is verified.
pub(crate) fn read(path: &Path) -> Result<Transcript, Failure> {
    let bytes = read_bounded(path, TRANSCRIPT_BYTES_MAX).or_fail(Kind::File)?;
    Transcript::from_bytes(&bytes)
        .with_context(|| {
            let shown = path.display();
            format!("{shown} is no transcript, or was cut off or changed")
        })
        .or_fail(Kind::Unverified)
}

/// Reads a file that is not longer than `limit`.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let failed = || format!("cannot read {shown}");
    let file = std::fs::File::open(path).with_context(failed)?;
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .with_context(failed)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    ensure!(length <= limit, "{shown} is longer than {limit} bytes");
    Ok(bytes)
}

/// A transcript that was verified.
pub(crate) struct Checked {
    pub(crate) transcript: Transcript,
    pub(crate) verified: VerifiedTranscript,
}

/// Verifies all of a transcript that came from `origin`, and shows how far it is on a terminal.
pub(crate) fn verify(transcript: Transcript, origin: &str) -> Result<Checked, Failure> {
    let bar = std::io::stderr().is_terminal().then(|| {
        let style =
            ProgressStyle::with_template("verifying dealings {bar:40} {pos}/{len} {elapsed}");
        let dealings = u64::try_from(transcript.dealings.len()).unwrap_or(u64::MAX);
        ProgressBar::new(dealings)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    });
    let threads = keys::threads()?;
    let verified = match &bar {
        Some(bar) => transcript.verify(&Counted(&threads, bar)),
        None => transcript.verify(&threads),
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let verified = verified
        .with_context(|| format!("the transcript of {origin} does not verify"))
        .or_fail(Kind::Unverified)?;
    Ok(Checked {
        transcript,
        verified,
    })
}

/// All threads, counting jobs: a transcript's verification has one for each dealing.
struct Counted<'a>(&'a RayonParallel, &'a ProgressBar);

impl Parallel for Counted<'_> {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        self.0.run(jobs, &|index| {
            job(index);
            self.1.inc(1);
        });
    }
}

pub(crate) fn read_verified(path: &Path) -> Result<Checked, Failure> {
    verify(read(path)?, &path.display().to_string())
}

/// Writes a transcript; the same one that is there already is left as it is.
pub(crate) fn write(transcript: &Transcript, path: &Path) -> anyhow::Result<()> {
    let bytes = transcript.to_bytes();
    if path.exists() && read_bounded(path, TRANSCRIPT_BYTES_MAX)? == bytes {
        return Ok(());
    }
    write_file(path, &bytes, Audience::Everybody, Existing::Keep)?;
    Ok(())
}

fn require_definition(
    transcript: &Transcript,
    definition: &Path,
    file: &Path,
) -> Result<(), Failure> {
    let wanted = define::read(definition)?;
    if transcript.definition == *wanted.definition() {
        return Ok(());
    }
    let error = anyhow!(
        "{} is the transcript of another ceremony, {}; {} is {}",
        file.display(),
        fingerprint(&transcript.definition.ceremony_id()),
        definition.display(),
        fingerprint(&wanted.id())
    );
    Err(Failure::new(Kind::Unverified, error))
}

fn require_previous(after: &Checked, before: &Checked, path: &Path) -> anyhow::Result<()> {
    let Purpose::Reshare { previous } = &after.transcript.definition.purpose else {
        return Err(anyhow!(
            "the transcript is that of a new key: there is none before it"
        ));
    };
    ensure!(
        *previous == before.verified.as_previous(),
        "the transcript does not follow that in {}",
        path.display()
    );
    Ok(())
}

fn print(
    file: &Path,
    checked: &Checked,
    previous_checked: Option<bool>,
    elapsed: Duration,
    json: bool,
) -> Result<(), Failure> {
    let transcript = &checked.transcript;
    let definition = &transcript.definition;
    let shown = Shown {
        verified: true,
        file: file.display().to_string(),
        ceremony: definition.name.clone(),
        ceremony_id: definition.ceremony_id().to_hex(),
        purpose: purpose(&definition.purpose),
        members: definition.members.len(),
        quorum: definition.quorum,
        dealings: checked.verified.dealers().map(|dealer| dealer.0).collect(),
        bytes: transcript.to_bytes().len(),
        group_key: transcript.keys.group.to_hex(),
        transcript_hash: checked.verified.hash().to_hex(),
        previous_checked,
        seconds: elapsed.as_secs_f64(),
    };
    output::print(json, &shown, text)?;
    Ok(())
}

fn text(shown: &Shown) -> String {
    let before = match shown.previous_checked {
        None => "",
        Some(true) => "; it follows the transcript before, and the group key stayed",
        Some(false) => "; give --previous to check that the group key is the one before",
    };
    let dealers: Vec<String> = shown.dealings.iter().map(ToString::to_string).collect();
    output::list([
        (
            "ceremony",
            format!("{} ({})", shown.ceremony, shown.ceremony_id),
        ),
        (
            "members",
            format!("{}, of which {} sign", shown.members, shown.quorum),
        ),
        (
            "dealings",
            format!("{} counted, of {}", shown.dealings.len(), dealers.join(" ")),
        ),
        ("group key", shown.group_key.clone()),
        ("transcript", shown.transcript_hash.clone()),
        (
            "verified",
            format!(
                "yes, {} bytes in {:.1} s{before}",
                grouped(u64::try_from(shown.bytes).unwrap_or(u64::MAX)),
                shown.seconds
            ),
        ),
    ])
}
