//! Every code of the rules' table: what gives it, and what it burns.

use quorate_ledger::Ledger;
use quorate_types::limits::LANES_MAX;
use quorate_types::{
    Account, AccountId, AssetId, Body, Delta, Encode, Genesis, IdentityKey, IdentitySignature,
    KeySignature, Outcome, RejectCode, Round, ShardId, SignedTransaction, StateKey, Transaction,
    TransactionId,
};

use crate::support::{
    FEE, FEES, GOLD, Person, block, codes, commit, creation, genesis, run, transaction, transfer,
};

/// What a rejection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Burns {
    Nothing,
    Sequence,
    SequenceAndFee,
}

struct World {
    genesis: Genesis,
    alice: Person,
    bob: Person,
    nobody: Person,
}

impl World {
    fn new() -> Self {
        let (alice, bob) = (Person::new(1), Person::new(2));
        Self {
            genesis: genesis(&[&alice, &bob], 100),
            alice,
            bob,
            nobody: Person::new(3),
        }
    }

    /// A good transfer by Alice.
    fn good(&self) -> Transaction {
        transfer(&self.genesis, &self.alice, self.bob.id, GOLD, 5, 0)
    }

    fn altered(&self, alter: impl FnOnce(&mut Transaction)) -> SignedTransaction {
        let mut transaction = self.good();
        alter(&mut transaction);
        self.alice.sign(transaction)
    }

    fn body(&self, to: AccountId, asset: AssetId, amount: u128) -> SignedTransaction {
        self.alice
            .sign(transfer(&self.genesis, &self.alice, to, asset, amount, 0))
    }
}

/// Runs one transaction in a fresh world and checks code and cost.
fn expect(world: &World, signed: SignedTransaction, code: RejectCode, burns: Burns) {
    let mut ledger = Ledger::genesis(&world.genesis).unwrap();
    let before = ledger.snapshot();
    let execution = run(&mut ledger, &world.genesis, &[signed]);
    assert_eq!(codes(&execution), [Some(code)]);
    let mut account = before.account(&world.alice.id).unwrap().clone();
    let mut fees = before.asset(FEES).unwrap().fees;
    if burns != Burns::Nothing {
        account.lanes.insert(0, 1);
    }
    if burns == Burns::SequenceAndFee {
        account.free.insert(FEES, 100 - FEE);
        fees += FEE;
    }
    let after = execution.snapshot;
    assert_eq!(after.account(&world.alice.id), Some(&account), "{code:?}");
    assert_eq!(after.account(&world.bob.id), before.account(&world.bob.id));
    assert_eq!(after.asset(FEES).unwrap().fees, fees, "{code:?}");
    assert_eq!(after.len(), before.len());
    assert_eq!(after.root() == before.root(), burns == Burns::Nothing);
    assert_eq!(execution.changes.is_empty(), burns == Burns::Nothing);
}

#[test]
fn form_and_signature_burn_nothing() {
    let world = World::new();
    let wrong_chain = world.altered(|transaction| transaction.chain.0[0] ^= 1);
    expect(&world, wrong_chain, RejectCode::WrongChain, Burns::Nothing);
    let wrong_shard = world.altered(|transaction| transaction.shard = ShardId(4));
    expect(&world, wrong_shard, RejectCode::WrongShard, Burns::Nothing);
    let access = world.altered(|transaction| transaction.access.retain(|id| *id == world.alice.id));
    expect(&world, access, RejectCode::AccessList, Burns::Nothing);

    let forged = world.bob.sign(world.good());
    expect(&world, forged, RejectCode::BadSignature, Burns::Nothing);
    let good = world.alice.sign(world.good());
    let signed_by = |signatures| SignedTransaction::new(world.good(), signatures);
    let none = signed_by(Vec::new());
    expect(&world, none, RejectCode::BadSignature, Burns::Nothing);
    let first = good.signatures[0].clone();
    let second = KeySignature {
        key_index: 1,
        ..first.clone()
    };
    let superfluous = signed_by(vec![first, second.clone()]);
    expect(
        &world,
        superfluous,
        RejectCode::BadSignature,
        Burns::Nothing,
    );
    let scope = signed_by(vec![second]);
    expect(&world, scope, RejectCode::KeyScope, Burns::Nothing);

    let stranger = transfer(&world.genesis, &world.nobody, world.bob.id, GOLD, 0, 0);
    let stranger = world.nobody.sign(stranger);
    expect(&world, stranger, RejectCode::NoAccount, Burns::Nothing);
}

#[test]
fn numbers_and_rounds_burn_nothing() {
    let world = World::new();
    let gap = world.altered(|transaction| transaction.sequence = 1);
    expect(&world, gap, RejectCode::BadSequence, Burns::Nothing);
    let gap = world.altered(|transaction| {
        transaction.lane = 9;
        transaction.sequence = u64::MAX;
    });
    expect(&world, gap, RejectCode::BadSequence, Burns::Nothing);
    // The leader stands at round 1.
    let late = world.altered(|transaction| transaction.valid_until_round = Round(0));
    expect(&world, late, RejectCode::Expired, Burns::Nothing);
    let exists = world.alice.sign(creation(&world.genesis, &world.alice));
    expect(&world, exists, RejectCode::AccountExists, Burns::Nothing);
}

#[test]
fn what_fails_in_sequence_burns_number_and_fee() {
    let world = World::new();
    let bob = world.bob.id;
    let dependent = world.altered(|transaction| {
        transaction.dependencies.push(TransactionId([1; 32]));
    });
    expect(
        &world,
        dependent,
        RejectCode::DependencyMissing,
        Burns::SequenceAndFee,
    );
    let thrifty = world.altered(|transaction| transaction.max_fee = FEE - 1);
    expect(&world, thrifty, RejectCode::FeeCap, Burns::Sequence);
    let asset = world.body(bob, AssetId(2), 1);
    expect(&world, asset, RejectCode::NoAsset, Burns::SequenceAndFee);
    let recipient = world.body(world.nobody.id, GOLD, 1);
    expect(
        &world,
        recipient,
        RejectCode::NoAccount,
        Burns::SequenceAndFee,
    );
    let overflow = world.body(bob, FEES, u128::MAX);
    expect(
        &world,
        overflow,
        RejectCode::Overflow,
        Burns::SequenceAndFee,
    );
    for (asset, amount) in [(GOLD, 101), (GOLD, u128::MAX), (FEES, 98), (FEES, 100)] {
        let overdraft = world.body(bob, asset, amount);
        expect(
            &world,
            overdraft,
            RejectCode::InsufficientFree,
            Burns::SequenceAndFee,
        );
    }
    // One's own account must cover what it sends to itself, too.
    let circular = world.body(world.alice.id, GOLD, 101);
    expect(
        &world,
        circular,
        RejectCode::InsufficientFree,
        Burns::SequenceAndFee,
    );
}

#[test]
fn who_cannot_pay_the_fee_still_loses_the_number() {
    let world = World::new();
    let mut ledger = Ledger::genesis(&world.genesis).unwrap();
    let all = world.body(world.bob.id, FEES, 100 - FEE);
    assert_eq!(codes(&run(&mut ledger, &world.genesis, &[all])), [None]);
    let more = transfer(&world.genesis, &world.alice, world.bob.id, GOLD, 1, 1);
    let execution = run(&mut ledger, &world.genesis, &[world.alice.sign(more)]);
    assert_eq!(codes(&execution), [Some(RejectCode::InsufficientFree)]);
    let alice = execution.snapshot.account(&world.alice.id).unwrap();
    assert_eq!(alice.next_sequence(0), 2);
    assert_eq!(alice.free_of(GOLD), 100);
    assert_eq!(execution.snapshot.asset(FEES).unwrap().fees, FEE);
}

#[test]
fn bytes_that_are_no_transaction_have_a_receipt() {
    let world = World::new();
    let mut trailing = world.alice.sign(world.good()).to_bytes();
    trailing.push(0);
    let payload = vec![Vec::new(), b"rubbish".to_vec(), trailing];
    let mut ledger = Ledger::genesis(&world.genesis).unwrap();
    let commit = commit(1, vec![block(&world.genesis, 0, 1, &payload)]);
    let execution = ledger.execute(&commit).unwrap();
    assert_eq!(codes(&execution), [Some(RejectCode::BadEncoding); 3]);
    assert_eq!(execution.header.transactions_total, 3);
    let ids: std::collections::BTreeSet<_> = execution
        .receipts
        .iter()
        .map(|receipt| receipt.transaction)
        .collect();
    assert_eq!(ids.len(), 3, "named by their bytes");
    assert!(execution.changes.is_empty());
}

#[test]
fn applied_transfers_list_what_changed() {
    let world = World::new();
    let (alice, bob) = (world.alice.id, world.bob.id);
    let delta = |account, asset, change| Delta {
        account,
        asset,
        change,
    };
    let fee = -3;
    let cases = [
        (
            bob,
            GOLD,
            5,
            vec![
                delta(alice, FEES, fee),
                delta(alice, GOLD, -5),
                delta(bob, GOLD, 5),
            ],
        ),
        (
            bob,
            FEES,
            5,
            vec![delta(alice, FEES, fee - 5), delta(bob, FEES, 5)],
        ),
        (
            bob,
            FEES,
            97,
            vec![delta(alice, FEES, -100), delta(bob, FEES, 97)],
        ),
        (
            bob,
            GOLD,
            100,
            vec![
                delta(alice, FEES, fee),
                delta(alice, GOLD, -100),
                delta(bob, GOLD, 100),
            ],
        ),
        (bob, GOLD, 0, vec![delta(alice, FEES, fee)]),
        (alice, GOLD, 100, vec![delta(alice, FEES, fee)]),
        (alice, FEES, 97, vec![delta(alice, FEES, fee)]),
    ];
    for (to, asset, amount, mut deltas) in cases {
        deltas.sort_by_key(|delta| (delta.account, delta.asset));
        let mut ledger = Ledger::genesis(&world.genesis).unwrap();
        let execution = run(
            &mut ledger,
            &world.genesis,
            &[world.body(to, asset, amount)],
        );
        assert_eq!(execution.receipts[0].outcome, Outcome::Applied { deltas });
        for id in [alice, bob] {
            let account = execution.snapshot.account(&id).unwrap();
            assert!(account.free.values().all(|balance| *balance > 0));
        }
        assert_eq!(execution.snapshot.check_conservation(), Ok(()));
    }
}

#[test]
fn accounts_are_created_once_and_used_at_once() {
    let world = World::new();
    let mut ledger = Ledger::genesis(&world.genesis).unwrap();
    let nobody = &world.nobody;
    let mut wrong = creation(&world.genesis, nobody);
    wrong.lane = 1;
    let mut expired = creation(&world.genesis, nobody);
    expired.valid_until_round = Round(0);
    let mut dependent = creation(&world.genesis, nobody);
    dependent.dependencies.push(TransactionId([0; 32]));
    let execution = run(
        &mut ledger,
        &world.genesis,
        &[
            world.alice.sign(creation(&world.genesis, nobody)),
            nobody.sign(wrong),
            nobody.sign(expired),
            nobody.sign(dependent),
            nobody.sign(creation(&world.genesis, nobody)),
            nobody.sign(creation(&world.genesis, nobody)),
            world.body(nobody.id, FEES, 10),
            // The account is in no snapshot yet: its signature is verified at its turn.
            nobody.sign(transfer(&world.genesis, nobody, world.bob.id, FEES, 7, 1)),
            world
                .alice
                .sign(transfer(&world.genesis, nobody, world.bob.id, FEES, 0, 2)),
        ],
    );
    let rejected = [
        Some(RejectCode::BadSignature),
        Some(RejectCode::BadSequence),
        Some(RejectCode::Expired),
        Some(RejectCode::DependencyMissing),
        None,
        Some(RejectCode::AccountExists),
        None,
        None,
        Some(RejectCode::BadSignature),
    ];
    assert_eq!(codes(&execution), rejected);
    let account = execution.snapshot.account(&nobody.id).unwrap();
    assert_eq!(account.next_sequence(0), 2);
    assert!(
        account.free.is_empty(),
        "10 received, 7 sent, 3 for the fee"
    );
}

#[test]
fn a_key_that_is_no_point_owns_nothing() {
    let world = World::new();
    let owner = (0..=255u8)
        .map(|byte| IdentityKey([byte; 32]))
        .find(|key| quorate_crypto::IdentityPublic::parse(key).is_err())
        .unwrap();
    let body = Body::CreateAccount { owner, sub: 0 };
    let signature = KeySignature {
        key_index: 0,
        signature: IdentitySignature([0; 64]),
    };
    let signed = SignedTransaction::new(transaction(&world.genesis, body, 0), vec![signature]);
    expect(&world, signed, RejectCode::BadSignature, Burns::Nothing);
}

#[test]
fn replays_and_gaps_are_told_apart_by_lane() {
    let world = World::new();
    let mut ledger = Ledger::genesis(&world.genesis).unwrap();
    let first = world.body(world.bob.id, GOLD, 1);
    let other_lane = world.altered(|transaction| transaction.lane = 40_000);
    let third = world.altered(|transaction| transaction.sequence = 2);
    let second = world.altered(|transaction| transaction.sequence = 1);
    let execution = run(
        &mut ledger,
        &world.genesis,
        &[
            first.clone(),
            first.clone(),
            other_lane,
            third.clone(),
            second,
            third,
        ],
    );
    let bad = Some(RejectCode::BadSequence);
    assert_eq!(codes(&execution), [None, bad, None, bad, None, None]);
    assert_eq!(codes(&run(&mut ledger, &world.genesis, &[first])), [bad]);
}

/// A ledger whose state has one account replaced, by way of restoring it.
fn with_account(world: &World, account: &Account) -> Ledger {
    let mut head = Ledger::genesis_header(&world.genesis).unwrap();
    let stored = vec![(StateKey::Account(account.id()), account.to_bytes())];
    let restored = Ledger::restore(&world.genesis, head.clone(), stored.clone().into_iter());
    let Err(quorate_ledger::LedgerError::StateRoot { found, .. }) = restored else {
        panic!("another state has another root");
    };
    head.state_root = found;
    Ledger::restore(&world.genesis, head, stored.into_iter()).unwrap()
}

#[test]
fn lanes_are_bounded_and_end() {
    let world = World::new();
    let genesis = Ledger::genesis(&world.genesis).unwrap();
    let mut account = genesis.snapshot().account(&world.alice.id).unwrap().clone();
    let last = u16::try_from(LANES_MAX).unwrap() - 1;
    account.lanes = (1..=last).map(|lane| (lane, 1)).collect();
    account.lanes.insert(1, u64::MAX);
    let mut ledger = with_account(&world, &account);
    let in_lane = |lane, sequence| {
        world.altered(|transaction| {
            transaction.lane = lane;
            transaction.sequence = sequence;
        })
    };
    let signed = [
        in_lane(1, u64::MAX),
        in_lane(0, 0),
        in_lane(last + 1, 0),
        in_lane(2, 1),
    ];
    let execution = run(&mut ledger, &world.genesis, &signed);
    let expected = [
        Some(RejectCode::Overflow),
        None,
        Some(RejectCode::TooManyLanes),
        None,
    ];
    assert_eq!(codes(&execution), expected);
    let after = execution.snapshot.account(&world.alice.id).unwrap();
    assert_eq!(after.next_sequence(1), u64::MAX);
    assert_eq!(after.free_of(FEES), 100 - 2 * FEE);
}
