//! What came of seeds, and how it is shown.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};

use crate::ceremony::failure::CeremonyFailure;
use crate::ceremony::mix::CeremonyMix;

/// What happened in a ceremony that kept all promises.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CeremonyReport {
    /// n.
    pub members: u16,
    /// The seed.
    pub seed: u64,
    /// Members that lied.
    pub liars: u64,
    /// Dealings that make the key.
    pub dealings: u64,
    /// The highest round of an agreement at an honest member.
    pub rounds: u32,
    /// Coins that were combined, at all members together.
    pub coins: u64,
    /// Crashes of honest members.
    pub crashes: u64,
    /// Disks lost.
    pub disks_lost: u64,
    /// Members that found out by themselves that they had lost their disk.
    pub amnesias: u64,
    /// Requests for dealings that were answered, or not.
    pub fetches: u64,
    /// Dealings that honest members found to be lies.
    pub lies_seen: u64,
    /// Liars that an honest member has evidence against.
    pub convicted: u64,
    /// Messages read.
    pub messages: u64,
    /// Steps of the world.
    pub steps: u64,
    /// The transcript's hash, in hexadecimal.
    pub transcript: String,
    /// BLAKE3 over everything that happened, in hexadecimal.
    pub trace_hash: String,
}

impl CeremonyReport {
    pub(crate) fn new(members: u16, seed: u64, mix: &CeremonyMix) -> Self {
        Self {
            members,
            seed,
            liars: mix.liars.len() as u64,
            dealings: 0,
            rounds: 0,
            coins: 0,
            crashes: 0,
            disks_lost: 0,
            amnesias: 0,
            fetches: 0,
            lies_seen: 0,
            convicted: 0,
            messages: 0,
            steps: 0,
            transcript: String::new(),
            trace_hash: String::new(),
        }
    }
}

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct CeremonySummary {
    /// Of those that kept all promises, in order of seed.
    pub reports: Vec<CeremonyReport>,
    /// Of the others, in order of seed.
    pub failures: Vec<CeremonyFailure>,
}

impl CeremonySummary {
    /// 0 if all is well; otherwise the worst failure's.
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
        type Figure = (&'static str, fn(&CeremonyReport) -> u64);
        let figures: [Figure; 12] = [
            ("liars", |report| report.liars),
            ("liars convicted", |report| report.convicted),
            ("lies seen", |report| report.lies_seen),
            ("dealings counted", |report| report.dealings),
            ("highest round", |report| u64::from(report.rounds)),
            ("coins", |report| report.coins),
            ("crashes", |report| report.crashes),
            ("disks lost", |report| report.disks_lost),
            ("losses found out", |report| report.amnesias),
            ("requests", |report| report.fetches),
            ("messages", |report| report.messages),
            ("steps", |report| report.steps),
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
            .filter(|report| report.coins > 0)
            .count();
        let failed = self.failures.len();
        let mut text = format!(
            "{table}\n{passed} ceremonies kept all promises, {real} of them needed a coin; {failed} failed"
        );
        for failure in &self.failures {
            let replay = failure.replay_command();
            text.push_str(&format!("\n{failure}\n  replay: {replay}"));
        }
        text
    }
}
