//! `quorate ceremony prove`.

use anyhow::{Context, anyhow, ensure};
use quorate_dkg::VerifiedTranscript;
use quorate_rpc::admin::v1::ProveShareResponse;
use quorate_types::{DomainTag, Encode, Signature, ValidatorIndex};
use serde::Serialize;

use super::remote::{Remote, index};
use super::transcript;
use crate::args::ProveArgs;
use crate::client::array;
use crate::failure::{Failure, Kind, OrFail};
use crate::{output, random};

#[derive(Serialize)]
struct Shown {
    proved: bool,
    member: u16,
    name: String,
    share_key: String,
    challenge: String,
    signature: String,
    /// Whose word says which key the share has.
    transcript: String,
}

pub(crate) async fn run(args: ProveArgs, json: bool) -> Result<(), Failure> {
    let remote = Remote::connect(&args.admin).await?;
    let (checked, source) = match &args.transcript {
        Some(file) => (transcript::read_verified(file)?, file.display().to_string()),
        None => {
            let transcript = remote.transcript().await?;
            let source = "the member's own, verified here".to_owned();
            (transcript::verify(transcript, &args.admin)?, source)
        }
    };
    let challenge = args.challenge.unwrap_or_else(random::bytes);
    let answer = remote.prove(&challenge).await?;
    let (member, signature) = check(&answer, &challenge, &checked.verified)
        .with_context(|| format!("the member at {} does not prove its share", args.admin))
        .or_fail(Kind::Liar)?;
    let position = member.position();
    let shown = Shown {
        proved: true,
        member: member.0,
        name: checked.transcript.definition.members[position].name.clone(),
        share_key: checked.transcript.keys.shares[position].to_hex(),
        challenge: hex::encode(challenge),
        signature: signature.to_hex(),
        transcript: source,
    };
    output::print(json, &shown, |shown| {
        output::list([
            (
                "proved",
                format!("member {} ({}) holds its share", shown.member, shown.name),
            ),
            ("share key", shown.share_key.clone()),
            ("challenge", shown.challenge.clone()),
            ("signature", shown.signature.clone()),
            ("transcript", shown.transcript.clone()),
        ])
    })?;
    Ok(())
}

/// Checks a member's answer to a challenge against the transcript; gives who it is.
pub(crate) fn check(
    answer: &ProveShareResponse,
    challenge: &[u8; 32],
    transcript: &VerifiedTranscript,
) -> anyhow::Result<(ValidatorIndex, Signature)> {
    let ceremony = transcript.ceremony();
    ensure!(
        answer.ceremony_id.as_ref() == ceremony.id().0,
        "it runs another ceremony than the transcript's"
    );
    let member = ValidatorIndex(index(answer.member, u32::from(ceremony.size()))?);
    let signature = Signature(array(&answer.signature, "signature")?);
    let mut message = DomainTag::ShareChallenge.bytes().to_vec();
    ceremony.id().encode(&mut message);
    message.extend_from_slice(challenge);
    transcript
        .public()
        .verify_share(member, &message, &signature)
        .map_err(|error| anyhow!(error))?;
    Ok((member, signature))
}
