//! Signed transfers around a ring of accounts.
//!
//! A lane's sequence numbers must reach a validator in order, so a lane is in at most one open call; all of a
//! connection's lanes are its own. A refused transfer is offered again before its successors.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use quorate_crypto::IdentitySecret;
use quorate_rpc::ErrorReason;
use quorate_rpc::submit::v1::SubmitResult;
use quorate_rpc::submit::v1::submit_result::Result as Verdict;
use quorate_types::{AccountId, AssetId, Body, ChainId, Encode, Round, ShardId, Transaction};

use super::Source;
use crate::commands::transaction::sign;

/// Most transfers of one lane in one call.
const PER_LANE_MAX: usize = 8;

/// Where transfers are valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Domain {
    pub(crate) chain: ChainId,
    pub(crate) shard: ShardId,
    pub(crate) asset: AssetId,
    pub(crate) fee: u128,
}

/// One lane of a paying account.
pub(crate) struct Payer {
    domain: Domain,
    owner: Arc<IdentitySecret>,
    from: AccountId,
    to: AccountId,
    lane: u16,
    next_sequence: u64,
    /// Signed and not yet accepted, in order of sequence.
    signed: VecDeque<Bytes>,
}

impl Payer {
    pub(crate) fn new(
        genesis: &quorate_types::Genesis,
        owner: Arc<IdentitySecret>,
        to: AccountId,
        lane: u16,
    ) -> Self {
        let domain = Domain {
            chain: genesis.chain_id(),
            shard: genesis.shard,
            asset: genesis.fee_asset,
            fee: genesis.transfer_fee,
        };
        Self {
            from: AccountId::derive(&owner.public(), 0),
            domain,
            owner,
            to,
            lane,
            next_sequence: 0,
            signed: VecDeque::new(),
        }
    }

    /// Signs ahead until `count` transfers wait.
    pub(crate) fn prepare(&mut self, count: usize) {
        while self.signed.len() < count {
            let body = Body::Transfer {
                from: self.from,
                to: self.to,
                asset: self.domain.asset,
                amount: 1,
            };
            let transaction = Transaction {
                chain: self.domain.chain,
                shard: self.domain.shard,
                access: body.touched(),
                body,
                dependencies: Vec::new(),
                lane: self.lane,
                sequence: self.next_sequence,
                valid_until_round: Round(u64::MAX),
                max_fee: self.domain.fee,
            };
            self.next_sequence += 1;
            let signed = sign(&self.owner, transaction);
            self.signed.push_back(signed.to_bytes().into());
        }
    }

    /// Drops what was accepted. Whether the lane can go on.
    fn answered(&mut self, results: &[SubmitResult]) -> bool {
        for result in results {
            match &result.result {
                Some(Verdict::AcceptedTransactionId(_)) => {
                    self.signed.pop_front();
                }
                Some(Verdict::Failure(failure)) => {
                    return failure.reason() != ErrorReason::TransactionRejected;
                }
                None => return false,
            }
        }
        true
    }
}

/// Transfers of one connection.
pub(crate) struct Transfers {
    free: VecDeque<Payer>,
    transaction_bytes: usize,
}

impl Transfers {
    /// Transfers of these lanes, which no other connection uses.
    pub(crate) fn new(payers: Vec<Payer>) -> Self {
        let mut free = VecDeque::from(payers);
        let transaction_bytes = free.front_mut().map_or(1, |payer| {
            payer.prepare(1);
            payer.signed.front().map_or(1, Bytes::len)
        });
        Self {
            free,
            transaction_bytes,
        }
    }
}

impl Transfers {
    /// Signs ahead until `count` transfers wait in each lane, on all processors.
    pub(crate) fn prepare(&mut self, count: usize) {
        let payers = self.free.make_contiguous();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let part = payers.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            for some in payers.chunks_mut(part) {
                scope.spawn(move || some.iter_mut().for_each(|payer| payer.prepare(count)));
            }
        });
    }
}

impl Source for Transfers {
    type Ticket = Vec<(Payer, usize)>;

    fn take(&mut self, count: usize) -> (Vec<Bytes>, Self::Ticket) {
        let mut transactions = Vec::with_capacity(count);
        let mut ticket = Vec::new();
        while transactions.len() < count {
            let Some(mut payer) = self.free.pop_front() else {
                break;
            };
            let part = PER_LANE_MAX.min(count - transactions.len());
            payer.prepare(part);
            transactions.extend(payer.signed.iter().take(part).cloned());
            ticket.push((payer, part));
        }
        (transactions, ticket)
    }

    fn answered(&mut self, ticket: Self::Ticket, results: Option<&[SubmitResult]>) {
        let mut rest = results.unwrap_or_default();
        for (mut payer, part) in ticket {
            // A call that failed as a whole may have been carried out: submitting again is harmless.
            let usable = match results {
                None => true,
                Some(_) => {
                    let (own, others) = rest.split_at(part.min(rest.len()));
                    rest = others;
                    own.len() == part && payer.answered(own)
                }
            };
            if usable {
                self.free.push_back(payer);
            }
        }
    }

    fn transaction_bytes(&self) -> usize {
        self.transaction_bytes
    }
}

#[cfg(test)]
mod tests {
    use quorate_rpc::common::v1::ItemFailure;
    use quorate_types::{
        Decode, Epoch, Execution, Genesis, RuleParameters, SignedTransaction, ThresholdKey,
    };

    use super::*;

    fn payer(lane: u16) -> Payer {
        let genesis = Genesis {
            name: String::new(),
            shard: ShardId(0),
            epoch: Epoch(0),
            quorum: 3,
            group_key: ThresholdKey([0; 96]),
            members: Vec::new(),
            rule: RuleParameters::default(),
            execution: Execution::Ledger,
            transfer_fee: 1,
            fee_asset: AssetId(0),
            assets: Vec::new(),
            allocations: Vec::new(),
        };
        let owner = Arc::new(IdentitySecret::from_bytes(&[1; 32]));
        Payer::new(&genesis, owner, AccountId([2; 32]), lane)
    }

    fn accepted() -> SubmitResult {
        SubmitResult {
            result: Some(Verdict::AcceptedTransactionId(Bytes::new())),
        }
    }

    fn refused(reason: ErrorReason) -> SubmitResult {
        let failure = ItemFailure {
            reason: reason.into(),
            ..ItemFailure::default()
        };
        SubmitResult {
            result: Some(Verdict::Failure(failure)),
        }
    }

    fn places(transactions: &[Bytes]) -> Vec<(u16, u64)> {
        let decode = |bytes: &Bytes| SignedTransaction::from_bytes(bytes).unwrap().transaction;
        transactions
            .iter()
            .map(decode)
            .map(|transaction| (transaction.lane, transaction.sequence))
            .collect()
    }

    #[test]
    fn a_lane_is_in_one_open_call_and_goes_on_where_it_was_refused() {
        let mut source = Transfers::new(vec![payer(0), payer(1)]);
        let (first, first_ticket) = source.take(3);
        assert_eq!(places(&first), [(0, 0), (0, 1), (0, 2)]);
        let (second, second_ticket) = source.take(20);
        assert_eq!(
            places(&second),
            (0..8).map(|sequence| (1, sequence)).collect::<Vec<_>>()
        );
        assert!(source.take(1).0.is_empty(), "both lanes are in open calls");

        let full = refused(ErrorReason::PoolFull);
        source.answered(first_ticket, Some(&[accepted(), full.clone(), full]));
        assert_eq!(places(&source.take(3).0), [(0, 1), (0, 2), (0, 3)]);
        source.answered(second_ticket, None);
        assert_eq!(
            places(&source.take(1).0),
            [(1, 0)],
            "the call may not have arrived"
        );
    }

    #[test]
    fn a_rejected_lane_is_given_up() {
        let mut source = Transfers::new(vec![payer(0)]);
        let (_, ticket) = source.take(2);
        source.answered(
            ticket,
            Some(&[accepted(), refused(ErrorReason::TransactionRejected)]),
        );
        assert!(source.take(1).0.is_empty());
    }
}
