//! `quorate ceremony join`.

use anyhow::{Context, anyhow, ensure};
use quorate_dkg::Ceremony;
use quorate_types::ValidatorIndex;
use serde::Serialize;

use super::directory::Directory;
use super::shown::{ShownDefinition, fingerprint};
use super::{define, keys};
use crate::args::JoinArgs;
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

#[derive(Serialize)]
struct Shown {
    dir: String,
    member: u16,
    #[serde(flatten)]
    definition: ShownDefinition,
}

/// Everything is checked before anything is written.
pub(crate) fn run(args: &JoinArgs, json: bool) -> Result<(), Failure> {
    let ceremony = define::read(&args.definition)?;
    let me = check(args, &ceremony).or_fail(Kind::File)?;
    let identity = Some(args.identity_keystore.as_path());
    Directory::prepare(&args.dir, &ceremony, identity, &args.encryption_keystore)
        .or_fail(Kind::File)?;
    let shown = Shown {
        dir: args.dir.display().to_string(),
        member: me.0,
        definition: ShownDefinition::new(&args.definition, &ceremony),
    };
    output::print(json, &shown, |shown| {
        format!(
            "{}\nYou are member {}. Compare the id with the others, then: quorate ceremony run --dir {}\n",
            shown.definition.text(),
            shown.member,
            shown.dir
        )
    })?;
    Ok(())
}

fn check(args: &JoinArgs, ceremony: &Ceremony) -> anyhow::Result<ValidatorIndex> {
    let file = args.definition.display();
    if let Some(expected) = &args.expect {
        ensure!(
            ceremony.id().to_hex().starts_with(expected),
            "{file} is ceremony {}, not the expected {expected}: get the organiser's file again, and find out who \
             changed it",
            fingerprint(&ceremony.id())
        );
    }
    ensure!(
        !ceremony.is_reshare(),
        "{file} is a resharing, which works by files: see `quorate ceremony reshare --help`"
    );
    let passphrase = args.passphrase.open()?;
    let identity = keys::identity(&args.identity_keystore, &passphrase)?;
    let me = ceremony.index_of(&identity.public()).ok_or_else(|| {
        anyhow!(
            "{} is the identity {}, which is no member in {file}",
            args.identity_keystore.display(),
            identity.public().to_hex()
        )
    })?;
    let enrolled = ceremony.definition().members.get(me.position());
    let enrolled = enrolled.context("the member has no enrolment")?;
    let encryption = keys::encryption(&args.encryption_keystore, &passphrase)?;
    ensure!(
        encryption.public() == enrolled.encryption_key,
        "{} is not the encryption key that {} enrolled with",
        args.encryption_keystore.display(),
        enrolled.name
    );
    Ok(me)
}
