//! Messages carry their values whole, and refuse what is none.

use bytes::Bytes;
use quorate_rpc::types::v1;
use quorate_rpc::{ConvertError, fixed_bytes, reject_code_of};
use quorate_types::{
    Account, AccountId, AssetId, BlockId, BlockRef, Certificate, ChainId, CommitteeHash, Delta,
    Encode, Epoch, Evidence, Hash32, Header, HeaderHash, Height, IdentityKey, MerkleTree, Outcome,
    Receipt, RejectCode, Round, ShardId, Signature, SparseLeaf, StateProof, TransactionId,
    ValidatorIndex,
};

fn header() -> Header {
    Header {
        chain: ChainId([1; 32]),
        shard: ShardId(0),
        epoch: Epoch(3),
        height: Height(9),
        previous: HeaderHash([2; 32]),
        leader_round: Round(30),
        leader_author: ValidatorIndex(2),
        leader: BlockId([3; 32]),
        timestamp_ms: 1_700_000_000_000,
        transactions_total: 12,
        blocks_root: Hash32([4; 32]),
        receipts_root: Hash32([5; 32]),
        outbox_root: Hash32([6; 32]),
        state_root: Hash32([7; 32]),
        next_committee: CommitteeHash([0; 32]),
    }
}

#[test]
fn lengths_in_the_protos_are_the_codecs() {
    let certificate = Certificate {
        header: header(),
        signature: Signature([8; 48]),
    };
    assert_eq!(Header::LENGTH, 304);
    assert_eq!(certificate.to_bytes().len(), 352);
    assert_eq!(quorate_types::limits::BLOCK_BYTES_MAX, 4_472_832);
    assert_eq!(quorate_types::limits::TRANSACTION_BYTES_MAX, 16_384);
    let proof = StateProof {
        leaf: Some(SparseLeaf::new(Hash32([1; 32]), b"value")),
        siblings: vec![Hash32::ZERO; 256],
    };
    assert_eq!(proof.to_bytes().len(), 8_261);
}

#[test]
fn values_round_trip() {
    let certificate = Certificate {
        header: header(),
        signature: Signature([8; 48]),
    };
    let message = v1::Certificate::from(&certificate);
    assert_eq!(Certificate::try_from(&message), Ok(certificate.clone()));
    assert_eq!(message.signing_bytes.len(), 40);
    let inner = message.header.expect("a certificate has a header");
    assert_eq!(Header::try_from(&inner), Ok(certificate.header));
    assert_eq!(inner.shard, Some(0), "zero is a value, not an absence");

    let mut account = Account::new(IdentityKey([9; 32]), 4);
    account.lanes.insert(2, 7);
    account.free.insert(AssetId(1), u128::MAX);
    let message = v1::Account::from(&account);
    assert_eq!(message.free[0].atoms, u128::MAX.to_string());
    assert_eq!(Account::try_from(&message), Ok(account));

    let proof = MerkleTree::new([[1u8], [2], [3]])
        .proof(1)
        .expect("there are three");
    assert_eq!((&v1::MerkleProof::from(&proof)).try_into(), Ok(proof));
    let proof = StateProof {
        leaf: None,
        siblings: vec![Hash32::ZERO],
    };
    assert_eq!((&v1::StateProof::from(&proof)).try_into(), Ok(proof));
}

#[test]
fn receipts_and_evidence_round_trip() {
    let applied = Receipt {
        transaction: TransactionId([1; 32]),
        outcome: Outcome::Applied {
            deltas: vec![Delta {
                account: AccountId([2; 32]),
                asset: AssetId(0),
                change: -5,
            }],
        },
    };
    let message = v1::Receipt::from(&applied);
    assert_eq!(Receipt::try_from(&message), Ok(applied));
    for code in RejectCode::ALL {
        let rejected = Receipt {
            transaction: TransactionId([1; 32]),
            outcome: Outcome::Rejected { code: *code },
        };
        let message = v1::Receipt::from(&rejected);
        assert_eq!(Receipt::try_from(&message), Ok(rejected));
        let Some(v1::receipt::Outcome::Rejected(outcome)) = message.outcome else {
            panic!("{code} is a rejection");
        };
        assert_eq!(reject_code_of(&outcome), Some(*code));
    }
    let block = |id| BlockRef {
        round: Round(4),
        author: ValidatorIndex(0),
        id: BlockId([id; 32]),
    };
    let evidence = [
        Evidence::Equivocation {
            first: block(1),
            second: block(2),
        },
        Evidence::BadCoinShare {
            author: ValidatorIndex(3),
            round: Round(0),
        },
        Evidence::BadFinalityShare {
            author: ValidatorIndex(1),
            height: Height(2),
        },
    ];
    for evidence in evidence {
        assert_eq!((&v1::Evidence::from(&evidence)).try_into(), Ok(evidence));
    }
}

#[test]
fn what_is_no_value_is_refused_with_its_field() {
    assert_eq!(
        fixed_bytes::<32>(&[], "id"),
        Err(ConvertError::Missing { field: "id" })
    );
    assert_eq!(
        fixed_bytes::<32>(&[0; 31], "id"),
        Err(ConvertError::Length {
            field: "id",
            found: 31,
            expected: 32
        })
    );
    let mut message = v1::Header::from(&header());
    message.canonical = message.canonical.slice(..303);
    let error = Header::try_from(&message).unwrap_err();
    assert_eq!(error.field(), "header.canonical");
    assert!(matches!(error, ConvertError::Codec { .. }));
    let far = v1::BlockRef {
        round: 1,
        author: Some(128),
        id: Bytes::from_static(&[0; 32]),
    };
    assert_eq!(
        BlockRef::try_from(&far),
        Err(ConvertError::Number {
            field: "author",
            found: 128,
            limit: 127
        })
    );
}
