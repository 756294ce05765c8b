//! `quorate ceremony erase` and `reshare erase`: secrets that must go are destroyed by way of their sealing keys.

use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use quorate_dkg::{Purpose, Transcript};
use quorate_node::keystore::{self, Keystore, PublicKey};
use serde::Serialize;

use super::directory::Directory;
use super::{keys, transcript};
use crate::args::{EraseArgs, EraseOldArgs};
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

#[derive(Serialize)]
struct Shown {
    erased: String,
    /// Whether an earlier run destroyed it.
    already: bool,
}

/// Destroys the encryption key of a ceremony, after the share that it gave was opened and compared.
pub(crate) fn run(args: &EraseArgs, json: bool) -> Result<(), Failure> {
    let directory = Directory::open(&args.dir).or_fail(Kind::File)?;
    let given = args.transcript.clone();
    let file = given.unwrap_or_else(|| directory.transcript());
    if !file.exists() {
        let error = anyhow!(
            "there is no {}: without a verified transcript the encryption key is still needed",
            file.display()
        );
        return Err(Failure::new(Kind::Incomplete, error));
    }
    let checked = transcript::read_verified(&file)?;
    require_safe_share(args, &directory, &checked.transcript)
        .context("nothing was erased")
        .or_fail(Kind::File)?;
    erase(&directory.member.encryption_keystore, json)
}

/// Requires that the share that a transcript gives this member is in the directory, and opens.
fn require_safe_share(
    args: &EraseArgs,
    directory: &Directory,
    found: &Transcript,
) -> anyhow::Result<()> {
    ensure!(
        found.definition == *directory.ceremony.definition(),
        "the transcript is that of another ceremony"
    );
    let public = keys::encryption_public(&directory.member.encryption_keystore)?;
    let mut members = found.definition.members.iter();
    let me = members.position(|member| member.encryption_key == public);
    let me = me.context("the encryption key is no member's")?;
    let passphrase = args.passphrase.open()?;
    let share = directory.share();
    let opened = keys::share(&share, &passphrase)?;
    let wanted = found.keys.shares.get(me);
    let wanted = wanted.context("the transcript has no key of this member")?;
    keys::require_share(opened.public_key(), *wanted, &share)
}

/// Destroys an old share, after the certificate of the hand-over was verified.
pub(crate) fn old_share(args: &EraseOldArgs, json: bool) -> Result<(), Failure> {
    let checked = transcript::read_verified(&args.transcript)?;
    require_old_share(args, &checked.transcript)
        .context("nothing was erased")
        .or_fail(Kind::File)?;
    erase(&args.share_keystore, json)
}

fn require_old_share(args: &EraseOldArgs, found: &Transcript) -> anyhow::Result<()> {
    let (share, transcript) = (args.share_keystore.display(), args.transcript.display());
    let Purpose::Reshare { previous } = &found.definition.purpose else {
        return Err(anyhow!(
            "{transcript} hands nothing over: it is the transcript of a new key"
        ));
    };
    let PublicKey::Share(key) = Keystore::read(&args.share_keystore)?.public() else {
        return Err(anyhow!("{share} holds no share"));
    };
    let mut members = previous.members.iter();
    ensure!(
        members.any(|member| member.share_key == key),
        "{share} is no share that {transcript} handed over: perhaps it is the new one"
    );
    Ok(())
}

fn erase(path: &Path, json: bool) -> Result<(), Failure> {
    let already = !keystore::erase(path).or_fail(Kind::File)?;
    let shown = Shown {
        erased: path.display().to_string(),
        already,
    };
    output::print(json, &shown, |shown| {
        let word = if shown.already {
            "was destroyed before"
        } else {
            "is destroyed"
        };
        format!(
            "the sealing key of {} {word}: nobody can open it any more\n",
            shown.erased
        )
    })?;
    Ok(())
}
