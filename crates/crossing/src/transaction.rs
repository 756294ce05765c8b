//! Atomic transactions: what they say, when they are well-formed, and who must have signed them.
//!
//! Source: SHARDING 1.2, points 4 and 5, and `Submit` and `Cancel` of 1.3.

use std::collections::{BTreeMap, BTreeSet};

use quorate_crypto::{SignatureError, identity};
use quorate_types::{
    AccountId, AssetId, Blake3, ChainId, CodecError, Decode, DomainTag, Encode, Epoch, Hash32,
    IdentityKey, IdentitySignature, Reader, ShardId, codec_struct, decode_version, encode_list,
    require_ascending,
};

use crate::codec::count_of;
use crate::limits::{CANCEL_KEYS_MAX, LEGS_MAX, PARTICIPANTS_MAX, SHARDS_MAX, SIGNATURES_MAX};
use crate::verified::Verified;

/// The shard of the beacon. It alone may decide a transaction that it has no legs in, and it alone orders
/// [`Freeze`](crate::Body::Freeze), [`Retire`](crate::Body::Retire) and [`ForceAbort`](crate::Body::ForceAbort).
pub const BEACON: ShardId = ShardId(0);

/// What all shards have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// The beacon's chain, which names the network.
    pub chain: ChainId,
    /// How many shards there are, the beacon included: 0 to `shards - 1`.
    pub shards: u32,
}

impl Network {
    /// Whether there is such a shard.
    #[must_use]
    pub const fn has(&self, shard: ShardId) -> bool {
        shard.0 < self.shards && shard.0 < SHARDS_MAX
    }
}

/// Hash of an atomic transaction's unsigned encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AtomicId(pub Hash32);

impl Encode for AtomicId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for AtomicId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Decode::decode(reader).map(Self)
    }
}

/// What an account pays. It names the owner and not the account, so that the signature can be checked anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DebitLeg {
    /// The account's owner, who signs.
    pub owner: IdentityKey,
    /// The account's sub-account number.
    pub sub: u32,
    /// What is paid.
    pub asset: AssetId,
    /// Atoms, at least 1.
    pub amount: u128,
}
codec_struct!(DebitLeg {
    owner,
    sub,
    asset,
    amount
});

impl DebitLeg {
    /// The account that pays.
    #[must_use]
    pub fn account(&self) -> AccountId {
        AccountId::derive(&self.owner, self.sub)
    }
}

/// What an account is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreditLeg {
    /// The account that is paid.
    pub account: AccountId,
    /// What it is paid.
    pub asset: AssetId,
    /// Atoms, at least 1.
    pub amount: u128,
}
codec_struct!(CreditLeg {
    account,
    asset,
    amount
});

/// A shard's part of an atomic transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Participant {
    /// The shard.
    pub shard: ShardId,
    /// What its accounts pay, strictly ascending by owner, sub-account and asset.
    pub debits: Vec<DebitLeg>,
    /// What its accounts are paid, strictly ascending by account and asset.
    pub credits: Vec<CreditLeg>,
}

impl Participant {
    /// What a vote says that it was about: BLAKE3 of the shard and its legs.
    #[must_use]
    pub fn legs_digest(&self) -> Hash32 {
        let hash = Blake3::new(DomainTag::AtomicLegs).chain(self.to_bytes());
        Hash32(hash.finish())
    }

    /// Whether the shard votes, if it is not the decider: it has something to lose.
    #[must_use]
    pub const fn votes(&self) -> bool {
        !self.debits.is_empty()
    }
}

impl Encode for Participant {
    fn encode(&self, out: &mut Vec<u8>) {
        self.shard.encode(out);
        encode_list(&self.debits, out);
        encode_list(&self.credits, out);
    }
}

impl Decode for Participant {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            shard: Decode::decode(reader)?,
            debits: reader.list("debits", LEGS_MAX)?,
            credits: reader.list("credits", LEGS_MAX)?,
        })
    }
}

/// Legs on several shards of which all happen or none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AtomicTransaction {
    /// The network that it is for.
    pub chain: ChainId,
    /// The shard whose log decides: one of the participants, or the beacon.
    pub decider: ShardId,
    /// Chosen by the client, so that the same legs can be wanted twice.
    pub nonce: u64,
    /// The last epoch in which it can be prepared and committed.
    pub expiry: Epoch,
    /// Who may cancel it, strictly ascending.
    pub cancel_keys: Vec<IdentityKey>,
    /// The legs, strictly ascending by shard.
    pub participants: Vec<Participant>,
}

impl AtomicTransaction {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// The transaction's id, and what its signatures sign.
    #[must_use]
    pub fn id(&self) -> AtomicId {
        let hash = Blake3::new(DomainTag::AtomicId).chain(self.to_bytes());
        AtomicId(Hash32(hash.finish()))
    }

    /// The part of a shard.
    #[must_use]
    pub fn participant(&self, shard: ShardId) -> Option<&Participant> {
        let mut participants = self.participants.iter();
        participants.find(|participant| participant.shard == shard)
    }

    /// Shards that must vote YES, ascending.
    pub fn voters(&self) -> impl Iterator<Item = &Participant> {
        let decider = self.decider;
        let participants = self.participants.iter();
        participants.filter(move |participant| participant.shard != decider && participant.votes())
    }

    /// The owners of all debited accounts, ascending: those who sign.
    #[must_use]
    pub fn owners(&self) -> BTreeSet<IdentityKey> {
        let debits = self.participants.iter().flat_map(|part| &part.debits);
        debits.map(|debit| debit.owner).collect()
    }

    /// Checks all that can be checked without signatures and without state.
    ///
    /// # Errors
    /// [`TransactionError`], but not for signatures.
    pub fn check_form(&self, network: &Network) -> Result<(), TransactionError> {
        if self.chain != network.chain {
            return Err(TransactionError::Network { found: self.chain });
        }
        let participants = count_of(&self.participants);
        if !(1..=u64::from(PARTICIPANTS_MAX)).contains(&participants) {
            return Err(TransactionError::Participants {
                found: participants,
            });
        }
        if let Some(pair) = out_of_order(&self.participants, |participant| participant.shard) {
            return Err(TransactionError::ParticipantOrder { shard: pair.shard });
        }
        for shard in self.participants.iter().map(|part| part.shard) {
            if !network.has(shard) {
                return Err(TransactionError::UnknownShard { shard });
            }
        }
        if self.decider != BEACON && self.participant(self.decider).is_none() {
            return Err(TransactionError::Decider {
                shard: self.decider,
            });
        }
        if count_of(&self.cancel_keys) > u64::from(CANCEL_KEYS_MAX)
            || out_of_order(&self.cancel_keys, |key| *key).is_some()
        {
            return Err(TransactionError::CancelKeys);
        }
        for participant in &self.participants {
            participant.check_form()?;
        }
        self.check_balance()
    }

    /// What is debited of an asset is credited, to the atom: SHARDING 1.7 rests on it.
    fn check_balance(&self) -> Result<(), TransactionError> {
        let mut sums: BTreeMap<AssetId, (u128, u128)> = BTreeMap::new();
        for participant in &self.participants {
            for leg in &participant.debits {
                let debits = &mut sums.entry(leg.asset).or_default().0;
                *debits = add(*debits, leg.amount, leg.asset)?;
            }
            for leg in &participant.credits {
                let credits = &mut sums.entry(leg.asset).or_default().1;
                *credits = add(*credits, leg.amount, leg.asset)?;
            }
        }
        for (asset, (debits, credits)) in sums {
            if debits != credits {
                return Err(TransactionError::Unbalanced {
                    asset,
                    debits,
                    credits,
                });
            }
        }
        Ok(())
    }
}

impl Participant {
    fn check_form(&self) -> Result<(), TransactionError> {
        let shard = self.shard;
        let most = u64::from(LEGS_MAX);
        let (debits, credits) = (count_of(&self.debits), count_of(&self.credits));
        if debits > most || credits > most || debits + credits == 0 {
            return Err(TransactionError::Legs {
                shard,
                debits,
                credits,
            });
        }
        let debit = out_of_order(&self.debits, |leg| (leg.owner, leg.sub, leg.asset)).is_some();
        let credit = out_of_order(&self.credits, |leg| (leg.account, leg.asset)).is_some();
        if debit || credit {
            return Err(TransactionError::LegOrder { shard });
        }
        let mut amounts = self.debits.iter().map(|leg| leg.amount);
        let mut credited = self.credits.iter().map(|leg| leg.amount);
        if amounts.any(|amount| amount == 0) || credited.any(|amount| amount == 0) {
            return Err(TransactionError::Nothing { shard });
        }
        Ok(())
    }
}

fn add(sum: u128, amount: u128, asset: AssetId) -> Result<u128, TransactionError> {
    let sum = sum.checked_add(amount);
    sum.ok_or(TransactionError::Amount { asset })
}

/// The first entry that does not come after the one before it.
fn out_of_order<T, K: Ord>(list: &[T], key: impl Fn(&T) -> K) -> Option<&T> {
    let mut pairs = list.windows(2);
    let pair = pairs.find(|pair| key(&pair[0]) >= key(&pair[1]))?;
    pair.get(1)
}

impl Encode for AtomicTransaction {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.chain.encode(out);
        self.decider.encode(out);
        self.nonce.encode(out);
        self.expiry.encode(out);
        encode_list(&self.cancel_keys, out);
        encode_list(&self.participants, out);
    }
}

impl Decode for AtomicTransaction {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "atomic transaction", Self::VERSION)?;
        let transaction = Self {
            chain: Decode::decode(reader)?,
            decider: Decode::decode(reader)?,
            nonce: Decode::decode(reader)?,
            expiry: Decode::decode(reader)?,
            cancel_keys: reader.list("cancel keys", CANCEL_KEYS_MAX)?,
            participants: reader.list("participants", PARTICIPANTS_MAX)?,
        };
        require_ascending(&transaction.cancel_keys, "cancel keys")?;
        Ok(transaction)
    }
}

/// An atomic transaction and its owners' signatures.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignedAtomic {
    /// What is signed.
    pub transaction: AtomicTransaction,
    /// Ed25519 over the id, one of each owner in [`AtomicTransaction::owners`], in that order.
    pub signatures: Vec<IdentitySignature>,
    id: AtomicId,
}

impl SignedAtomic {
    /// Puts a transaction and its signatures together.
    #[must_use]
    pub fn new(transaction: AtomicTransaction, signatures: Vec<IdentitySignature>) -> Self {
        let id = transaction.id();
        Self {
            transaction,
            signatures,
            id,
        }
    }

    /// The transaction's id, hashed once when this was made or decoded.
    #[must_use]
    pub const fn id(&self) -> AtomicId {
        self.id
    }
}

impl Encode for SignedAtomic {
    fn encode(&self, out: &mut Vec<u8>) {
        self.transaction.encode(out);
        encode_list(&self.signatures, out);
    }
}

impl Decode for SignedAtomic {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let transaction = AtomicTransaction::decode(reader)?;
        let signatures = reader.list("signatures", SIGNATURES_MAX)?;
        Ok(Self::new(transaction, signatures))
    }
}

impl Verified<SignedAtomic> {
    /// Checks the form ([`AtomicTransaction::check_form`]) and every owner's signature, by the rules of ZIP 215.
    ///
    /// # Errors
    /// [`TransactionError`].
    pub fn check(signed: SignedAtomic, network: &Network) -> Result<Self, TransactionError> {
        signed.transaction.check_form(network)?;
        let owners = signed.transaction.owners();
        if owners.len() != signed.signatures.len() {
            return Err(TransactionError::Signatures {
                needed: u64::try_from(owners.len()).unwrap_or(u64::MAX),
                found: count_of(&signed.signatures),
            });
        }
        for (owner, signature) in owners.iter().zip(&signed.signatures) {
            let tag = DomainTag::AtomicSignature;
            identity::verify(owner, tag, signed.id.0.as_ref(), signature).map_err(|error| {
                TransactionError::Signature {
                    owner: *owner,
                    error,
                }
            })?;
        }
        Ok(Self::trust(signed))
    }
}

/// An order to the decider to abort a transaction. It carries the transaction, since the decider may not know it yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cancel {
    /// What to cancel.
    pub signed: SignedAtomic,
    /// Who cancels: one of [`AtomicTransaction::cancel_keys`].
    pub key: IdentityKey,
    /// Ed25519 over the transaction's id, under a tag of its own.
    pub signature: IdentitySignature,
}
codec_struct!(Cancel {
    signed,
    key,
    signature
});

impl Verified<Cancel> {
    /// Checks the transaction as [`Verified::<SignedAtomic>::check`] does, that the key may cancel it, and its signature.
    ///
    /// # Errors
    /// [`TransactionError`].
    pub fn check(cancel: Cancel, network: &Network) -> Result<Self, TransactionError> {
        if !cancel.signed.transaction.cancel_keys.contains(&cancel.key) {
            return Err(TransactionError::CancelKey { key: cancel.key });
        }
        let tag = DomainTag::AtomicCancel;
        let id = cancel.signed.id.0;
        identity::verify(&cancel.key, tag, id.as_ref(), &cancel.signature).map_err(|error| {
            TransactionError::Signature {
                owner: cancel.key,
                error,
            }
        })?;
        Verified::<SignedAtomic>::check(cancel.signed.clone(), network)?;
        Ok(Self::trust(cancel))
    }
}

/// Why an atomic transaction is not well-formed, or not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// It is for another network.
    #[error("it is for the network {found}")]
    Network {
        /// The network named.
        found: ChainId,
    },
    /// The number of participants is out of bounds.
    #[error("it has {found} participants, not 1 to {PARTICIPANTS_MAX}")]
    Participants {
        /// How many there are.
        found: u64,
    },
    /// Participants are not strictly ascending: one is there twice, or they are in another order.
    #[error("participant {shard} is there twice or out of order")]
    ParticipantOrder {
        /// The shard.
        shard: ShardId,
    },
    /// There is no such shard.
    #[error("there is no shard {shard}")]
    UnknownShard {
        /// The shard named.
        shard: ShardId,
    },
    /// The decider is neither a participant nor the beacon.
    #[error("the decider {shard} is neither a participant nor the beacon")]
    Decider {
        /// The shard named.
        shard: ShardId,
    },
    /// Keys that may cancel are too many or not strictly ascending.
    #[error("keys that may cancel are more than {CANCEL_KEYS_MAX} or not strictly ascending")]
    CancelKeys,
    /// A participant has no legs, or too many.
    #[error(
        "shard {shard} has {debits} debits and {credits} credits; at least one in all and at most {LEGS_MAX} of either"
    )]
    Legs {
        /// The shard.
        shard: ShardId,
        /// Its debits.
        debits: u64,
        /// Its credits.
        credits: u64,
    },
    /// Legs are not strictly ascending by account and asset.
    #[error("legs of shard {shard} are there twice or out of order")]
    LegOrder {
        /// The shard.
        shard: ShardId,
    },
    /// A leg moves nothing.
    #[error("a leg of shard {shard} moves nothing")]
    Nothing {
        /// The shard.
        shard: ShardId,
    },
    /// Amounts of an asset do not add up within 128 bits.
    #[error("amounts of asset {asset} exceed 128 bits")]
    Amount {
        /// The asset.
        asset: AssetId,
    },
    /// Debits and credits of an asset differ.
    #[error("asset {asset}: {debits} atoms debited, {credits} credited")]
    Unbalanced {
        /// The asset.
        asset: AssetId,
        /// Atoms debited.
        debits: u128,
        /// Atoms credited.
        credits: u128,
    },
    /// The number of signatures is not that of owners.
    #[error("{needed} owners must sign, {found} signatures are there")]
    Signatures {
        /// Owners that must sign.
        needed: u64,
        /// Signatures that are there.
        found: u64,
    },
    /// A signature does not verify.
    #[error("signature of {owner}: {error}")]
    Signature {
        /// Whose it should be.
        owner: IdentityKey,
        /// What is wrong.
        error: SignatureError,
    },
    /// The key may not cancel this transaction.
    #[error("the key {key} may not cancel this transaction")]
    CancelKey {
        /// The key.
        key: IdentityKey,
    },
}
