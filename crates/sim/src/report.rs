//! What came of seeds, and how it is shown.

use std::collections::BTreeMap;

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};

use crate::behaviour::Behaviour;
use crate::failure::Failure;
use crate::schedule::Schedule;

/// What happened in a run that kept all promises.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// n.
    pub validators: u16,
    /// The seed.
    pub seed: u64,
    /// Whether it ran the real cryptography.
    pub real_cryptography: bool,
    /// The highest round of an honest validator.
    pub rounds: u64,
    /// Heights committed.
    pub commits: u64,
    /// Heights certified.
    pub certificates: u64,
    /// Transactions ordered.
    pub transactions: u64,
    /// Crashes of validators.
    pub crashes: u64,
    /// Partitions of the network.
    pub partitions: u64,
    /// Validators that did not follow the protocol.
    pub liars: u16,
    /// In which ways, each as often as a liar had it.
    pub lies: Vec<Behaviour>,
    /// What the scheduler was after.
    pub schedule: Schedule,
    /// Messages that it held back.
    pub held_back: u64,
    /// What honest validators got as a block and refused.
    pub refused: u64,
    /// Equivocations that honest validators have evidence of, each as often as one has it.
    pub equivocations: u64,
    /// The same for coin shares that do not verify.
    pub bad_coin_shares: u64,
    /// The same for finality shares and certificates.
    pub bad_finality_shares: u64,
    /// Checkpoints written.
    pub checkpoints: u64,
    /// Bytes of interrupted writes that recovery cut.
    pub torn_bytes: u64,
    /// Requests for missing blocks.
    pub fetches: u64,
    /// Own blocks whose payload was proposed again.
    pub reclaimed: u64,
    /// Disks lost, or replaced by an older copy.
    pub forgotten: u64,
    /// Times that a validator found its disk full.
    pub filled: u64,
    /// Damaged logs that were refused.
    pub damaged: u64,
    /// State syncs.
    pub joined: u64,
    /// Messages sent.
    pub messages: u64,
    /// Events of the world.
    pub events: u64,
    /// How long it took by the world's clock, in microseconds.
    pub micros: u64,
    /// Rounds from healing to the end.
    pub recovery_rounds: u64,
    /// BLAKE3 over everything that happened, in hexadecimal.
    pub trace_hash: String,
}

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Of those that kept all promises, in order of seed.
    pub reports: Vec<Report>,
    /// Of the others, in order of seed.
    pub failures: Vec<Failure>,
}

impl Summary {
    /// 0 if all is well; otherwise the worst failure's: safety before liveness before crash.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let codes = self
            .failures
            .iter()
            .map(|failure| failure.cause.exit_code());
        codes.max().unwrap_or(0)
    }

    /// Sums, means and extremes over all seeds, and one line for each failure.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(UTF8_BORDERS_ONLY)
            .set_header(["", "total", "mean", "least", "most"]);
        type Figure = (&'static str, fn(&Report) -> u64);
        let figures: [Figure; 21] = [
            ("rounds", |report| report.rounds),
            ("commits", |report| report.commits),
            ("certificates", |report| report.certificates),
            ("transactions", |report| report.transactions),
            ("crashes", |report| report.crashes),
            ("disks lost", |report| report.forgotten),
            ("disks full", |report| report.filled),
            ("damaged logs", |report| report.damaged),
            ("state syncs", |report| report.joined),
            ("partitions", |report| report.partitions),
            ("liars", |report| u64::from(report.liars)),
            ("blocks refused", |report| report.refused),
            ("equivocations shown", |report| report.equivocations),
            ("bad coin shares", |report| report.bad_coin_shares),
            ("bad finality shares", |report| report.bad_finality_shares),
            ("messages held back", |report| report.held_back),
            ("checkpoints", |report| report.checkpoints),
            ("torn bytes", |report| report.torn_bytes),
            ("fetches", |report| report.fetches),
            ("messages", |report| report.messages),
            ("rounds to recover", |report| report.recovery_rounds),
        ];
        for (name, figure) in figures {
            let values: Vec<u64> = self.reports.iter().map(figure).collect();
            let total: u64 = values.iter().sum();
            let mean = total / (values.len() as u64).max(1);
            table.add_row([
                name.to_owned(),
                total.to_string(),
                mean.to_string(),
                values.iter().min().copied().unwrap_or(0).to_string(),
                values.iter().max().copied().unwrap_or(0).to_string(),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let passed = self.reports.len();
        let real = self
            .reports
            .iter()
            .filter(|report| report.real_cryptography)
            .count();
        let failed = self.failures.len();
        let mut text = format!(
            "{table}\n{passed} seeds passed, {real} of them with real cryptography; {failed} failed"
        );
        let lies = self.reports.iter().flat_map(|report| &report.lies);
        text.push_str(&counts("liars", lies.map(|lie| lie.name())));
        let schedules = self.reports.iter().map(|report| report.schedule.name());
        text.push_str(&counts("schedules", schedules));
        for failure in &self.failures {
            text.push_str(&format!(
                "\n{failure}\n  replay: {}",
                failure.replay_command()
            ));
        }
        text
    }
}

/// A line that says how often each name occurs; nothing if there is none.
fn counts(what: &str, names: impl Iterator<Item = &'static str>) -> String {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_insert(0u64) += 1;
    }
    if counts.is_empty() {
        return String::new();
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    format!("\n{what}: {}", counts.join(", "))
}

impl Failure {
    /// What led to it, line by line.
    #[must_use]
    pub fn timeline_text(&self) -> String {
        let mut text = format!("seed {}: {}\n", self.seed, self.mix);
        for moment in &self.timeline {
            let micros = moment.micros;
            let who = moment
                .validator
                .map_or_else(|| "  *".to_owned(), |at| format!("v{at:02}"));
            text.push_str(&format!("{micros:>12} µs  {who}  {}\n", moment.what));
        }
        text.push_str(&format!("{}: {}", self.cause.name(), self.cause));
        text
    }
}
