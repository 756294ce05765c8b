//! What clients sign.

use alloc::vec::Vec;

use crate::codec::{
    CodecError, Decode, Encode, Reader, codec_struct, decode_version, encode_list,
    require_ascending,
};
use crate::domain::DomainTag;
use crate::hash::Blake3;
use crate::ids::{
    AccountId, AssetId, ChainId, IdentityKey, IdentitySignature, Round, ShardId, TransactionId,
};
use crate::limits::{ACCESS_MAX, DEPENDENCIES_MAX, SIGNATURES_MAX};

/// An operation on the ledger, before it is signed (SETTLEMENT 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The chain it is meant for.
    pub chain: ChainId,
    /// The shard it is meant for.
    pub shard: ShardId,
    /// What it does.
    pub body: Body,
    /// Every account it touches, ascending.
    pub access: Vec<AccountId>,
    /// Transactions that must be executed before it, ascending.
    pub dependencies: Vec<TransactionId>,
    /// Which of the signer's independent sequences it stands in.
    pub lane: u16,
    /// Its number in the lane: exactly the lane's next one.
    pub sequence: u64,
    /// Last leader round at which it may be executed.
    pub valid_until_round: Round,
    /// Most it may cost, in atoms of the fee asset.
    pub max_fee: u128,
}

/// The kinds of transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Opens the account of `owner` and `sub`; signed by `owner`.
    CreateAccount {
        /// The key that will own the account.
        owner: IdentityKey,
        /// The sub-account number.
        sub: u32,
    },
    /// Moves free balance; signed by the owner of `from`.
    Transfer {
        /// The debited account.
        from: AccountId,
        /// The credited account.
        to: AccountId,
        /// The asset.
        asset: AssetId,
        /// How many atoms.
        amount: u128,
    },
}

impl Body {
    /// The account whose sequence the transaction takes and whose owner signs it.
    #[must_use]
    pub fn signer(&self) -> AccountId {
        match self {
            Self::CreateAccount { owner, sub } => AccountId::derive(owner, *sub),
            Self::Transfer { from, .. } => *from,
        }
    }

    /// Every account the operation touches, ascending and without duplicates.
    #[must_use]
    pub fn touched(&self) -> Vec<AccountId> {
        let mut touched = match self {
            Self::CreateAccount { .. } => alloc::vec![self.signer()],
            Self::Transfer { from, to, .. } => alloc::vec![*from, *to],
        };
        touched.sort_unstable();
        touched.dedup();
        touched
    }
}

impl Encode for Body {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::CreateAccount { owner, sub } => {
                out.push(1);
                owner.encode(out);
                sub.encode(out);
            }
            Self::Transfer {
                from,
                to,
                asset,
                amount,
            } => {
                out.push(2);
                from.encode(out);
                to.encode(out);
                asset.encode(out);
                amount.encode(out);
            }
        }
    }
}

impl Decode for Body {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u8::decode(reader)? {
            1 => Ok(Self::CreateAccount {
                owner: Decode::decode(reader)?,
                sub: Decode::decode(reader)?,
            }),
            2 => Ok(Self::Transfer {
                from: Decode::decode(reader)?,
                to: Decode::decode(reader)?,
                asset: Decode::decode(reader)?,
                amount: Decode::decode(reader)?,
            }),
            found => Err(CodecError::Variant {
                value: "transaction body",
                found,
            }),
        }
    }
}

impl Transaction {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// BLAKE3 of the canonical encoding: the transaction's id, and what its signatures sign.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        transaction_id(&self.to_bytes())
    }
}

fn transaction_id(unsigned: &[u8]) -> TransactionId {
    TransactionId(
        Blake3::new(DomainTag::TransactionId)
            .chain(unsigned)
            .finish(),
    )
}

impl Encode for Transaction {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.chain.encode(out);
        self.shard.encode(out);
        self.body.encode(out);
        encode_list(&self.access, out);
        encode_list(&self.dependencies, out);
        self.lane.encode(out);
        self.sequence.encode(out);
        self.valid_until_round.encode(out);
        self.max_fee.encode(out);
    }
}

impl Decode for Transaction {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "transaction", Self::VERSION)?;
        let transaction = Self {
            chain: Decode::decode(reader)?,
            shard: Decode::decode(reader)?,
            body: Decode::decode(reader)?,
            access: reader.list("access list", ACCESS_MAX)?,
            dependencies: reader.list("dependencies", DEPENDENCIES_MAX)?,
            lane: Decode::decode(reader)?,
            sequence: Decode::decode(reader)?,
            valid_until_round: Decode::decode(reader)?,
            max_fee: Decode::decode(reader)?,
        };
        require_ascending(&transaction.access, "access list")?;
        require_ascending(&transaction.dependencies, "dependencies")?;
        Ok(transaction)
    }
}

/// One signature and the account key it is by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySignature {
    /// Which of the account's keys signed; 0 is the owner.
    pub key_index: u8,
    /// Ed25519 over the transaction's id.
    pub signature: IdentitySignature,
}
codec_struct!(KeySignature {
    key_index,
    signature
});

/// A transaction and its signatures, ascending by key index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// What is signed.
    pub transaction: Transaction,
    /// By whom.
    pub signatures: Vec<KeySignature>,
    id: TransactionId,
}

impl SignedTransaction {
    /// Puts a transaction and its signatures together.
    #[must_use]
    pub fn new(transaction: Transaction, signatures: Vec<KeySignature>) -> Self {
        let id = transaction.id();
        Self {
            transaction,
            signatures,
            id,
        }
    }

    /// The transaction's id, hashed once when it was made or decoded.
    #[must_use]
    pub const fn id(&self) -> TransactionId {
        self.id
    }
}

impl Encode for SignedTransaction {
    fn encode(&self, out: &mut Vec<u8>) {
        self.transaction.encode(out);
        encode_list(&self.signatures, out);
    }
}

impl Decode for SignedTransaction {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let start = reader.clone();
        let transaction = Transaction::decode(reader)?;
        let length = reader.offset() - start.offset();
        let id = transaction_id(start.clone().take(length)?);
        let signatures: Vec<KeySignature> = reader.list("signatures", SIGNATURES_MAX)?;
        if !signatures
            .windows(2)
            .all(|pair| pair[0].key_index < pair[1].key_index)
        {
            return Err(CodecError::NotCanonical {
                field: "signatures",
            });
        }
        Ok(Self {
            transaction,
            signatures,
            id,
        })
    }
}
