//! `quorate tx`.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::anyhow;
use quorate_crypto::IdentitySecret;
use quorate_node::keystore::Keystore;
use quorate_rpc::metadata_of;
use quorate_rpc::submit::v1::{SubmitTransactionRequest, WaitFor};
use quorate_rpc::types::v1::TransactionOutcome;
use quorate_types::{
    AccountId, Body, DomainTag, Encode, KeySignature, Outcome, RejectCode, Round,
    SignedTransaction, Transaction, TransactionId,
};
use serde::Serialize;
use tonic::Status;

use super::account;
use crate::args::{SigningArgs, TransactionCommand, Wait};
use crate::client::{Client, within};
use crate::failure::{Failure, Kind, OrFail};
use crate::output;
use crate::trust::{Trust, unverified};

/// How long to wait for a certificate.
const WAIT: Duration = Duration::from_secs(30);
/// How long to wait in silence.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Serialize)]
struct Shown {
    transaction: String,
    account: String,
    sequence: u64,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deltas: Vec<ShownDelta>,
    verified: bool,
    trusted: String,
}

#[derive(Serialize)]
struct ShownDelta {
    account: String,
    asset: u32,
    atoms: String,
}

pub(crate) async fn run(
    command: TransactionCommand,
    endpoint: &str,
    json: bool,
) -> Result<(), Failure> {
    let (key, signing) = match &command {
        TransactionCommand::Transfer {
            from_key, signing, ..
        }
        | TransactionCommand::CreateAccount { from_key, signing } => (from_key, signing),
    };
    let owner = open(key, signing)?;
    let signer = AccountId::derive(&owner.public(), signing.sub);
    let body = match command {
        TransactionCommand::Transfer {
            to, asset, amount, ..
        } => Body::Transfer {
            from: signer,
            to,
            asset,
            amount,
        },
        TransactionCommand::CreateAccount { .. } => Body::CreateAccount {
            owner: owner.public(),
            sub: signing.sub,
        },
    };
    let client = Client::connect(endpoint).await?;
    let trust = Trust::establish(&signing.trust, &client).await?;
    let sequence = match signing.sequence {
        Some(sequence) => sequence,
        None => {
            let (account, _) = account::read(&client, &trust, &signer, None).await?;
            account.map_or(0, |account| account.next_sequence(signing.lane))
        }
    };
    let signed = sign(
        &owner,
        Transaction {
            chain: trust.key.chain(),
            shard: trust.key.shard(),
            access: body.touched(),
            body,
            dependencies: Vec::new(),
            lane: signing.lane,
            sequence,
            valid_until_round: Round(u64::MAX),
            max_fee: signing.max_fee,
        },
    );
    let outcome = submit(&client, &signed, signing).await?;
    let mut shown = Shown {
        transaction: signed.id().to_hex(),
        account: signer.to_hex(),
        sequence,
        status: "accepted",
        height: None,
        deltas: Vec::new(),
        verified: false,
        trusted: trust.source.clone(),
    };
    let verdict = match outcome {
        Some(outcome) => judge(&mut shown, &outcome, &signed.id(), &trust),
        None => Ok(()),
    };
    if verdict.is_ok() {
        output::print(json, &shown, text)?;
    }
    verdict
}

/// Signs a transaction with its owner's key.
pub(crate) fn sign(owner: &IdentitySecret, transaction: Transaction) -> SignedTransaction {
    let id = transaction.id();
    let signature = owner.sign(DomainTag::TransactionSignature, &id.0);
    let signatures = vec![KeySignature {
        key_index: 0,
        signature,
    }];
    SignedTransaction::new(transaction, signatures)
}

fn open(key: &Path, signing: &SigningArgs) -> Result<IdentitySecret, Failure> {
    let passphrase = signing.passphrase.open();
    let passphrase = passphrase.or_fail(Kind::File)?;
    let keystore = Keystore::read(key).or_fail(Kind::File)?;
    keystore.open_identity(&passphrase, key).or_fail(Kind::File)
}

async fn submit(
    client: &Client,
    signed: &SignedTransaction,
    signing: &SigningArgs,
) -> Result<Option<TransactionOutcome>, Failure> {
    let wait = match signing.wait {
        Wait::Accepted => WaitFor::Accepted,
        Wait::Committed => WaitFor::Committed,
        Wait::Certified => WaitFor::Certified,
    };
    let request = SubmitTransactionRequest {
        transaction: signed.to_bytes().into(),
        wait: wait.into(),
    };
    let mut service = client.submit();
    let mut answer = pin!(service.submit_transaction(within(request, WAIT)));
    let answer = match tokio::time::timeout(PATIENCE, &mut answer).await {
        Ok(answer) => answer,
        Err(_) => {
            let awaited = match signing.wait {
                Wait::Accepted => "an answer",
                Wait::Committed => "execution",
                Wait::Certified => "certification",
            };
            eprintln!("waiting for {awaited}...");
            answer.await
        }
    };
    match answer {
        Ok(answer) => Ok(answer.into_inner().outcome),
        // The number is right by the certified state, so the lane is ahead of it.
        Err(status) if signing.sequence.is_none() && is_out_of_sequence(&status) => {
            Err(overtaken(signed.transaction.sequence))
        }
        Err(status) => Err(client.refused(&status)),
    }
}

fn is_out_of_sequence(status: &Status) -> bool {
    let code = metadata_of(status, "code").and_then(|code| code.parse().ok());
    code.and_then(RejectCode::from_number) == Some(RejectCode::BadSequence)
}

fn overtaken(sequence: u64) -> Failure {
    let error = anyhow!(
        "another transaction of this account is still pending at sequence {sequence}; wait until it is certified, or \
         use --sequence {} (higher if several are pending) or another --lane",
        sequence.saturating_add(1)
    );
    Failure::new(Kind::Rejected, error)
}

/// Verifies an outcome as far as it is certified, and fails if the transaction was rejected.
fn judge(
    shown: &mut Shown,
    outcome: &TransactionOutcome,
    id: &TransactionId,
    trust: &Trust,
) -> Result<(), Failure> {
    shown.height = Some(outcome.height);
    let receipt = outcome.receipt.as_ref();
    let receipt = receipt.ok_or_else(|| incomplete("receipt"))?;
    let receipt = match &outcome.certificate {
        Some(certificate) => {
            let proof = outcome
                .inclusion
                .as_ref()
                .ok_or_else(|| incomplete("proof"))?;
            let header = trust.verify(Some(certificate))?;
            let verified = header.verify_receipt(&receipt.canonical, &proof.canonical);
            shown.status = "certified";
            shown.verified = true;
            verified.map_err(|error| unverified("receipt", error))?
        }
        None => {
            shown.status = "committed";
            quorate_types::Receipt::try_from(receipt).or_fail(Kind::Endpoint)?
        }
    };
    if receipt.transaction != *id {
        return Err(Failure::new(
            Kind::Unverified,
            anyhow!("the receipt is of another transaction"),
        ));
    }
    match receipt.outcome {
        Outcome::Applied { deltas } => {
            shown.deltas = deltas
                .iter()
                .map(|delta| ShownDelta {
                    account: delta.account.to_hex(),
                    asset: delta.asset.0,
                    atoms: delta.change.to_string(),
                })
                .collect();
            Ok(())
        }
        Outcome::Rejected { code } => {
            let error = anyhow!(
                "transaction {id} was rejected at height {}: {code} ({})",
                outcome.height,
                code.name()
            );
            Err(Failure::new(Kind::Rejected, error))
        }
    }
}

fn incomplete(what: &str) -> Failure {
    Failure::new(
        Kind::Endpoint,
        anyhow!("the endpoint left the {what} out of its answer"),
    )
}

fn text(shown: &Shown) -> String {
    let verified = if shown.verified {
        format!(
            "receipt and certificate; the group key is that of {}",
            shown.trusted
        )
    } else {
        "no: it is not certified yet".into()
    };
    let height = shown
        .height
        .map_or_else(|| "none yet".into(), |height| height.to_string());
    let mut text = output::list([
        ("transaction", shown.transaction.clone()),
        (
            "account",
            format!("{}, sequence {}", shown.account, shown.sequence),
        ),
        ("status", shown.status.into()),
        ("height", height),
        ("verified", verified),
    ]);
    for delta in &shown.deltas {
        text.push_str(&format!(
            "changed      {} asset {}: {} atoms\n",
            delta.account, delta.asset, delta.atoms
        ));
    }
    text
}
