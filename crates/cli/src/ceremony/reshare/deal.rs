//! `reshare deal`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use quorate_dkg::{Ceremony, SignedDealing};
use quorate_types::{CeremonyId, Decode, Encode};
use serde::Serialize;

use super::list::write_once;
use super::transcript::read_bounded;
use super::{begin, define, keys};
use crate::args::DealArgs;
use crate::failure::{Failure, Kind, OrFail};
use crate::{output, random};

/// Largest dealing that is read.
const DEALING_BYTES_MAX: u64 = 1 << 20;

#[derive(Serialize)]
struct Shown {
    dealing: String,
    dealer: u16,
    hash: String,
    bytes: usize,
}

/// The dealing is kept beside the share before it is shown: a second one in the same ceremony would convict the dealer.
pub(crate) fn run(args: &DealArgs, json: bool) -> Result<(), Failure> {
    let ceremony = define::read(&args.definition)?;
    begin(ceremony.clone(), &args.definition)?;
    let kept = kept(&args.share_keystore, &ceremony.id());
    let dealing = if kept.exists() {
        read(&kept).or_fail(Kind::File)?
    } else {
        let dealing = deal(args, &ceremony).or_fail(Kind::File)?;
        write_once(&kept, &dealing.to_bytes()).or_fail(Kind::File)?;
        dealing
    };
    let bytes = dealing.to_bytes();
    write_once(&args.out, &bytes).or_fail(Kind::File)?;
    let shown = Shown {
        dealing: args.out.display().to_string(),
        dealer: dealing.dealer.0,
        hash: dealing.hash().to_hex(),
        bytes: bytes.len(),
    };
    output::print(json, &shown, |shown| {
        output::list([
            (
                "dealing",
                format!("{}, {} bytes", shown.dealing, shown.bytes),
            ),
            ("dealer", format!("old member {}", shown.dealer)),
            ("hash", shown.hash.clone()),
        ])
    })?;
    Ok(())
}

fn deal(args: &DealArgs, ceremony: &Ceremony) -> anyhow::Result<SignedDealing> {
    let passphrase = args.passphrase.open()?;
    let identity = keys::identity(&args.identity_keystore, &passphrase)?;
    let share = keys::share(&args.share_keystore, &passphrase)?;
    SignedDealing::deal(ceremony, &identity, Some(&share), &mut random::generator())
        .with_context(|| format!("{} cannot deal", args.share_keystore.display()))
}

/// Reads a dealing. Nothing of it is verified.
pub(crate) fn read(path: &Path) -> anyhow::Result<SignedDealing> {
    let bytes = read_bounded(path, DEALING_BYTES_MAX)?;
    SignedDealing::from_bytes(&bytes)
        .with_context(|| format!("{} is no dealing, or was cut off", path.display()))
}

/// Where a share's dealing in a ceremony is kept: beside the share.
fn kept(share: &Path, ceremony: &CeremonyId) -> PathBuf {
    let name = share.file_stem().unwrap_or_default().display();
    share.with_file_name(format!("{name}-dealt-{}.bin", &ceremony.to_hex()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dealing_is_kept_beside_its_share_and_for_one_ceremony() {
        let share = Path::new("a/share.json");
        let one = kept(share, &CeremonyId([1; 32]));
        assert_eq!(one, Path::new("a/share-dealt-0101010101010101.bin"));
        assert_ne!(one, kept(share, &CeremonyId([2; 32])));
    }
}
