//! The suspicion: after the load, everything that validators say is compared and verified from bytes alone.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use quorate_light::VerifiedHeader;
use quorate_rpc::submit::v1::{SubmitTransactionRequest, WaitFor};
use quorate_types::{
    Account, AccountId, Body, Certificate, Decode, Encode, Height, Outcome, Round, Transaction,
};
use serde::Serialize;
use tokio::time::Instant;

use super::layout::{ASSET, Network};
use super::process::Member;
use super::watch::{CERTIFICATE_LATENCY, CERTIFIED, HEIGHT, ROUND, TRANSACTIONS, as_count};
use crate::client::{Client, DEADLINE, within};
use crate::commands::transaction::sign;
use crate::failure::{Failure, Kind, OrFail};
use crate::scrape::Scraper;
use crate::trust::{Trust, unverified};

/// Most heights that are compared and whose certificates are verified, evenly spread: each header has the hash of the
/// one before, so the last one speaks for all.
const SAMPLE: u64 = 256;
/// How often to look whether all validators are as far as the first.
const POLL: Duration = Duration::from_millis(50);
/// Lane of the transfer whose receipt is proved: the load uses lane 0, and people the next ones.
const RECEIPT_LANE: u16 = u16::MAX;

/// What was found.
#[derive(Serialize)]
pub(crate) struct Checked {
    pub(crate) validators: Vec<CheckedValidator>,
    pub(crate) common_height: u64,
    pub(crate) heights_compared: usize,
    pub(crate) certificates_verified: usize,
    pub(crate) receipt_transaction: String,
    pub(crate) receipt_height: u64,
    pub(crate) accounts_proved: usize,
    pub(crate) balances: String,
    pub(crate) fees: String,
    pub(crate) supply: String,
}

/// One validator's own words.
#[derive(Serialize)]
pub(crate) struct CheckedValidator {
    pub(crate) name: String,
    pub(crate) round: u64,
    pub(crate) height: u64,
    pub(crate) certified_height: u64,
    pub(crate) transactions: u64,
    pub(crate) certificate_p50_ms: Option<f64>,
    pub(crate) certificate_p99_ms: Option<f64>,
}

pub(crate) async fn run(
    network: &Network,
    members: &[Member],
    loaded: bool,
) -> Result<Checked, Failure> {
    let trust = Trust::from_genesis(&network.genesis, "the devnet's genesis".into())?;
    let mut clients = Vec::new();
    for member in members {
        clients.push(Client::connect(&member.public).await?);
    }
    let validators = own_words(members).await?;
    require_progress(&validators, loaded)?;
    let (receipt_transaction, receipt_height) = prove_receipt(network, &clients[0], &trust).await?;

    let common = common_height(&clients, receipt_height).await?;
    // First, since validators keep the state of recent heights only.
    let last = clients.last().context("a committee has members")?;
    let sums = prove_accounts(network, last, &trust, Height(common)).await?;
    let heights = sample(common);
    let mut verified = Agreement::new(&trust);
    for height in &heights {
        verified.compare(Height(*height), &clients, members).await?;
    }
    let supply = network
        .genesis
        .allocations
        .iter()
        .map(|allocation| allocation.amount)
        .sum();
    sums.require(supply)?;
    Ok(Checked {
        validators,
        common_height: common,
        heights_compared: heights.len(),
        certificates_verified: verified.good.len(),
        receipt_transaction,
        receipt_height,
        accounts_proved: network.accounts.len(),
        balances: sums.balances.to_string(),
        fees: sums.fees.to_string(),
        supply: supply.to_string(),
    })
}

/// The highest height that all have certified, once that is at least `least`.
async fn common_height(clients: &[Client], least: u64) -> Result<u64, Failure> {
    let end = Instant::now() + DEADLINE;
    loop {
        let mut common = u64::MAX;
        for client in clients {
            common = common.min(client.info().await?.head_height.unwrap_or_default());
        }
        if common >= least {
            return Ok(common);
        }
        if Instant::now() > end {
            let error = anyhow!("a validator stays at height {common}, another certified {least}");
            return Err(Failure::new(Kind::NothingCommitted, error));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Fails if a validator certified nothing, or none ordered anything of a load.
fn require_progress(validators: &[CheckedValidator], loaded: bool) -> Result<(), Failure> {
    let transactions = validators
        .iter()
        .map(|validator| validator.transactions)
        .max();
    let certified = validators
        .iter()
        .map(|validator| validator.certified_height)
        .min();
    if certified > Some(0) && (!loaded || transactions > Some(0)) {
        return Ok(());
    }
    let error = anyhow!("nothing was committed: see the logs of the validators (--keep)");
    Err(Failure::new(Kind::NothingCommitted, error))
}

async fn own_words(members: &[Member]) -> Result<Vec<CheckedValidator>, Failure> {
    let scraper = Scraper::new();
    let mut validators = Vec::new();
    for member in members {
        let scrape = scraper
            .fetch(&member.metrics)
            .await
            .or_fail(Kind::Endpoint)?;
        let latency = scrape.histogram(CERTIFICATE_LATENCY);
        let milliseconds = |quantile| latency.quantile(quantile).map(|seconds| seconds * 1e3);
        validators.push(CheckedValidator {
            name: member.name.clone(),
            round: as_count(scrape.sum(ROUND)),
            height: as_count(scrape.sum(HEIGHT)),
            certified_height: as_count(scrape.sum(CERTIFIED)),
            transactions: as_count(scrape.sum(TRANSACTIONS)),
            certificate_p50_ms: milliseconds(0.5),
            certificate_p99_ms: milliseconds(0.99),
        });
    }
    Ok(validators)
}

/// At most [`SAMPLE`] heights from 1 to `last`, evenly spread, both ends among them.
fn sample(last: u64) -> BTreeSet<u64> {
    let last = last.max(1);
    let steps = SAMPLE.min(last) - 1;
    let spread = (0..=steps).map(|step| 1 + (last - 1) * step / steps.max(1));
    spread.collect()
}

/// Certificates that verified, so that none is verified twice.
struct Agreement<'a> {
    trust: &'a Trust,
    good: BTreeSet<Bytes>,
}

impl<'a> Agreement<'a> {
    const fn new(trust: &'a Trust) -> Self {
        Self {
            trust,
            good: BTreeSet::new(),
        }
    }

    /// Asks all validators for the certificate of a height and judges their answers.
    async fn compare(
        &mut self,
        height: Height,
        clients: &[Client],
        members: &[Member],
    ) -> Result<(), Failure> {
        let mut answers = Vec::new();
        for (client, member) in clients.iter().zip(members) {
            let certificate = client.certificate(Some(height)).await?;
            answers.push((member.name.as_str(), certificate.canonical));
        }
        self.judge(height, answers)
    }

    /// Compares the headers of certificates of one height and verifies the signatures.
    fn judge(&mut self, height: Height, answers: Vec<(&str, Bytes)>) -> Result<(), Failure> {
        let mut first = None;
        for (name, bytes) in answers {
            let certificate = Certificate::from_bytes(&bytes)
                .with_context(|| format!("{name} at height {height}"))
                .or_fail(Kind::Unverified)?;
            if certificate.header.height != height {
                let error = anyhow!("{name} answers height {height} with another");
                return Err(Failure::new(Kind::Unverified, error));
            }
            let hash = certificate.header.hash();
            let (first_hash, first_name) = first.get_or_insert((hash, name));
            if hash != *first_hash {
                let error = anyhow!(
                    "at height {height} {first_name} has header {first_hash} and {name} has {hash}"
                );
                return Err(Failure::new(Kind::Disagreement, error));
            }
            if !self.good.contains(&bytes) {
                let verified = self.trust.key.verify_certificate(&bytes);
                verified.map_err(|error| unverified("certificate", error))?;
                self.good.insert(bytes);
            }
        }
        Ok(())
    }
}

/// Makes one more transfer, waits for its certificate and verifies its receipt.
async fn prove_receipt(
    network: &Network,
    client: &Client,
    trust: &Trust,
) -> Result<(String, u64), Failure> {
    let (from, to) = (network.account(0), network.account(1));
    let body = Body::Transfer {
        from,
        to,
        asset: ASSET,
        amount: 1,
    };
    let signed = sign(
        &network.accounts[0],
        Transaction {
            chain: trust.key.chain(),
            shard: trust.key.shard(),
            access: body.touched(),
            body,
            dependencies: Vec::new(),
            lane: RECEIPT_LANE,
            sequence: 0,
            valid_until_round: Round(u64::MAX),
            max_fee: network.genesis.transfer_fee,
        },
    );
    let request = SubmitTransactionRequest {
        transaction: signed.to_bytes().into(),
        wait: WaitFor::Certified.into(),
    };
    let answer = client
        .submit()
        .submit_transaction(within(request, DEADLINE))
        .await;
    let outcome = answer
        .map_err(|status| client.refused(&status))?
        .into_inner()
        .outcome;
    let outcome = outcome.ok_or_else(|| client.incomplete("outcome"))?;
    let header = trust.verify(outcome.certificate.as_ref())?;
    let receipt = outcome
        .receipt
        .ok_or_else(|| client.incomplete("receipt"))?;
    let proof = outcome
        .inclusion
        .ok_or_else(|| client.incomplete("proof"))?;
    let receipt = header
        .verify_receipt(&receipt.canonical, &proof.canonical)
        .map_err(|error| unverified("receipt", error))?;
    if receipt.transaction != signed.id() {
        let error = anyhow!("the receipt is of another transaction");
        return Err(Failure::new(Kind::Unverified, error));
    }
    if let Outcome::Rejected { code } = receipt.outcome {
        let error = anyhow!("the transfer to prove a receipt with was rejected: {code}");
        return Err(Failure::new(Kind::Rejected, error));
    }
    Ok((signed.id().to_hex(), header.header().height.0))
}

/// Sums over all accounts.
struct Sums {
    balances: u128,
    fees: u128,
}

impl Sums {
    fn require(&self, supply: u128) -> Result<(), Failure> {
        if self.balances + self.fees == supply {
            return Ok(());
        }
        let error = anyhow!(
            "accounts hold {} and paid {} in fees, which is not the supply of {supply}",
            self.balances,
            self.fees
        );
        Err(Failure::new(Kind::Disagreement, error))
    }
}

/// Verifies the proof of every account at one height and adds up: each sequence number used cost one fee.
async fn prove_accounts(
    network: &Network,
    client: &Client,
    trust: &Trust,
    height: Height,
) -> Result<Sums, Failure> {
    let mut sums = Sums {
        balances: 0,
        fees: 0,
    };
    let mut accounts = Accounts::new(client, trust, height);
    for index in 0..network.accounts.len() {
        let account = accounts.prove(&network.account(index)).await?;
        let used: u128 = account.lanes.values().map(|next| u128::from(*next)).sum();
        sums.balances += account.free_of(ASSET);
        sums.fees += used * network.genesis.transfer_fee;
    }
    Ok(sums)
}

/// Accounts at one height, each proved; the height's certificate is verified once.
pub(crate) struct Accounts<'a> {
    client: &'a Client,
    trust: &'a Trust,
    height: Height,
    known: Option<(Bytes, VerifiedHeader)>,
}

impl<'a> Accounts<'a> {
    pub(crate) const fn new(client: &'a Client, trust: &'a Trust, height: Height) -> Self {
        Self {
            client,
            trust,
            height,
            known: None,
        }
    }

    pub(crate) async fn prove(&mut self, id: &AccountId) -> Result<Account, Failure> {
        let client = self.client;
        let answer = client.account(id, Some(self.height)).await?;
        let certificate = answer
            .certificate
            .ok_or_else(|| client.incomplete("certificate"))?;
        let header = match &self.known {
            Some((bytes, header)) if *bytes == certificate.canonical => header.clone(),
            _ => self.trust.verify(Some(&certificate))?,
        };
        if header.header().height != self.height {
            return Err(client.incomplete("height that was asked for"));
        }
        self.known = Some((certificate.canonical, header.clone()));
        let account = answer.account.ok_or_else(|| client.incomplete("account"))?;
        let proof = answer.proof.ok_or_else(|| client.incomplete("proof"))?;
        header
            .verify_account(id, &account.canonical, &proof.canonical)
            .map_err(|error| unverified("account", error))
    }
}

#[cfg(test)]
mod tests;
