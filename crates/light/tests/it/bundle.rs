//! From the beacon's key down: epoch records, shards' keys, and whole proofs in one file.

use quorate_light::{Input, LightError, PointError, TrustedBeacon};
use quorate_types::{
    Account, AccountId, AssetId, AssetInfo, Certificate, ChainId, Claim, CodecError, CommitteeHash,
    Delta, Encode, Epoch, EpochCertificate, EpochOrigin, EpochProof, EpochRecord, EpochRecordHash,
    Hash32, Header, Height, IdentityKey, MerkleTree, Outcome, ProofBundle, Receipt, ShardId,
    ShardKey, Signature, SparseLeaf, StateKey, StateProof, StateProofError, SuccessionError,
    TransactionId, internal_hash, leaf_hash,
};

use crate::committee::{TestCommittee, header};

const ASSET: AssetId = AssetId(5);
const SHARD: ShardId = ShardId(7);

/// A beacon, its newest record, and one shard's committee under it.
struct Network {
    beacon: TestCommittee,
    shard: TestCommittee,
    record: EpochRecord,
    signature: Signature,
}

impl Network {
    fn new() -> Self {
        let beacon = TestCommittee::new(7, 5, 11);
        let shard = TestCommittee::four();
        let key = |number| ShardKey {
            shard: ShardId(number),
            epoch: Epoch(3),
            committee: CommitteeHash([0xcc; 32]),
            group_key: *shard.group_key(),
            quorum: 3,
            first: Height(100),
        };
        let record = EpochRecord {
            chain: header(1).chain,
            epoch: Epoch(4),
            origin: EpochOrigin {
                height: Height(40),
                seed: Hash32([0x5e; 32]),
                previous: EpochRecordHash([0x77; 32]),
            },
            shards: (0..16).map(key).collect(),
        };
        let signature = beacon.sign(&record.hash().signing_bytes(), 0);
        Self {
            beacon,
            shard,
            record,
            signature,
        }
    }

    fn trusted(&self) -> TrustedBeacon {
        TrustedBeacon::new(self.record.chain, self.beacon.group_key()).unwrap()
    }

    fn bundle_of(&self, header: &Header, claim: Claim) -> ProofBundle {
        let certificate = Certificate {
            header: header.clone(),
            signature: self.shard.sign(&header.hash().signing_bytes(), 0),
        };
        let epoch = EpochProof::new(&self.record, self.signature, SHARD).unwrap();
        ProofBundle::new(epoch, &certificate, claim)
    }

    fn bundle(&self, claim: Claim) -> ProofBundle {
        let mut header = header(120);
        header.state_root = state_root(&claim);
        if let Claim::Receipt { receipt, path } = &claim {
            header.receipts_root = path.root(&receipt.to_bytes());
        }
        self.bundle_of(&header, claim)
    }
}

/// The root that a claim's state proof leads to.
fn state_root(claim: &Claim) -> Hash32 {
    let (key, proof) = match claim {
        Claim::Account { account, proof } => (StateKey::Account(account.id()), proof),
        Claim::NoAccount { id, proof } => (StateKey::Account(*id), proof),
        Claim::Asset { id, proof, .. } => (StateKey::Asset(*id), proof),
        Claim::Finality | Claim::Receipt { .. } => return Hash32::ZERO,
    };
    let place = key.hash();
    let mut hash = proof.leaf.as_ref().map_or(Hash32::ZERO, leaf_hash);
    for (depth, sibling) in proof.siblings.iter().enumerate().rev() {
        hash = if place.bit(depth) {
            internal_hash(sibling, &hash)
        } else {
            internal_hash(&hash, sibling)
        };
    }
    hash
}

/// A path as deep as in a state of some ten thousand leaves: so that no other id that a changed byte makes here lies on it.
fn deep_proof(leaf: Option<SparseLeaf>) -> StateProof {
    let siblings = (0..16).map(|depth| Hash32([depth; 32])).collect();
    StateProof { leaf, siblings }
}

fn claims() -> Vec<Claim> {
    let mut account = Account::new(IdentityKey([3; 32]), 1);
    account.free.insert(ASSET, 1_000);
    let asset = AssetInfo {
        decimals: 6,
        supply: 1_000,
        fees: 0,
    };
    let receipts: Vec<Receipt> = (0..11)
        .map(|number| Receipt {
            transaction: TransactionId([number; 32]),
            outcome: Outcome::Applied {
                deltas: vec![Delta {
                    account: account.id(),
                    asset: ASSET,
                    change: i128::from(number),
                }],
            },
        })
        .collect();
    let path = MerkleTree::new(receipts.iter().map(Encode::to_bytes));
    let account_leaf = SparseLeaf::new(StateKey::Account(account.id()).hash(), &account.to_bytes());
    let asset_leaf = SparseLeaf::new(StateKey::Asset(ASSET).hash(), &asset.to_bytes());
    vec![
        Claim::Finality,
        Claim::Account {
            account,
            proof: deep_proof(Some(account_leaf)),
        },
        Claim::NoAccount {
            id: AccountId([9; 32]),
            proof: deep_proof(None),
        },
        Claim::Asset {
            id: ASSET,
            asset,
            proof: deep_proof(Some(asset_leaf)),
        },
        Claim::Receipt {
            receipt: receipts[6].clone(),
            path: path.proof(6).unwrap().to_path().unwrap(),
        },
    ]
}

#[test]
fn a_bundle_proves_its_claim_to_whoever_holds_the_beacons_key() {
    let network = Network::new();
    let trusted = network.trusted();
    for claim in claims() {
        let bundle = network.bundle(claim.clone());
        let bytes = bundle.to_bytes();
        let verified = trusted.verify_bundle(&bytes).unwrap();
        assert_eq!(verified.claim(), &claim);
        assert_eq!(
            verified.header(),
            &bundle.certificate(trusted.chain()).header
        );
        assert_eq!(verified.key(), &network.record.shards[7]);
        assert_eq!(verified.epoch(), &network.record.head());
        if claim == Claim::Finality {
            assert_eq!(bytes.len(), 648, "at most 650 with 16 shards");
        }
    }
}

/// Every byte of every part: of the common part under the first claim, of each claim under the next ones.
#[test]
fn a_bundle_with_any_byte_changed_is_refused() {
    let network = Network::new();
    let trusted = network.trusted();
    for claim in claims() {
        let good = network.bundle(claim.clone()).to_bytes();
        let claim_start = good.len() - claim.to_bytes().len();
        let start = if claim == Claim::Finality {
            0
        } else {
            claim_start
        };
        for at in start..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            let verdict = trusted.verify_bundle(&bad);
            assert!(verdict.is_err(), "byte {at} of {claim:?}");
        }
        for length in (0..good.len()).step_by(7) {
            let error = trusted.verify_bundle(&good[..length]).unwrap_err();
            let truncated = matches!(
                error,
                LightError::Malformed {
                    input: Input::ProofBundle,
                    source: CodecError::Truncated { .. }
                }
            );
            assert!(truncated, "{length} bytes: {error:?}");
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(
            trusted.verify_bundle(&longer),
            Err(LightError::Malformed {
                input: Input::ProofBundle,
                source: CodecError::Trailing { extra: 1 }
            })
        );
    }
}

#[test]
fn each_link_that_does_not_hold_is_named() {
    let network = Network::new();
    let trusted = network.trusted();
    let good = network.bundle(Claim::Finality);
    let verify = |change: &dyn Fn(&mut ProofBundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        trusted.verify_bundle(&bundle.to_bytes()).map(|_| ())
    };
    assert_eq!(verify(&|_| {}), Ok(()));
    let not_beacons = Err(LightError::NotSignedByBeacon);
    assert_eq!(verify(&|bundle| bundle.epoch.epoch = Epoch(5)), not_beacons);
    assert_eq!(
        verify(&|bundle| bundle.epoch.key.key.quorum = 2),
        not_beacons
    );
    assert_eq!(
        verify(&|bundle| bundle.epoch.key.key.first = Height(0)),
        not_beacons
    );
    assert_eq!(
        verify(&|bundle| bundle.epoch.key.key.shard = ShardId(6)),
        not_beacons
    );
    // A shard's committee does not sign epoch records.
    let head = network.record.hash().signing_bytes();
    let forged = network.shard.sign(&head, 0);
    assert_eq!(
        verify(&|bundle| bundle.epoch.signature = forged),
        not_beacons
    );
    // And the beacon certifies no shard's header.
    let header = bundle_header(&good, &trusted);
    let forged = network.beacon.sign(&header.hash().signing_bytes(), 0);
    assert_eq!(
        verify(&|bundle| bundle.signature = forged),
        Err(LightError::NotSigned)
    );
    let mut identity = Signature([0; 48]);
    identity.0[0] = 0xc0;
    assert_eq!(
        verify(&|bundle| bundle.epoch.signature = identity),
        Err(LightError::BeaconSignature(PointError::Identity))
    );
    assert_eq!(
        verify(&|bundle| bundle.signature = identity),
        Err(LightError::Signature(PointError::Identity))
    );

    let mut early = header;
    early.height = Height(99);
    let early = network.bundle_of(&early, Claim::Finality).to_bytes();
    let (first, found) = (Height(100), Height(99));
    assert_eq!(
        trusted.verify_bundle(&early).map(|_| ()),
        Err(LightError::BeforeTerm { first, found })
    );
    let elsewhere = TrustedBeacon::new(ChainId([9; 32]), network.beacon.group_key()).unwrap();
    assert_eq!(
        elsewhere.verify_bundle(&good.to_bytes()).map(|_| ()),
        not_beacons
    );

    let stale = network.bundle_of(&header_of_claims(), claims()[1].clone());
    assert_eq!(
        trusted.verify_bundle(&stale.to_bytes()).map(|_| ()),
        Err(LightError::State(StateProofError::Root))
    );
    let stale = network.bundle_of(&header_of_claims(), claims()[4].clone());
    assert_eq!(
        trusted.verify_bundle(&stale.to_bytes()).map(|_| ()),
        Err(LightError::ReceiptNotIncluded)
    );
}

fn bundle_header(bundle: &ProofBundle, trusted: &TrustedBeacon) -> Header {
    bundle.certificate(trusted.chain()).header
}

/// A certified header that knows nothing of the claims.
fn header_of_claims() -> Header {
    header(120)
}

#[test]
fn one_epoch_certificate_gives_every_shards_key() {
    let network = Network::new();
    let trusted = network.trusted();
    let certificate = EpochCertificate {
        head: network.record.head(),
        signature: network.signature,
    };
    let epoch = trusted.verify_epoch(&certificate.to_bytes()).unwrap();
    assert_eq!(epoch.head(), &certificate.head);
    for key in &network.record.shards {
        let proof = network.record.prove(key.shard).unwrap();
        let trusted = epoch.verify_key(&proof.to_bytes()).unwrap();
        assert_eq!((trusted.shard(), trusted.epoch()), (key.shard, key.epoch));
        assert_eq!(trusted.first(), Height(100));
    }
    let key = epoch
        .verify_key(&network.record.prove(SHARD).unwrap().to_bytes())
        .unwrap();
    let certified = network.shard.certify(&header(100));
    assert_eq!(
        key.verify_certificate(&certified).unwrap().header(),
        &header(100)
    );
    let (first, found) = (Height(100), Height(99));
    assert_eq!(
        key.verify_certificate(&network.shard.certify(&header(99))),
        Err(LightError::BeforeTerm { first, found })
    );
    let bytes = network.record.prove(SHARD).unwrap().to_bytes();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        let error = epoch.verify_key(&bad).unwrap_err();
        let expected = matches!(
            error,
            LightError::KeyNotIncluded
                | LightError::Malformed {
                    input: Input::ShardKeyProof,
                    ..
                }
        );
        assert!(expected, "byte {at}: {error:?}");
    }
    let good = certificate.to_bytes();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(trusted.verify_epoch(&bad).is_err(), "byte {at}");
    }
}

#[test]
fn records_are_followed_one_by_one() {
    let network = Network::new();
    let trusted = network.trusted();
    let bytes = network.record.to_bytes();
    let first = trusted.verify_record(&bytes, &network.signature).unwrap();
    assert_eq!(first.record(), &network.record);
    let successor = |previous: &EpochRecord, epoch: u64| {
        let mut next = previous.clone();
        next.epoch = Epoch(epoch);
        next.origin.height = Height(previous.origin.height.0 + 1);
        next.origin.previous = previous.hash();
        let signature = network.beacon.sign(&next.hash().signing_bytes(), 0);
        (next, signature)
    };
    let (second, signature) = successor(&network.record, 5);
    let verified = first.verify_next(&trusted, &second.to_bytes(), &signature);
    assert_eq!(verified.as_ref().map(|next| next.record()), Ok(&second));
    assert_eq!(
        first.verify_next(&trusted, &second.to_bytes(), &network.signature),
        Err(LightError::NotSignedByBeacon)
    );
    let (skips, signature) = successor(&network.record, 6);
    let (previous, found) = (Epoch(4), Epoch(6));
    assert_eq!(
        first.verify_next(&trusted, &skips.to_bytes(), &signature),
        Err(LightError::Succession(SuccessionError::Epoch {
            previous,
            found
        }))
    );
}
