//! `quorate ceremony new`, `show` and `reshare new`: definitions.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use quorate_dkg::{Ceremony, Definition, Enrolment, Purpose};
use quorate_node::ceremony_file::{self, CeremonyFile};

use super::keys;
use super::shown::{ShownDefinition, ShownMember};
use crate::args::NewArgs;
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

/// Makes a definition.
pub(crate) fn run(args: &NewArgs, purpose: Purpose, json: bool) -> Result<(), Failure> {
    let ceremony = define(args, purpose).or_fail(Kind::File)?;
    ceremony_file::write_definition(ceremony.definition(), &args.out).or_fail(Kind::File)?;
    print(&args.out, &ceremony, json)
}

fn define(args: &NewArgs, purpose: Purpose) -> anyhow::Result<Ceremony> {
    let mut members = Vec::new();
    for path in &args.members {
        members.push(read_enrolment(path)?);
    }
    let passphrase = args.passphrase.open()?;
    let organiser = keys::identity(&args.organiser_keystore, &passphrase)?;
    let definition = Definition::sign(
        args.name.clone(),
        purpose,
        args.attempt,
        args.quorum,
        members,
        &organiser,
    );
    let ceremony = Ceremony::new(definition).context("these enrolments make no ceremony")?;
    require_own_addresses(&ceremony.definition().members)?;
    Ok(ceremony)
}

/// A mistake that the definition's rules allow and people make: two members at one address.
fn require_own_addresses(members: &[Enrolment]) -> anyhow::Result<()> {
    let mut seen = BTreeMap::new();
    for member in members {
        if let Some(other) = seen.insert(&member.address, &member.name) {
            let (name, address) = (&member.name, &member.address);
            bail!(
                "{other} and {name} have the same address {address}: one of them must enrol again"
            );
        }
    }
    Ok(())
}

fn read_enrolment(path: &Path) -> anyhow::Result<Enrolment> {
    let enrolment = ceremony_file::read_enrolment(path)?;
    verify_enrolment(&enrolment, path)?;
    Ok(enrolment)
}

fn verify_enrolment(enrolment: &Enrolment, path: &Path) -> anyhow::Result<()> {
    enrolment
        .verify()
        .with_context(|| format!("{} is refused", path.display()))
}

/// Reads a definition and verifies all of it.
pub(crate) fn read(path: &Path) -> Result<Ceremony, Failure> {
    let definition = ceremony_file::read_definition(path).or_fail(Kind::File)?;
    verify_definition(definition, path)
}

fn verify_definition(definition: Definition, path: &Path) -> Result<Ceremony, Failure> {
    Ceremony::new(definition)
        .with_context(|| format!("{} is refused", path.display()))
        .or_fail(Kind::File)
}

pub(crate) fn show(path: &Path, json: bool) -> Result<(), Failure> {
    match ceremony_file::read_any(path).or_fail(Kind::File)? {
        CeremonyFile::Enrolment(enrolment) => {
            verify_enrolment(&enrolment, path).or_fail(Kind::File)?;
            output::print(json, &ShownMember::new(None, &enrolment), ShownMember::text)?;
            Ok(())
        }
        CeremonyFile::Definition(definition) => {
            print(path, &verify_definition(*definition, path)?, json)
        }
    }
}

fn print(path: &Path, ceremony: &Ceremony, json: bool) -> Result<(), Failure> {
    let shown = ShownDefinition::new(path, ceremony);
    output::print(json, &shown, ShownDefinition::text)?;
    Ok(())
}
