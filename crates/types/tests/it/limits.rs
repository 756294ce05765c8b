//! Every named limit refuses one more than it allows, with an error that says which.

use quorate_types::limits::{
    ACCESS_MAX, ALLOCATIONS_MAX, ASSETS_MAX, BLOCK_BYTES_MAX, COMMITTEE_MAX, DELTAS_MAX,
    DEPENDENCIES_MAX, LANES_MAX, MERKLE_PATH_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX,
    PAYLOAD_TRANSACTIONS_MAX, RANGE_PATH_MAX, SHARDS_MAX, SIGNATURES_MAX, STATE_PATH_MAX,
    TRANSACTION_BYTES_MAX,
};
use quorate_types::*;

use crate::generate::{Generate, Source};

fn source() -> Source {
    Source::new("limits", 0)
}

fn any<T: Generate>() -> T {
    T::generate(&mut source())
}

fn many<T: Generate>(count: u32) -> Vec<T> {
    let mut source = source();
    (0..count).map(|_| T::generate(&mut source)).collect()
}

fn ascending<T: Generate + Ord>(count: u32) -> Vec<T> {
    let mut list = many(count);
    list.sort();
    list
}

fn too_many(field: &'static str, count: u32, limit: u32) -> CodecError {
    CodecError::TooMany {
        field,
        count: u64::from(count),
        limit: u64::from(limit),
    }
}

fn block(parents: &[BlockRef], payload: &[Vec<u8>]) -> Result<Block, CodecError> {
    BlockBuilder::new(
        &any(),
        any(),
        any(),
        any(),
        any(),
        any(),
        parents,
        &any(),
        payload.iter().map(Vec::as_slice),
    )
    .finish(&any())
}

#[test]
fn a_block_may_be_as_large_as_its_limits_and_no_larger() {
    let most = u32::from(COMMITTEE_MAX);
    let parents: Vec<BlockRef> = many(most);
    let full = vec![vec![7; TRANSACTION_BYTES_MAX as usize]; 256];
    assert_eq!(
        full.len() * TRANSACTION_BYTES_MAX as usize,
        PAYLOAD_BYTES_MAX as usize
    );
    let largest = block(&parents, &full).unwrap();
    assert_eq!(largest.payload_bytes(), PAYLOAD_BYTES_MAX as usize);
    assert!(largest.bytes().len() <= BLOCK_BYTES_MAX as usize);

    // As many transactions, bytes and parents as there may be, all at once: still within the limit of whole blocks.
    let each = PAYLOAD_BYTES_MAX / PAYLOAD_TRANSACTIONS_MAX;
    let most_transactions = vec![vec![7; each as usize]; PAYLOAD_TRANSACTIONS_MAX as usize];
    let largest = block(&parents, &most_transactions).unwrap();
    assert_eq!(largest.transaction_count(), PAYLOAD_TRANSACTIONS_MAX);
    assert!(largest.bytes().len() <= BLOCK_BYTES_MAX as usize);

    let cases: [(&str, Result<Block, CodecError>, CodecError); 4] = [
        (
            "a parent more",
            block(&many(most + 1), &[]),
            too_many("parents", most + 1, most),
        ),
        (
            "a longer transaction",
            block(&[], &[vec![0; TRANSACTION_BYTES_MAX as usize + 1]]),
            too_many(
                "transaction bytes",
                TRANSACTION_BYTES_MAX + 1,
                TRANSACTION_BYTES_MAX,
            ),
        ),
        (
            "a byte more of payload",
            block(&[], &[full.clone(), vec![vec![7]]].concat()),
            too_many("payload bytes", PAYLOAD_BYTES_MAX + 1, PAYLOAD_BYTES_MAX),
        ),
        (
            "a transaction more",
            block(&[], &vec![vec![]; PAYLOAD_TRANSACTIONS_MAX as usize + 1]),
            too_many(
                "transactions",
                PAYLOAD_TRANSACTIONS_MAX + 1,
                PAYLOAD_TRANSACTIONS_MAX,
            ),
        ),
    ];
    for (what, result, expected) in cases {
        assert_eq!(result.unwrap_err(), expected, "{what}");
    }
}

#[test]
fn a_block_of_too_many_bytes_is_refused_before_it_is_read() {
    let bytes = vec![0xff; BLOCK_BYTES_MAX as usize + 1];
    assert_eq!(
        Block::decode(bytes.into()).unwrap_err(),
        too_many("block bytes", BLOCK_BYTES_MAX + 1, BLOCK_BYTES_MAX)
    );
}

#[test]
fn a_block_of_another_version_is_named_so() {
    let mut bytes = block(&[], &[]).unwrap().bytes().to_vec();
    bytes[0] = 2;
    assert_eq!(
        Block::decode(bytes.into()).unwrap_err(),
        CodecError::Version {
            value: "block",
            found: 2,
            known: 1
        }
    );
}

/// A list that claims more entries than there are bytes must not make room for them.
#[test]
fn a_huge_count_costs_nothing() {
    let mut bytes = any::<Genesis>().to_bytes();
    let allocations = bytes.len() - {
        let genesis: Genesis = any();
        genesis.allocations.to_vec().len() * Allocation::to_bytes(&any()).len() + 4
    };
    bytes.truncate(allocations);
    bytes.extend_from_slice(&ALLOCATIONS_MAX.to_le_bytes());
    assert!(matches!(
        Genesis::from_bytes(&bytes),
        Err(CodecError::Truncated { .. })
    ));
    bytes.truncate(allocations);
    bytes.extend_from_slice(&(ALLOCATIONS_MAX + 1).to_le_bytes());
    assert_eq!(
        Genesis::from_bytes(&bytes),
        Err(too_many(
            "allocations",
            ALLOCATIONS_MAX + 1,
            ALLOCATIONS_MAX
        ))
    );
}

fn account(lanes: u32, assets: u32) -> Account {
    let mut account = Account::new(any(), 0);
    account.lanes = (0..u16::try_from(lanes).unwrap())
        .map(|lane| (lane, 1))
        .collect();
    account.free = (0..assets).map(|asset| (AssetId(asset), 1)).collect();
    account
}

fn transaction(access: u32, dependencies: u32) -> Transaction {
    Transaction {
        access: ascending(access),
        dependencies: ascending(dependencies),
        ..any()
    }
}

fn signed(signatures: u32) -> SignedTransaction {
    let signatures = (0..u8::try_from(signatures).unwrap())
        .map(|key_index| KeySignature {
            key_index,
            signature: any(),
        })
        .collect();
    SignedTransaction::new(any(), signatures)
}

fn genesis(name: u32, members: u32, assets: u32) -> Genesis {
    Genesis {
        name: "n".repeat(name as usize),
        members: many(members),
        assets: many(assets),
        ..any()
    }
}

fn applied(deltas: u32) -> Outcome {
    Outcome::Applied {
        deltas: many(deltas),
    }
}

fn merkle_proof(path: u32) -> MerkleProof {
    MerkleProof {
        path: many(path),
        ..any()
    }
}

fn state_proof(siblings: u32) -> StateProof {
    StateProof {
        siblings: many(siblings),
        ..any()
    }
}

#[test]
fn lists_may_be_as_long_as_their_limits_and_no_longer() {
    type Decoded = Result<(), CodecError>;
    type Attempt = fn(u32) -> Decoded;
    fn round_trip<T: Encode + Decode + PartialEq>(value: &T) -> Decoded {
        let decoded = T::from_bytes(&value.to_bytes())?;
        assert!(decoded == *value);
        Ok(())
    }
    let cases: [(&'static str, u32, Attempt); 12] = [
        ("lanes", LANES_MAX, |count| round_trip(&account(count, 0))),
        ("balances", ASSETS_MAX, |count| {
            round_trip(&account(0, count))
        }),
        ("access list", ACCESS_MAX, |count| {
            round_trip(&transaction(count, 0))
        }),
        ("dependencies", DEPENDENCIES_MAX, |count| {
            round_trip(&transaction(0, count))
        }),
        ("signatures", SIGNATURES_MAX, |count| {
            round_trip(&signed(count))
        }),
        ("name", NAME_BYTES_MAX, |count| {
            round_trip(&genesis(count, 0, 0))
        }),
        ("members", u32::from(COMMITTEE_MAX), |count| {
            round_trip(&genesis(0, count, 0))
        }),
        ("assets", ASSETS_MAX, |count| {
            round_trip(&genesis(0, 0, count))
        }),
        ("deltas", DELTAS_MAX, |count| round_trip(&applied(count))),
        ("merkle path", MERKLE_PATH_MAX, |count| {
            round_trip(&merkle_proof(count))
        }),
        ("range path", RANGE_PATH_MAX, |count| {
            round_trip(&RangeProof {
                start: 0,
                size: 0,
                path: many(count),
            })
        }),
        ("state proof siblings", STATE_PATH_MAX, |count| {
            round_trip(&state_proof(count))
        }),
    ];
    for (field, limit, attempt) in cases {
        assert_eq!(attempt(limit), Ok(()), "{field}");
        assert_eq!(
            attempt(limit + 1),
            Err(too_many(field, limit + 1, limit)),
            "{field}"
        );
    }
}

#[test]
fn other_spellings_of_one_value_are_refused() {
    let not_canonical = |field| CodecError::NotCanonical { field };

    let mut unsorted = transaction(2, 2);
    unsorted.access.reverse();
    assert_eq!(
        Transaction::from_bytes(&unsorted.to_bytes()),
        Err(not_canonical("access list"))
    );
    let mut repeated = transaction(2, 2);
    repeated.dependencies[1] = repeated.dependencies[0];
    assert_eq!(
        Transaction::from_bytes(&repeated.to_bytes()),
        Err(not_canonical("dependencies"))
    );
    let mut unsorted = signed(2);
    unsorted.signatures.reverse();
    assert_eq!(
        SignedTransaction::from_bytes(&unsorted.to_bytes()),
        Err(not_canonical("signatures"))
    );

    let mut repeated = signed(2);
    repeated.signatures[1].key_index = 0;
    assert_eq!(
        SignedTransaction::from_bytes(&repeated.to_bytes()),
        Err(not_canonical("signatures"))
    );

    // The last entry of one map, then of the other, moved before the first.
    let bytes = account(0, 2).to_bytes();
    let (head, entries) = bytes.split_at(bytes.len() - 40);
    let swapped = [head, &entries[20..], &entries[..20]].concat();
    assert_eq!(
        Account::from_bytes(&swapped),
        Err(not_canonical("balances"))
    );
    let doubled = [head, &entries[20..], &entries[20..]].concat();
    assert_eq!(
        Account::from_bytes(&doubled),
        Err(not_canonical("balances"))
    );
    let bytes = account(2, 0).to_bytes();
    let (head, rest) = bytes.split_at(bytes.len() - 24);
    let (entries, tail) = rest.split_at(20);
    let swapped = [head, &entries[10..], &entries[..10], tail].concat();
    assert_eq!(Account::from_bytes(&swapped), Err(not_canonical("lanes")));

    // What an absent entry says must not be said by an entry.
    let mut zero = account(1, 1);
    zero.free.insert(AssetId(0), 0);
    assert_eq!(
        Account::from_bytes(&zero.to_bytes()),
        Err(not_canonical("balances"))
    );
    let mut zero = account(1, 1);
    zero.lanes.insert(0, 0);
    assert_eq!(
        Account::from_bytes(&zero.to_bytes()),
        Err(not_canonical("lanes"))
    );

    let mut genesis = genesis(1, 0, 0).to_bytes();
    let name = 2 + 4;
    assert_eq!(genesis[name], b'n');
    genesis[name] = 0xff;
    assert_eq!(Genesis::from_bytes(&genesis), Err(not_canonical("name")));

    let code = [&[2], &[0x34, 0x12][..]].concat();
    assert_eq!(
        Outcome::from_bytes(&code),
        Err(not_canonical("reject code"))
    );
}

#[test]
fn unknown_variants_are_named() {
    let variant = |value, found| CodecError::Variant { value, found };
    assert_eq!(Outcome::from_bytes(&[3]), Err(variant("outcome", 3)));
    assert_eq!(Body::from_bytes(&[0]), Err(variant("transaction body", 0)));
    assert_eq!(StateKey::from_bytes(&[9]), Err(variant("state key", 9)));
    assert_eq!(Execution::from_bytes(&[0]), Err(variant("execution", 0)));
    assert_eq!(
        StateProof::from_bytes(&[2]),
        Err(variant("state proof leaf", 2))
    );
}

#[test]
fn an_epoch_record_has_one_to_as_many_shards_as_the_limit_allows() {
    let record = |count: u32| EpochRecord {
        shards: (0..count)
            .map(|shard| ShardKey {
                shard: ShardId(shard),
                ..any()
            })
            .collect(),
        ..any()
    };
    let decode = |count| EpochRecord::from_bytes(&record(count).to_bytes()).map(|_| ());
    assert_eq!(decode(SHARDS_MAX), Ok(()));
    let refused = Err(too_many("shards", SHARDS_MAX + 1, SHARDS_MAX));
    assert_eq!(decode(SHARDS_MAX + 1), refused);
    assert_eq!(decode(0), Err(CodecError::NotCanonical { field: "shards" }));
    let proof = record(SHARDS_MAX).prove(ShardId(7)).unwrap();
    assert_eq!(ShardKeyProof::from_bytes(&proof.to_bytes()), Ok(proof));
    let proof = record(SHARDS_MAX + 1).prove(ShardId(7)).unwrap();
    assert_eq!(
        ShardKeyProof::from_bytes(&proof.to_bytes()).map(|_| ()),
        refused
    );
}
