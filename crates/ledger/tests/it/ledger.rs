//! Heads, restarts, snapshots and the opaque mode.

use std::collections::BTreeMap;

use quorate_ledger::{Execution, Ledger, LedgerError, PreparedBlock, Snapshot, receipt_proof};
use quorate_types::{
    Account, AccountId, AssetId, AssetInfo, BlockId, Decode, EMPTY_STATE_ROOT, Encode,
    Execution as Mode, Genesis, HeaderHash, Height, RejectCode, Round, StateKey, StateProofError,
    ValidatorIndex, merkle_root,
};

use crate::support::{
    FEE, FEES, GOLD, Person, block, codes, commit, creation, genesis, next, run, transfer,
};

fn chain() -> (Genesis, Person, Person) {
    let (alice, bob) = (Person::new(1), Person::new(2));
    (genesis(&[&alice, &bob], 1_000), alice, bob)
}

/// Some commits with transfers to and fro, and an account created.
fn busy(genesis: &Genesis, alice: &Person, bob: &Person) -> (Ledger, Vec<Execution>) {
    let carol = Person::new(3);
    let mut ledger = Ledger::genesis(genesis).unwrap();
    let mut executions = Vec::new();
    for turn in 0..4 {
        let mut signed = vec![
            alice.sign(transfer(
                genesis,
                alice,
                bob.id,
                GOLD,
                10 + u128::from(turn),
                turn,
            )),
            bob.sign(transfer(genesis, bob, alice.id, FEES, 1, turn)),
        ];
        if turn == 2 {
            signed.push(carol.sign(creation(genesis, &carol)));
        }
        executions.push(run(&mut ledger, genesis, &signed));
    }
    (ledger, executions)
}

#[test]
fn genesis_has_what_it_allocates() {
    let (mut genesis, alice, _) = chain();
    let mut more = genesis.allocations[0];
    more.amount = 5;
    genesis.allocations.push(more);
    let empty = Person::new(9);
    more.owner = empty.key;
    more.amount = 0;
    genesis.allocations.push(more);
    let ledger = Ledger::genesis(&genesis).unwrap();
    let state = ledger.snapshot();
    assert_eq!(state.account(&alice.id).unwrap().free_of(FEES), 1_005);
    assert_eq!(state.account(&empty.id), Some(&Account::new(empty.key, 0)));
    assert_eq!(state.asset(FEES).unwrap().supply, 2_005);
    assert_eq!(state.len(), 5);
    assert_eq!(state.check_conservation(), Ok(()));

    let head = ledger.head();
    assert_eq!(*head, Ledger::genesis_header(&genesis).unwrap());
    assert_eq!(head.chain, genesis.chain_id());
    assert_eq!(head.height, Height(0));
    assert_eq!(head.previous, HeaderHash([0; 32]));
    assert_eq!(head.leader_round, Round(0));
    assert_eq!(head.leader, BlockId([0; 32]));
    assert_eq!(head.state_root, state.root());
    assert_eq!(head.receipts_root, merkle_root::<&[u8]>([]));

    genesis.quorum = 0;
    assert!(matches!(
        Ledger::genesis(&genesis),
        Err(LedgerError::Genesis(_))
    ));
}

#[test]
fn headers_chain_and_commit_to_everything() {
    let (genesis, alice, bob) = chain();
    let mut ledger = Ledger::genesis(&genesis).unwrap();
    let before = ledger.head().clone();
    let payload = [alice
        .sign(transfer(&genesis, &alice, bob.id, GOLD, 1, 0))
        .to_bytes()];
    let blocks = vec![
        block(&genesis, 2, 4, &payload),
        block(&genesis, 1, 5, &[b"?".to_vec()]),
    ];
    let mut first = commit(1, blocks);
    first.timestamp_ms = 500;
    let execution = ledger.execute(&first).unwrap();
    let header = &execution.header;
    assert_eq!(header, ledger.head());
    assert_eq!(header.hash(), ledger.head_hash());
    assert_eq!(header.previous, before.hash());
    assert_eq!((header.shard, header.epoch), (genesis.shard, genesis.epoch));
    assert_eq!(
        (header.leader_round, header.leader_author),
        (Round(5), ValidatorIndex(1))
    );
    assert_eq!(header.leader, first.blocks[1].reference().id);
    assert_eq!(header.transactions_total, 2);
    assert_eq!(header.timestamp_ms, 500);
    let references = first
        .blocks
        .iter()
        .map(|block| block.reference().to_bytes());
    assert_eq!(header.blocks_root, merkle_root(references));
    assert_eq!(header.state_root, execution.snapshot.root());
    assert_eq!(execution.snapshot.height(), Height(1));
    for (index, receipt) in execution.receipts.iter().enumerate() {
        let proof = receipt_proof(&execution.receipts, index).unwrap();
        assert!(proof.verifies(&header.receipts_root, &receipt.to_bytes()));
        assert!(!proof.verifies(&header.receipts_root, b"another"));
    }
    assert_eq!(receipt_proof(&execution.receipts, 2), None);

    let mut second = commit(2, vec![block(&genesis, 0, 6, &[])]);
    second.timestamp_ms = 400;
    let execution = ledger.execute(&second).unwrap();
    assert_eq!(
        execution.header.timestamp_ms, 500,
        "time does not run backwards"
    );
    assert_eq!(execution.header.transactions_total, 2);
    assert_eq!(execution.header.state_root, header.state_root);
}

#[test]
fn only_the_next_height_is_executed() {
    let (genesis, ..) = chain();
    let mut ledger = Ledger::genesis(&genesis).unwrap();
    for found in [0, 2, 1_000_000] {
        let refused = ledger.execute(&commit(found, vec![block(&genesis, 0, 1, &[])]));
        let found = Height(found);
        let expected = Height(1);
        assert_eq!(
            refused.unwrap_err(),
            LedgerError::Height { expected, found }
        );
    }
    assert_eq!(*ledger.head(), Ledger::genesis_header(&genesis).unwrap());
}

/// The last value of each key over all executions.
fn stored(executions: &[Execution]) -> BTreeMap<StateKey, Vec<u8>> {
    executions
        .iter()
        .flat_map(|execution| execution.changes.iter().cloned())
        .collect()
}

#[test]
fn a_restored_ledger_goes_on_as_the_first() {
    let (genesis, alice, bob) = chain();
    let (mut ledger, executions) = busy(&genesis, &alice, &bob);
    let head = ledger.head().clone();
    let changed = stored(&executions).into_iter();
    let whole: Vec<_> = ledger.snapshot().entries().collect();
    let signed = [alice.sign(transfer(&genesis, &alice, bob.id, GOLD, 1, 4))];
    let commit = next(&ledger, &genesis, &signed);
    let expected = ledger.execute(&commit).unwrap();
    for mut restored in [
        Ledger::restore(&genesis, head.clone(), changed).unwrap(),
        Ledger::restore(&genesis, head, whole.into_iter()).unwrap(),
    ] {
        let execution = restored.execute(&commit).unwrap();
        assert_eq!(execution.header, expected.header);
        assert_eq!(execution.changes, expected.changes);
    }
}

#[test]
fn tampered_state_is_refused() {
    let (genesis, alice, bob) = chain();
    let (ledger, executions) = busy(&genesis, &alice, &bob);
    let good = stored(&executions);
    let restore = |entries: Vec<(StateKey, Vec<u8>)>| {
        Ledger::restore(&genesis, ledger.head().clone(), entries.into_iter())
    };
    let alice_key = StateKey::Account(alice.id);
    for (key, bytes) in &good {
        for position in 0..bytes.len() {
            let mut entries = good.clone();
            entries.get_mut(key).unwrap()[position] ^= 1;
            assert!(
                restore(entries.into_iter().collect()).is_err(),
                "{key:?} byte {position}"
            );
        }
        let mut entries = good.clone();
        entries.remove(key);
        let refused = restore(entries.into_iter().collect()).unwrap_err();
        assert!(
            matches!(refused, LedgerError::StateRoot { .. }),
            "an old value of {key:?}"
        );
    }
    let mut richer = good.clone();
    let mut account = Account::from_bytes(&good[&alice_key]).unwrap();
    account.free.insert(GOLD, 5_000);
    richer.insert(alice_key, account.to_bytes());
    let refused = restore(richer.into_iter().collect()).unwrap_err();
    assert!(matches!(refused, LedgerError::StateRoot { .. }));

    let mut twice: Vec<_> = good.clone().into_iter().collect();
    twice.push((alice_key, good[&alice_key].clone()));
    assert_eq!(
        restore(twice).unwrap_err(),
        LedgerError::Duplicate { key: alice_key }
    );

    let mut moved = good.clone();
    let key = StateKey::Account(AccountId([1; 32]));
    moved.insert(key, good[&alice_key].clone());
    assert_eq!(
        restore(moved.into_iter().collect()).unwrap_err(),
        LedgerError::Misplaced { key }
    );

    let mut coined = good.clone();
    let key = StateKey::Asset(AssetId(99));
    let info = AssetInfo {
        decimals: 0,
        supply: 0,
        fees: 0,
    };
    coined.insert(key, info.to_bytes());
    assert_eq!(
        restore(coined.into_iter().collect()).unwrap_err(),
        LedgerError::Misplaced { key }
    );

    let mut foreign = ledger.head().clone();
    foreign.chain.0[0] ^= 1;
    let refused = Ledger::restore(&genesis, foreign, good.clone().into_iter());
    assert_eq!(refused.unwrap_err(), LedgerError::ForeignHeader);
}

#[test]
fn a_header_cannot_bless_a_state_that_does_not_add_up() {
    let (genesis, alice, bob) = chain();
    let (ledger, executions) = busy(&genesis, &alice, &bob);
    let mut entries = stored(&executions);
    let key = StateKey::Account(alice.id);
    let mut account = Account::from_bytes(&entries[&key]).unwrap();
    account.free.insert(GOLD, 5_000);
    entries.insert(key, account.to_bytes());
    let mut head = ledger.head().clone();
    let refused = Ledger::restore(&genesis, head.clone(), entries.clone().into_iter());
    let Err(LedgerError::StateRoot { found, .. }) = refused else {
        panic!("another state has another root");
    };
    head.state_root = found;
    let refused = Ledger::restore(&genesis, head, entries.into_iter()).unwrap_err();
    assert_eq!(refused, LedgerError::Conservation { asset: GOLD });
}

/// Everything a reader can ask of a snapshot.
fn read(state: &Snapshot, ids: &[AccountId]) -> Vec<Option<Vec<u8>>> {
    let accounts = ids.iter().map(|id| StateKey::Account(*id));
    accounts
        .chain([StateKey::Asset(FEES), StateKey::Asset(GOLD)])
        .map(|key| {
            let (value, proof) = state.prove(&key);
            match &value {
                Some(value) => {
                    let verdict = proof.verify_present(&state.root(), &key.hash(), value);
                    assert_eq!(verdict, Ok(()));
                }
                None => assert_eq!(proof.verify_absent(&state.root(), &key.hash()), Ok(())),
            }
            value
        })
        .collect()
}

#[test]
fn snapshots_stay_as_they_were() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let (genesis, alice, bob) = chain();
    let ids = [alice.id, bob.id, Person::new(3).id, Person::new(4).id];
    let (ledger, executions) = busy(&genesis, &alice, &bob);
    shared(&ledger.snapshot());
    let mut replay = Ledger::genesis(&genesis).unwrap();
    let mut views = vec![(replay.snapshot(), read(&replay.snapshot(), &ids))];
    for (turn, execution) in (0u64..).zip(&executions) {
        let kept: Vec<_> = views.iter().map(|(state, _)| state.root()).collect();
        let restored = stored(&executions[..=usize::try_from(turn).unwrap()]);
        replay = Ledger::restore(&genesis, execution.header.clone(), restored.into_iter()).unwrap();
        views.push((execution.snapshot.clone(), read(&replay.snapshot(), &ids)));
        assert!(
            kept.iter()
                .zip(&views)
                .all(|(root, (state, _))| *root == state.root())
        );
    }
    for (state, expected) in &views {
        assert_eq!(read(state, &ids), *expected);
    }
    let (last, first) = (ledger.snapshot(), &views[0].0);
    let (value, stale) = first.prove(&StateKey::Account(alice.id));
    let place = StateKey::Account(alice.id).hash();
    let verdict = stale.verify_present(&last.root(), &place, &value.unwrap());
    assert_eq!(verdict, Err(StateProofError::Root));
    assert_ne!(last.root(), EMPTY_STATE_ROOT);
}

#[test]
fn opaque_chains_count_and_certify_only() {
    let (mut genesis, alice, bob) = chain();
    genesis.execution = Mode::Opaque;
    let mut ledger = Ledger::genesis(&genesis).unwrap();
    let root = ledger.head().state_root;
    let good = alice
        .sign(transfer(&genesis, &alice, bob.id, GOLD, 1, 0))
        .to_bytes();
    let block = block(&genesis, 0, 1, &[good, b"anything".to_vec(), Vec::new()]);
    let prepared = PreparedBlock::new(&block, &ledger.snapshot());
    let execution = ledger
        .execute_prepared(&commit(1, vec![block]), vec![prepared])
        .unwrap();
    assert_eq!(execution.header.transactions_total, 3);
    assert_eq!(execution.header.state_root, root);
    assert_eq!(execution.header.receipts_root, merkle_root::<&[u8]>([]));
    assert!(execution.receipts.is_empty() && execution.changes.is_empty());
}

#[test]
fn preparations_of_other_blocks_or_chains_do_nothing() {
    let (genesis, alice, bob) = chain();
    let mut foreign = genesis.clone();
    foreign.name = "another".into();
    let foreign = Ledger::genesis(&foreign).unwrap().snapshot();
    let signed = [
        alice.sign(transfer(&genesis, &alice, bob.id, GOLD, 1, 0)),
        bob.sign(transfer(&genesis, &alice, bob.id, GOLD, 1, 1)),
    ];
    let mut ledger = Ledger::genesis(&genesis).unwrap();
    let commit = next(&ledger, &genesis, &signed);
    let stray = block(&genesis, 3, 1, &[b"x".to_vec()]);
    let prepared = vec![
        PreparedBlock::new(&stray, &ledger.snapshot()),
        PreparedBlock::new(&commit.blocks[0], &foreign),
    ];
    let execution = ledger.execute_prepared(&commit, prepared).unwrap();
    assert_eq!(codes(&execution), [None, Some(RejectCode::BadSignature)]);
    let paid = execution.snapshot.asset(FEES).unwrap().fees;
    assert_eq!(paid, FEE);
}

#[test]
fn bad_signatures_in_a_batch_do_not_hide_or_harm() {
    let people: Vec<Person> = (1..=12).map(Person::new).collect();
    let all: Vec<&Person> = people.iter().collect();
    let genesis = genesis(&all, 1_000);
    let mut ledger = Ledger::genesis(&genesis).unwrap();
    let bad = [0, 5, 6, 11];
    let signed: Vec<_> = people
        .iter()
        .enumerate()
        .map(|(position, person)| {
            let transaction = transfer(&genesis, person, people[0].id, GOLD, 1, 0);
            let signer = if bad.contains(&position) {
                &people[(position + 1) % 12]
            } else {
                person
            };
            signer.sign(transaction)
        })
        .collect();
    let execution = run(&mut ledger, &genesis, &signed);
    for (position, code) in codes(&execution).into_iter().enumerate() {
        let expected = bad.contains(&position).then_some(RejectCode::BadSignature);
        assert_eq!(code, expected, "{position}");
    }
}
