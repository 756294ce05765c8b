//! Transactions of strangers: admission, and execution of whatever a block carries.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_ledger::{Admission, AdmissionLimits, Ledger, PreparedBlock};
use quorate_types::{
    Block, BlockBuilder, BlockRef, Body, Commit, Decode, Encode, Height, IdentitySignature,
    Outcome, Round, Signature, SignedTransaction, ValidatorIndex,
};

use crate::Target;
use crate::choices::{Choices, with_length};
use crate::samples::chain::{ASSETS, CHAIN, PEOPLE, account_of, person, sign, transaction};

/// Most transactions of one input.
const TRANSACTIONS_MAX: usize = 24;

pub(super) fn targets() -> Vec<Target> {
    vec![
        Target::new("ledger-execute", execute, executions)
            .mutations(200)
            .allocated_max(4 << 20),
        Target::new("ledger-admission", admission, admissions)
            .mutations(200)
            .allocated_max(4 << 20),
    ]
}

/// A transaction as a client would make it, but that numbers and names are any.
fn chosen(choices: &mut Choices<'_>) -> SignedTransaction {
    let people = usize::from(PEOPLE) + 1;
    let mut any = || u8::try_from(choices.below(people)).expect("few people");
    let (from, to, signer) = (any(), any(), any());
    let asset = choices.below(3);
    let asset = ASSETS.get(asset).copied().unwrap_or_default();
    let body = if choices.below(4) == 0 {
        Body::CreateAccount {
            owner: person(from).public(),
            sub: u32::from(choices.byte() % 3),
        }
    } else {
        Body::Transfer {
            from: account_of(from),
            to: account_of(to),
            asset,
            amount: match choices.byte() {
                0xff => u128::MAX - u128::from(choices.byte()),
                small => 8 * u128::from(small),
            },
        }
    };
    let mut chosen = transaction(&CHAIN.genesis, body, choices.number());
    match choices.byte() {
        0xf0 => chosen.lane = u16::from(choices.byte()),
        0xf1 => chosen.valid_until_round = Round(choices.number()),
        0xf2 => chosen.max_fee = u128::from(choices.byte() % 5),
        0xf3 => chosen.access.truncate(1),
        0xf4 => chosen.shard.0 = chosen.shard.0.wrapping_add(1),
        _ => {}
    }
    // Most are signed by whom they name first.
    let signer = if choices.byte() < 0xf0 { from } else { signer };
    sign(signer, chosen)
}

fn block(author: usize, round: u64, payload: &[Vec<u8>]) -> Arc<Block> {
    let committee = &CHAIN.committee;
    let builder = BlockBuilder::new(
        &committee.chain(),
        committee.shard(),
        committee.epoch(),
        crate::samples::chain::member(author),
        Round(round),
        0,
        &[] as &[BlockRef],
        &Signature([0; 48]),
        payload.iter().map(Vec::as_slice),
    );
    let block = builder.finish(&IdentitySignature([0; 64]));
    Arc::new(block.expect("a small payload"))
}

fn commit(ledger: &Ledger, blocks: Vec<Arc<Block>>) -> Commit {
    Commit {
        height: ledger.head().height.next(),
        leader: blocks.last().expect("a commit has a leader").reference(),
        timestamp_ms: 0,
        coin: None,
        blocks,
    }
}

/// Payloads of raw bytes and of transactions, over two heights. Every one has a receipt; what was handed out at genesis is all
/// there is; preparations of an older state change nothing; and the state comes back from what was stored.
fn execute(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let mut ledger = CHAIN.start.clone();
    let prepared_on = ledger.snapshot();
    let mut applied = BTreeSet::new();
    for height in 1..=2 {
        let mut payload = Vec::new();
        while !choices.is_empty() && payload.len() < TRANSACTIONS_MAX {
            match choices.below(4) {
                0 => payload.push(choices.bytes().to_vec()),
                1 => break,
                _ => payload.push(chosen(&mut choices).to_bytes()),
            }
        }
        let blocks = vec![block(0, height, &payload), block(1, height, &payload)];
        let commit = commit(&ledger, blocks);
        let mut other = ledger.clone();
        let prepared = commit.blocks.iter();
        let prepared = prepared.map(|block| PreparedBlock::new(block, &prepared_on));
        let execution = ledger.execute(&commit).unwrap();
        let again = other.execute_prepared(&commit, prepared.collect()).unwrap();
        assert_eq!(execution.header, again.header, "preparation matters");
        assert_eq!(execution.receipts, again.receipts);
        assert_eq!(execution.receipts.len(), 2 * payload.len());
        execution.snapshot.check_conservation().unwrap();
        for receipt in &execution.receipts {
            if matches!(receipt.outcome, Outcome::Applied { .. }) {
                let first = applied.insert(receipt.transaction);
                assert!(first, "executed twice");
            }
        }
        let stored = execution.snapshot.entries();
        let restored = Ledger::restore(&CHAIN.genesis, ledger.head().clone(), stored).unwrap();
        assert_eq!(restored.head_hash(), ledger.head_hash());
    }
    !applied.is_empty()
}

fn executions() -> Vec<Vec<u8>> {
    let raw = CHAIN.transactions().into_iter();
    let raw = raw.map(|signed| [vec![0], with_length(&signed.to_bytes())].concat());
    let raw: Vec<u8> = raw.flatten().collect();
    // From, to, signer, asset, kind, amount, number, oddity, signer's choice.
    let transfer = [2, 0, 1, 0, 0, 1, 3, 0, 0, 0];
    let next = [2, 0, 1, 0, 0, 1, 3, 1, 0, 0];
    vec![
        raw,
        transfer.to_vec(),
        [transfer.as_slice(), &[1], &next].concat(),
    ]
}

/// What one validator admits, proposes, drops and sees executed, with others' blocks in between. Counts come out right, and in an
/// own block that is executed before anybody else's nothing that was admitted is refused.
fn admission(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let mut ledger = CHAIN.start.clone();
    let limits = AdmissionLimits::default();
    let mut admission = Admission::new(ValidatorIndex(0), ledger.snapshot(), limits);
    let mut waiting: Vec<SignedTransaction> = Vec::new();
    let (mut led, mut disturbed) = (false, false);
    while !choices.is_empty() {
        match choices.below(8) {
            0 => {
                let round = ledger.head().height.0 + 1;
                let own: Vec<_> = waiting.drain(..).map(|signed| signed.to_bytes()).collect();
                let others = (0..choices.below(3)).map(|_| chosen(&mut choices).to_bytes());
                let others: Vec<_> = others.collect();
                let blocks = vec![block(0, round, &own), block(1, round, &others)];
                let commit = commit(&ledger, blocks);
                let execution = ledger.execute(&commit).unwrap();
                for receipt in &execution.receipts[..own.len()] {
                    let applied = matches!(receipt.outcome, Outcome::Applied { .. });
                    assert!(applied || disturbed, "admitted, and refused: {receipt:?}");
                    led |= applied;
                }
                disturbed |= !others.is_empty();
                admission.settle(&commit, &execution);
            }
            1 => {
                let place = choices.below(waiting.len());
                if place < waiting.len() {
                    // What was numbered after it has no chance any more.
                    for dropped in waiting.drain(place..) {
                        admission.dropped(&dropped.id());
                    }
                }
            }
            2 => {
                if let Ok(signed) = SignedTransaction::from_bytes(choices.bytes()) {
                    waiting.extend(admit(&mut admission, &ledger, signed));
                }
            }
            _ => {
                let signed = chosen(&mut choices);
                waiting.extend(admit(&mut admission, &ledger, signed));
            }
        }
        assert_eq!(admission.len(), waiting.len());
    }
    for signed in waiting {
        assert!(admission.is_pending(&signed.id()));
        admission.dropped(&signed.id());
    }
    assert!(admission.is_empty());
    led
}

fn admit(
    admission: &mut Admission,
    ledger: &Ledger,
    signed: SignedTransaction,
) -> Option<SignedTransaction> {
    let Height(height) = ledger.head().height;
    let admitted = admission.admit(signed, Round(height + 1)).ok()?;
    Some(admitted.into_signed())
}

fn admissions() -> Vec<Vec<u8>> {
    let transfer = |from: u8, to: u8, number: u8| vec![3, from, to, 0, 0, 1, 3, number, 0, 0];
    let raw = &CHAIN.transactions()[0];
    let raw = [vec![2], with_length(&raw.to_bytes())].concat();
    vec![
        [transfer(0, 1, 0), transfer(0, 2, 1), vec![0, 0]].concat(),
        [raw, transfer(1, 0, 0), vec![0, 0]].concat(),
        [transfer(2, 1, 0), vec![1, 0], transfer(2, 1, 0), vec![0, 0]].concat(),
    ]
}
