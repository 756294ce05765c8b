//! Clients: what they send, and to whom.

use bytes::Bytes;
use quorate_types::{
    AccountId, Body, DomainTag, Encode, Execution, KeySignature, Round, SignedTransaction,
    Transaction, ValidatorIndex,
};

use crate::hub::Hub;
use crate::process::Process;
use crate::setup::{ASSET, FEE};

/// The world's clients.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    sent: u64,
    /// Unique transactions that validators have taken, and in which boot.
    accepted: Vec<(ValidatorIndex, u64, Bytes)>,
}

/// Longest opaque payload after its number.
const OPAQUE_BYTES_MAX: u64 = 200;
/// Rounds for which a transfer stays valid.
const VALID_ROUNDS: u64 = 1000;

impl Clients {
    /// One client sends one transaction to a validator.
    pub(crate) fn send(&mut self, at: ValidatorIndex, process: &mut Process, hub: &mut Hub) {
        self.sent += 1;
        match hub.mix.execution {
            Execution::Opaque => {
                let mut bytes = self.sent.to_le_bytes().to_vec();
                let length = hub.dice.below(OPAQUE_BYTES_MAX);
                let filler = hub.dice.next().to_le_bytes();
                bytes.extend((0..length).map(|at| filler[(at % 8) as usize]));
                let bytes = Bytes::from(bytes);
                if process.submit(bytes.clone(), hub) {
                    if let Some(stopwatch) = &mut hub.stopwatch {
                        stopwatch.taken(&bytes, hub.now);
                    }
                    let boot = hub.boots[at.position()];
                    self.accepted.push((at, boot, bytes));
                }
            }
            Execution::Ledger => {
                let bytes = transfer(process, hub);
                process.submit(bytes, hub);
            }
        }
    }

    /// Transactions that an honest validator, not restarted since, owes to its clients.
    pub(crate) fn owed<'a>(
        &'a self,
        hub: &'a Hub,
        honest: impl Fn(ValidatorIndex) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Bytes> + 'a {
        self.accepted
            .iter()
            .filter(move |(at, boot, _)| honest(*at) && hub.boots[at.position()] == *boot)
            .map(|(_, _, bytes)| bytes)
            .filter(|bytes| !hub.checker.is_ordered(bytes))
    }

    /// Forgets what validators that were restarted had taken: it may be lost, and is the client's to send again.
    pub(crate) fn forget_lost(&mut self, hub: &Hub) {
        self.accepted
            .retain(|(at, boot, _)| hub.boots[at.position()] == *boot);
    }
}

/// A transfer between two of the accounts: mostly good, and now and then overdrawn, unknown, out of sequence or badly
/// signed.
fn transfer(process: &Process, hub: &mut Hub) -> Bytes {
    let setup = std::sync::Arc::clone(&hub.setup);
    let accounts = &setup.accounts;
    let count = accounts.len() as u64;
    let (from, to) = (hub.dice.below(count), hub.dice.below(count));
    let secret = &accounts[usize::try_from(from).expect("below a length")];
    let from = AccountId::derive(&secret.public(), 0);
    let receiver = accounts[usize::try_from(to).expect("below a length")].public();
    // Sub-account 1 does not exist.
    let to = AccountId::derive(&receiver, u32::from(hub.dice.per_mille(30)));
    let state = process.ledger().snapshot();
    let next = state
        .account(&from)
        .map_or(0, |account| account.next_sequence(0));
    let amount = if hub.dice.per_mille(30) {
        1 << 40
    } else {
        hub.dice.between(1, 50)
    };
    let body = Body::Transfer {
        from,
        to,
        asset: ASSET,
        amount: u128::from(amount),
    };
    let transaction = Transaction {
        chain: setup.committee.chain(),
        shard: setup.committee.shard(),
        access: body.touched(),
        body,
        dependencies: Vec::new(),
        lane: 0,
        sequence: next + u64::from(hub.dice.per_mille(30)),
        valid_until_round: Round(hub.checker.highest_round().0 + VALID_ROUNDS),
        max_fee: FEE,
    };
    let mut signature = secret.sign(DomainTag::TransactionSignature, &transaction.id().0);
    if hub.dice.per_mille(30) {
        signature.0[0] ^= 1;
    }
    let signatures = vec![KeySignature {
        key_index: 0,
        signature,
    }];
    SignedTransaction::new(transaction, signatures)
        .to_bytes()
        .into()
}
