//! A member that floods one validator over its own peer protocol, and clients that flood it: what is kept is bounded, and what is
//! refused is refused with its reason.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use quorate_node::api::{
    ConsensusApi, FinalityItem, PeerSource, Standing, SyncApi, SyncSource, ViewError,
};
use quorate_node::net::{PeerTls, serve_peers};
use quorate_rpc::ErrorReason;
use quorate_rpc::reason_of;
use quorate_sync::{CommitRecord, SyncPoint};
use quorate_types::limits::{BLOCK_BYTES_MAX, PAYLOAD_BYTES_MAX, TRANSACTION_BYTES_MAX};
use quorate_types::{BlockId, BlockRef, Certificate, Hash32, Height, Round, ValidatorIndex};
use quorate_validator::{BlsCryptography, Cryptography};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tonic::Code;

use crate::committee::{Committee, Seat, until};

/// The member that floods.
const LIAR: ValidatorIndex = ValidatorIndex(3);

/// A member with its real keys that streams what it likes, whatever it is asked for.
struct Flooder {
    blocks: Vec<(Round, Bytes)>,
    changed: watch::Sender<u64>,
}

impl PeerSource for Flooder {
    async fn standing(&self, _caller: ValidatorIndex) -> Result<Standing, ViewError> {
        Ok(Standing::default())
    }

    async fn own_blocks(&self, from: Round, _: usize) -> Result<Vec<(Round, Bytes)>, ViewError> {
        // All that there are of the next round.
        let next = self.blocks.iter().map(|(round, _)| *round);
        let next = next.filter(|round| *round >= from).min();
        let due = self.blocks.iter().filter(|(round, _)| Some(*round) == next);
        Ok(due.cloned().collect())
    }

    async fn finality(&self, _: Height, _: u32) -> Result<Vec<FinalityItem>, ViewError> {
        Ok(Vec::new())
    }

    async fn fetch(&self, _: Vec<BlockRef>, _: usize) -> Result<Vec<Bytes>, ViewError> {
        Ok(Vec::new())
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl SyncSource for Flooder {
    async fn point(&self, _: Option<Height>) -> Result<Option<SyncPoint>, ViewError> {
        Ok(None)
    }

    async fn commits(
        &self,
        _: Height,
        _: Height,
        _: usize,
    ) -> Result<Option<Vec<Arc<CommitRecord>>>, ViewError> {
        Ok(None)
    }

    async fn chunk(
        &self,
        _: Height,
        _: Hash32,
        _: usize,
    ) -> Result<Option<quorate_ledger::StateChunk>, ViewError> {
        Ok(None)
    }

    async fn certificates_to(&self, _: Height, _: u32) -> Result<Vec<Certificate>, ViewError> {
        Err(ViewError::NotReady)
    }
}

/// What the liar signs: blocks that keep every rule that can be checked without their parents, which do not exist.
fn invented(
    committee: &Committee,
    rounds: impl Iterator<Item = u64>,
    payload: &[Bytes],
) -> Vec<(Round, Bytes)> {
    let secrets = committee.secrets(LIAR.0);
    let members = committee.genesis.committee().unwrap();
    let keys = BlsCryptography::new(members, secrets.identity, secrets.share).unwrap();
    let block = |round: u64| {
        let parent = |author| BlockRef {
            round: Round(round - 1),
            author: ValidatorIndex(author),
            id: BlockId([9; 32]),
        };
        let parents = [LIAR.0, 0, 1].map(parent);
        let block = keys.propose(Round(round), &parents, 0, payload).unwrap();
        (Round(round), block.bytes().clone())
    };
    rounds.map(block).collect()
}

/// Serves as the liar at its address of the committee until the test ends.
async fn flood(committee: &Committee, blocks: Vec<(Round, Bytes)>) {
    let members = committee.genesis.committee().unwrap();
    let secrets = committee.secrets(LIAR.0);
    let tls = PeerTls::new(&members, LIAR, &secrets.identity).unwrap();
    let address = committee.config(LIAR.0).listen.peer;
    let listener = TcpListener::bind(address).await.unwrap();
    let source = Arc::new(Flooder {
        blocks,
        changed: watch::Sender::new(0),
    });
    let consensus = ConsensusApi::new(source.clone(), &members, "0.0.0-test");
    let sync = SyncApi::new(source);
    tokio::spawn(async move {
        let served = serve_peers(
            listener,
            Arc::new(tls),
            consensus,
            sync,
            std::future::pending(),
        );
        served.await.unwrap();
    });
}

/// The sum of a metric's values.
async fn metric(seat: &Seat, name: &str) -> f64 {
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, seat.node.addresses().metrics.port()).into();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let values = text.lines().filter(|line| line.starts_with(name));
    values
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum()
}

async fn last_error(seat: &Seat) -> String {
    let peers = seat.status().await.peers;
    let liar = peers
        .into_iter()
        .find(|peer| peer.validator() == u32::from(LIAR.0));
    liar.unwrap().last_error
}

#[tokio::test(flavor = "multi_thread")]
async fn large_blocks_without_parents_wait_in_bounded_room_and_far_rounds_wait_at_the_sender() {
    let committee = Committee::new(71);
    let one = Bytes::from(vec![7; TRANSACTION_BYTES_MAX as usize]);
    let payload = vec![one; (PAYLOAD_BYTES_MAX / TRANSACTION_BYTES_MAX) as usize];
    // The last is beyond what anybody may be ahead.
    let rounds = (2..=42).map(|step| step * 4).chain([1_000]);
    flood(&committee, invented(&committee, rounds, &payload)).await;
    let seat = committee.start(0).await;
    until("room runs short", || async {
        metric(&seat, "quorate_blocks_refused{reason=\"waiting_full\"}").await > 0.0
    })
    .await;
    until("the stream is read as far as it may be", || async {
        seat.round_of(LIAR.0).await == 168
    })
    .await;
    let part = f64::from(256 << 20) / 4.0;
    let waiting = metric(&seat, "quorate_waiting_bytes").await;
    assert!(
        waiting <= part,
        "{waiting} bytes wait, an author's part is {part}"
    );
    assert!(
        waiting > part - f64::from(BLOCK_BYTES_MAX) * 2.0,
        "{waiting}"
    );
    let too_far = metric(&seat, "quorate_blocks_refused{reason=\"too_far_ahead\"}").await;
    assert_eq!(too_far, 0.0, "it was not taken from the stream");
    seat.node.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_twins_is_cut_with_its_reason() {
    let twins = |step: u8| vec![Bytes::from(vec![step; 64])];
    let committee = Committee::new(72);
    let blocks = (0..3).flat_map(|step| invented(&committee, 5..6, &twins(step)));
    flood(&committee, blocks.collect()).await;
    let seat = committee.start(0).await;
    until("twins end the stream", || async {
        last_error(&seat).await == "the peer broke a rule: twins: 5"
    })
    .await;
    assert!(metric(&seat, "quorate_peer_refused").await >= 1.0);
    seat.node.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_flood_a_full_pool_are_refused_and_counted() {
    const ROOM: u64 = 500;
    let committee = Committee::new(73);
    let mut config = committee.config(0);
    config.limits.pool_transactions = ROOM;
    // Alone it makes no block, so that nothing leaves the pool.
    let seat = committee.start_with(config, 0).await;
    let mut accepted = 0;
    for number in 0..ROOM + 200 {
        match seat.submit(format!("transaction {number}")).await {
            Ok(()) => accepted += 1,
            Err(status) => {
                let found = (status.code(), reason_of(&status));
                let full = (Code::ResourceExhausted, Some(ErrorReason::PoolFull));
                assert_eq!(found, full, "{status:?}");
            }
        }
    }
    assert_eq!(accepted, ROOM);
    assert_eq!(seat.status().await.pool_transactions(), ROOM);
    assert_eq!(metric(&seat, "quorate_submissions_refused").await, 200.0);
    seat.node.shutdown().await.unwrap();
}
