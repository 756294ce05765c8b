//! What is signed, hashed, stored or sent: form alone.

use quorate_types::{
    Account, AssetInfo, Block, BlockBuilder, BlockRef, Body, Certificate, Committee, Decode, Delta,
    Encode, FinalityShare, Genesis, Header, Height, MerkleProof, Outcome, Reader, Receipt,
    RejectCode, Signature, SignedTransaction, StateKey, StateProof, Transaction,
};

use crate::Target;
use crate::canonical::encoded;
use crate::choices::{Choices, with_length};
use crate::samples::chain::{ASSETS, CHAIN, account_of};

/// A target of a type with a codec, from samples of it.
macro_rules! codec {
    ($name:literal, $type:ty, $samples:expr) => {
        Target::new(
            $name,
            |bytes| crate::canonical::canonical::<$type>(bytes).is_some(),
            || crate::canonical::encoded::<$type>($samples),
        )
    };
}
pub(super) use codec;

pub(super) fn targets() -> Vec<Target> {
    vec![
        Target::new("block", block, || {
            let blocks = CHAIN.blocks.iter();
            blocks.map(|block| block.bytes().to_vec()).collect()
        }),
        codec!("header", Header, [CHAIN.execution.header.clone()]),
        codec!("certificate", Certificate, [CHAIN.certificate.clone()]),
        codec!("finality-share", FinalityShare, [share()]),
        codec!("transaction", Transaction, {
            let signed = CHAIN.transactions().into_iter();
            signed.map(|signed| signed.transaction).collect::<Vec<_>>()
        }),
        codec!(
            "signed-transaction",
            SignedTransaction,
            CHAIN.transactions()
        ),
        codec!("transaction-body", Body, {
            let signed = CHAIN.transactions().into_iter();
            signed
                .map(|signed| signed.transaction.body)
                .collect::<Vec<_>>()
        }),
        codec!("receipt", Receipt, CHAIN.execution.receipts.clone()),
        codec!("outcome", Outcome, outcomes()),
        codec!("genesis", Genesis, [CHAIN.genesis.clone()]),
        codec!("committee", Committee, [CHAIN.committee.clone()]),
        codec!("account", Account, [account(0), account(1)]),
        codec!("asset", AssetInfo, {
            let snapshot = CHAIN.ledger.snapshot();
            ASSETS.map(|asset| *snapshot.asset(asset).unwrap())
        }),
        codec!("state-key", StateKey, keys()),
        codec!("merkle-proof", MerkleProof, {
            let receipts = &CHAIN.execution.receipts;
            let proofs = (0..receipts.len()).map(|at| quorate_ledger::receipt_proof(receipts, at));
            proofs.map(Option::unwrap).collect::<Vec<_>>()
        }),
        codec!("state-proof", StateProof, {
            let snapshot = CHAIN.ledger.snapshot();
            let proofs = keys().into_iter().map(|key| snapshot.prove(&key).1);
            proofs.collect::<Vec<_>>()
        }),
        Target::new("reader", reader, || {
            let list = with_length(&encoded([vec_of_references()])[0]);
            let numbers = with_length(&[7; 18]);
            vec![
                [vec![2, 0, 1], numbers].concat(),
                [vec![1, 4], list].concat(),
            ]
        }),
    ]
}

/// A whole block is built anew from what its views show, so they are compared too.
fn block(bytes: &[u8]) -> bool {
    let early = Block::encoded_round(bytes);
    let Ok(block) = Block::decode(bytes.to_vec().into()) else {
        return false;
    };
    assert_eq!(early, Ok(block.round()), "the round is read alone, too");
    assert!(block.bytes() == bytes, "the bytes are kept");
    let builder = BlockBuilder::new(
        block.chain(),
        block.shard(),
        block.epoch(),
        block.author(),
        block.round(),
        block.timestamp_ms(),
        block.parents(),
        block.coin_share(),
        block.payload(),
    );
    assert_eq!(builder.digest(), block.digest());
    let rebuilt = builder.finish(block.signature());
    assert_eq!(rebuilt.as_ref(), Ok(&block));
    let bytes: usize = block.payload().map(<[u8]>::len).sum();
    assert_eq!(block.payload_bytes(), bytes);
    let count = u32::try_from(block.payload().count());
    assert_eq!(Ok(block.transaction_count()), count);
    true
}

/// The cursor that all decoders use, in any order of its methods: it never goes back, nor past the end, and a failure that is
/// no failure of what was read leaves it where it was.
fn reader(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let kinds: Vec<u8> = (0..choices.below(16)).map(|_| choices.byte()).collect();
    let content = choices.bytes();
    let mut reader = Reader::new(content);
    let mut read = true;
    for kind in kinds {
        let before = reader.offset();
        read &= match kind % 6 {
            0 => u16::decode(&mut reader).is_ok(),
            1 => u128::decode(&mut reader).is_ok(),
            2 => reader.take(usize::from(kind)).is_ok(),
            3 => reader.array::<33>().is_ok(),
            4 => reader.list::<BlockRef>("entries", 1 << 20).is_ok(),
            _ => reader.count("entries", u32::from(kind)).is_ok(),
        };
        assert!(reader.offset() >= before);
        assert_eq!(reader.offset() + reader.remaining(), content.len());
    }
    assert_eq!(reader.finish().is_ok(), reader.remaining() == 0);
    read
}

struct References(Vec<BlockRef>);

impl Encode for References {
    fn encode(&self, out: &mut Vec<u8>) {
        quorate_types::encode_list(&self.0, out);
    }
}

fn vec_of_references() -> References {
    References(CHAIN.blocks.iter().map(|block| block.reference()).collect())
}

fn share() -> FinalityShare {
    FinalityShare {
        height: Height(1),
        header_hash: CHAIN.execution.header.hash(),
        signature: Signature([3; 48]),
    }
}

fn outcomes() -> Vec<Outcome> {
    let rejected = RejectCode::ALL.iter().take(2);
    let rejected = rejected.map(|code| Outcome::Rejected { code: *code });
    let applied = Outcome::Applied {
        deltas: vec![Delta {
            account: account_of(0),
            asset: ASSETS[0],
            change: -4,
        }],
    };
    rejected.chain([applied]).collect()
}

pub(super) fn account(number: u8) -> Account {
    let snapshot = CHAIN.ledger.snapshot();
    snapshot.account(&account_of(number)).unwrap().clone()
}

/// Keys that are there, and one that is not.
pub(super) fn keys() -> Vec<StateKey> {
    let accounts = (0..=4).map(|number| StateKey::Account(account_of(number)));
    let assets = ASSETS.map(StateKey::Asset);
    accounts.chain(assets).collect()
}
