//! A committee with real keys, one executed commit, and everything that proves it.

use std::sync::LazyLock;

use bytes::Bytes;
use quorate_consensus::VerifiedBlock;
use quorate_crypto::dealer::deal;
use quorate_crypto::{IdentitySecret, ThresholdPublic};
use quorate_ledger::{Execution, Ledger};
use quorate_types::{
    AccountId, Allocation, AssetId, BlockRef, Body, Certificate, Commit, Committee, DomainTag,
    Encode, Epoch, Execution as Mode, Genesis, GenesisAsset, Height, KeySignature, Member, Round,
    RuleParameters, ShardId, Signature, SignedTransaction, Transaction, ValidatorIndex,
};
use quorate_validator::{BlsCryptography, Cryptography};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// n.
pub(crate) const MEMBERS: u16 = 4;
/// q.
pub(crate) const QUORUM: u16 = 3;
/// People with a key, of whom all but the last have an account.
pub(crate) const PEOPLE: u8 = 4;
/// The asset that fees are paid in, and another one.
pub(crate) const ASSETS: [AssetId; 2] = [AssetId(1), AssetId(7)];

/// The chain of all targets.
pub(crate) static CHAIN: LazyLock<Chain> = LazyLock::new(Chain::new);

/// A chain at height 1.
pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    pub(crate) committee: Committee,
    /// Every member's block of round 1.
    pub(crate) blocks: Vec<VerifiedBlock>,
    pub(crate) commit: Commit,
    pub(crate) start: Ledger,
    pub(crate) ledger: Ledger,
    pub(crate) execution: Execution,
    pub(crate) certificate: Certificate,
    pub(crate) coin: Signature,
}

/// The key of a person.
pub(crate) fn person(number: u8) -> IdentitySecret {
    IdentitySecret::from_bytes(&[1 + number; 32])
}

/// The account of a person.
pub(crate) fn account_of(number: u8) -> AccountId {
    AccountId::derive(&person(number).public(), 0)
}

/// Signs as a person.
pub(crate) fn sign(number: u8, transaction: Transaction) -> SignedTransaction {
    let id = transaction.id();
    let signature = person(number).sign(DomainTag::TransactionSignature, &id.0);
    let signature = KeySignature {
        key_index: 0,
        signature,
    };
    SignedTransaction::new(transaction, vec![signature])
}

/// A transaction that lacks nothing.
pub(crate) fn transaction(genesis: &Genesis, body: Body, sequence: u64) -> Transaction {
    Transaction {
        chain: genesis.chain_id(),
        shard: genesis.shard,
        access: body.touched(),
        body,
        dependencies: Vec::new(),
        lane: 0,
        sequence,
        valid_until_round: Round(1000),
        max_fee: 10,
    }
}

impl Chain {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        let dealt = deal(MEMBERS, QUORUM, &mut rng);
        let identity = |member: u8| IdentitySecret::from_bytes(&[100 + member; 32]);
        let members = (0..).zip(&dealt.shares_public);
        let members = members.map(|(member, share_key)| Member {
            identity: identity(member).public(),
            share_key: *share_key,
        });
        let genesis = genesis(dealt.group, members.collect());
        let committee = genesis.committee().unwrap();
        // The leader's round is 1.
        let round = Round(u64::from(genesis.rule.wave));
        let message = committee.coin_message(round);
        let coin_shares = committee.indices().zip(&dealt.secrets);
        let coin_shares: Vec<_> = coin_shares
            .map(|(member, share)| (member, share.sign_share(&message)))
            .collect();
        let secrets = (0..).zip(dealt.secrets);
        let keys: Vec<_> = secrets
            .map(|(member, share)| {
                BlsCryptography::new(committee.clone(), identity(member), share).unwrap()
            })
            .collect();
        let blocks = blocks(&genesis, &committee, &keys);
        let commit = Commit {
            height: Height(1),
            leader: blocks[3].reference(),
            timestamp_ms: 1000,
            coin: None,
            blocks: blocks.iter().map(VerifiedBlock::shared).collect(),
        };
        let start = Ledger::genesis(&genesis).unwrap();
        let mut ledger = start.clone();
        let execution = ledger.execute(&commit).unwrap();

        let shares: Vec<_> = committee.members().iter().map(|m| m.share_key).collect();
        let quorum = usize::from(QUORUM);
        let public = ThresholdPublic::parse(committee.group_key(), &shares, quorum).unwrap();
        let hash = execution.header.hash();
        let signed = committee.indices().zip(&keys);
        let signed: Vec<_> = signed
            .map(|(member, keys)| (member, keys.sign_share(Height(1), hash).signature))
            .collect();
        let combined = public.combine(&hash.signing_bytes(), &signed).unwrap();
        let coin = public.combine(&message, &coin_shares);
        Self {
            certificate: Certificate {
                header: execution.header.clone(),
                signature: combined.signature,
            },
            coin: coin.unwrap().signature,
            genesis,
            committee,
            blocks,
            commit,
            start,
            ledger,
            execution,
        }
    }

    /// Transactions that real clients could send.
    pub(crate) fn transactions(&self) -> Vec<SignedTransaction> {
        transactions(&self.genesis)
    }
}

fn genesis(group_key: quorate_types::ThresholdKey, members: Vec<Member>) -> Genesis {
    let mut allocations = Vec::new();
    for number in 0..PEOPLE - 1 {
        allocations.extend(ASSETS.map(|asset| Allocation {
            owner: person(number).public(),
            sub: 0,
            asset,
            amount: 1000,
        }));
    }
    Genesis {
        name: "fuzz".into(),
        shard: ShardId(0),
        epoch: Epoch(0),
        quorum: QUORUM,
        group_key,
        members,
        rule: RuleParameters::default(),
        execution: Mode::Ledger,
        transfer_fee: 3,
        fee_asset: ASSETS[0],
        assets: ASSETS.map(|id| GenesisAsset { id, decimals: 6 }).to_vec(),
        allocations,
    }
}

fn transactions(genesis: &Genesis) -> Vec<SignedTransaction> {
    let transfer = |from: u8, to: u8, asset: AssetId, amount: u128| Body::Transfer {
        from: account_of(from),
        to: account_of(to),
        asset,
        amount,
    };
    let create = Body::CreateAccount {
        owner: person(PEOPLE - 1).public(),
        sub: 0,
    };
    let mut dependent = transaction(genesis, transfer(1, 2, ASSETS[0], 7), 0);
    let first = transaction(genesis, transfer(0, 1, ASSETS[1], 5), 0);
    dependent.dependencies = vec![first.id()];
    vec![
        sign(0, first),
        sign(1, dependent),
        sign(2, transaction(genesis, transfer(2, 0, ASSETS[0], 5000), 0)),
        sign(PEOPLE - 1, transaction(genesis, create, 0)),
    ]
}

fn blocks(
    genesis: &Genesis,
    committee: &Committee,
    keys: &[BlsCryptography],
) -> Vec<VerifiedBlock> {
    let transactions = transactions(genesis);
    let members = committee.indices().zip(keys);
    members
        .map(|(member, keys)| {
            let mut parents: Vec<BlockRef> = committee
                .indices()
                .map(|author| committee.genesis_block(author))
                .collect();
            let own = parents.remove(member.position());
            parents.insert(0, own);
            let payload: Vec<Bytes> = transactions
                .iter()
                .skip(member.position())
                .take(1)
                .map(|signed| signed.to_bytes().into())
                .collect();
            let time = 1000 + u64::from(member.0);
            keys.propose(Round(1), &parents, time, &payload).unwrap()
        })
        .collect()
}

/// The member with that number.
pub(crate) fn member(number: usize) -> ValidatorIndex {
    ValidatorIndex(u16::try_from(number).expect("a committee is small"))
}
