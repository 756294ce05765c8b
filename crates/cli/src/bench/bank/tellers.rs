//! Clients that move money and believe nothing but certificates.
//!
//! A teller has one account and one transfer at a time. It hands the same bytes in again, anywhere, until somebody shows a
//! receipt under a certificate that verifies: whatever was killed meanwhile, the transfer happens once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use quorate_crypto::IdentitySecret;
use quorate_rpc::submit::v1::get_outcome_response::Status;
use quorate_rpc::submit::v1::{GetOutcomeRequest, SubmitTransactionRequest, WaitFor};
use quorate_rpc::types::v1::TransactionOutcome;
use quorate_rpc::{ErrorReason, reason_of};
use quorate_types::{
    AccountId, Body, Encode, HeaderHash, Height, Outcome, RejectCode, Round, SignedTransaction,
    Transaction, TransactionId,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tokio::time::Instant;

use crate::client::{Client, within};
use crate::commands::transaction::sign;
use crate::devnet::{ASSET, Network};
use crate::failure::{Failure, Kind};
use crate::trust::{Trust, unverified};

/// How long a teller waits for one answer before it goes to another validator.
const ANSWER: Duration = Duration::from_secs(4);
/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_millis(50);
/// Most atoms of one transfer.
const AMOUNT_MAX: u64 = 1_000;

/// A transfer that a verified receipt says was applied.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) id: TransactionId,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) amount: u128,
    pub(super) height: Height,
    /// The header that the receipt is under.
    pub(super) header: HeaderHash,
    pub(super) took: Duration,
    pub(super) at: Instant,
}

/// What all tellers share.
pub(super) struct Bank {
    pub(super) trust: Trust,
    pub(super) fee: u128,
    pub(super) accounts: Vec<(Arc<IdentitySecret>, AccountId)>,
    pub(super) endpoints: Vec<String>,
    /// No new transfers.
    pub(super) closing: AtomicBool,
    pub(super) acknowledged: AtomicU64,
    /// Answers that were none: errors, and deadlines passed.
    pub(super) retries: AtomicU64,
}

impl Bank {
    pub(super) fn new(network: &Network) -> Result<Self, Failure> {
        let accounts = network.accounts.iter().enumerate();
        Ok(Self {
            trust: Trust::from_genesis(&network.genesis, "the network's genesis".into())?,
            fee: network.genesis.transfer_fee,
            accounts: accounts
                .map(|(index, owner)| (Arc::clone(owner), network.account(index)))
                .collect(),
            endpoints: network.endpoints(1),
            closing: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        })
    }
}

/// One client.
pub(super) struct Teller {
    bank: Arc<Bank>,
    account: usize,
    sequence: u64,
    /// The validator that it talks to.
    at: usize,
    client: Option<Client>,
    dice: ChaCha20Rng,
}

impl Teller {
    pub(super) fn new(bank: Arc<Bank>, account: usize, seed: u64) -> Self {
        let at = account % bank.endpoints.len();
        Self {
            bank,
            account,
            sequence: 0,
            at,
            client: None,
            dice: ChaCha20Rng::seed_from_u64(seed ^ account as u64),
        }
    }

    /// Makes transfers until the bank closes, and finishes the last.
    pub(super) async fn work(mut self) -> Result<Vec<Acknowledged>, Failure> {
        let mut done = Vec::new();
        while !self.bank.closing.load(Ordering::Relaxed) {
            done.push(self.transfer().await?);
            self.bank.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(done)
    }

    async fn transfer(&mut self) -> Result<Acknowledged, Failure> {
        let others = self.bank.accounts.len() as u64 - 1;
        let step = usize::try_from(1 + self.dice.next_u64() % others).expect("a small number");
        let to = (self.account + step) % self.bank.accounts.len();
        let amount = u128::from(1 + self.dice.next_u64() % AMOUNT_MAX);
        let signed = self.sign(to, amount);
        let begun = Instant::now();
        let (height, header) = loop {
            match self.attempt(&signed).await? {
                Some(found) => break found,
                None => {
                    self.bank.retries.fetch_add(1, Ordering::Relaxed);
                    self.client = None;
                    self.at = (self.at + 1) % self.bank.endpoints.len();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        self.sequence += 1;
        Ok(Acknowledged {
            id: signed.id(),
            from: self.account,
            to,
            amount,
            height,
            header,
            took: begun.elapsed(),
            at: Instant::now(),
        })
    }

    fn sign(&self, to: usize, amount: u128) -> SignedTransaction {
        let (owner, from) = &self.bank.accounts[self.account];
        let body = Body::Transfer {
            from: *from,
            to: self.bank.accounts[to].1,
            asset: ASSET,
            amount,
        };
        sign(
            owner,
            Transaction {
                chain: self.bank.trust.key.chain(),
                shard: self.bank.trust.key.shard(),
                access: body.touched(),
                body,
                dependencies: Vec::new(),
                lane: 0,
                sequence: self.sequence,
                valid_until_round: Round(u64::MAX),
                max_fee: self.bank.fee,
            },
        )
    }

    /// Hands the transfer in once. `None`: nobody knows, try again. An error: a promise was broken.
    async fn attempt(
        &mut self,
        signed: &SignedTransaction,
    ) -> Result<Option<(Height, HeaderHash)>, Failure> {
        if self.client.is_none() {
            let endpoint = &self.bank.endpoints[self.at];
            let connected = tokio::time::timeout(ANSWER, Client::connect(endpoint)).await;
            self.client = connected.ok().and_then(Result::ok);
        }
        let Some(client) = self.client.clone() else {
            return Ok(None);
        };
        let request = SubmitTransactionRequest {
            transaction: signed.to_bytes().into(),
            wait: WaitFor::Certified.into(),
        };
        let mut service = client.submit();
        // A frozen process answers nothing, not even that the deadline has passed.
        let answer = service.submit_transaction(within(request, ANSWER));
        let outcome = match tokio::time::timeout(ANSWER, answer).await {
            Ok(Ok(answer)) => answer.into_inner().outcome,
            // It may be there already, from an earlier attempt.
            Ok(Err(status)) if reason_of(&status) == Some(ErrorReason::TransactionRejected) => None,
            Ok(Err(_)) | Err(_) => return Ok(None),
        };
        if let Some(found) = judge(&self.bank.trust, outcome, signed.id())? {
            return Ok(Some(found));
        }
        self.look_up(&client, signed.id()).await
    }

    async fn look_up(
        &self,
        client: &Client,
        id: TransactionId,
    ) -> Result<Option<(Height, HeaderHash)>, Failure> {
        match outcome_of(client, id).await {
            Some(outcome) => judge(&self.bank.trust, Some(outcome), id),
            None => Ok(None),
        }
    }
}

/// What a validator says became of a transaction; `None` if it does not know, or does not answer.
pub(super) async fn outcome_of(client: &Client, id: TransactionId) -> Option<TransactionOutcome> {
    let request = GetOutcomeRequest {
        transaction_id: id.0.to_vec().into(),
    };
    let mut service = client.submit();
    let answer = service.get_outcome(within(request, ANSWER));
    let answer = tokio::time::timeout(ANSWER, answer).await.ok()?.ok()?;
    match answer.into_inner().status? {
        Status::Outcome(outcome) => Some(outcome),
        _ => None,
    }
}

/// Verifies an outcome. `None`: it is not certified yet, or only the refusal of a replay.
pub(super) fn judge(
    trust: &Trust,
    outcome: Option<TransactionOutcome>,
    id: TransactionId,
) -> Result<Option<(Height, HeaderHash)>, Failure> {
    let Some(TransactionOutcome {
        receipt: Some(receipt),
        inclusion: Some(proof),
        certificate: certificate @ Some(_),
        ..
    }) = outcome
    else {
        return Ok(None);
    };
    let header = trust.verify(certificate.as_ref())?;
    let receipt = header
        .verify_receipt(&receipt.canonical, &proof.canonical)
        .map_err(|error| unverified("receipt", error))?;
    if receipt.transaction != id {
        let error = anyhow!("the receipt of {id} is of {}", receipt.transaction);
        return Err(Failure::new(Kind::Unverified, error));
    }
    match receipt.outcome {
        Outcome::Applied { .. } => {
            let header = header.header();
            Ok(Some((header.height, header.hash())))
        }
        Outcome::Rejected {
            code: RejectCode::BadSequence,
        } => Ok(None),
        Outcome::Rejected { code } => {
            let error = anyhow!("transfer {id} of an account with funds was rejected: {code}");
            Err(Failure::new(Kind::Rejected, error))
        }
    }
}
