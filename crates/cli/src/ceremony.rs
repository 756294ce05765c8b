//! `quorate ceremony`: how people make a threshold key together, check what came out, and hand it over.

mod define;
mod directory;
mod enrol;
mod erase;
mod evidence;
mod join;
mod keys;
mod progress;
mod prove;
mod recover;
mod remote;
mod reshare;
mod run;
mod shown;
mod status;
mod transcript;

use quorate_dkg::Purpose;

use crate::args::CeremonyCommand;
use crate::failure::Failure;

pub(crate) use directory::Directory;
pub(crate) use prove::check as check_proof;
pub(crate) use remote::Remote;
pub(crate) use status::ShownStatus;
pub(crate) use transcript::{Checked, read_verified, verify};

pub(crate) async fn run(command: CeremonyCommand, json: bool) -> Result<(), Failure> {
    match command {
        CeremonyCommand::Enrol(args) => enrol::run(&args, json),
        CeremonyCommand::New(args) => define::run(&args, Purpose::Genesis, json),
        CeremonyCommand::Show { file } => define::show(&file, json),
        CeremonyCommand::Join(args) => join::run(&args, json),
        CeremonyCommand::Run(args) => run::run(args, json).await,
        CeremonyCommand::Status(args) => status::status(args, json).await,
        CeremonyCommand::Explain(args) => status::explain(args, json).await,
        CeremonyCommand::Prove(args) => prove::run(args, json).await,
        CeremonyCommand::Recover(args) => recover::run(&args, json),
        CeremonyCommand::Erase(args) => erase::run(&args, json),
        CeremonyCommand::Transcript(command) => transcript::run(command, json).await,
        CeremonyCommand::Evidence(command) => evidence::run(&command, json),
        CeremonyCommand::Reshare(command) => reshare::run(command, json),
    }
}
