//! `quorate ceremony reshare`: the hand-over by files. Each step checks everything it is given, writes whole files or
//! none, and can be run again.

mod deal;
mod finish;
mod list;
mod order;
mod ready;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use quorate_dkg::reshare::{Ordered, Reshare};
use quorate_dkg::{Ceremony, Definition, Purpose};
use quorate_node::ceremony_file;

use super::{define, erase, keys, transcript};
use crate::args::{NewArgs, ReshareCommand};
use crate::failure::{Failure, Kind, OrFail};

pub(crate) fn run(command: ReshareCommand, json: bool) -> Result<(), Failure> {
    match command {
        ReshareCommand::New { new, previous } => {
            let before = transcript::read_verified(&previous)?;
            require_fresh(&new, &before.transcript.definition).or_fail(Kind::File)?;
            let previous = before.verified.as_previous();
            define::run(&new, Purpose::Reshare { previous }, json)
        }
        ReshareCommand::Deal(args) => deal::run(&args, json),
        ReshareCommand::Order(args) => order::run(&args, json),
        ReshareCommand::Ready(args) => ready::run(&args, json),
        ReshareCommand::Finish(args) => finish::run(&args, json),
        ReshareCommand::Erase(args) => erase::old_share(&args, json),
    }
}

/// An encryption key serves one ceremony: those of the last one are erased, or should be.
fn require_fresh(new: &NewArgs, before: &Definition) -> anyhow::Result<()> {
    for path in &new.members {
        let key = ceremony_file::read_enrolment(path)?.encryption_key;
        ensure!(
            before.members.iter().all(|old| old.encryption_key != key),
            "{} has the encryption key of the ceremony before: enrol again, with a fresh one",
            path.display()
        );
    }
    Ok(())
}

/// A resharing that waits for its dealings.
fn begin(ceremony: Ceremony, definition: &Path) -> Result<Reshare, Failure> {
    Reshare::new(Arc::new(ceremony))
        .with_context(|| format!("{}", definition.display()))
        .or_fail(Kind::File)
}

/// A resharing with the dealings of an ordered list: all of them count, and they are enough.
fn replay(definition: &Path, list: &Path) -> Result<Reshare, Failure> {
    let ceremony = define::read(definition)?;
    let dealings = list::read(list, &ceremony.id())?;
    let mut reshare = begin(ceremony, definition)?;
    let threads = keys::threads()?;
    for dealing in dealings {
        let dealer = dealing.dealer;
        let ordered = reshare.order(dealing, &threads);
        if ordered != Ordered::Counted {
            let error = anyhow!(
                "{}: the dealing of old member {dealer} does not count: {}",
                list.display(),
                order::story(&ordered)
            );
            return Err(Failure::new(Kind::Unverified, error));
        }
    }
    reshare
        .handover()
        .with_context(|| format!("{} is not complete", list.display()))
        .or_fail(Kind::Unverified)?;
    Ok(reshare)
}
