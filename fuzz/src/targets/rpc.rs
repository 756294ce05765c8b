//! Messages of peers and clients, from the bytes on the wire.

use prost::Message;
use quorate_rpc::types::v1;
use quorate_types::{
    Account, BlockRef, Certificate, Evidence, Header, Height, MerkleProof, Receipt, Round,
    StateKey, StateProof, ValidatorIndex,
};

use super::types::account;
use crate::Target;
use crate::samples::chain::{CHAIN, account_of};

pub(super) fn targets() -> Vec<Target> {
    vec![
        Target::new("rpc-header", converts::<v1::Header, Header>, || {
            messages::<v1::Header, _>(std::slice::from_ref(&CHAIN.execution.header))
        }),
        Target::new(
            "rpc-certificate",
            converts::<v1::Certificate, Certificate>,
            || messages::<v1::Certificate, _>(std::slice::from_ref(&CHAIN.certificate)),
        ),
        Target::new("rpc-account", converts::<v1::Account, Account>, || {
            messages::<v1::Account, _>(&[account(0)])
        }),
        Target::new(
            "rpc-merkle-proof",
            converts::<v1::MerkleProof, MerkleProof>,
            || {
                let proof = quorate_ledger::receipt_proof(&CHAIN.execution.receipts, 1);
                messages::<v1::MerkleProof, _>(&[proof.unwrap()])
            },
        ),
        Target::new(
            "rpc-state-proof",
            converts::<v1::StateProof, StateProof>,
            || {
                let snapshot = CHAIN.ledger.snapshot();
                let proof = |number| snapshot.prove(&StateKey::Account(account_of(number))).1;
                messages::<v1::StateProof, _>(&[proof(0), proof(4)])
            },
        ),
        Target::new("rpc-receipt", converts::<v1::Receipt, Receipt>, || {
            messages::<v1::Receipt, _>(&CHAIN.execution.receipts)
        }),
        Target::new("rpc-block-ref", converts::<v1::BlockRef, BlockRef>, || {
            messages::<v1::BlockRef, _>(&[CHAIN.blocks[1].reference()])
        }),
        Target::new("rpc-evidence", converts::<v1::Evidence, Evidence>, || {
            messages::<v1::Evidence, _>(&evidence())
        }),
    ]
}

/// Decodes a message, converts it, converts it back and demands the same again. Peers may leave out what is there for readers
/// only, so the message need not be the same, but what it means must be.
fn converts<M, T>(bytes: &[u8]) -> bool
where
    M: Message + Default + for<'a> From<&'a T>,
    T: for<'a> TryFrom<&'a M> + PartialEq,
{
    let Ok(message) = M::decode(bytes) else {
        return false;
    };
    let Ok(value) = T::try_from(&message) else {
        return false;
    };
    let again = M::from(&value).encode_to_vec();
    let again = M::decode(again.as_slice()).expect("what was encoded is decoded");
    let again = T::try_from(&again).ok();
    assert!(again == Some(value), "it comes back as something else");
    true
}

fn messages<M, T>(values: &[T]) -> Vec<Vec<u8>>
where
    M: Message + for<'a> From<&'a T>,
{
    let messages = values.iter().map(M::from);
    messages.map(|message| message.encode_to_vec()).collect()
}

fn evidence() -> Vec<Evidence> {
    let author = ValidatorIndex(1);
    let reference = CHAIN.blocks[1].reference();
    vec![
        Evidence::Equivocation {
            first: reference,
            second: reference,
        },
        Evidence::BadCoinShare {
            author,
            round: Round(4),
        },
        Evidence::BadFinalityShare {
            author,
            height: Height(9),
        },
    ]
}
