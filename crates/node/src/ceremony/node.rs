//! Starting and stopping one member.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;

use quorate_dkg::{Ceremony, Engine, KeyHolder, Role};
use quorate_types::{IdentityKey, ValidatorIndex};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tonic::service::Routes;

use super::admin::CeremonyApi;
use super::core::Core;
use super::error::CeremonyError;
use super::exchange::ExchangeApi;
use super::log::Log;
use super::parallel::RayonParallel;
use super::peers::{Peer, run_fetches};
use super::shared::{Event, Order, Queues, Shared};
use super::status::CeremonyStatus;
use super::worker::Worker;
use super::{CeremonyConfig, CeremonySecrets, Until};
use crate::api::{Drain, Health, serve_ceremony_admin};
use crate::net::{PeerTls, ServeError, TlsError, peer_channel, serve_members};

/// Where a member listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CeremonyAddresses {
    /// The other members.
    pub peer: SocketAddr,
    /// The operator.
    pub admin: SocketAddr,
}

/// Why a member may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// What [`CeremonyConfig::until`] names has come.
    Done,
    /// The operator asked for it.
    Asked,
}

/// One running member of a ceremony.
pub struct CeremonyNode {
    addresses: CeremonyAddresses,
    until: Until,
    shared: Arc<Shared>,
    fatal: mpsc::UnboundedReceiver<CeremonyError>,
    servers: Vec<tokio::task::JoinHandle<()>>,
    threads: Vec<(&'static str, JoinHandle<()>)>,
}

impl CeremonyNode {
    /// Opens the log, reads it back, and takes part.
    ///
    /// # Errors
    /// [`CeremonyError`]: nothing was left running.
    pub async fn start(
        config: CeremonyConfig,
        secrets: CeremonySecrets,
    ) -> Result<Self, CeremonyError> {
        if config.ceremony.is_reshare() {
            return Err(CeremonyError::Reshare);
        }
        let ceremony = Arc::new(config.ceremony);
        let identity = Arc::new(secrets.identity);
        let encryption = Arc::new(secrets.encryption);
        let holder = KeyHolder::new(&ceremony, Arc::clone(&identity), Arc::clone(&encryption))?;
        let me = holder.member();
        let addresses = peer_addresses(&ceremony, &config.peers)?;
        let tls = Arc::new(PeerTls::for_ceremony(identities(&ceremony), me, &identity)?);
        let peer = bind("members", config.listen).await?;
        let admin = bind("the operator", config.admin).await?;
        let local = |listener: &TcpListener| {
            listener
                .local_addr()
                .map_err(CeremonyError::system("listener"))
        };
        let bound = CeremonyAddresses {
            peer: local(&peer)?,
            admin: local(&admin)?,
        };

        let (events_in, events) = mpsc::unbounded_channel();
        let (orders_in, orders) = std_mpsc::channel();
        let (fatal_in, fatal) = mpsc::unbounded_channel();
        let (fetches_in, fetches) = mpsc::unbounded_channel();
        let queues = Queues {
            events: events_in,
            orders: orders_in,
            fatal: fatal_in,
        };
        let shared = Arc::new(Shared::new(Arc::clone(&ceremony), me, &addresses, queues));
        let (log, recovered) = Log::open(&config.data_dir, &ceremony.id(), &identity.public())?;
        let silent = recovered.silent || config.recover;
        let note_silence = recovered.lost || (config.recover && !recovered.silent);
        let role = if silent { Role::Silent } else { Role::Member };
        let engine = Engine::new(ceremony, me, role);
        let directory = config.data_dir.clone();
        let core = Core::new(
            Arc::clone(&shared),
            engine,
            log,
            directory,
            fetches_in,
            recovered,
            note_silence,
        )?;
        let worker = Worker {
            shared: Arc::clone(&shared),
            holder: Some(holder),
            encryption: Some(encryption),
            passphrase: secrets.passphrase,
            scrypt: config.scrypt,
            directory: config.data_dir,
            parallel: RayonParallel::new()?,
            share: None,
        };
        let threads = vec![
            spawn("ceremony", &shared, move || core.run(events))?,
            spawn("ceremony-keys", &shared, move || worker.run(&orders))?,
        ];
        let mut node = Self {
            addresses: bound,
            until: config.until,
            shared,
            fatal,
            servers: Vec::new(),
            threads,
        };
        node.connect(&tls, &addresses, fetches)?;
        node.serve(tls, peer, admin).await;
        Ok(node)
    }

    /// Follows all peers.
    fn connect(
        &mut self,
        tls: &PeerTls,
        addresses: &[String],
        fetches: mpsc::UnboundedReceiver<super::shared::Fetch>,
    ) -> Result<(), TlsError> {
        let mut peers = Vec::new();
        for (index, address) in self.shared.ceremony.indices().zip(addresses) {
            if index == self.shared.me {
                peers.push(None);
                continue;
            }
            let channel = peer_channel(tls, index, address)?;
            let peer = Peer::new(index, channel, Arc::clone(&self.shared));
            self.servers.push(tokio::spawn(peer.clone().follow()));
            peers.push(Some(peer));
        }
        let shared = Arc::clone(&self.shared);
        self.servers
            .push(tokio::spawn(run_fetches(fetches, peers, shared)));
        Ok(())
    }

    async fn serve(&mut self, tls: Arc<PeerTls>, peer: TcpListener, admin: TcpListener) {
        let drain = Drain::default();
        let service = ExchangeApi::new(Arc::clone(&self.shared), drain.clone()).into_server();
        let stop = self.shared.stop.clone();
        let served = serve_members(
            peer,
            tls,
            Routes::new(service),
            drain,
            stop.cancelled_owned(),
        );
        self.servers
            .push(tokio::spawn(watched(served, Arc::clone(&self.shared))));

        let health = Health::of_ceremony().await;
        let shared = Arc::clone(&self.shared);
        let serving = health.clone();
        self.servers.push(tokio::spawn(async move {
            tokio::select! {
                () = shared.stop.cancelled() => {}
                () = shared.completed() => serving.set_serving(true).await,
            }
        }));
        let drain = Drain::default();
        let service = CeremonyApi::new(Arc::clone(&self.shared), drain.clone()).into_server();
        let stop = self.shared.stop.clone().cancelled_owned();
        let served =
            async move { serve_ceremony_admin(admin, service, &health, &drain, stop).await };
        self.servers
            .push(tokio::spawn(watched(served, Arc::clone(&self.shared))));
    }

    /// Where the member listens.
    #[must_use]
    pub const fn addresses(&self) -> CeremonyAddresses {
        self.addresses
    }

    /// Which member this is.
    #[must_use]
    pub fn member(&self) -> ValidatorIndex {
        self.shared.me
    }

    /// The status, and its changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<CeremonyStatus> {
        self.shared.status.subscribe()
    }

    /// Resolves once [`CeremonyConfig::until`] has come, the operator asks the member to stop, or it cannot go on. The member
    /// runs until [`CeremonyNode::stop`]. May be called again, and given up at any time.
    ///
    /// # Errors
    /// [`CeremonyError`]: why it cannot go on.
    pub async fn wait(&mut self) -> Result<Ended, CeremonyError> {
        let mut status = self.shared.status.subscribe();
        let until = self.until;
        let come = status.wait_for(|status| match until {
            Until::Done => status.result.is_some(),
            Until::All => status.all_complete(),
            Until::Stopped => false,
        });
        tokio::select! {
            error = self.fatal.recv() => {
                Err(error.unwrap_or(CeremonyError::ThreadEnded("ceremony")))
            }
            _ = come => Ok(Ended::Done),
            () = self.shared.stop_requested.notified() => Ok(Ended::Asked),
        }
    }

    /// Ends the streams, writes what is under way, joins the threads and closes the log, so that the member can be started
    /// again.
    ///
    /// # Errors
    /// An error that nobody waited for, or a thread that panicked.
    pub async fn stop(mut self) -> Result<(), CeremonyError> {
        self.shared.stop.cancel();
        for server in self.servers.drain(..) {
            // A task that panicked has said so on standard error.
            let _ = server.await;
        }
        self.shared.tell(Event::Stop);
        let _ = self.shared.orders.send(Order::Stop);
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            for (name, thread) in threads {
                thread
                    .join()
                    .map_err(|_| CeremonyError::ThreadEnded(name))?;
            }
            Ok(())
        });
        joined
            .await
            .unwrap_or(Err(CeremonyError::ThreadEnded("stop")))?;
        self.fatal.try_recv().map_or(Ok(()), Err)
    }
}

impl Drop for CeremonyNode {
    /// A node that is dropped without being stopped leaves nothing running for long.
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.shared.tell(Event::Stop);
        let _ = self.shared.orders.send(Order::Stop);
    }
}

/// Reports it if a listener fails.
async fn watched(served: impl Future<Output = Result<(), ServeError>>, shared: Arc<Shared>) {
    if let Err(error) = served.await {
        shared.fail(error.into());
    }
}

fn spawn(
    name: &'static str,
    shared: &Arc<Shared>,
    run: impl FnOnce() + Send + 'static,
) -> Result<(&'static str, JoinHandle<()>), CeremonyError> {
    let watch = Watch {
        name,
        shared: Arc::clone(shared),
    };
    let thread = std::thread::Builder::new().name(name.to_owned());
    let handle = thread.spawn(move || {
        let _watch = watch;
        run();
    });
    Ok((name, handle.map_err(CeremonyError::system("thread"))?))
}

/// Reports it if a thread panics: without it nothing would go on, and nobody would know.
struct Watch {
    name: &'static str,
    shared: Arc<Shared>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.fail(CeremonyError::ThreadEnded(self.name));
        }
    }
}

fn identities(ceremony: &Ceremony) -> Vec<IdentityKey> {
    let members = ceremony.definition().members.iter();
    members.map(|member| member.identity).collect()
}

/// Where each member is dialled: as it enrolled, or as the operator says.
fn peer_addresses(
    ceremony: &Ceremony,
    given: &std::collections::BTreeMap<ValidatorIndex, String>,
) -> Result<Vec<String>, CeremonyError> {
    let members = &ceremony.definition().members;
    if let Some(unknown) = given.keys().find(|index| index.0 >= ceremony.size()) {
        return Err(CeremonyError::UnknownPeer(*unknown));
    }
    let enrolled = ceremony.indices().zip(members);
    Ok(enrolled
        .map(|(index, member)| given.get(&index).unwrap_or(&member.address).clone())
        .collect())
}

async fn bind(purpose: &'static str, address: SocketAddr) -> Result<TcpListener, CeremonyError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| CeremonyError::Listen {
            purpose,
            address,
            source,
        })
}
