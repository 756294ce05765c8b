//! Seeded values of every type that has a canonical encoding.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use quorate_types::{
    Account, AccountId, Allocation, AssetId, AssetInfo, Block, BlockBuilder, BlockId, BlockRef,
    Body, CeremonyId, Certificate, ChainId, Claim, CodecError, Committee, CommitteeHash,
    DealingHash, Decode, Delta, Encode, EncryptionKey, Epoch, EpochCertificate, EpochHead,
    EpochOrigin, EpochProof, EpochRecord, EpochRecordHash, EpochSeen, Execution, FinalityShare,
    Genesis, GenesisAsset, Hash32, Header, HeaderContent, HeaderHash, Height, IdentityKey,
    IdentitySignature, KeyProof, KeySignature, Member, MerklePath, MerkleProof, MerkleTree,
    Outcome, Peaks, ProofBundle, RangeProof, Receipt, RejectCode, Round, RuleParameters, ShardId,
    ShardKey, ShardKeyProof, Signature, SignedTransaction, SparseLeaf, StateKey, StateProof,
    ThresholdKey, Timestamp, Transaction, TransactionId, TranscriptHash, ValidatorIndex,
};

/// Bytes that depend on a label and a number alone, for ever: BLAKE3's extended output.
pub(crate) struct Source(blake3::OutputReader);

impl Source {
    pub(crate) fn new(label: &str, seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(label.as_bytes()).update(&seed.to_le_bytes());
        Self(hasher.finalize_xof())
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    pub(crate) fn vec(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| self.bytes::<1>()[0]).collect()
    }

    /// A number below `limit`, nearly uniform.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        u64::from_le_bytes(self.bytes()) % limit
    }

    /// Small, extreme or any: what breaks integer codecs.
    fn wide(&mut self) -> u128 {
        match self.below(4) {
            0 => u128::from(self.below(4)),
            1 => u128::MAX - u128::from(self.below(4)),
            2 => u128::from(self.below(1 << 32)),
            _ => u128::from_le_bytes(self.bytes()),
        }
    }

    fn list<T: Generate>(&mut self, most: u64) -> Vec<T> {
        (0..self.below(most + 1))
            .map(|_| T::generate(self))
            .collect()
    }

    fn ascending<T: Generate + Ord>(&mut self, most: u64) -> Vec<T> {
        let set: BTreeSet<T> = self.list(most).into_iter().collect();
        set.into_iter().collect()
    }
}

/// A type that can be made from a source.
pub(crate) trait Generate: Sized {
    fn generate(source: &mut Source) -> Self;
}

/// A type with one canonical encoding, whichever way it is spelled.
pub(crate) trait Canonical: Generate + PartialEq + Debug {
    fn encoded(&self) -> Vec<u8>;
    fn decoded(bytes: &[u8]) -> Result<Self, CodecError>;
}

impl<T: Generate + Encode + Decode + PartialEq + Debug> Canonical for T {
    fn encoded(&self) -> Vec<u8> {
        self.to_bytes()
    }
    fn decoded(bytes: &[u8]) -> Result<Self, CodecError> {
        Self::from_bytes(bytes)
    }
}

/// A block keeps its bytes, so it has functions of its own instead of the codec's traits.
#[derive(Debug, PartialEq)]
pub(crate) struct WholeBlock(pub(crate) Block);

impl WholeBlock {
    pub(crate) fn encoded(&self) -> Vec<u8> {
        self.0.bytes().to_vec()
    }

    /// Decodes, then builds the block anew from what its views show: so the views are compared too.
    pub(crate) fn decoded(bytes: &[u8]) -> Result<Self, CodecError> {
        let block = Block::decode(bytes.to_vec().into())?;
        let rebuilt = BlockBuilder::new(
            block.chain(),
            block.shard(),
            block.epoch(),
            block.author(),
            block.round(),
            block.timestamp_ms(),
            block.parents(),
            block.coin_share(),
            block.payload(),
        );
        assert_eq!(rebuilt.digest(), block.digest());
        let rebuilt = rebuilt.finish(block.signature())?;
        assert_eq!(rebuilt, block);
        assert_eq!(
            block.payload_bytes(),
            block.payload().map(<[u8]>::len).sum::<usize>()
        );
        assert_eq!(
            block.payload().count(),
            usize::try_from(block.transaction_count()).unwrap()
        );
        Ok(Self(rebuilt))
    }
}

/// Calls a macro with every type that [`Canonical`] covers.
macro_rules! for_each_type {
    ($apply:ident) => {
        $apply! {
            u8, u16, u32, u64, u128, i64, i128,
            Round, Height, Epoch, ShardId, ValidatorIndex, AssetId, Timestamp,
            Hash32, ChainId, BlockId, TransactionId, AccountId, HeaderHash, CommitteeHash,
            IdentityKey, IdentitySignature, Signature, ThresholdKey, EncryptionKey, KeyProof,
            CeremonyId, DealingHash, TranscriptHash, EpochRecordHash,
            ShardKey, EpochOrigin, EpochHead, EpochRecord, EpochCertificate, ShardKeyProof, EpochProof,
            EpochSeen, HeaderContent, MerklePath, Claim, ProofBundle,
            Account, Allocation, AssetInfo, BlockRef, Body, Certificate, Committee, Delta, Execution,
            FinalityShare, Genesis, GenesisAsset, Header, KeySignature, Member, MerkleProof, Outcome, Peaks,
            RangeProof, Receipt, RuleParameters, SignedTransaction, StateKey, StateProof, Transaction,
        }
    };
}
pub(crate) use for_each_type;

macro_rules! generate_integers {
    ($($integer:ty),*) => {$(
        impl Generate for $integer {
            fn generate(source: &mut Source) -> Self {
                let wide = source.wide().to_le_bytes();
                Self::from_le_bytes(wide[..size_of::<Self>()].try_into().unwrap())
            }
        }
    )*};
}
generate_integers!(u8, u16, u32, u64, u128, i64, i128);

macro_rules! generate_newtypes {
    ($($name:ident),* $(,)?) => {$(
        impl Generate for $name {
            fn generate(source: &mut Source) -> Self {
                Self(Generate::generate(source))
            }
        }
    )*};
}
generate_newtypes!(
    Round,
    Height,
    Epoch,
    ShardId,
    ValidatorIndex,
    AssetId,
    Timestamp,
    Hash32,
    ChainId,
    BlockId,
    TransactionId,
    AccountId,
    HeaderHash,
    CommitteeHash,
    IdentityKey,
    IdentitySignature,
    Signature,
    ThresholdKey,
    EncryptionKey,
    KeyProof,
    CeremonyId,
    DealingHash,
    TranscriptHash,
    EpochRecordHash,
);

impl<const N: usize> Generate for [u8; N] {
    fn generate(source: &mut Source) -> Self {
        source.bytes()
    }
}

macro_rules! generate_structs {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl Generate for $name {
            fn generate(source: &mut Source) -> Self {
                Self { $($field: Generate::generate(source),)* }
            }
        }
    )*};
}
generate_structs! {
    Allocation { owner, sub, asset, amount }
    AssetInfo { decimals, supply, fees }
    BlockRef { round, author, id }
    Certificate { header, signature }
    Delta { account, asset, change }
    EpochCertificate { head, signature }
    EpochHead { chain, epoch, shards, root, origin }
    EpochOrigin { height, seed, previous }
    EpochProof { epoch, origin, signature, key }
    EpochSeen { epoch, committee }
    FinalityShare { height, header_hash, signature }
    GenesisAsset { id, decimals }
    Header {
        chain, shard, epoch, height, previous, leader_round, leader_author, leader, timestamp_ms, transactions_total,
        blocks_root, receipts_root, outbox_root, state_root, next_committee,
    }
    KeySignature { key_index, signature }
    Member { identity, share_key }
    ProofBundle { epoch, header, signature, claim }
    Receipt { transaction, outcome }
    RuleParameters { wave, leaders, gc_depth }
    ShardKey { shard, epoch, committee, group_key, quorum, first }
    SparseLeaf { key_hash, value_hash }
}

impl Generate for HeaderContent {
    fn generate(source: &mut Source) -> Self {
        let mut header = Header::generate(source);
        if source.below(2) == 0 {
            header.next_committee = CommitteeHash::ZERO;
        }
        Self::of(&header)
    }
}

impl Generate for EpochRecord {
    fn generate(source: &mut Source) -> Self {
        let shards = 1 + u32::try_from(source.below(20)).unwrap();
        let key = |shard| ShardKey {
            shard: ShardId(shard),
            ..ShardKey::generate(source)
        };
        let shards = (0..shards).map(key).collect();
        Self {
            chain: Generate::generate(source),
            epoch: Generate::generate(source),
            origin: Generate::generate(source),
            shards,
        }
    }
}

impl Generate for ShardKeyProof {
    fn generate(source: &mut Source) -> Self {
        let record = EpochRecord::generate(source);
        let shard = source.below(record.shards.len() as u64);
        record
            .prove(ShardId(u32::try_from(shard).unwrap()))
            .unwrap()
    }
}

impl Generate for MerklePath {
    fn generate(source: &mut Source) -> Self {
        let leaves: Vec<u64> = (0..=source.below(40)).collect();
        let index = usize::try_from(source.below(leaves.len() as u64)).unwrap();
        let tree = MerkleTree::new(leaves.iter().map(Encode::to_bytes));
        tree.proof(index).unwrap().to_path().unwrap()
    }
}

impl Generate for Claim {
    fn generate(source: &mut Source) -> Self {
        match source.below(5) {
            0 => Self::Finality,
            1 => Self::Account {
                account: Generate::generate(source),
                proof: Generate::generate(source),
            },
            2 => Self::NoAccount {
                id: Generate::generate(source),
                proof: Generate::generate(source),
            },
            3 => Self::Asset {
                id: Generate::generate(source),
                asset: Generate::generate(source),
                proof: Generate::generate(source),
            },
            _ => Self::Receipt {
                receipt: Generate::generate(source),
                path: Generate::generate(source),
            },
        }
    }
}

impl Generate for Account {
    fn generate(source: &mut Source) -> Self {
        let mut account = Self::new(Generate::generate(source), Generate::generate(source));
        let lanes: Vec<u16> = source.list(4);
        account.lanes = lanes
            .into_iter()
            .map(|lane| (lane, u64::generate(source).max(1)))
            .collect::<BTreeMap<_, _>>();
        let assets: Vec<AssetId> = source.list(4);
        account.free = assets
            .into_iter()
            .map(|asset| (asset, u128::generate(source).max(1)))
            .collect();
        account
    }
}

impl Generate for Body {
    fn generate(source: &mut Source) -> Self {
        if source.below(2) == 0 {
            Self::CreateAccount {
                owner: Generate::generate(source),
                sub: Generate::generate(source),
            }
        } else {
            Self::Transfer {
                from: Generate::generate(source),
                to: Generate::generate(source),
                asset: Generate::generate(source),
                amount: Generate::generate(source),
            }
        }
    }
}

impl Generate for Committee {
    fn generate(source: &mut Source) -> Self {
        let size = 4 + source.below(7);
        let members = (0..size).map(|_| Member::generate(source)).collect();
        let quorum = size - source.below((size - 1) / 3 + 1);
        Self::new(
            Generate::generate(source),
            Generate::generate(source),
            Generate::generate(source),
            Some(u16::try_from(quorum).unwrap()),
            Generate::generate(source),
            members,
        )
        .unwrap()
    }
}

impl Generate for Execution {
    fn generate(source: &mut Source) -> Self {
        [Self::Ledger, Self::Opaque][usize::try_from(source.below(2)).unwrap()]
    }
}

impl Generate for Genesis {
    fn generate(source: &mut Source) -> Self {
        let letters = ["q", "Q", "7", "-", "é", "量"];
        let name = (0..source.below(12))
            .map(|_| letters[usize::try_from(source.below(6)).unwrap()])
            .collect();
        Self {
            name,
            shard: Generate::generate(source),
            epoch: Generate::generate(source),
            quorum: Generate::generate(source),
            group_key: Generate::generate(source),
            members: source.list(7),
            rule: Generate::generate(source),
            execution: Generate::generate(source),
            transfer_fee: Generate::generate(source),
            fee_asset: Generate::generate(source),
            assets: source.list(4),
            allocations: source.list(5),
        }
    }
}

impl Generate for MerkleProof {
    fn generate(source: &mut Source) -> Self {
        Self {
            index: Generate::generate(source),
            size: Generate::generate(source),
            path: source.list(8),
        }
    }
}

impl Generate for RangeProof {
    fn generate(source: &mut Source) -> Self {
        Self {
            start: Generate::generate(source),
            size: Generate::generate(source),
            path: source.list(8),
        }
    }
}

impl Generate for Peaks {
    fn generate(source: &mut Source) -> Self {
        let mut peaks = Self::EMPTY;
        for _ in 0..source.below(40) {
            peaks.append(&source.bytes::<4>());
        }
        peaks
    }
}

impl Generate for Outcome {
    fn generate(source: &mut Source) -> Self {
        if source.below(2) == 0 {
            let mut deltas: Vec<Delta> = source.list(4);
            deltas.sort_by_key(|delta| (delta.account, delta.asset));
            return Self::Applied { deltas };
        }
        let codes = RejectCode::ALL;
        let position = source.below(codes.len() as u64);
        Self::Rejected {
            code: codes[usize::try_from(position).unwrap()],
        }
    }
}

impl Generate for StateKey {
    fn generate(source: &mut Source) -> Self {
        if source.below(2) == 0 {
            Self::Account(Generate::generate(source))
        } else {
            Self::Asset(Generate::generate(source))
        }
    }
}

impl Generate for StateProof {
    fn generate(source: &mut Source) -> Self {
        Self {
            leaf: (source.below(3) > 0).then(|| SparseLeaf::generate(source)),
            siblings: source.list(8),
        }
    }
}

impl Generate for Transaction {
    fn generate(source: &mut Source) -> Self {
        Self {
            chain: Generate::generate(source),
            shard: Generate::generate(source),
            body: Generate::generate(source),
            access: source.ascending(4),
            dependencies: source.ascending(3),
            lane: Generate::generate(source),
            sequence: Generate::generate(source),
            valid_until_round: Generate::generate(source),
            max_fee: Generate::generate(source),
        }
    }
}

impl Generate for SignedTransaction {
    fn generate(source: &mut Source) -> Self {
        let transaction = Transaction::generate(source);
        let keys: BTreeSet<u8> = source.list(3).into_iter().collect();
        let signatures = keys
            .into_iter()
            .map(|key_index| KeySignature {
                key_index,
                signature: Generate::generate(source),
            })
            .collect();
        Self::new(transaction, signatures)
    }
}

impl Generate for WholeBlock {
    fn generate(source: &mut Source) -> Self {
        let parents: Vec<BlockRef> = source.list(7);
        let payload: Vec<Vec<u8>> = (0..source.below(5))
            .map(|_| {
                let length = source.below(90);
                source.vec(length)
            })
            .collect();
        let builder = BlockBuilder::new(
            &Generate::generate(source),
            Generate::generate(source),
            Generate::generate(source),
            Generate::generate(source),
            Generate::generate(source),
            Generate::generate(source),
            &parents,
            &Generate::generate(source),
            payload.iter().map(Vec::as_slice),
        );
        Self(builder.finish(&Generate::generate(source)).unwrap())
    }
}
