//! The command line of `quorate db`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Checks everything in a data directory against the genesis file: log, certificates, receipts, state, evidence. Or checks a
    /// file that `export` wrote. Changes nothing.
    Verify(DbVerifyArgs),
    /// Drops old receipts, outcomes and blocks, and gives their space back. Certificates, headers, the state and evidence stay.
    Prune(DbPruneArgs),
    /// Writes headers and certificates, and the state if wanted, into one file that proves itself.
    Export(DbExportArgs),
    /// Reads the certificates of such a file into an empty data directory; everything in it is verified. The validator then
    /// joins the others as one that was away, and fetches no history that it has.
    Import(DbImportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DbVerifyArgs {
    /// The validator's configuration file.
    #[arg(long, value_name = "FILE", required_unless_present = "file")]
    pub(crate) config: Option<PathBuf>,
    /// Check this exported file instead.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "config",
        requires = "genesis"
    )]
    pub(crate) file: Option<PathBuf>,
    /// The genesis file that an exported file is checked against.
    #[arg(long, value_name = "FILE", env = "QUORATE_GENESIS")]
    pub(crate) genesis: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DbPruneArgs {
    /// The validator's configuration file; what it says of pruning is done unless said otherwise here.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// How many heights keep their receipts and outcomes; 0 keeps all.
    #[arg(long, value_name = "HEIGHTS")]
    pub(crate) keep_heights: Option<u64>,
    /// How many rounds of blocks stay in the log for validators that were away; 0 keeps all.
    #[arg(long, value_name = "ROUNDS")]
    pub(crate) keep_rounds: Option<u64>,
    /// Below this many bytes the log is not cut.
    #[arg(long, value_name = "BYTES")]
    pub(crate) keep_log_bytes: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct DbExportArgs {
    /// The validator's configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// With all accounts, at the height of the last checkpoint.
    #[arg(long)]
    pub(crate) state: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DbImportArgs {
    /// The validator's configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The file that `export` wrote.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}
