//! The command `quorate`: runs, checks and measures validators.
//!
//! Everything a validator says is verified by `quorate-light` before it is shown as true. Shares of keys come from
//! ceremonies alone, those of `devnet` and `bench` too: no process knows a whole key.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod ceremony;
mod client;
mod commands;
mod devnet;
mod failure;
mod load;
mod margin;
mod output;
mod random;
mod scrape;
mod shown;
mod svg;
mod trust;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the operating system gives threads and an event queue");
    match runtime.block_on(dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

async fn dispatch(cli: Cli) -> Result<(), Failure> {
    let (endpoint, json) = (cli.endpoint, cli.json);
    match cli.command {
        Command::Devnet(args) => devnet::run(args, json).await,
        Command::Run(args) => commands::run::run(args).await,
        Command::Keys(command) => commands::keys::run(command, json),
        Command::Ceremony(command) => ceremony::run(command, json).await,
        Command::Genesis(command) => commands::genesis::run(command, json),
        Command::Tx(command) => commands::transaction::run(command, &endpoint, json).await,
        Command::Account(command) => commands::account::run(command, &endpoint, json).await,
        Command::Certificate(command) => commands::certificate::run(command, &endpoint, json).await,
        Command::Db(command) => commands::db::run(command, json),
        Command::Committee(command) => commands::committee::run(command, json),
        Command::Margin(command) => margin::run(command, json),
        Command::Status(args) => commands::status::run(args, &endpoint, json).await,
        Command::Bench(args) => bench::run(args, json).await,
        Command::Sim(args) => commands::sim::run(args, json),
    }
}
