//! Receipts and state under a certified header.

use quorate_light::{Input, LightError, VerifiedHeader};
use quorate_types::{
    Account, AccountId, AssetId, AssetInfo, CodecError, Delta, Encode, Hash32, Header, IdentityKey,
    MerkleTree, Outcome, Receipt, RejectCode, SparseLeaf, StateKey, StateProof, StateProofError,
    TransactionId, internal_hash, leaf_hash,
};

use crate::committee::{TestCommittee, header};

fn certified(change: impl FnOnce(&mut Header)) -> VerifiedHeader {
    let committee = TestCommittee::four();
    let mut header = header(1);
    change(&mut header);
    committee
        .trusted_key()
        .verify_certificate(&committee.certify(&header))
        .unwrap()
}

fn receipt(number: u8) -> Receipt {
    let outcome = if number % 2 == 0 {
        Outcome::Rejected {
            code: RejectCode::InsufficientFree,
        }
    } else {
        Outcome::Applied {
            deltas: vec![Delta {
                account: AccountId([number; 32]),
                asset: AssetId(1),
                change: -i128::from(number),
            }],
        }
    };
    Receipt {
        transaction: TransactionId([number; 32]),
        outcome,
    }
}

#[test]
fn a_receipt_is_proved_and_no_other() {
    let receipts: Vec<Receipt> = (0..11).map(receipt).collect();
    let tree = MerkleTree::new(receipts.iter().map(Encode::to_bytes));
    let verified = certified(|header| header.receipts_root = tree.root());
    for (index, receipt) in receipts.iter().enumerate() {
        let bytes = receipt.to_bytes();
        let proof = tree.proof(index).unwrap().to_bytes();
        assert_eq!(
            verified.verify_receipt(&bytes, &proof).as_ref(),
            Ok(receipt)
        );
        let other = receipts[(index + 1) % receipts.len()].to_bytes();
        assert_eq!(
            verified.verify_receipt(&other, &proof),
            Err(LightError::ReceiptNotIncluded)
        );
        // The first 20 bytes hold position, length and count: other values may describe the same path.
        for at in 20..proof.len() {
            let mut bad = proof.clone();
            bad[at] ^= 1;
            assert_eq!(
                verified.verify_receipt(&bytes, &bad),
                Err(LightError::ReceiptNotIncluded)
            );
        }
        for length in 0..proof.len() {
            assert!(matches!(
                verified.verify_receipt(&bytes, &proof[..length]),
                Err(LightError::Malformed {
                    input: Input::MerkleProof,
                    source: CodecError::Truncated { .. }
                })
            ));
        }
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(matches!(
                verified.verify_receipt(&bad, &proof),
                Err(LightError::ReceiptNotIncluded
                    | LightError::Malformed {
                        input: Input::Receipt,
                        ..
                    })
            ));
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(
            verified.verify_receipt(&longer, &proof),
            Err(LightError::Malformed {
                input: Input::Receipt,
                source: CodecError::Trailing { extra: 1 }
            })
        ));
    }
    let elsewhere = certified(|_| {});
    assert_eq!(
        elsewhere.verify_receipt(&receipts[0].to_bytes(), &tree.proof(0).unwrap().to_bytes()),
        Err(LightError::ReceiptNotIncluded)
    );
}

/// A state of one account and one asset: two leaves, as deep as their places agree.
struct State {
    account: Account,
    asset: AssetInfo,
    leaves: [SparseLeaf; 2],
}

const ASSET: AssetId = AssetId(5);

impl State {
    fn new() -> Self {
        let mut account = Account::new(IdentityKey([3; 32]), 1);
        account.lanes.insert(0, 2);
        account.free.insert(ASSET, 1_000);
        let asset = AssetInfo {
            decimals: 6,
            supply: 1_000,
            fees: 0,
        };
        let account_place = StateKey::Account(account.id()).hash();
        let leaves = [
            SparseLeaf::new(account_place, &account.to_bytes()),
            SparseLeaf::new(StateKey::Asset(ASSET).hash(), &asset.to_bytes()),
        ];
        Self {
            account,
            asset,
            leaves,
        }
    }

    fn depth(&self) -> usize {
        let [left, right] = &self.leaves;
        (0..256)
            .find(|depth| left.key_hash.bit(*depth) != right.key_hash.bit(*depth))
            .unwrap()
    }

    fn root(&self) -> Hash32 {
        let depth = self.depth();
        let [mut left, mut right] = self.leaves;
        if left.key_hash.bit(depth) {
            (left, right) = (right, left);
        }
        let mut hash = internal_hash(&leaf_hash(&left), &leaf_hash(&right));
        for above in (0..depth).rev() {
            hash = if left.key_hash.bit(above) {
                internal_hash(&Hash32::ZERO, &hash)
            } else {
                internal_hash(&hash, &Hash32::ZERO)
            };
        }
        hash
    }

    /// The proof that ends at a leaf.
    fn proof(&self, leaf: usize) -> Vec<u8> {
        let mut siblings = vec![Hash32::ZERO; self.depth()];
        siblings.push(leaf_hash(&self.leaves[1 - leaf]));
        let leaf = Some(self.leaves[leaf]);
        StateProof { leaf, siblings }.to_bytes()
    }
}

#[test]
fn an_account_is_proved_with_its_balance_and_no_other() {
    let state = State::new();
    let verified = certified(|header| header.state_root = state.root());
    let (id, bytes, proof) = (state.account.id(), state.account.to_bytes(), state.proof(0));
    let account = verified.verify_account(&id, &bytes, &proof).unwrap();
    assert_eq!(account.free_of(ASSET), 1_000);

    let mut richer = state.account.clone();
    richer.free.insert(ASSET, 1_001);
    assert_eq!(
        verified.verify_account(&id, &richer.to_bytes(), &proof),
        Err(LightError::State(StateProofError::Value))
    );
    let other = AccountId::derive(&IdentityKey([3; 32]), 2);
    assert!(matches!(
        verified.verify_account(&other, &bytes, &proof),
        Err(LightError::State(
            StateProofError::Root | StateProofError::Absent
        ))
    ));
    assert_eq!(
        verified.verify_absent_account(&id, &proof),
        Err(LightError::State(StateProofError::Present))
    );
    for length in 0..bytes.len() {
        assert!(matches!(
            verified.verify_account(&id, &bytes[..length], &proof),
            Err(LightError::Malformed {
                input: Input::Account,
                source: CodecError::Truncated { .. }
            })
        ));
    }
    for at in 0..proof.len() {
        let mut bad = proof.clone();
        bad[at] ^= 1;
        assert!(verified.verify_account(&id, &bytes, &bad).is_err(), "{at}");
        assert!(matches!(
            verified.verify_account(&id, &bytes, &proof[..at]),
            Err(LightError::Malformed {
                input: Input::StateProof,
                source: CodecError::Truncated { .. }
            })
        ));
    }
    let stale = certified(|_| {});
    assert_eq!(
        stale.verify_account(&id, &bytes, &proof),
        Err(LightError::State(StateProofError::Root))
    );
}

#[test]
fn absence_is_proved_by_what_stands_there_instead() {
    let state = State::new();
    let verified = certified(|header| header.state_root = state.root());
    let mut proved = 0;
    for sub in 2..34 {
        let absent = AccountId::derive(&IdentityKey([3; 32]), sub);
        // One of the two leaves ends its path, unless the path leaves theirs earlier.
        for leaf in 0..2 {
            let proof = state.proof(leaf);
            match verified.verify_absent_account(&absent, &proof) {
                Ok(()) => proved += 1,
                Err(error) => assert_eq!(error, LightError::State(StateProofError::Root)),
            }
            let account = Account::new(IdentityKey([3; 32]), sub).to_bytes();
            assert!(verified.verify_account(&absent, &account, &proof).is_err());
        }
    }
    assert!(proved > 0);
}

#[test]
fn an_asset_is_proved_and_no_other() {
    let state = State::new();
    let verified = certified(|header| header.state_root = state.root());
    let (bytes, proof) = (state.asset.to_bytes(), state.proof(1));
    assert_eq!(
        verified.verify_asset(ASSET, &bytes, &proof),
        Ok(state.asset)
    );
    assert!(verified.verify_asset(AssetId(6), &bytes, &proof).is_err());
    let inflated = AssetInfo {
        supply: 1_001,
        ..state.asset
    };
    assert_eq!(
        verified.verify_asset(ASSET, &inflated.to_bytes(), &proof),
        Err(LightError::State(StateProofError::Value))
    );
    assert!(matches!(
        verified.verify_asset(ASSET, &bytes[1..], &proof),
        Err(LightError::Malformed {
            input: Input::Asset,
            source: CodecError::Truncated { .. }
        })
    ));
}

/// A ledger that kept one account under another's id would be refused.
#[test]
fn an_account_under_another_id_is_refused() {
    let account = Account::new(IdentityKey([3; 32]), 1);
    let elsewhere = AccountId([8; 32]);
    let leaf = SparseLeaf::new(StateKey::Account(elsewhere).hash(), &account.to_bytes());
    let proof = StateProof {
        leaf: Some(leaf),
        siblings: vec![],
    };
    let verified = certified(|header| header.state_root = leaf_hash(&leaf));
    assert_eq!(
        verified.verify_account(&elsewhere, &account.to_bytes(), &proof.to_bytes()),
        Err(LightError::WrongAccount {
            expected: elsewhere,
            found: account.id()
        })
    );
}
