//! The flooding member: its real keys, and no manners.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use quorate_node::api::{ConsensusApi, SyncApi};
use quorate_node::config::Config;
use quorate_node::keystore::Secrets;
use quorate_node::net::{PeerTls, Traffic, peer_channel, peer_client, serve_peers};
use quorate_rpc::peer::v1::consensus_service_client::ConsensusServiceClient;
use quorate_rpc::peer::v1::envelope::Body;
use quorate_rpc::peer::v1::{FetchBlocksRequest, SubscribeRequest};
use quorate_types::{Block, ValidatorIndex};
use quorate_validator::BlsCryptography;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::devnet::Network;
use crate::failure::Failure;

use super::source::{Source, Style};

/// Fetches that run at a time, of each validator.
const FETCHERS: usize = 16;
/// Between two calls that were refused, or two connections of strangers: it floods, but does not take all of the machine that
/// it shares with those it floods.
const PAUSE: Duration = Duration::from_millis(5);

/// A running flood.
pub(in super::super) struct Flooder {
    source: Arc<Source>,
    counters: Arc<Counters>,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Counters {
    answered: AtomicU64,
    turned_away: AtomicU64,
}

/// What a flood has done.
#[derive(Default)]
pub(in super::super) struct Done {
    pub(in super::super) streamed_mib: f64,
    pub(super) answered: u64,
    pub(super) turned_away: u64,
}

type Client = ConsensusServiceClient<Channel>;

impl Flooder {
    /// Begins to flood all others as the member at `position`, which does not run.
    pub(in super::super) async fn start(
        network: &Network,
        position: usize,
        style: Style,
    ) -> Result<Self, Failure> {
        let config = Config::read(&network.validators[position].config).context("configuration")?;
        let secrets = Secrets::open(&config).context("keys")?;
        let committee = network
            .genesis
            .committee()
            .map_err(|error| anyhow!("no committee: {error:?}"))?;
        let me = ValidatorIndex(u16::try_from(position).context("index")?);
        let tls = PeerTls::new(&committee, me, &secrets.identity).context("TLS")?;
        let keys = BlsCryptography::new(committee.clone(), secrets.identity, secrets.share);
        let source = Arc::new(Source::new(style, keys.context("keys")?));
        let mut flooder = Self {
            source: Arc::clone(&source),
            counters: Arc::default(),
            tasks: JoinSet::new(),
        };
        for peer in &config.peers {
            let index = committee.index_of(&peer.identity);
            let Some(index) = index.filter(|index| *index != me) else {
                continue;
            };
            let channel = peer_channel(&tls, index, &peer.address).context("channel")?;
            flooder.flood(&peer_client(channel), &peer.address);
        }
        let listener = TcpListener::bind(config.listen.peer).await;
        let listener = listener.context("the address of the member that floods")?;
        let unbounded = Traffic {
            bytes_per_second: u64::MAX,
            bytes_burst: u64::MAX,
        };
        let consensus = ConsensusApi::new(Arc::clone(&source), &committee, "flood")
            .with_allowances(&committee, unbounded);
        flooder.tasks.spawn(async move {
            let never = std::future::pending();
            let served = serve_peers(
                listener,
                Arc::new(tls),
                consensus,
                SyncApi::new(source),
                never,
            );
            if let Err(error) = served.await {
                eprintln!("the flood ended: {error}");
            }
        });
        Ok(flooder)
    }

    fn flood(&mut self, client: &Client, address: &str) {
        let source = Arc::clone(&self.source);
        self.tasks.spawn(follow(client.clone(), source));
        for _ in 0..FETCHERS {
            let (client, source) = (client.clone(), Arc::clone(&self.source));
            self.tasks
                .spawn(fetch(client, source, Arc::clone(&self.counters)));
        }
        self.tasks.spawn(junk(address.to_owned()));
    }

    pub(in super::super) fn done(&self) -> Done {
        Done {
            streamed_mib: self.source.streamed() as f64 / f64::from(1 << 20),
            answered: self.counters.answered.load(Ordering::Relaxed),
            turned_away: self.counters.turned_away.load(Ordering::Relaxed),
        }
    }

    pub(in super::super) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Reads a peer's stream, for parents of valid blocks.
async fn follow(mut client: Client, source: Arc<Source>) {
    loop {
        let request = SubscribeRequest {
            from_round: Some(1),
            from_height: Some(1),
        };
        let stream = client.subscribe(request).await;
        let mut stream = match stream {
            Ok(stream) => stream.into_inner(),
            Err(_) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while let Ok(Some(message)) = stream.message().await {
            for envelope in message.envelopes {
                if let Some(Body::Block(bytes)) = envelope.body
                    && let Ok(block) = Block::decode(bytes)
                {
                    source.see(block.reference());
                }
            }
        }
    }
}

/// Asks for what it has, over and over.
async fn fetch(mut client: Client, source: Arc<Source>, counters: Arc<Counters>) {
    loop {
        let blocks = source.any();
        let blocks = blocks.iter().map(Into::into).collect();
        match client.fetch_blocks(FetchBlocksRequest { blocks }).await {
            Ok(_) => {
                counters.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                counters.turned_away.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Connects as nobody and sends what is no handshake.
async fn junk(address: String) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            // Cut as soon as it is looked at.
            let _ = stream.write_all(&[0x16; 4096]).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
