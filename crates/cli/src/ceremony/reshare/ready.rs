//! `reshare ready`.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use quorate_crypto::pvss::ChunkTable;
use quorate_dkg::Ceremony;
use quorate_dkg::reshare::{Handover, Ready};
use quorate_node::files::{Audience, Existing, write_file};
use quorate_types::{CeremonyId, Decode, Encode, ValidatorIndex};
use serde::Serialize;

use super::list::write_once;
use super::transcript::read_bounded;
use super::{keys, replay};
use crate::args::ReadyArgs;
use crate::ceremony::directory::Directory;
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

/// Largest file with a member's word.
const READY_BYTES_MAX: u64 = 4096;

#[derive(Serialize)]
struct Shown {
    ready: String,
    share_keystore: String,
    member: u16,
    name: String,
    share_key: String,
    transcript_hash: String,
}

/// The share is on the disk, and so is for which list this member is ready, before it says so.
pub(crate) fn run(args: &ReadyArgs, json: bool) -> Result<(), Failure> {
    let reshare = replay(&args.definition, &args.list)?;
    let ceremony = reshare.ceremony();
    let handover = reshare.handover().or_fail(Kind::Unverified)?;
    let me = member(ceremony, &args.encryption_keystore).or_fail(Kind::File)?;
    let kept = kept(&args.encryption_keystore, &ceremony.id());
    require_same_list(&kept, handover).or_fail(Kind::File)?;

    let passphrase = args.passphrase.open().or_fail(Kind::File)?;
    let secret = keys::encryption(&args.encryption_keystore, &passphrase).or_fail(Kind::File)?;
    let recovered = handover
        .recover(&secret, me, &ChunkTable::new())
        .context("the share cannot be computed: keep all files and report it")
        .or_fail(Kind::Unverified)?;
    let share = recovered.share;
    let word = handover.sign_ready(&share, me).or_fail(Kind::Unverified)?;
    let seal = || {
        Directory::prepare(&args.dir, ceremony, None, &args.encryption_keystore)?;
        let file = args.dir.join("share.json");
        keys::seal_share(&share, &file, &passphrase, args.scrypt.cost())?;
        write_file(&kept, &word.to_bytes(), Audience::Owner, Existing::Replace)?;
        let ready = args.dir.join("ready.bin");
        write_once(&ready, &word.to_bytes())?;
        anyhow::Ok((file, ready))
    };
    let (file, ready) = seal().or_fail(Kind::File)?;
    let members = &ceremony.definition().members;
    let shown = Shown {
        ready: ready.display().to_string(),
        share_keystore: file.display().to_string(),
        member: me.0,
        name: members[me.position()].name.clone(),
        share_key: share.public_key().to_hex(),
        transcript_hash: handover.hash().to_hex(),
    };
    output::print(json, &shown, |shown| {
        output::list([
            ("ready", shown.ready.clone()),
            ("share", shown.share_keystore.clone()),
            ("member", format!("{}, {}", shown.member, shown.name)),
            ("share key", shown.share_key.clone()),
            ("transcript", shown.transcript_hash.clone()),
        ])
    })?;
    Ok(())
}

/// Which member an encryption key is.
fn member(ceremony: &Ceremony, keystore: &Path) -> anyhow::Result<ValidatorIndex> {
    let public = keys::encryption_public(keystore)?;
    let mut members = ceremony.definition().members.iter();
    let position = members.position(|member| member.encryption_key == public);
    let position = position.ok_or_else(|| {
        anyhow!(
            "{} is no member's encryption key in this ceremony",
            keystore.display()
        )
    })?;
    Ok(ValidatorIndex(u16::try_from(position)?))
}

/// Requires that this member is ready for no other list of the ceremony.
fn require_same_list(kept: &Path, handover: &Handover) -> anyhow::Result<()> {
    if !kept.exists() {
        return Ok(());
    }
    let word = read(kept)?;
    ensure!(
        word.transcript == handover.hash(),
        "this member is ready for another list, with transcript {}, and may not be for a second: agree on that list, or \
         start a new attempt (docs/ceremonies.md)",
        word.transcript
    );
    Ok(())
}

/// Reads a member's word. Nothing of it is verified.
pub(crate) fn read(path: &Path) -> anyhow::Result<Ready> {
    let bytes = read_bounded(path, READY_BYTES_MAX)?;
    Ready::from_bytes(&bytes)
        .with_context(|| format!("{} is no word of a member, or was cut off", path.display()))
}

/// Where it is kept for which list this member is ready: beside its encryption key, which serves one ceremony.
fn kept(encryption: &Path, ceremony: &CeremonyId) -> PathBuf {
    let name = encryption.file_stem().unwrap_or_default().display();
    encryption.with_file_name(format!("{name}-ready-{}.bin", &ceremony.to_hex()[..16]))
}
