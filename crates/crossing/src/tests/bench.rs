//! Shards with accounts, and transactions with signatures, to test with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_crypto::IdentitySecret;
use quorate_types::{
    AccountId, AssetId, ChainId, DomainTag, Epoch, Hash32, Height, IdentityKey, ShardId,
};

use crate::*;

pub(super) const GOLD: AssetId = AssetId(1);
pub(super) const SILVER: AssetId = AssetId(2);

pub(super) fn network(shards: u32) -> Network {
    Network {
        chain: ChainId([7; 32]),
        shards,
    }
}

pub(super) fn secret(owner: u8) -> IdentitySecret {
    IdentitySecret::from_bytes(&[owner; 32])
}

pub(super) fn key(owner: u8) -> IdentityKey {
    secret(owner).public()
}

pub(super) fn account(owner: u8) -> AccountId {
    AccountId::derive(&key(owner), 0)
}

/// A shard, its accounts, and what happened.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    pub(super) crossing: Crossing,
    pub(super) accounts: MemoryAccounts,
    pub(super) height: u64,
    pub(super) events: Vec<Event>,
}

impl Shard {
    pub(super) fn with(options: Options, balances: &[(u8, AssetId, u128)]) -> Self {
        let mut accounts = MemoryAccounts::default();
        let mut opening: BTreeMap<AssetId, u128> = BTreeMap::new();
        for (owner, asset, amount) in balances {
            accounts.open(account(*owner));
            accounts.credit(&account(*owner), *asset, *amount).unwrap();
            *opening.entry(*asset).or_default() += amount;
        }
        let shards = options.network.shards;
        let own = options.shard;
        let mut crossing = Crossing::new(options, Epoch(0), &opening).unwrap();
        for peer in (0..shards).map(ShardId).filter(|peer| *peer != own) {
            crossing.begin_term(peer, Epoch(0), Height(1)).unwrap();
        }
        Self {
            crossing,
            accounts,
            height: 10,
            events: Vec::new(),
        }
    }

    pub(super) fn new(shards: u32, shard: u32, balances: &[(u8, AssetId, u128)]) -> Self {
        Self::with(Options::new(network(shards), ShardId(shard)), balances)
    }

    pub(super) fn shard(&self) -> ShardId {
        self.crossing.shard()
    }

    pub(super) fn seal(&mut self) -> Sealed {
        self.height += 1;
        let height = Height(self.height);
        self.crossing.seal(&self.accounts, height).unwrap()
    }

    pub(super) fn transfer(
        &mut self,
        payer: u8,
        to: (u32, u8),
        amount: u128,
    ) -> Result<(), RequestError> {
        let transfer = Transfer {
            payer: account(payer),
            destination: ShardId(to.0),
            account: account(to.1),
            asset: GOLD,
            amount,
            reference: Hash32::ZERO,
        };
        let transfer = Verified::<Transfer>::authorised(transfer);
        self.crossing.transfer(&mut self.accounts, &transfer)
    }

    pub(super) fn submit(&mut self, signed: &SignedAtomic) -> Result<(), RequestError> {
        let network = network(4);
        let verified = Verified::<SignedAtomic>::check(signed.clone(), &network).unwrap();
        let verified = Arc::new(verified);
        self.crossing
            .submit(&mut self.accounts, &verified, &mut self.events)
    }

    pub(super) fn cancel(&mut self, signed: &SignedAtomic, by: u8) -> Result<(), RequestError> {
        let cancel = Verified::<Cancel>::check(cancel(signed, by), &network(4)).unwrap();
        self.crossing.cancel(&cancel, &mut self.events)
    }

    pub(super) fn enter(&mut self, epoch: u64) {
        self.crossing
            .enter_epoch(Epoch(epoch), &mut self.events)
            .unwrap();
    }

    pub(super) fn deliver(&mut self, bundle: &Verified<Opened>) -> Result<Delivered, DeliverError> {
        self.crossing
            .deliver(&mut self.accounts, bundle, &mut self.events)
    }

    pub(super) fn available(&self, owner: u8) -> u128 {
        self.accounts.available(&account(owner), GOLD)
    }

    pub(super) fn held(&self, owner: u8) -> u128 {
        self.accounts.held(&account(owner), GOLD)
    }

    pub(super) fn supply(&self) -> Supply {
        self.crossing.supply(&self.accounts)
    }

    pub(super) fn alarms(&self) -> Vec<Alarm> {
        let alarms = self.events.iter().filter_map(|event| match event {
            Event::Alarm(alarm) => Some(*alarm),
            _ => None,
        });
        alarms.collect()
    }
}

/// Seals the sender and opens a bundle of all that is new to the receiver.
pub(super) fn opened(from: &mut Shard, to: &Shard) -> Verified<Opened> {
    opened_at(from, to, to.crossing.next_sequence(from.shard()), 256)
}

pub(super) fn opened_at(from: &mut Shard, to: &Shard, start: u64, most: u32) -> Verified<Opened> {
    let sealed = from.seal();
    let roots = Verified::certified(sealed.roots(Finality::Shard));
    let bundle = from
        .crossing
        .bundle(&sealed, to.shard(), start, most)
        .unwrap();
    bundle.open(&network(4), &roots).unwrap()
}

/// Carries all that is new, if anything is.
pub(super) fn carry(from: &mut Shard, to: &mut Shard) -> Result<Delivered, DeliverError> {
    let bundle = opened(from, to);
    // The beacon told the receiver when the sender's committee changed.
    let (epoch, height) = (bundle.roots.epoch, bundle.roots.height);
    let _ = to.crossing.begin_term(from.shard(), epoch, height);
    to.deliver(&bundle)
}

/// Carries everything between all, until nothing is new.
pub(super) fn settle(shards: &mut [&mut Shard]) {
    for _ in 0..20 {
        for from in 0..shards.len() {
            for to in 0..shards.len() {
                if from != to {
                    let (source, target) = if from < to {
                        let (left, right) = shards.split_at_mut(to);
                        (&mut *left[from], &mut *right[0])
                    } else {
                        let (left, right) = shards.split_at_mut(from);
                        (&mut *right[0], &mut *left[to])
                    };
                    match carry(source, target) {
                        Ok(_) | Err(DeliverError::Stale { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    }
}

/// A leg in gold: shard, owner, atoms.
pub(super) type Leg = (u32, u8, u128);

pub(super) fn transaction(
    decider: u32,
    expiry: u64,
    debits: &[Leg],
    credits: &[Leg],
) -> AtomicTransaction {
    let shards: BTreeSet<u32> = debits.iter().chain(credits).map(|leg| leg.0).collect();
    let participants = shards.into_iter().map(|shard| {
        let of = |legs: &[Leg]| -> Vec<Leg> {
            legs.iter().copied().filter(|leg| leg.0 == shard).collect()
        };
        let mut debits: Vec<DebitLeg> = of(debits)
            .into_iter()
            .map(|(_, owner, amount)| DebitLeg {
                owner: key(owner),
                sub: 0,
                asset: GOLD,
                amount,
            })
            .collect();
        debits.sort();
        let mut credits: Vec<CreditLeg> = of(credits)
            .into_iter()
            .map(|(_, owner, amount)| CreditLeg {
                account: account(owner),
                asset: GOLD,
                amount,
            })
            .collect();
        credits.sort();
        Participant {
            shard: ShardId(shard),
            debits,
            credits,
        }
    });
    let mut cancel_keys: Vec<IdentityKey> = debits.iter().map(|leg| key(leg.1)).collect();
    cancel_keys.sort();
    cancel_keys.dedup();
    AtomicTransaction {
        chain: network(4).chain,
        decider: ShardId(decider),
        nonce: 0,
        expiry: Epoch(expiry),
        cancel_keys,
        participants: participants.collect(),
    }
}

/// Signed by all owners, who are among the first hundred.
pub(super) fn sign(transaction: AtomicTransaction) -> SignedAtomic {
    let id = transaction.id();
    let owners = transaction.owners();
    let signatures = owners.iter().map(|owner| {
        let secret = (0..100)
            .map(secret)
            .find(|secret| secret.public() == *owner);
        secret
            .unwrap()
            .sign(DomainTag::AtomicSignature, id.0.as_ref())
    });
    let signatures = signatures.collect();
    SignedAtomic::new(transaction, signatures)
}

pub(super) fn cancel(signed: &SignedAtomic, by: u8) -> Cancel {
    Cancel {
        signed: signed.clone(),
        key: key(by),
        signature: secret(by).sign(DomainTag::AtomicCancel, signed.id().0.as_ref()),
    }
}
