//! What a validator takes into its pool, and for how long it holds numbers and balances.

use std::sync::Arc;

use quorate_ledger::{
    Admission, AdmissionError, AdmissionLimits, Authenticated, Execution, Ledger,
};
use quorate_types::{
    AssetId, Block, Commit, Encode, Genesis, RejectCode, Round, ShardId, SignedTransaction,
    Transaction, TransactionId, ValidatorIndex,
};

use crate::support::{FEE, FEES, GOLD, Person, block, commit, creation, genesis, transfer};

const ME: u16 = 2;
const OTHER: u16 = 1;
const NOW: Round = Round(10);

struct World {
    genesis: Genesis,
    alice: Person,
    bob: Person,
    ledger: Ledger,
    admission: Admission,
}

impl World {
    fn new() -> Self {
        Self::with_limits(AdmissionLimits::default())
    }

    fn with_limits(limits: AdmissionLimits) -> Self {
        let (alice, bob) = (Person::new(1), Person::new(2));
        let genesis = genesis(&[&alice, &bob], 100);
        let ledger = Ledger::genesis(&genesis).unwrap();
        let admission = Admission::new(ValidatorIndex(ME), ledger.snapshot(), limits);
        Self {
            genesis,
            alice,
            bob,
            ledger,
            admission,
        }
    }

    /// A transfer of gold by Alice, altered.
    fn by_alice(
        &self,
        amount: u128,
        sequence: u64,
        alter: impl FnOnce(&mut Transaction),
    ) -> SignedTransaction {
        let mut transaction = transfer(
            &self.genesis,
            &self.alice,
            self.bob.id,
            GOLD,
            amount,
            sequence,
        );
        alter(&mut transaction);
        self.alice.sign(transaction)
    }

    fn gold(&self, amount: u128, sequence: u64) -> SignedTransaction {
        self.by_alice(amount, sequence, |_| ())
    }

    fn admit(&mut self, signed: &SignedTransaction) -> Result<(), AdmissionError> {
        self.admission.admit(signed.clone(), NOW).map(|_| ())
    }

    fn block(&self, author: u16, signed: &[&SignedTransaction]) -> Arc<Block> {
        let payload: Vec<Vec<u8>> = signed.iter().map(|signed| signed.to_bytes()).collect();
        block(
            &self.genesis,
            author,
            self.ledger.head().height.0 + 1,
            &payload,
        )
    }

    /// Executes and settles.
    fn commit(&mut self, blocks: Vec<Arc<Block>>) -> (Commit, Execution) {
        let commit = commit(self.ledger.head().height.0 + 1, blocks);
        let execution = self.ledger.execute(&commit).unwrap();
        self.admission.settle(&commit, &execution);
        (commit, execution)
    }

    fn next(&self) -> u64 {
        self.admission.next_sequence(&self.alice.id, 0)
    }
}

fn rejected(code: RejectCode) -> Result<(), AdmissionError> {
    Err(AdmissionError::Rejected(code))
}

#[test]
fn every_code_that_execution_would_give() {
    let mut world = World::new();
    let nobody = Person::new(3);
    let bob = world.bob.id;
    let to = |world: &World, to, asset, amount| {
        world
            .alice
            .sign(transfer(&world.genesis, &world.alice, to, asset, amount, 0))
    };
    let stranger = transfer(&world.genesis, &nobody, bob, GOLD, 0, 0);
    let mut creation_elsewhere = creation(&world.genesis, &nobody);
    creation_elsewhere.lane = 1;
    let mut unsorted = world.gold(1, 0).transaction;
    unsorted.access.reverse();
    let cases = [
        (RejectCode::BadEncoding, world.alice.sign(unsorted)),
        (
            RejectCode::WrongChain,
            world.by_alice(1, 0, |tx| tx.chain.0[9] ^= 1),
        ),
        (
            RejectCode::WrongShard,
            world.by_alice(1, 0, |tx| tx.shard = ShardId(0)),
        ),
        (
            RejectCode::AccessList,
            world.by_alice(1, 0, |tx| tx.access.clear()),
        ),
        (
            RejectCode::BadSignature,
            world.bob.sign(world.gold(1, 0).transaction),
        ),
        (
            RejectCode::BadSignature,
            SignedTransaction::new(world.gold(1, 0).transaction, Vec::new()),
        ),
        (RejectCode::NoAccount, nobody.sign(stranger)),
        (
            RejectCode::AccountExists,
            world.alice.sign(creation(&world.genesis, &world.alice)),
        ),
        (RejectCode::BadSequence, nobody.sign(creation_elsewhere)),
        (RejectCode::BadSequence, world.gold(1, 1)),
        (
            RejectCode::Expired,
            world.by_alice(1, 0, |tx| tx.valid_until_round = NOW.back(1)),
        ),
        (
            RejectCode::DependencyMissing,
            world.by_alice(1, 0, |tx| tx.dependencies.push(TransactionId([0; 32]))),
        ),
        (
            RejectCode::FeeCap,
            world.by_alice(1, 0, |tx| tx.max_fee = FEE - 1),
        ),
        (RejectCode::NoAsset, to(&world, bob, AssetId(2), 1)),
        (RejectCode::NoAccount, to(&world, nobody.id, GOLD, 1)),
        (RejectCode::Overflow, to(&world, bob, FEES, u128::MAX)),
        (RejectCode::InsufficientFree, to(&world, bob, FEES, 98)),
        (RejectCode::InsufficientFree, to(&world, bob, GOLD, 101)),
    ];
    for (code, signed) in cases {
        assert_eq!(world.admit(&signed), rejected(code));
    }
    assert!(world.admission.is_empty());
    assert_eq!(
        world.admit(&world.by_alice(1, 0, |tx| tx.valid_until_round = NOW)),
        Ok(())
    );
}

#[test]
fn numbers_and_balances_are_reserved_and_released() {
    let mut world = World::new();
    let pending: Vec<_> = (0..3).map(|sequence| world.gold(30, sequence)).collect();
    for signed in &pending {
        assert_eq!(world.admit(signed), Ok(()));
        assert_eq!(world.admit(signed), Err(AdmissionError::AlreadyPending));
    }
    assert_eq!(
        world.admit(&world.gold(11, 3)),
        rejected(RejectCode::InsufficientFree)
    );
    assert_eq!(
        world.admit(&world.gold(10, 2)),
        rejected(RejectCode::BadSequence)
    );
    assert_eq!(world.admit(&world.gold(10, 3)), Ok(()));
    assert_eq!(world.admission.len(), 4);

    let (first, second) = (
        world.block(ME, &[&pending[0]]),
        world.block(ME, &[&pending[1], &pending[2]]),
    );
    world.commit(vec![first]);
    assert_eq!((world.admission.len(), world.next()), (3, 4));
    // 70 left, 70 of them reserved.
    assert_eq!(
        world.admit(&world.gold(1, 4)),
        rejected(RejectCode::InsufficientFree)
    );
    world.commit(vec![second]);
    assert_eq!((world.admission.len(), world.next()), (1, 4));
    assert_eq!(
        world.admission.snapshot().root(),
        world.ledger.head().state_root
    );
    world.admission.dropped(&world.gold(10, 3).id());
    world.admission.dropped(&world.gold(10, 3).id());
    assert_eq!((world.admission.len(), world.next()), (0, 3));
    assert_eq!(world.admit(&world.gold(10, 3)), Ok(()));
}

#[test]
fn fees_are_reserved_with_the_amount() {
    let mut world = World::new();
    for sequence in 0..33 {
        assert_eq!(world.admit(&world.gold(0, sequence)), Ok(()));
    }
    // 33 fees of 3 are 99.
    assert_eq!(
        world.admit(&world.gold(0, 33)),
        rejected(RejectCode::InsufficientFree)
    );
}

#[test]
fn a_gap_is_filled_before_the_lane_goes_on() {
    let mut world = World::new();
    let pending: Vec<_> = (0..4).map(|sequence| world.gold(1, sequence)).collect();
    for signed in &pending {
        assert_eq!(world.admit(signed), Ok(()));
    }
    world.admission.dropped(&pending[1].id());
    assert_eq!(world.next(), 1);
    assert_eq!(
        world.admit(&world.gold(1, 4)),
        rejected(RejectCode::BadSequence)
    );
    assert_eq!(world.admit(&world.gold(2, 1)), Ok(()));
    assert_eq!(world.next(), 4);
}

#[test]
fn others_cannot_release_what_is_pending_here() {
    let mut world = World::new();
    let (first, second) = (world.gold(1, 0), world.gold(1, 1));
    assert_eq!(world.admit(&first), Ok(()));
    assert_eq!(world.admit(&second), Ok(()));
    // Another validator orders the second before the first, and the first with a forged signature.
    let mut forged = first.clone();
    forged.signatures[0].signature.0[40] ^= 1;
    assert_eq!(forged.id(), first.id());
    let block = world.block(OTHER, &[&second, &forged]);
    world.commit(vec![block]);
    assert_eq!((world.admission.len(), world.next()), (2, 2));
    // In the own block their verdict is final, whatever it is.
    let block = world.block(ME, &[&second, &first]);
    world.commit(vec![block]);
    assert_eq!((world.admission.len(), world.next()), (0, 1));
}

#[test]
fn a_number_taken_by_another_transaction_is_released() {
    let mut world = World::new();
    assert_eq!(world.admit(&world.gold(1, 0)), Ok(()));
    assert_eq!(world.admit(&world.gold(1, 1)), Ok(()));
    let rival = world.gold(2, 0);
    let block = world.block(OTHER, &[&rival]);
    world.commit(vec![block]);
    assert_eq!((world.admission.len(), world.next()), (1, 2));
}

#[test]
fn what_is_pending_is_bounded() {
    let mut world = World::with_limits(AdmissionLimits {
        per_account: 2,
        total: 3,
    });
    assert_eq!(world.admit(&world.gold(1, 0)), Ok(()));
    assert_eq!(world.admit(&world.gold(1, 1)), Ok(()));
    assert_eq!(
        world.admit(&world.gold(1, 2)),
        Err(AdmissionError::AccountFull { limit: 2 })
    );
    let by_bob = |world: &World, sequence| {
        let transaction = transfer(
            &world.genesis,
            &world.bob,
            world.alice.id,
            GOLD,
            1,
            sequence,
        );
        world.bob.sign(transaction)
    };
    assert_eq!(world.admit(&by_bob(&world, 0)), Ok(()));
    assert_eq!(
        world.admit(&by_bob(&world, 1)),
        Err(AdmissionError::Full { limit: 3 })
    );
    world.admission.dropped(&world.gold(1, 1).id());
    assert_eq!(world.admit(&by_bob(&world, 1)), Ok(()));
}

#[test]
fn lanes_count_while_pending() {
    let mut world = World::new();
    // 33 fees is what Alice has; more money lets her open all lanes.
    let fund = transfer(&world.genesis, &world.bob, world.alice.id, FEES, 97, 0);
    let fund = world.bob.sign(fund);
    let block = world.block(OTHER, &[&fund]);
    world.commit(vec![block]);
    for lane in 0..64 {
        assert_eq!(
            world.admit(&world.by_alice(0, 0, |tx| tx.lane = lane)),
            Ok(())
        );
    }
    let another = world.by_alice(0, 0, |tx| tx.lane = 64);
    assert_eq!(world.admit(&another), rejected(RejectCode::TooManyLanes));
    let same = world.by_alice(0, 1, |tx| tx.lane = 63);
    assert_eq!(world.admit(&same), Ok(()));
}

#[test]
fn a_creation_is_pending_once() {
    let mut world = World::new();
    let carol = Person::new(3);
    let mut other = creation(&world.genesis, &carol);
    other.max_fee = 0;
    let signed = carol.sign(creation(&world.genesis, &carol));
    assert_eq!(world.admit(&signed), Ok(()));
    assert_eq!(
        world.admit(&carol.sign(other)),
        rejected(RejectCode::BadSequence)
    );
    let block = world.block(ME, &[&signed]);
    world.commit(vec![block]);
    assert!(world.admission.is_empty());
    assert_eq!(world.admit(&signed), rejected(RejectCode::AccountExists));
}

#[test]
fn a_batch_is_judged_one_by_one() {
    let world = World::new();
    let nobody = Person::new(3);
    let stranger = nobody.sign(transfer(&world.genesis, &nobody, world.bob.id, GOLD, 0, 0));
    let forged = world.bob.sign(world.gold(7, 0).transaction);
    let batch = vec![
        world.gold(1, 0),
        stranger,
        world.by_alice(1, 0, |tx| tx.shard = ShardId(0)),
        forged,
        world.gold(1, 1),
    ];
    let verdicts: Vec<_> = Authenticated::batch(batch.clone(), world.admission.snapshot())
        .into_iter()
        .map(|verdict| verdict.map(|authenticated| authenticated.into_signed().id()))
        .collect();
    let expected = [
        Ok(batch[0].id()),
        Err(RejectCode::NoAccount),
        Err(RejectCode::WrongShard),
        Err(RejectCode::BadSignature),
        Ok(batch[4].id()),
    ];
    assert_eq!(verdicts, expected);
}
