//! Random commits against a slow, obvious ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use quorate_ledger::{Execution, Ledger, PreparedBlock};
use quorate_types::{
    AccountId, AssetId, Body, Commit, Encode, Genesis, Outcome, RejectCode, Round,
    SignedTransaction, Transaction, TransactionId,
};

use crate::support::{FEE, FEES, GOLD, Person, block, commit, genesis, transaction};

/// People 0 to 3 have balances at genesis, 4 and 5 have no accounts.
const PEOPLE: usize = 6;
const FUNDED: usize = 4;
const BALANCE: u128 = 60;

/// The obvious ledger: what SETTLEMENT 2.3 says, with plain maps and signed numbers.
#[derive(Clone, Debug, Default)]
struct Model {
    exists: BTreeMap<AccountId, usize>,
    lanes: BTreeMap<(AccountId, u16), u64>,
    free: BTreeMap<(AccountId, AssetId), i128>,
    fees: i128,
}

impl Model {
    fn new(people: &[Person]) -> Self {
        let mut model = Self::default();
        for (number, person) in people.iter().enumerate().take(FUNDED) {
            model.exists.insert(person.id, number);
            model.free.insert((person.id, FEES), 60);
            model.free.insert((person.id, GOLD), 60);
        }
        model
    }

    fn has(&self, account: AccountId, asset: AssetId) -> i128 {
        *self.free.get(&(account, asset)).unwrap_or(&0)
    }

    /// Executes one transaction signed by person `signer`.
    fn execute(
        &mut self,
        people: &[Person],
        transaction: &Transaction,
        signer: usize,
        round: Round,
    ) -> Result<(), RejectCode> {
        let from = transaction.body.signer();
        let lane = (from, transaction.lane);
        let next = *self.lanes.get(&lane).unwrap_or(&0);
        let expired = transaction.valid_until_round < round;
        if let Body::CreateAccount { owner, .. } = transaction.body {
            return match () {
                () if people[signer].key != owner => Err(RejectCode::BadSignature),
                () if self.exists.contains_key(&from) => Err(RejectCode::AccountExists),
                () if transaction.sequence != 0 || lane.1 != 0 => Err(RejectCode::BadSequence),
                () if expired => Err(RejectCode::Expired),
                () => {
                    self.lanes.insert(lane, 1);
                    self.exists.insert(from, signer);
                    Ok(())
                }
            };
        }
        match self.exists.get(&from) {
            None => return Err(RejectCode::NoAccount),
            Some(owner) if *owner != signer => return Err(RejectCode::BadSignature),
            Some(_) if next != transaction.sequence => return Err(RejectCode::BadSequence),
            Some(_) if expired => return Err(RejectCode::Expired),
            Some(_) => self.lanes.insert(lane, next + 1),
        };
        let result = self.transfer(transaction);
        let fee = i128::try_from(FEE).unwrap();
        let affordable = transaction.max_fee >= FEE && self.has(from, FEES) >= fee;
        if result.is_ok() || affordable {
            *self.free.entry((from, FEES)).or_default() -= fee;
            self.fees += fee;
        }
        result
    }

    fn transfer(&mut self, transaction: &Transaction) -> Result<(), RejectCode> {
        let Body::Transfer {
            from,
            to,
            asset,
            amount,
        } = transaction.body
        else {
            unreachable!("creations are dealt with above")
        };
        let amount = i128::try_from(amount).unwrap();
        let fee = i128::try_from(FEE).unwrap();
        if transaction.max_fee < FEE {
            return Err(RejectCode::FeeCap);
        }
        if asset != FEES && asset != GOLD {
            return Err(RejectCode::NoAsset);
        }
        if !self.exists.contains_key(&to) {
            return Err(RejectCode::NoAccount);
        }
        let covered = match asset == FEES {
            true => self.has(from, FEES) >= amount + fee,
            false => self.has(from, asset) >= amount && self.has(from, FEES) >= fee,
        };
        if !covered {
            return Err(RejectCode::InsufficientFree);
        }
        *self.free.entry((from, asset)).or_default() -= amount;
        *self.free.entry((to, asset)).or_default() += amount;
        Ok(())
    }
}

/// What a transaction is to be, before the model knows the lanes.
#[derive(Clone, Debug)]
struct Plan {
    creates: bool,
    from: usize,
    to: usize,
    asset: u32,
    amount: u128,
    lane: u16,
    /// Added to the lane's next number: mostly 0.
    ahead: u64,
    /// Who signs: mostly the owner.
    imposter: Option<usize>,
    valid_until: u64,
    max_fee: u128,
}

fn plan() -> impl Strategy<Value = Plan> {
    let mostly = |usual: u64, other: u64| prop_oneof![6 => Just(usual), 1 => Just(other)];
    (
        (prop::bool::weighted(0.15), 0..PEOPLE, 0..PEOPLE),
        (
            prop_oneof![4 => Just(FEES.0), 4 => Just(GOLD.0), 1 => Just(2)],
            0u128..40,
            0u16..3,
        ),
        (
            mostly(0, 1),
            prop::option::weighted(0.1, 0..PEOPLE),
            mostly(1_000, 1),
            mostly(10, 2),
        ),
    )
        .prop_map(
            |((creates, from, to), (asset, amount, lane), (ahead, imposter, until, max_fee))| {
                Plan {
                    creates,
                    from,
                    to,
                    asset,
                    amount,
                    lane: if creates { 0 } else { lane },
                    ahead,
                    imposter,
                    valid_until: until,
                    max_fee: max_fee.into(),
                }
            },
        )
}

struct Run {
    genesis: Genesis,
    people: Vec<Person>,
}

impl Run {
    fn new() -> Self {
        let people: Vec<Person> = (1..).take(PEOPLE).map(Person::new).collect();
        let funded: Vec<&Person> = people.iter().take(FUNDED).collect();
        Self {
            genesis: genesis(&funded, BALANCE),
            people,
        }
    }

    fn sign(&self, model: &Model, plan: &Plan) -> (SignedTransaction, usize) {
        let from = &self.people[plan.from];
        let body = match plan.creates {
            true => Body::CreateAccount {
                owner: from.key,
                sub: 0,
            },
            false => Body::Transfer {
                from: from.id,
                to: self.people[plan.to].id,
                asset: AssetId(plan.asset),
                amount: plan.amount,
            },
        };
        let next = match plan.creates {
            true => 0,
            false => *model.lanes.get(&(from.id, plan.lane)).unwrap_or(&0),
        };
        let mut transaction = transaction(&self.genesis, body, next + plan.ahead);
        transaction.lane = plan.lane;
        transaction.valid_until_round = Round(plan.valid_until);
        transaction.max_fee = plan.max_fee;
        let signer = plan.imposter.unwrap_or(plan.from);
        (self.people[signer].sign(transaction), signer)
    }

    /// Signs and executes everything with the model; gives the commits and the outcomes they should have.
    fn expected(&self, plans: &[Vec<Plan>], model: &mut Model) -> (Vec<Commit>, Vec<Expected>) {
        let mut commits = Vec::new();
        let mut expected = Vec::new();
        for (height, plans) in (1..).zip(plans) {
            let mut payloads = [Vec::new(), Vec::new()];
            let mut results = Vec::new();
            // The first block is executed before the second, so it takes the first half.
            for (position, plan) in plans.iter().enumerate() {
                let (signed, signer) = self.sign(model, plan);
                let round = Round(height);
                let result = model.execute(&self.people, &signed.transaction, signer, round);
                results.push((signed.id(), result));
                payloads[usize::from(position * 2 >= plans.len())].push(signed.to_bytes());
            }
            let blocks = (0..).zip(&payloads);
            let blocks =
                blocks.map(|(author, payload)| block(&self.genesis, author, height, payload));
            commits.push(commit(height, blocks.collect()));
            expected.push(results);
        }
        (commits, expected)
    }
}

type Expected = Vec<(TransactionId, Result<(), RejectCode>)>;

fn outcomes(execution: &Execution) -> Expected {
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Applied { .. } => Ok(()),
        Outcome::Rejected { code } => Err(*code),
    };
    execution
        .receipts
        .iter()
        .map(|receipt| (receipt.transaction, outcome(&receipt.outcome)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_ledger_does_what_the_model_does(
        plans in prop::collection::vec(prop::collection::vec(plan(), 0..12), 1..5),
    ) {
        let run = Run::new();
        let mut model = Model::new(&run.people);
        let (commits, expected) = run.expected(&plans, &mut model);
        let mut ledger = Ledger::genesis(&run.genesis).unwrap();
        let mut prepared_ledger = ledger.clone();
        let genesis = ledger.snapshot();
        for (commit, expected) in commits.iter().zip(expected) {
            let execution = ledger.execute(commit).unwrap();
            prop_assert_eq!(outcomes(&execution), expected);
            prop_assert_eq!(execution.snapshot.check_conservation(), Ok(()));

            // Prepared from the oldest state there is, in another order, and with one block missing.
            let prepare = |block: &Arc<_>| PreparedBlock::new(block, &genesis);
            let prepared = commit.blocks.iter().rev().map(prepare).take(1 + commit.blocks.len() % 2);
            let other = prepared_ledger.execute_prepared(commit, prepared.collect()).unwrap();
            prop_assert_eq!(&other.header, &execution.header);
            prop_assert_eq!(other.receipts, execution.receipts);
            prop_assert_eq!(other.changes, execution.changes);
        }
        let state = ledger.snapshot();
        for person in &run.people {
            let account = state.account(&person.id);
            prop_assert_eq!(account.is_some(), model.exists.contains_key(&person.id));
            for asset in [FEES, GOLD] {
                let free = account.map_or(0, |account| account.free_of(asset));
                prop_assert_eq!(i128::try_from(free).unwrap(), model.has(person.id, asset));
            }
            for lane in 0..3 {
                let next = account.map_or(0, |account| account.next_sequence(lane));
                prop_assert_eq!(next, *model.lanes.get(&(person.id, lane)).unwrap_or(&0));
            }
        }
        prop_assert_eq!(i128::try_from(state.asset(FEES).unwrap().fees).unwrap(), model.fees);
        prop_assert_eq!(state.asset(GOLD).unwrap().fees, 0);
    }
}
