//! `quorate db`: a stopped validator's data directory.

use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use quorate_node::config::Config;
use quorate_node::database::{self, Check, DatabaseError, Directory, FileSummary, Part};
use quorate_node::genesis_file;
use quorate_node::keystore::{Keystore, PublicKey};
use quorate_types::{Genesis, IdentityKey};
use serde::Serialize;

use crate::args::{DbCommand, DbPruneArgs, DbVerifyArgs};
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

/// How often long work says how far it is.
const TELL: Duration = Duration::from_secs(1);

pub(crate) fn run(command: DbCommand, json: bool) -> Result<(), Failure> {
    match command {
        DbCommand::Verify(args) => verify(&args, json),
        DbCommand::Prune(args) => prune(&args, json),
        DbCommand::Export(args) => {
            let place = Place::read(&args.config)?;
            let state = args.state;
            let written = database::export(&place.directory(), &args.out, state, &mut told())
                .map_err(failed)?;
            print_file(&args.out, &written, "written", json)
        }
        DbCommand::Import(args) => {
            let place = Place::read(&args.config)?;
            let read =
                database::import(&place.directory(), &args.file, &mut told()).map_err(failed)?;
            print_file(&args.file, &read, "read in", json)
        }
    }
}

/// A validator's directory, as its configuration names it.
struct Place {
    config: Config,
    genesis: Genesis,
    identity: IdentityKey,
}

impl Place {
    /// Needs no passphrase: the identity's public key stands in the key store in the clear.
    fn read(path: &Path) -> Result<Self, Failure> {
        let config = Config::read(path).or_fail(Kind::File)?;
        let genesis = genesis_file::read(&config.genesis).or_fail(Kind::File)?;
        let keystore = Keystore::read(&config.identity_keystore).or_fail(Kind::File)?;
        let PublicKey::Identity(identity) = keystore.public() else {
            let file = config.identity_keystore.display();
            let error = anyhow!("{file} is no key store of an identity");
            return Err(Failure::new(Kind::File, error));
        };
        Ok(Self {
            config,
            genesis,
            identity,
        })
    }

    fn directory(&self) -> Directory<'_> {
        Directory {
            path: &self.config.data_dir,
            genesis: &self.genesis,
            identity: self.identity,
        }
    }
}

fn failed(error: DatabaseError) -> Failure {
    let kind = match &error {
        DatabaseError::Busy { .. } => Kind::Busy,
        DatabaseError::Fault(_) | DatabaseError::File { .. } => Kind::Unverified,
        DatabaseError::Missing { .. }
        | DatabaseError::NotEmpty { .. }
        | DatabaseError::Store(_)
        | DatabaseError::NothingCertified
        | DatabaseError::StateUncertified { .. }
        | DatabaseError::Write(_)
        | DatabaseError::Io { .. }
        | DatabaseError::NotExport { .. }
        | DatabaseError::ForeignFile { .. } => Kind::File,
    };
    Failure::new(kind, error)
}

/// Tells people how far long work is, on standard error.
fn told() -> impl FnMut(&'static str, u64, u64) {
    let mut last = Instant::now();
    let person = std::io::stderr().is_terminal();
    move |what, done, all| {
        if person && last.elapsed() >= TELL {
            last = Instant::now();
            let of = match all {
                0 => String::new(),
                all => format!(" of {}", output::grouped(all)),
            };
            eprintln!("{what}: {}{of}", output::grouped(done));
        }
    }
}

/// One part of what `verify` prints.
#[derive(Serialize)]
struct ShownCheck {
    part: &'static str,
    checked: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

#[derive(Serialize)]
struct ShownVerdict {
    data_dir: String,
    verified: bool,
    checks: Vec<ShownCheck>,
}

fn verify(args: &DbVerifyArgs, json: bool) -> Result<(), Failure> {
    if let (Some(file), Some(genesis)) = (&args.file, &args.genesis) {
        let genesis = genesis_file::read(genesis).or_fail(Kind::File)?;
        let found = database::check_file(&genesis, file, &mut told()).map_err(failed)?;
        return print_file(file, &found, "verified", json);
    }
    let config = args.config.as_deref();
    let config = config.context("give --config FILE, or --file FILE and --genesis FILE");
    let place = Place::read(config.or_fail(Kind::Usage)?)?;
    let checks = database::verify(&place.directory(), &mut told()).map_err(failed)?;
    let first = checks.iter().find_map(|check| check.fault.as_ref());
    let first = first.map(ToString::to_string);
    let shown = ShownVerdict {
        data_dir: place.config.data_dir.display().to_string(),
        verified: first.is_none(),
        checks: checks.iter().map(shown_check).collect(),
    };
    output::print(json, &shown, |shown| {
        let rows = shown.checks.iter().map(|check| {
            let verdict = check.fault.as_ref().or(check.note.as_ref());
            [
                check.part.to_owned(),
                output::grouped(check.checked),
                if check.fault.is_some() { "BAD" } else { "ok" }.to_owned(),
                verdict.cloned().unwrap_or_default(),
            ]
        });
        output::table(["part", "checked", "", ""], rows)
    })?;
    match first {
        None => Ok(()),
        Some(fault) => Err(Failure::new(
            Kind::Unverified,
            anyhow!("{}: {fault}", place.config.data_dir.display()),
        )),
    }
}

fn shown_check(check: &Check) -> ShownCheck {
    ShownCheck {
        part: match check.part {
            Part::Pages => "pages of the tables",
            Part::Log => "records of the log",
            Part::Blocks => "blocks of the index",
            Part::Certificates => "certificates",
            Part::Uncertified => "headers above them",
            Part::Receipts => "receipts",
            Part::State => "entries of the state",
            Part::Evidence => "lines of evidence",
        },
        checked: check.checked,
        note: check.note.clone(),
        fault: check.fault.as_ref().map(ToString::to_string),
    }
}

#[derive(Serialize)]
struct ShownFreed {
    receipt_heights_dropped: u64,
    lowest_receipts_height: u64,
    log_segments_dropped: u64,
    lowest_round: u64,
    log_bytes_before: u64,
    log_bytes_after: u64,
    tables_bytes_before: u64,
    tables_bytes_after: u64,
}

fn prune(args: &DbPruneArgs, json: bool) -> Result<(), Failure> {
    let mut place = Place::read(&args.config)?;
    let keep = &mut place.config.pruning;
    keep.receipt_heights = args.keep_heights.unwrap_or(keep.receipt_heights);
    keep.log_rounds = args.keep_rounds.unwrap_or(keep.log_rounds);
    keep.log_bytes = args.keep_log_bytes.unwrap_or(keep.log_bytes);
    place.config.check(&args.config).or_fail(Kind::Usage)?;
    let freed = database::prune(&place.directory(), &place.config.pruning, &mut told());
    let freed = freed.map_err(failed)?;
    let shown = ShownFreed {
        receipt_heights_dropped: freed.receipt_heights,
        lowest_receipts_height: freed.lowest_receipts.0,
        log_segments_dropped: freed.segments,
        lowest_round: freed.lowest_round.0,
        log_bytes_before: freed.log_bytes.0,
        log_bytes_after: freed.log_bytes.1,
        tables_bytes_before: freed.tables_bytes.0,
        tables_bytes_after: freed.tables_bytes.1,
    };
    output::print(json, &shown, |shown| {
        let bytes = |before: u64, after: u64| {
            format!(
                "{} bytes, {} before",
                output::grouped(after),
                output::grouped(before)
            )
        };
        output::list([
            (
                "receipts",
                format!(
                    "of {} heights dropped; kept from height {} on",
                    output::grouped(shown.receipt_heights_dropped),
                    shown.lowest_receipts_height
                ),
            ),
            (
                "blocks",
                format!(
                    "{} segments of the log dropped; kept from round {} on",
                    shown.log_segments_dropped, shown.lowest_round
                ),
            ),
            ("log", bytes(shown.log_bytes_before, shown.log_bytes_after)),
            (
                "tables",
                bytes(shown.tables_bytes_before, shown.tables_bytes_after),
            ),
        ])
    })?;
    Ok(())
}

#[derive(Serialize)]
struct ShownFile {
    file: String,
    from_height: u64,
    to_height: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_height: Option<u64>,
    state_entries: u64,
    bytes: u64,
    hash: String,
}

fn print_file(
    file: &Path,
    found: &FileSummary,
    done: &'static str,
    json: bool,
) -> Result<(), Failure> {
    let shown = ShownFile {
        file: file.display().to_string(),
        from_height: found.from.0,
        to_height: found.to.0,
        state_height: found.state_height.map(|height| height.0),
        state_entries: found.state_entries,
        bytes: found.bytes,
        hash: found.hash.to_hex(),
    };
    output::print(json, &shown, |shown| {
        let state = match shown.state_height {
            Some(height) => format!(
                "{} entries at height {height}",
                output::grouped(shown.state_entries)
            ),
            None => "none".to_owned(),
        };
        output::list([
            (done, shown.file.clone()),
            (
                "certificates",
                format!("heights {} to {}", shown.from_height, shown.to_height),
            ),
            ("state", state),
            ("bytes", output::grouped(shown.bytes)),
            ("hash", shown.hash.clone()),
        ])
    })?;
    Ok(())
}
