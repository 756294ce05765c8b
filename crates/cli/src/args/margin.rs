//! The command line of `quorate margin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum MarginCommand {
    /// Reads a market, an account and what is pending from a file, and shows the verdict: whether everything pending succeeds in
    /// every order, whether nothing pending can cure the account, or whether it depends; which scenario binds, and why.
    Explain(MarginExplainArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MarginExplainArgs {
    /// A TOML file; docs/settlement.md describes it, docs/examples/margin has some.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Draws value against price in every scenario into this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}
