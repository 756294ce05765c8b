//! Transfers, one after the other, whatever happens to the validator that takes them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quorate_crypto::IdentitySecret;
use quorate_node::genesis_file;
use quorate_node::keystore::{Keystore, Passphrase};
use quorate_rpc::ledger::v1::GetAccountRequest;
use quorate_rpc::ledger::v1::ledger_service_client::LedgerServiceClient;
use quorate_rpc::submit::v1::submit_service_client::SubmitServiceClient;
use quorate_rpc::submit::v1::{SubmitTransactionRequest, WaitFor};
use quorate_rpc::{ErrorReason, reason_of};
use quorate_types::{
    Account, AccountId, Body, Decode, DomainTag, Encode, Genesis, KeySignature, Round,
    SignedTransaction, Transaction,
};
use tokio::task::JoinHandle;
use tonic::Status;

use crate::committee::{Committee, connect};

/// A task that pays from one account through one validator until it is dropped.
pub(crate) struct Feeder {
    task: JoinHandle<()>,
    certified: Arc<AtomicU64>,
}

struct Payer {
    endpoint: String,
    genesis: Genesis,
    owner: IdentitySecret,
    from: AccountId,
    to: AccountId,
}

impl Feeder {
    /// Pays from account `index` through validator `index`.
    pub(crate) fn start(committee: &Committee, index: usize) -> Self {
        let passphrase = Passphrase::from_file(&committee.path("passphrase")).unwrap();
        let open = |path: &Path| {
            let keystore = Keystore::read(path).unwrap();
            keystore
                .open_identity(&passphrase, path)
                .unwrap_or_else(|error| panic!("{error}"))
        };
        let owner = open(&committee.path(&format!("accounts/{index}.json")));
        let other = open(&committee.path(&format!("accounts/{}.json", (index + 1) % 4)));
        let payer = Payer {
            endpoint: committee.public(index),
            genesis: genesis_file::read(&committee.path("genesis.json")).unwrap(),
            from: AccountId::derive(&owner.public(), 0),
            to: AccountId::derive(&other.public(), 0),
            owner,
        };
        let certified = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(payer.pay_on(Arc::clone(&certified)));
        Self { task, certified }
    }

    /// How many transfers were certified.
    pub(crate) fn certified(&self) -> u64 {
        self.certified.load(Ordering::Relaxed)
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Payer {
    async fn pay_on(self, certified: Arc<AtomicU64>) {
        let mut sequence = 0;
        loop {
            match self.pay(sequence).await {
                Ok(()) => {
                    certified.fetch_add(1, Ordering::Relaxed);
                    sequence += 1;
                }
                Err(status) if reason_of(&status) == Some(ErrorReason::TransactionRejected) => {
                    // The answer to an earlier one was lost with the validator.
                    sequence = self.next_sequence().await.unwrap_or(sequence);
                }
                // The validator is down or not ready; the same transfer again is harmless.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn pay(&self, sequence: u64) -> Result<(), Status> {
        let body = Body::Transfer {
            from: self.from,
            to: self.to,
            asset: self.genesis.fee_asset,
            amount: 1,
        };
        let transaction = Transaction {
            chain: self.genesis.chain_id(),
            shard: self.genesis.shard,
            access: body.touched(),
            body,
            dependencies: Vec::new(),
            lane: 0,
            sequence,
            valid_until_round: Round(u64::MAX),
            max_fee: self.genesis.transfer_fee,
        };
        let signature = self
            .owner
            .sign(DomainTag::TransactionSignature, &transaction.id().0);
        let signatures = vec![KeySignature {
            key_index: 0,
            signature,
        }];
        let request = SubmitTransactionRequest {
            transaction: SignedTransaction::new(transaction, signatures)
                .to_bytes()
                .into(),
            wait: WaitFor::Certified.into(),
        };
        let mut submit = SubmitServiceClient::new(connect(self.endpoint.clone()).await?);
        submit.submit_transaction(request).await.map(|_| ())
    }

    async fn next_sequence(&self) -> Result<u64, Status> {
        let mut ledger = LedgerServiceClient::new(connect(self.endpoint.clone()).await?);
        let request = GetAccountRequest {
            account_id: self.from.0.to_vec().into(),
            height: None,
        };
        let account = ledger.get_account(request).await?.into_inner().account;
        let bytes = account.unwrap_or_default().canonical;
        let account =
            Account::from_bytes(&bytes).map_err(|error| Status::internal(error.to_string()))?;
        Ok(account.next_sequence(0))
    }
}
