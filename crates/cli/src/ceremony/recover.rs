//! `quorate ceremony recover`.

use anyhow::{Context, anyhow};
use quorate_crypto::pvss::ChunkTable;
use quorate_types::ValidatorIndex;
use serde::Serialize;

use super::{keys, transcript};
use crate::args::RecoverArgs;
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

#[derive(Serialize)]
struct Shown {
    share_keystore: String,
    member: u16,
    name: String,
    share_key: String,
    group_key: String,
}

pub(crate) fn run(args: &RecoverArgs, json: bool) -> Result<(), Failure> {
    let checked = transcript::read_verified(&args.transcript)?;
    let public = keys::encryption_public(&args.encryption_keystore).or_fail(Kind::File)?;
    let found = &checked.transcript;
    let members = &found.definition.members;
    let position = members
        .iter()
        .position(|member| member.encryption_key == public)
        .ok_or_else(|| {
            anyhow!(
                "{} is no encryption key of the ceremony of {}",
                args.encryption_keystore.display(),
                args.transcript.display()
            )
        })
        .or_fail(Kind::File)?;
    let me = ValidatorIndex(u16::try_from(position).unwrap_or(u16::MAX));
    let passphrase = args.passphrase.open().or_fail(Kind::File)?;
    let secret = keys::encryption(&args.encryption_keystore, &passphrase).or_fail(Kind::File)?;
    let share = checked
        .verified
        .recover_share(&secret, me, &ChunkTable::new())
        .context("the share cannot be computed: keep all files and report it")
        .or_fail(Kind::Unverified)?;
    let file = args.out.join("share.json");
    keys::seal_share(&share, &file, &passphrase, args.scrypt.cost()).or_fail(Kind::File)?;
    let shown = Shown {
        share_keystore: file.display().to_string(),
        member: me.0,
        name: members[position].name.clone(),
        share_key: share.public_key().to_hex(),
        group_key: found.keys.group.to_hex(),
    };
    output::print(json, &shown, |shown| {
        output::list([
            ("share", shown.share_keystore.clone()),
            ("member", format!("{}, {}", shown.member, shown.name)),
            ("share key", shown.share_key.clone()),
            ("group key", shown.group_key.clone()),
        ])
    })?;
    Ok(())
}
