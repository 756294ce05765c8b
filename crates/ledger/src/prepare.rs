//! Decoding and verifying before a block's turn to be executed.

use quorate_types::{
    Blake3, Block, BlockId, ChainId, Decode, DomainTag, Execution as Mode, IdentityKey, RejectCode,
    SignedTransaction, TransactionId,
};

use crate::signatures::{are_signed_by, is_signed_by, owner_of};
use crate::state::Snapshot;

/// A block's transactions, decoded and with their signatures verified where the owner was known.
///
/// Made from any snapshot of the chain, before or after the block is committed, on any thread; execution gives the same
/// result with it and without.
#[derive(Clone, Debug)]
pub struct PreparedBlock {
    chain: ChainId,
    block: BlockId,
    pub(crate) items: Vec<Item>,
}

/// A transaction that is well-formed and has one signature by key 0, or the receipt's facts about one whose form alone
/// condemns it.
pub(crate) type Item = Result<Formed, (TransactionId, RejectCode)>;

#[derive(Clone, Debug)]
pub(crate) struct Formed {
    pub(crate) signed: SignedTransaction,
    pub(crate) verified: Option<Verdict>,
}

/// What verifying under one key gave. Says nothing about other keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    owner: IdentityKey,
    valid: bool,
}

impl PreparedBlock {
    /// Prepares a block. Empty on a chain that does not execute what it orders.
    #[must_use]
    pub fn new(block: &Block, snapshot: &Snapshot) -> Self {
        let rules = snapshot.rules();
        let mut items = match rules.mode() {
            Mode::Opaque => Vec::new(),
            Mode::Ledger => block
                .payload()
                .map(|bytes| decode(bytes, snapshot))
                .collect(),
        };
        verify(&mut items, snapshot);
        Self {
            chain: rules.chain(),
            block: block.reference().id,
            items,
        }
    }

    /// Whether this is a preparation of `block` for `chain`.
    pub(crate) fn is_of(&self, block: &BlockId, chain: &ChainId) -> bool {
        self.block == *block && self.chain == *chain
    }

    /// The block.
    #[must_use]
    pub const fn block(&self) -> BlockId {
        self.block
    }
}

impl Verdict {
    /// Whether `signed` is signed by `owner`, verified now unless that was done before.
    pub(crate) fn settle(
        verified: Option<Self>,
        signed: &SignedTransaction,
        owner: &IdentityKey,
    ) -> bool {
        match verified {
            Some(verdict) if verdict.owner == *owner => verdict.valid,
            _ => is_signed_by(signed, owner),
        }
    }
}

fn decode(bytes: &[u8], snapshot: &Snapshot) -> Item {
    let Ok(signed) = SignedTransaction::from_bytes(bytes) else {
        let id = Blake3::new(DomainTag::TransactionId).chain(bytes).finish();
        return Err((TransactionId(id), RejectCode::BadEncoding));
    };
    match snapshot.rules().check_form(&signed) {
        Ok(()) => Ok(Formed {
            signed,
            verified: None,
        }),
        Err(code) => Err((signed.id(), code)),
    }
}

fn verify(items: &mut [Item], snapshot: &Snapshot) {
    let mut known = Vec::new();
    let mut verdicts = Vec::new();
    for Formed { signed, verified } in items.iter_mut().flatten() {
        let signed = &*signed;
        if let Some(owner) = owner_of(snapshot, signed) {
            known.push((signed, owner));
            verdicts.push(verified);
        }
    }
    let valid = are_signed_by(&known);
    for ((verified, (_, owner)), valid) in verdicts.into_iter().zip(known).zip(valid) {
        *verified = Some(Verdict { owner, valid });
    }
}
