//! A chain in memory, and listeners over it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use quorate_node::api::{
    AccountView, ApiOptions, Facts, Head, Health, LedgerView, OutcomeView, SubmitError, Submitter,
    TransactionStatus, ViewError, serve_public,
};
use quorate_types::{
    Account, AccountId, BlockId, Certificate, ChainId, CommitteeHash, Encode, Epoch, Execution,
    Hash32, Header, HeaderHash, Height, IdentityKey, MerkleTree, Outcome, Receipt, RejectCode,
    Round, ShardId, Signature, SparseLeaf, StateKey, StateProof, ThresholdKey, TransactionId,
    ValidatorIndex,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

pub(crate) const CHAIN: ChainId = ChainId([7; 32]);
/// The head of most chains here.
pub(crate) const HEIGHTS: u64 = 12;

pub(crate) fn header(height: u64) -> Header {
    Header {
        chain: CHAIN,
        shard: ShardId(0),
        epoch: Epoch(1),
        height: Height(height),
        previous: HeaderHash([9; 32]),
        leader_round: Round(height * 3),
        leader_author: ValidatorIndex(0),
        leader: BlockId([1; 32]),
        timestamp_ms: height,
        transactions_total: height,
        blocks_root: Hash32([2; 32]),
        receipts_root: receipts().root(),
        outbox_root: Hash32([3; 32]),
        state_root: Hash32([4; 32]),
        next_committee: CommitteeHash([0; 32]),
    }
}

pub(crate) fn certificate(height: u64) -> Certificate {
    Certificate {
        header: header(height),
        signature: Signature([u8::try_from(height % 250).unwrap(); 48]),
    }
}

pub(crate) fn account() -> Account {
    Account::new(IdentityKey([5; 32]), 0)
}

pub(crate) fn receipt(id: TransactionId) -> Receipt {
    Receipt {
        transaction: id,
        outcome: Outcome::Applied { deltas: Vec::new() },
    }
}

/// The one receipt of every height: of transaction 0xee.
fn receipts() -> MerkleTree {
    MerkleTree::new([receipt(TransactionId([0xee; 32])).to_bytes()])
}

/// What the fake knows of transactions: the height that ordered each, if one did.
type Transactions = Mutex<BTreeMap<TransactionId, Option<u64>>>;

/// A chain whose heights all look alike.
pub(crate) struct Chain {
    facts: Facts,
    head: watch::Sender<Head>,
    pub(crate) transactions: Transactions,
}

impl Chain {
    pub(crate) fn new(certified: u64) -> Arc<Self> {
        let facts = Facts {
            chain: CHAIN,
            chain_name: "test".to_owned(),
            shard: ShardId(0),
            epoch: Epoch(1),
            group_key: ThresholdKey([6; 96]),
            execution: Execution::Ledger,
            build_version: "0.0.0-test",
        };
        let chain = Self {
            facts,
            head: watch::Sender::new(Head::default()),
            transactions: Mutex::default(),
        };
        chain.advance(certified, certified, 1);
        Arc::new(chain)
    }

    pub(crate) fn advance(&self, executed: u64, certified: u64, lowest: u64) {
        self.head.send_replace(Head {
            executed: Height(executed),
            certified: Height(certified),
            lowest: Height(lowest),
            lowest_receipts: Height(lowest),
        });
    }

    pub(crate) fn order(&self, id: TransactionId, height: Option<u64>) {
        self.transactions.lock().unwrap().insert(id, height);
    }
}

impl LedgerView for Chain {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    async fn header(&self, height: Height) -> Result<Header, ViewError> {
        let head = *self.head.borrow();
        if height > head.executed {
            return Err(ViewError::NotReached {
                height,
                head: head.executed,
            });
        }
        Ok(header(height.0))
    }

    async fn certificates(&self, from: Height, count: u32) -> Result<Vec<Certificate>, ViewError> {
        let head = *self.head.borrow();
        if from < head.lowest {
            return Err(ViewError::Pruned {
                lowest: head.lowest,
            });
        }
        let heights = (from.0..=head.certified.0).take(count as usize);
        Ok(heights.map(certificate).collect())
    }

    async fn account(
        &self,
        id: AccountId,
        height: Option<Height>,
    ) -> Result<AccountView, ViewError> {
        let head = *self.head.borrow();
        let height = height.unwrap_or(head.certified);
        if height < Height(2) {
            return Err(ViewError::Pruned { lowest: Height(2) });
        }
        let value = (id == account().id()).then(|| account().to_bytes());
        let key = StateKey::Account(account().id()).hash();
        Ok(AccountView {
            proof: StateProof {
                leaf: Some(SparseLeaf::new(key, &account().to_bytes())),
                siblings: Vec::new(),
            },
            value,
            header: header(height.0),
            certificate: Some(certificate(height.0)),
        })
    }

    async fn outcome(&self, id: TransactionId) -> Result<TransactionStatus, ViewError> {
        if id == TransactionId([0xbb; 32]) {
            return Err(ViewError::Internal(
                "the disk is gone: secret detail".into(),
            ));
        }
        let head = *self.head.borrow();
        Ok(match self.transactions.lock().unwrap().get(&id) {
            None => TransactionStatus::Unknown,
            Some(Some(height)) if *height <= head.executed.0 => {
                TransactionStatus::Executed(Box::new(OutcomeView {
                    receipt: receipt(id),
                    inclusion: receipts().proof(0).unwrap(),
                    header: header(*height),
                    certificate: (*height <= head.certified.0).then(|| certificate(*height)),
                }))
            }
            Some(_) => TransactionStatus::Pending,
        })
    }
}

/// The id that the fake gives to a transaction: its first byte, 32 times.
pub(crate) fn id_of(transaction: &[u8]) -> TransactionId {
    TransactionId([transaction[0]; 32])
}

impl Submitter for Chain {
    /// Transactions that start with one of these bytes fail in the matching way.
    async fn submit(&self, transactions: Vec<Bytes>) -> Vec<Result<TransactionId, SubmitError>> {
        let submit = |transaction: &Bytes| match transaction[0] {
            b'B' => Err(SubmitError::Rejected(RejectCode::BadSignature)),
            b'S' => Err(SubmitError::Rejected(RejectCode::BadSequence)),
            b'F' => Err(SubmitError::PoolFull {
                retry: Duration::from_millis(70),
            }),
            b'N' => Err(SubmitError::NotReady),
            b'D' => Err(SubmitError::Stopped),
            _ => {
                let id = id_of(transaction);
                self.transactions.lock().unwrap().entry(id).or_insert(None);
                Ok(id)
            }
        };
        transactions.iter().map(submit).collect()
    }
}

/// A public listener.
pub(crate) struct Public {
    pub(crate) address: SocketAddr,
    pub(crate) health: Health,
    pub(crate) stop: tokio::sync::oneshot::Sender<()>,
    pub(crate) served: JoinHandle<()>,
}

pub(crate) async fn serve(chain: &Arc<Chain>, options: ApiOptions) -> Public {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = Health::new().await;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let (chain, shared) = (chain.clone(), health.clone());
    let served = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        serve_public(listener, chain.clone(), chain, &shared, options, stopped)
            .await
            .unwrap();
    });
    Public {
        address,
        health,
        stop,
        served,
    }
}

pub(crate) async fn connect(address: SocketAddr) -> Channel {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}
