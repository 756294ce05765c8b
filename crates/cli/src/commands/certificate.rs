//! `quorate certificate`.

use std::path::Path;

use anyhow::{Context, anyhow};
use quorate_node::genesis_file;
use quorate_types::{Certificate, Decode, Encode, Height, ThresholdKey};
use serde::Serialize;

use crate::args::{CertificateCommand, TrustArgs};
use crate::client::Client;
use crate::failure::{Failure, Kind, OrFail};
use crate::output;
use crate::shown::ShownCertificate;
use crate::trust::Trust;

/// What `certificate verify` found.
#[derive(Serialize)]
struct Verified {
    verified: bool,
    chain: String,
    height: u64,
    header_hash: String,
    trusted: String,
}

pub(crate) async fn run(
    command: CertificateCommand,
    endpoint: &str,
    json: bool,
) -> Result<(), Failure> {
    match command {
        CertificateCommand::Show { height, trust } => show(height, &trust, endpoint, json).await,
        CertificateCommand::Verify {
            file,
            group_key,
            genesis,
        } => verify(&file, group_key, genesis.as_deref(), json),
    }
}

async fn show(
    height: Option<Height>,
    trust: &TrustArgs,
    endpoint: &str,
    json: bool,
) -> Result<(), Failure> {
    let client = Client::connect(endpoint).await?;
    let trust = Trust::establish(trust, &client).await?;
    let answer = client.certificate(height).await?;
    let header = trust.verify(Some(&answer))?;
    let found = header.header().height;
    if height.is_some_and(|height| height != found) {
        let error = anyhow!("asked for another height, the endpoint answers with {found}");
        return Err(Failure::new(Kind::Unverified, error));
    }
    let certificate = Certificate::from_bytes(&answer.canonical).or_fail(Kind::Endpoint)?;
    let shown = ShownCertificate::new(&certificate, &trust.group_key);
    output::print(json, &shown, |shown| {
        let header = &certificate.header;
        output::list([
            ("height", header.height.to_string()),
            ("header hash", header.hash().to_hex()),
            ("chain", header.chain.to_hex()),
            (
                "shard, epoch",
                format!("{}, {}", header.shard, header.epoch),
            ),
            (
                "leader",
                format!(
                    "round {}, validator {}",
                    header.leader_round, header.leader_author
                ),
            ),
            (
                "transactions",
                format!(
                    "{} since genesis",
                    output::grouped(header.transactions_total)
                ),
            ),
            ("state root", header.state_root.to_hex()),
            ("receipts root", header.receipts_root.to_hex()),
            ("group key", shown.group_public_key.clone()),
            ("signing bytes", shown.signing_bytes.clone()),
            ("signature", shown.signature.clone()),
            (
                "verified",
                format!("yes; the group key is that of {}", trust.source),
            ),
        ])
    })?;
    Ok(())
}

fn verify(
    file: &Path,
    group_key: Option<ThresholdKey>,
    genesis: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let text = std::fs::read(file)
        .with_context(|| format!("cannot read {}", file.display()))
        .or_fail(Kind::File)?;
    let shown: ShownCertificate = serde_json::from_slice(&text)
        .with_context(|| {
            let file = file.display();
            format!("{file} is not what `quorate certificate show --json` prints")
        })
        .or_fail(Kind::File)?;
    let certificate = shown
        .to_certificate()
        .with_context(|| format!("{}", file.display()))
        .or_fail(Kind::File)?;
    shown
        .agrees_with(&certificate)
        .with_context(|| format!("{}", file.display()))
        .or_fail(Kind::Unverified)?;
    let header = &certificate.header;
    let trust = match (group_key, genesis) {
        (Some(key), _) => Trust::new(
            header.chain,
            header.shard,
            header.epoch,
            key,
            "the command line".into(),
        )?,
        (None, Some(path)) => {
            let genesis = genesis_file::read(path).or_fail(Kind::File)?;
            Trust::from_genesis(&genesis, format!("the genesis file {}", path.display()))?
        }
        (None, None) => {
            let error = anyhow!("give the group key to trust: --group-key KEY or --genesis FILE");
            return Err(Failure::new(Kind::Usage, error));
        }
    };
    let verified = trust
        .key
        .verify_certificate(&certificate.to_bytes())
        .with_context(|| format!("{} does not verify", file.display()))
        .or_fail(Kind::Unverified)?;
    let verdict = Verified {
        verified: true,
        chain: verified.header().chain.to_hex(),
        height: verified.header().height.0,
        header_hash: verified.hash().to_hex(),
        trusted: trust.source,
    };
    output::print(json, &verdict, |verdict| {
        format!(
            "height {} of chain {} is final; the group key is that of {}",
            verdict.height, verdict.chain, verdict.trusted
        )
    })?;
    Ok(())
}
