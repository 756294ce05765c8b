//! `quorate ceremony evidence`.

use std::path::Path;

use anyhow::Context;
use quorate_dkg::{Ceremony, DealerEvidence};
use quorate_types::{Decode, ValidatorIndex};
use serde::Serialize;

use super::{define, transcript};
use crate::args::EvidenceCommand;
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

/// Largest file that is read: one dealing, and room.
const EVIDENCE_BYTES_MAX: u64 = 1 << 20;

#[derive(Serialize)]
struct Shown {
    convicts: u16,
    identity: String,
    what: &'static str,
}

pub(crate) fn run(command: &EvidenceCommand, json: bool) -> Result<(), Failure> {
    let EvidenceCommand::Verify { file, definition } = command;
    let ceremony = define::read(definition)?;
    let (dealer, evidence) = judge(file, &ceremony)?;
    let identity = ceremony.identity_of_dealer(dealer);
    let shown = Shown {
        convicts: dealer.0,
        identity: identity.map(|key| key.to_hex()).unwrap_or_default(),
        what: what(&evidence),
    };
    output::print(json, &shown, |shown| {
        format!(
            "dealer {} ({}) is convicted: {}\n",
            shown.convicts, shown.identity, shown.what
        )
    })?;
    Ok(())
}

fn judge(file: &Path, ceremony: &Ceremony) -> Result<(ValidatorIndex, DealerEvidence), Failure> {
    let bytes = transcript::read_bounded(file, EVIDENCE_BYTES_MAX).or_fail(Kind::File)?;
    let evidence = DealerEvidence::from_bytes(&bytes)
        .with_context(|| format!("{} is no evidence, or was cut off", file.display()))
        .or_fail(Kind::Unverified)?;
    let dealer = evidence
        .verify(ceremony)
        .with_context(|| format!("{} convicts nobody", file.display()))
        .or_fail(Kind::Unverified)?;
    Ok((dealer, evidence))
}

/// What a dealer did, in words.
pub(crate) const fn what(evidence: &DealerEvidence) -> &'static str {
    match evidence {
        DealerEvidence::TwoDealings { .. } => "it signed two different dealings",
        DealerEvidence::InvalidDealing(_) => "it signed a dealing that does not verify",
        DealerEvidence::BadChunk { .. } => "it encrypted a chunk that is out of range",
    }
}
