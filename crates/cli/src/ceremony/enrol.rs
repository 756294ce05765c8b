//! `quorate ceremony enrol`.

use std::path::Path;

use anyhow::{Context, anyhow};
use quorate_crypto::pvss::EncryptionSecret;
use quorate_dkg::Enrolment;
use quorate_node::ceremony_file;
use quorate_node::keystore::{Keystore, Passphrase};
use serde::Serialize;

use super::keys;
use super::shown::ShownMember;
use crate::args::EnrolArgs;
use crate::failure::{Failure, Kind, OrFail};
use crate::{output, random};

#[derive(Serialize)]
struct Shown {
    enrolment: String,
    encryption_keystore: String,
    #[serde(flatten)]
    member: ShownMember,
}

/// The encryption key is on the disk before the enrolment that promises it; a run that was killed between the two is
/// finished by the next.
pub(crate) fn run(args: &EnrolArgs, json: bool) -> Result<(), Failure> {
    let keystore = args.out.join("encryption.json");
    let file = args.out.join("enrolment.json");
    if !args.out.is_dir() {
        let out = args.out.display();
        let error = anyhow!("there is no directory {out}: create it first (mkdir -p {out})");
        return Err(Failure::new(Kind::File, error));
    }
    if file.exists() {
        let error = anyhow!(
            "{} exists already: an encryption key serves one ceremony; choose another directory for the next one",
            file.display()
        );
        return Err(Failure::new(Kind::File, error));
    }
    let enrolment = enrol(args, &keystore).or_fail(Kind::File)?;
    ceremony_file::write_enrolment(&enrolment, &file).or_fail(Kind::File)?;
    let shown = Shown {
        enrolment: file.display().to_string(),
        encryption_keystore: keystore.display().to_string(),
        member: ShownMember::new(None, &enrolment),
    };
    output::print(json, &shown, |shown| {
        format!(
            "{}\n{} is for the organiser. {} and its sealing key stay with you: leave the sealing key out of backups.\n",
            shown.member.text(),
            shown.enrolment,
            shown.encryption_keystore
        )
    })?;
    Ok(())
}

fn enrol(args: &EnrolArgs, keystore: &Path) -> anyhow::Result<Enrolment> {
    let passphrase = args.passphrase.open()?;
    let identity = keys::identity(&args.identity_keystore, &passphrase)?;
    let encryption = encryption_key(args, keystore, &passphrase)?;
    let (name, address) = (args.name.clone(), args.address.clone());
    let mut rng = random::generator();
    Enrolment::new(&identity, &encryption, name, address, &mut rng)
        .context("this cannot be enrolled")
}

fn encryption_key(
    args: &EnrolArgs,
    keystore: &Path,
    passphrase: &Passphrase,
) -> anyhow::Result<EncryptionSecret> {
    if keystore.exists() {
        return keys::encryption(keystore, passphrase);
    }
    let mut rng = random::generator();
    let secret = EncryptionSecret::generate(&mut rng);
    Keystore::create_encryption(&secret, keystore, passphrase, args.scrypt.cost(), &mut rng)?;
    Ok(secret)
}
