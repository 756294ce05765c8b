//! A committee whose members are made of memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use quorate_crypto::identity::IdentitySecret;
use quorate_ledger::StateChunk;
use quorate_node::api::{
    ConsensusApi, FinalityItem, PeerSource, Standing, SyncApi, SyncSource, ViewError,
};
use quorate_node::net::{PeerTls, Traffic, peer_channel, peer_client, serve_peers};
use quorate_rpc::peer::v1::consensus_service_client::ConsensusServiceClient;
use quorate_rpc::peer::v1::{HelloRequest, HelloResponse};
use quorate_sync::{CommitRecord, SyncPoint};
use quorate_types::{
    BlockRef, Certificate, ChainId, Committee, Epoch, FinalityShare, Hash32, Height, Member, Round,
    ShardId, Signature, ThresholdKey, ValidatorIndex,
};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::Channel;

use crate::chain::{CHAIN, certificate, header};

pub(crate) fn secret(seed: u8) -> IdentitySecret {
    IdentitySecret::from_bytes(&[seed; 32])
}

/// A committee of the identities of these seeds.
pub(crate) fn committee(chain: ChainId, epoch: u64, seeds: [u8; 4]) -> Committee {
    let members = seeds.map(|seed| Member {
        identity: secret(seed).public(),
        share_key: ThresholdKey([seed; 96]),
    });
    let group_key = ThresholdKey([0; 96]);
    let (shard, epoch) = (ShardId(0), Epoch(epoch));
    Committee::new(chain, shard, epoch, None, group_key, members.to_vec()).unwrap()
}

pub(crate) fn usual() -> Committee {
    committee(CHAIN, 1, [1, 2, 3, 4])
}

/// What member `index` of `committee`, whose secret has `seed`, proves itself with.
pub(crate) fn tls(committee: &Committee, index: u16, seed: u8) -> PeerTls {
    PeerTls::new(committee, ValidatorIndex(index), &secret(seed)).unwrap()
}

/// What a member has to send.
pub(crate) struct Fake {
    pub(crate) state: Mutex<State>,
    changed: watch::Sender<u64>,
    /// Fetches are answered while this is true.
    pub(crate) answering: watch::Sender<bool>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) blocks: BTreeMap<Round, Bytes>,
    pub(crate) executed: u64,
    pub(crate) certified: u64,
    pub(crate) lowest: u64,
    pub(crate) lowest_round: u64,
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: watch::Sender::new(0),
            answering: watch::Sender::new(true),
        })
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.send_modify(|version| *version += 1);
    }
}

pub(crate) fn share(height: u64) -> FinalityShare {
    FinalityShare {
        height: Height(height),
        header_hash: header(height).hash(),
        signature: Signature([3; 48]),
    }
}

impl PeerSource for Fake {
    /// Echoes who calls as the round, so that tests see whom the listener takes them for.
    async fn standing(&self, caller: ValidatorIndex) -> Result<Standing, ViewError> {
        Ok(Standing {
            caller_highest: Round(1_000 + u64::from(caller.0)),
            lowest_round: Round(self.state.lock().unwrap().lowest_round),
            ..Standing::default()
        })
    }

    async fn own_blocks(
        &self,
        from: Round,
        bytes_max: usize,
    ) -> Result<Vec<(Round, Bytes)>, ViewError> {
        let state = self.state.lock().unwrap();
        let lowest = Round(state.lowest_round);
        if from < lowest {
            return Err(ViewError::RoundPruned { lowest });
        }
        let mut bytes = 0;
        let mut due = Vec::new();
        for (round, block) in state.blocks.range(from..) {
            bytes += block.len();
            if bytes > bytes_max && !due.is_empty() {
                break;
            }
            due.push((*round, block.clone()));
        }
        Ok(due)
    }

    async fn finality(&self, from: Height, count: u32) -> Result<Vec<FinalityItem>, ViewError> {
        let state = self.state.lock().unwrap();
        if from.0 < state.lowest {
            return Err(ViewError::Pruned {
                lowest: Height(state.lowest),
            });
        }
        let heights = (from.0..=state.executed).take(count as usize);
        Ok(heights
            .map(|height| {
                if height <= state.certified {
                    FinalityItem::Certificate(Box::new(certificate(height)))
                } else {
                    FinalityItem::Share(share(height))
                }
            })
            .collect())
    }

    /// Finds blocks by their rounds alone.
    async fn fetch(
        &self,
        blocks: Vec<BlockRef>,
        _bytes_max: usize,
    ) -> Result<Vec<Bytes>, ViewError> {
        let mut answering = self.answering.subscribe();
        answering.wait_for(|answering| *answering).await.unwrap();
        let state = self.state.lock().unwrap();
        let held = blocks
            .iter()
            .filter_map(|block| state.blocks.get(&block.round));
        Ok(held.cloned().collect())
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// Nobody joins here.
impl SyncSource for Fake {
    async fn point(&self, _height: Option<Height>) -> Result<Option<SyncPoint>, ViewError> {
        Ok(None)
    }

    async fn commits(
        &self,
        _point: Height,
        _from: Height,
        _bytes_max: usize,
    ) -> Result<Option<Vec<Arc<CommitRecord>>>, ViewError> {
        Ok(None)
    }

    async fn chunk(
        &self,
        _point: Height,
        _start: Hash32,
        _bytes_max: usize,
    ) -> Result<Option<StateChunk>, ViewError> {
        Ok(None)
    }

    async fn certificates_to(
        &self,
        _to: Height,
        _count: u32,
    ) -> Result<Vec<Certificate>, ViewError> {
        Err(ViewError::NotReady)
    }
}

/// A peer listener.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    pub(crate) fake: Arc<Fake>,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) served: JoinHandle<()>,
}

pub(crate) async fn listen(committee: &Committee, tls: PeerTls) -> Listening {
    listen_with(committee, tls, Traffic::default()).await
}

/// One that gives each peer this much.
pub(crate) async fn listen_with(
    committee: &Committee,
    tls: PeerTls,
    traffic: Traffic,
) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fake = Fake::new();
    let service = ConsensusApi::new(fake.clone(), committee, "0.0.0-test")
        .with_allowances(committee, traffic);
    let sync = SyncApi::new(fake.clone());
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        serve_peers(listener, Arc::new(tls), service, sync, stopped)
            .await
            .unwrap();
    });
    Listening {
        address,
        fake,
        stop,
        served,
    }
}

pub(crate) type Client = ConsensusServiceClient<Channel>;

/// A client that expects member `expected` at `address`.
pub(crate) fn dial(tls: &PeerTls, expected: u16, address: SocketAddr) -> Client {
    peer_client(peer_channel(tls, ValidatorIndex(expected), &address.to_string()).unwrap())
}

pub(crate) fn greeting(committee: &Committee) -> HelloRequest {
    HelloRequest {
        chain_id: Bytes::copy_from_slice(committee.chain().as_ref()),
        shard: Some(committee.shard().0),
        epoch: Some(committee.epoch().0),
        version_min: 1,
        version_max: 1,
        build_version: String::new(),
    }
}

pub(crate) async fn hello(
    client: &mut Client,
    committee: &Committee,
) -> Result<HelloResponse, Status> {
    Ok(client.hello(greeting(committee)).await?.into_inner())
}
