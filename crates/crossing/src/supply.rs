//! Conservation without a global clock: what one shard's certificate says of each asset, and what the lines of all shards
//! say together.
//!
//! Source: SHARDING 1.7. The local law is checked from one line:
//!
//! `available + held + suspended + waiting + sum of sent - sum of received = opening + minted - burned`.
//!
//! Sums over all shards then come out right whatever the lines' heights are; what makes a set of lines a *cut* is that nothing
//! was received that was not sent. A decider books what voters pay when it decides, and they book it when they learn of it: in
//! between, their holds for this decider cover the difference.

use std::collections::BTreeMap;

use quorate_types::{
    AssetId, CodecError, Decode, Encode, Epoch, Height, Reader, ShardId, codec_struct,
    decode_version, encode_list,
};

use crate::accounts::Accounts;
use crate::limits::{ASSETS_MAX, SHARDS_MAX};

/// First byte of the leaf under an outbox root that is the shard's conservation line.
const SUPPLY: u8 = 0;

/// What went between a shard and one peer, in atoms of one asset, since genesis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Sent to the peer.
    pub sent: u128,
    /// Received from the peer.
    pub received: u128,
    /// Held now for transactions that the peer decides.
    pub held_for: u128,
}
codec_struct!(Flow {
    sent,
    received,
    held_for
});

/// One asset on one shard, in atoms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AssetSupply {
    /// Sum of what accounts can spend.
    pub available: u128,
    /// Sum of what is held on accounts.
    pub held: u128,
    /// Credits to accounts that are missing.
    pub suspended: u128,
    /// Credits that wait for an anchored certificate.
    pub waiting: u128,
    /// What the shard began with.
    pub opening: u128,
    /// Made since.
    pub minted: u128,
    /// Destroyed since.
    pub burned: u128,
    /// By peer.
    pub flows: BTreeMap<ShardId, Flow>,
}

impl AssetSupply {
    /// The local law.
    #[must_use]
    pub fn holds(&self) -> bool {
        let sum = |parts: &[u128], flows: fn(&Flow) -> u128| {
            let flows = self.flows.values().map(flows);
            let mut parts = parts.iter().copied().chain(flows);
            parts.try_fold(0u128, u128::checked_add)
        };
        let parts = [self.available, self.held, self.suspended, self.waiting];
        let out = sum(
            &[parts[0], parts[1], parts[2], parts[3], self.burned],
            |flow| flow.sent,
        );
        let come = sum(&[self.opening, self.minted], |flow| flow.received);
        out.is_some() && out == come
    }

    /// Whether the shard's holds are those that it has for deciders.
    #[must_use]
    pub fn holds_are_for_deciders(&self) -> bool {
        let mut held = self.flows.values().map(|flow| flow.held_for);
        held.try_fold(0u128, u128::checked_add) == Some(self.held)
    }
}

/// A shard's conservation line: the first leaf under its outbox root.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Supply {
    /// The shard.
    pub shard: ShardId,
    /// The epoch of its committee.
    pub epoch: Epoch,
    /// After this height.
    pub height: Height,
    /// By asset.
    pub assets: BTreeMap<AssetId, AssetSupply>,
}

impl Supply {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// Checks the local law for every asset.
    ///
    /// # Errors
    /// [`AuditError::Local`], [`AuditError::Holds`].
    pub fn check(&self) -> Result<(), AuditError> {
        for (asset, line) in &self.assets {
            let (shard, asset) = (self.shard, *asset);
            if !line.holds() {
                return Err(AuditError::Local { shard, asset });
            }
            if !line.holds_are_for_deciders() {
                return Err(AuditError::Holds { shard, asset });
            }
        }
        Ok(())
    }
}

/// One asset over all shards, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobalAsset {
    /// On accounts, suspended or waiting.
    pub balances: u128,
    /// Sent and not received yet, less what deciders have booked ahead of the voters.
    pub in_flight: i128,
    /// Opening balances and what was minted since, less what was burned.
    pub supply: u128,
}

/// Every asset over all shards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalSupply {
    /// By asset.
    pub assets: BTreeMap<AssetId, GlobalAsset>,
}

/// Why lines do not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// A shard is there twice.
    #[error("shard {shard} is there twice")]
    Twice {
        /// The shard.
        shard: ShardId,
    },
    /// A shard is missing that another one names.
    #[error("shard {shard} is missing")]
    Missing {
        /// The shard.
        shard: ShardId,
    },
    /// A shard's own line does not add up: it made or lost money.
    #[error("asset {asset} does not add up on shard {shard}")]
    Local {
        /// The shard.
        shard: ShardId,
        /// The asset.
        asset: AssetId,
    },
    /// A shard holds more or less than it has holds for.
    #[error("holds of asset {asset} on shard {shard} are not those for deciders")]
    Holds {
        /// The shard.
        shard: ShardId,
        /// The asset.
        asset: AssetId,
    },
    /// More was received than was sent: the sender's line is older than the receiver's, or one of them lies. A newer line of
    /// the sender tells which.
    #[error(
        "shard {to} received {received} atoms of asset {asset} from shard {from}, which sent {sent} and holds {held}"
    )]
    Cut {
        /// The sender.
        from: ShardId,
        /// The receiver.
        to: ShardId,
        /// The asset.
        asset: AssetId,
        /// Atoms received.
        received: u128,
        /// Atoms sent.
        sent: u128,
        /// Atoms held for what the receiver decides.
        held: u128,
    },
    /// A sum does not fit into 128 bits, or what is in flight is not what it must be.
    #[error("sums of asset {asset} do not fit, or do not add up")]
    Global {
        /// The asset.
        asset: AssetId,
    },
}

/// Adds up one line of each shard, whatever their heights (SHARDING 1.7, the global rule).
///
/// # Errors
/// [`AuditError`].
pub fn audit(lines: &[Supply]) -> Result<GlobalSupply, AuditError> {
    let mut shards: BTreeMap<ShardId, &Supply> = BTreeMap::new();
    for line in lines {
        line.check()?;
        if shards.insert(line.shard, line).is_some() {
            return Err(AuditError::Twice { shard: line.shard });
        }
    }
    let mut global = GlobalSupply::default();
    for line in lines {
        for (asset, own) in &line.assets {
            check_cut(&shards, line.shard, *asset, own)?;
            let sums = global.assets.entry(*asset).or_default();
            add_line(sums, own).ok_or(AuditError::Global { asset: *asset })?;
        }
    }
    for (asset, sums) in &global.assets {
        let whole = sums.balances.checked_add_signed(sums.in_flight);
        if whole != Some(sums.supply) {
            return Err(AuditError::Global { asset: *asset });
        }
    }
    Ok(global)
}

fn check_cut(
    shards: &BTreeMap<ShardId, &Supply>,
    to: ShardId,
    asset: AssetId,
    own: &AssetSupply,
) -> Result<(), AuditError> {
    for (from, flow) in &own.flows {
        let Some(peer) = shards.get(from) else {
            return Err(AuditError::Missing { shard: *from });
        };
        let line = peer.assets.get(&asset);
        let theirs = line.and_then(|line| line.flows.get(&to));
        let theirs = theirs.copied().unwrap_or_default();
        let covered = theirs.sent.saturating_add(theirs.held_for);
        if flow.received > covered {
            return Err(AuditError::Cut {
                from: *from,
                to,
                asset,
                received: flow.received,
                sent: theirs.sent,
                held: theirs.held_for,
            });
        }
    }
    Ok(())
}

fn add_line(sums: &mut GlobalAsset, own: &AssetSupply) -> Option<()> {
    for part in [own.available, own.held, own.suspended, own.waiting] {
        sums.balances = sums.balances.checked_add(part)?;
    }
    for flow in own.flows.values() {
        // Of two totals the difference is small, even where the totals are not.
        let (sent, received) = (flow.sent, flow.received);
        let ahead = i128::try_from(sent.saturating_sub(received)).ok()?;
        let behind = i128::try_from(received.saturating_sub(sent)).ok()?;
        let net = ahead.checked_sub(behind)?;
        sums.in_flight = sums.in_flight.checked_add(net)?;
    }
    sums.supply = sums.supply.checked_add(own.opening)?;
    sums.supply = sums.supply.checked_add(own.minted)?;
    sums.supply = sums.supply.checked_sub(own.burned)?;
    Some(())
}

/// A shard's running totals of one asset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    pub(crate) opening: u128,
    pub(crate) minted: u128,
    pub(crate) burned: u128,
    pub(crate) suspended: u128,
    pub(crate) waiting: u128,
    /// Opening, minted and all received: no balance can be more.
    came_in: u128,
    pub(crate) flows: BTreeMap<ShardId, Flow>,
}

/// A shard's running totals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Book(BTreeMap<AssetId, Line>);

/// A total would exceed 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl Book {
    pub(crate) fn line(&mut self, asset: AssetId) -> &mut Line {
        self.0.entry(asset).or_default()
    }

    #[cfg(test)]
    pub(crate) fn lines(&self) -> impl Iterator<Item = (AssetId, &Line)> {
        self.0.iter().map(|(asset, line)| (*asset, line))
    }

    fn come_in(&mut self, asset: AssetId, amount: u128) -> Result<&mut Line, Overflow> {
        let line = self.line(asset);
        line.came_in = line.came_in.checked_add(amount).ok_or(Overflow)?;
        Ok(line)
    }

    pub(crate) fn open(&mut self, asset: AssetId, amount: u128) -> Result<(), Overflow> {
        // Each of the parts is at most `came_in`, so no addition below can overflow where that one did not.
        let line = self.come_in(asset, amount)?;
        line.opening = line.opening.saturating_add(amount);
        Ok(())
    }

    pub(crate) fn mint(&mut self, asset: AssetId, amount: u128) -> Result<(), Overflow> {
        let line = self.come_in(asset, amount)?;
        line.minted = line.minted.saturating_add(amount);
        Ok(())
    }

    pub(crate) fn burn(&mut self, asset: AssetId, amount: u128) -> Result<(), Overflow> {
        let line = self.line(asset);
        let burned = line.burned.checked_add(amount);
        line.burned = burned.filter(|all| *all <= line.came_in).ok_or(Overflow)?;
        Ok(())
    }

    pub(crate) fn receive(
        &mut self,
        asset: AssetId,
        from: ShardId,
        amount: u128,
    ) -> Result<(), Overflow> {
        let line = self.come_in(asset, amount)?;
        let flow = line.flows.entry(from).or_default();
        flow.received = flow.received.saturating_add(amount);
        Ok(())
    }

    /// What is sent was there, so it never exceeds what came in.
    pub(crate) fn send(&mut self, asset: AssetId, to: ShardId, amount: u128) {
        let flow = self.line(asset).flows.entry(to).or_default();
        flow.sent = flow.sent.saturating_add(amount);
    }

    pub(crate) fn hold(&mut self, asset: AssetId, decider: ShardId, amount: u128) {
        let flow = self.line(asset).flows.entry(decider).or_default();
        flow.held_for = flow.held_for.saturating_add(amount);
    }

    pub(crate) fn unhold(&mut self, asset: AssetId, decider: ShardId, amount: u128) {
        let flow = self.line(asset).flows.entry(decider).or_default();
        flow.held_for = flow.held_for.saturating_sub(amount);
    }

    /// The line of every asset, with the sums of `accounts`.
    pub(crate) fn supplies(&self, accounts: &impl Accounts) -> BTreeMap<AssetId, AssetSupply> {
        let lines = self.0.iter().map(|(asset, line)| {
            let (available, held) = accounts.totals(*asset);
            let supply = AssetSupply {
                available,
                held,
                suspended: line.suspended,
                waiting: line.waiting,
                opening: line.opening,
                minted: line.minted,
                burned: line.burned,
                flows: line.flows.clone(),
            };
            (*asset, supply)
        });
        lines.collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FlowRow {
    peer: ShardId,
    flow: Flow,
}
codec_struct!(FlowRow { peer, flow });

struct AssetRow {
    asset: AssetId,
    amounts: [u128; 7],
    flows: Vec<FlowRow>,
}

impl Encode for AssetRow {
    fn encode(&self, out: &mut Vec<u8>) {
        self.asset.encode(out);
        for amount in self.amounts {
            amount.encode(out);
        }
        encode_list(&self.flows, out);
    }
}

impl Decode for AssetRow {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let asset = Decode::decode(reader)?;
        let mut amounts = [0; 7];
        for amount in &mut amounts {
            *amount = Decode::decode(reader)?;
        }
        let flows: Vec<FlowRow> = reader.list("flows", SHARDS_MAX)?;
        if !flows.windows(2).all(|pair| pair[0].peer < pair[1].peer) {
            return Err(CodecError::NotCanonical { field: "flows" });
        }
        Ok(Self {
            asset,
            amounts,
            flows,
        })
    }
}

impl Encode for Supply {
    fn encode(&self, out: &mut Vec<u8>) {
        SUPPLY.encode(out);
        Self::VERSION.encode(out);
        self.shard.encode(out);
        self.epoch.encode(out);
        self.height.encode(out);
        let rows: Vec<AssetRow> = self
            .assets
            .iter()
            .map(|(asset, line)| row(*asset, line))
            .collect();
        encode_list(&rows, out);
    }
}

fn row(asset: AssetId, line: &AssetSupply) -> AssetRow {
    let flows = line.flows.iter().map(|(peer, flow)| FlowRow {
        peer: *peer,
        flow: *flow,
    });
    AssetRow {
        asset,
        amounts: [
            line.available,
            line.held,
            line.suspended,
            line.waiting,
            line.opening,
            line.minted,
            line.burned,
        ],
        flows: flows.collect(),
    }
}

impl Decode for Supply {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let found = u8::decode(reader)?;
        if found != SUPPLY {
            return Err(CodecError::Variant {
                value: "conservation line",
                found,
            });
        }
        decode_version(reader, "conservation line", Self::VERSION)?;
        let shard = Decode::decode(reader)?;
        let epoch = Decode::decode(reader)?;
        let height = Decode::decode(reader)?;
        let rows: Vec<AssetRow> = reader.list("assets", ASSETS_MAX)?;
        if !rows.windows(2).all(|pair| pair[0].asset < pair[1].asset) {
            return Err(CodecError::NotCanonical { field: "assets" });
        }
        let assets = rows.into_iter().map(|row| {
            let [available, held, suspended, waiting, opening, minted, burned] = row.amounts;
            let supply = AssetSupply {
                available,
                held,
                suspended,
                waiting,
                opening,
                minted,
                burned,
                flows: row.flows.iter().map(|row| (row.peer, row.flow)).collect(),
            };
            (row.asset, supply)
        });
        Ok(Self {
            shard,
            epoch,
            height,
            assets: assets.collect(),
        })
    }
}
