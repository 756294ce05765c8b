//! One shard's side of everything that passes between shards.

mod atomic;
mod credits;
mod deciding;
mod deliver;
mod participating;
mod recovery;
#[cfg(test)]
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_types::{
    AccountId, AssetId, Encode, Epoch, Hash32, Height, MerkleProof, MerkleTree, ShardId,
};

use crate::accounts::Accounts;
use crate::bundle::{Anchor, Bundle};
use crate::channel::{CertifiedRoots, ChannelHead, Finality, Inbox, Outbox, outbox_tree};
use crate::decider::Deciding;
use crate::error::{OrderError, ProveError, RequestError, SetupError};
use crate::limits::BUNDLE_MESSAGES_MAX;
use crate::message::{Body, Credit};
use crate::options::Options;
use crate::participant::Participation;
use crate::supply::{Book, Supply};
use crate::transaction::AtomicId;

pub use credits::Transfer;
pub use deliver::Delivered;

/// The state between shards of one shard, and every operation on it.
///
/// Each operation is one entry of the shard's ordered log: all validators apply the same ones in the same order to the same
/// `accounts`, and get the same. Operations of clients and relayers may be refused, with an error and without any change. What
/// a message says is never refused: it is applied, or ignored with an [`Alarm`](crate::Alarm).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Crossing {
    options: Arc<Options>,
    /// The epoch that this shard's log has reached.
    epoch: Epoch,
    /// The last height that was sealed.
    height: Height,
    inboxes: BTreeMap<ShardId, Inbox>,
    outboxes: BTreeMap<ShardId, Outbox>,
    /// By decider and id: what a shard says of a transaction that another one decides has no effect on it.
    participations: BTreeMap<(ShardId, AtomicId), Participation>,
    decidings: BTreeMap<AtomicId, Deciding>,
    /// Credits of transfers since the last seal, by where they go.
    unsealed: BTreeMap<(ShardId, AssetId), Vec<Credit>>,
    /// Credits above a cap, by message.
    waiting: BTreeMap<credits::Place, credits::Arrived>,
    /// Credits to accounts that are missing.
    suspended: BTreeMap<(AccountId, AssetId), u128>,
    /// What was taken in this epoch without an anchor.
    inflow: BTreeMap<(ShardId, AssetId), u128>,
    book: Book,
    /// The beacon's: a shard that is frozen, and who has answered.
    recovery: Option<recovery::Recovery>,
}

/// What a shard's header commits to at one height: the root and all that it is made of.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Conservation at this height.
    pub supply: Supply,
    /// Every channel, ascending by destination.
    pub heads: Vec<ChannelHead>,
    tree: MerkleTree,
}

impl Sealed {
    /// The root for the header: over the conservation line and the heads.
    #[must_use]
    pub fn outbox_root(&self) -> Hash32 {
        self.tree.root()
    }

    /// What a certificate over that header says.
    #[must_use]
    pub fn roots(&self, finality: Finality) -> CertifiedRoots {
        CertifiedRoots {
            shard: self.supply.shard,
            epoch: self.supply.epoch,
            height: self.supply.height,
            outbox_root: self.outbox_root(),
            finality,
        }
    }

    /// Proof that [`Sealed::supply`] is under the root.
    #[must_use]
    pub fn supply_proof(&self) -> Option<MerkleProof> {
        self.tree.proof(0)
    }

    fn head(&self, destination: ShardId) -> Result<(ChannelHead, MerkleProof), ProveError> {
        let no_channel = ProveError::NoChannel { shard: destination };
        let mut heads = self.heads.iter();
        let at = heads.position(|head| head.destination == destination);
        let at = at.ok_or(no_channel)?;
        let head = self.heads.get(at).ok_or(no_channel)?;
        // The conservation line comes first.
        let proof = self.tree.proof(at.saturating_add(1)).ok_or(no_channel)?;
        Ok((*head, proof))
    }
}

impl Crossing {
    /// A shard at genesis. `opening` is what its accounts hold of each asset.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(
        options: Options,
        epoch: Epoch,
        opening: &BTreeMap<AssetId, u128>,
    ) -> Result<Self, SetupError> {
        let shard = options.shard;
        if !options.network.has(shard) {
            return Err(SetupError::UnknownShard { shard });
        }
        if options.window == 0 {
            return Err(SetupError::Window);
        }
        let mut book = Book::default();
        for (asset, amount) in opening {
            let opened = book.open(*asset, *amount);
            opened.map_err(|_| SetupError::Overflow { asset: *asset })?;
        }
        let peers = (0..options.network.shards).map(ShardId);
        let peers: Vec<ShardId> = peers.filter(|peer| *peer != shard).collect();
        Ok(Self {
            options: Arc::new(options),
            epoch,
            height: Height(0),
            inboxes: peers.iter().map(|peer| (*peer, Inbox::default())).collect(),
            outboxes: peers
                .iter()
                .map(|peer| (*peer, Outbox::default()))
                .collect(),
            participations: BTreeMap::new(),
            decidings: BTreeMap::new(),
            unsealed: BTreeMap::new(),
            waiting: BTreeMap::new(),
            suspended: BTreeMap::new(),
            inflow: BTreeMap::new(),
            book,
            recovery: None,
        })
    }

    /// This shard.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.options.shard
    }

    /// The epoch that this shard's log has reached.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Sequence of the next message of a peer: how many were consumed.
    #[must_use]
    pub fn next_sequence(&self, source: ShardId) -> u64 {
        let inbox = self.inboxes.get(&source);
        inbox.map_or(0, |inbox| inbox.consumed.count())
    }

    /// Messages to a peer: how many there are, and how many it has acknowledged.
    #[must_use]
    pub fn sent(&self, destination: ShardId) -> (u64, u64) {
        let outbox = self.outboxes.get(&destination);
        outbox.map_or((0, 0), |outbox| (outbox.sent(), outbox.acknowledged()))
    }

    /// Whether nothing is open here: no hold, nothing undecided, nothing to say that was not said.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.participations.values().all(Participation::is_decided)
            && self.decidings.values().all(Deciding::is_done)
            && self.unsealed.is_empty()
            && self.outboxes.values().all(|outbox| outbox.load() == 0)
    }

    /// Conservation now. Between a transfer and the seal after it, what was debited counts as sent.
    #[must_use]
    pub fn supply(&self, accounts: &impl Accounts) -> Supply {
        Supply {
            shard: self.shard(),
            epoch: self.epoch,
            height: self.height,
            assets: self.book.supplies(accounts),
        }
    }

    /// Tells the books that the ledger made atoms of an asset.
    ///
    /// # Errors
    /// [`RequestError::Overflow`].
    pub fn minted(&mut self, asset: AssetId, amount: u128) -> Result<(), RequestError> {
        let minted = self.book.mint(asset, amount);
        minted.map_err(|_| RequestError::Overflow { asset })
    }

    /// Tells the books that the ledger destroyed atoms of an asset.
    ///
    /// # Errors
    /// [`RequestError::Overflow`].
    pub fn burned(&mut self, asset: AssetId, amount: u128) -> Result<(), RequestError> {
        let burned = self.book.burn(asset, amount);
        burned.map_err(|_| RequestError::Overflow { asset })
    }

    /// Ends a commit: nets the transfers since the last one into receipts, and says what the header commits to.
    ///
    /// # Errors
    /// [`OrderError::Height`] if the height does not come after the last one.
    pub fn seal(&mut self, accounts: &impl Accounts, height: Height) -> Result<Sealed, OrderError> {
        if height <= self.height {
            return Err(OrderError::Height {
                epoch: self.epoch,
                height: self.height,
                wanted: height,
            });
        }
        self.say_receipts();
        self.height = height;
        Ok(self.sealed(accounts))
    }

    /// What the last seal committed to, if nothing happened since.
    fn sealed(&self, accounts: &impl Accounts) -> Sealed {
        let supply = self.supply(accounts);
        let heads = self
            .outboxes
            .iter()
            .map(|(destination, outbox)| ChannelHead {
                source: self.shard(),
                destination: *destination,
                sent: outbox.sent(),
                root: outbox.root(),
                consumed: self.next_sequence(*destination),
            });
        let heads: Vec<ChannelHead> = heads.collect();
        let tree = outbox_tree(&supply.to_bytes(), &heads);
        Sealed {
            supply,
            heads,
            tree,
        }
    }

    /// Messages for `destination` from `start` on, at most `most` of them, with proofs against what was sealed. `start` may be
    /// the number of all messages: the bundle then brings an acknowledgement alone.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn bundle(
        &self,
        sealed: &Sealed,
        destination: ShardId,
        start: u64,
        most: u32,
    ) -> Result<Bundle, ProveError> {
        let (head, head_proof) = sealed.head(destination)?;
        let outbox = self.outbox(destination)?;
        let most = u64::from(most.min(BUNDLE_MESSAGES_MAX));
        let end = start.saturating_add(most).min(head.sent);
        let range = outbox.tree().prove(start, end, head.sent)?;
        let parcels = outbox.parcels_from(start);
        let count = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        Ok(Bundle {
            head,
            head_proof,
            range,
            parcels: parcels.take(count).cloned().collect(),
        })
    }

    /// What shows `destination`, which has consumed `consumed` messages, how many of them are under what was sealed.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn anchor_for(
        &self,
        sealed: &Sealed,
        destination: ShardId,
        consumed: u64,
    ) -> Result<Anchor, ProveError> {
        let (head, head_proof) = sealed.head(destination)?;
        let tree = self.outbox(destination)?.tree();
        let shorter = head.sent.min(consumed);
        let prefix = tree.prove(shorter, shorter, head.sent.max(consumed))?;
        Ok(Anchor {
            head,
            head_proof,
            prefix,
        })
    }

    fn outbox(&self, destination: ShardId) -> Result<&Outbox, ProveError> {
        let outbox = self.outboxes.get(&destination);
        outbox.ok_or(ProveError::NoChannel { shard: destination })
    }

    /// Says something to a peer, after all that was said before. A peer that does not exist is not spoken to: transactions
    /// are checked to name none.
    fn say(&mut self, destination: ShardId, body: Body, credits: Vec<Credit>) {
        let ends = (self.options.shard, destination);
        if let Some(outbox) = self.outboxes.get_mut(&destination) {
            outbox.say(ends, self.options.window, body, credits);
        }
    }

    /// Refuses a client while a peer has the window full (SHARDING 1.2, point 2).
    fn check_room(&self, destination: ShardId) -> Result<(), RequestError> {
        let outbox = self.outboxes.get(&destination);
        let outbox = outbox.ok_or(RequestError::UnknownShard { shard: destination })?;
        let unsealed = self.unsealed.keys().filter(|(to, _)| *to == destination);
        let unsealed = u64::try_from(unsealed.count()).unwrap_or(u64::MAX);
        let load = outbox.load().saturating_add(unsealed);
        let window = self.options.window;
        if load >= window {
            return Err(RequestError::Window {
                destination,
                load,
                window,
            });
        }
        Ok(())
    }
}
