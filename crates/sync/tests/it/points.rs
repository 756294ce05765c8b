//! Points, tails and histories of a chain that is made up as far as nobody verifies it: nothing but the truth is taken.

use quorate_consensus::leaders;
use quorate_crypto::ShareSecret;
use quorate_crypto::dealer::deal;
use quorate_sync::{
    CommitRecord, History, HistoryError, Place, PointError, SyncPoint, Tail, TailError, Trust,
};
use quorate_types::{
    BlockId, BlockRef, Certificate, ChainId, Committee, CommitteeHash, Decode, Encode, Epoch,
    Hash32, Header, HeaderHash, Height, IdentityKey, Member, Round, RuleParameters, ShardId,
    Signature, ThresholdKey, ValidatorIndex, blocks_root,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const N: u16 = 4;

/// A chain with one commit a round, whose committee's key is one secret.
struct Chain {
    committee: Committee,
    rule: RuleParameters,
    secret: ShareSecret,
    commits: Vec<CommitRecord>,
}

impl Chain {
    fn new(heights: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let mut dealt = deal(N, 1, &mut rng);
        let members = (0..N).map(|index| Member {
            identity: IdentityKey([u8::try_from(index).unwrap() + 1; 32]),
            share_key: ThresholdKey([7; 96]),
        });
        let chain = ChainId([3; 32]);
        let committee = Committee::new(
            chain,
            ShardId(0),
            Epoch(0),
            None,
            dealt.group,
            members.collect(),
        );
        let rule = RuleParameters {
            gc_depth: 16,
            leaders: 2,
            ..RuleParameters::default()
        };
        let mut built = Self {
            committee: committee.unwrap(),
            rule,
            secret: dealt.secrets.remove(0),
            commits: Vec::new(),
        };
        for height in 1..=heights {
            built.commit(height);
        }
        built
    }

    fn coin(&self, round: Round) -> Signature {
        self.secret.sign_share(&self.committee.coin_message(round))
    }

    /// The slots of a round, in order.
    fn slots(&self, round: Round) -> Vec<ValidatorIndex> {
        let naming = Round(round.0 + u64::from(self.rule.wave) - 1);
        leaders(&self.coin(naming), N, self.rule.leaders)
    }

    /// The commit of the first slot's block at even heights, of the second's at odd ones, with the blocks of the round below.
    fn commit(&mut self, height: u64) {
        let round = Round(height);
        let author = self.slots(round)[usize::try_from(height % 2).unwrap()];
        let reference = |round: Round, author: ValidatorIndex| BlockRef {
            round,
            author,
            id: BlockId([u8::try_from(round.0 % 251).unwrap(); 32]),
        };
        let below = (0..N).map(|author| reference(round.back(1), ValidatorIndex(author)));
        let leader = reference(round, author);
        let mut blocks: Vec<BlockRef> = below.filter(|block| block.round.0 > 0).collect();
        blocks.push(leader);
        let previous = self.commits.last().map(|commit| commit.header.hash());
        let header = Header {
            chain: self.committee.chain(),
            shard: self.committee.shard(),
            epoch: self.committee.epoch(),
            height: Height(height),
            previous: previous.unwrap_or(HeaderHash([0; 32])),
            leader_round: round,
            leader_author: author,
            leader: leader.id,
            timestamp_ms: height,
            transactions_total: 0,
            blocks_root: blocks_root(blocks.iter().copied()),
            receipts_root: Hash32::ZERO,
            outbox_root: Hash32::ZERO,
            state_root: Hash32::ZERO,
            next_committee: CommitteeHash([0; 32]),
        };
        self.commits.push(CommitRecord { header, blocks });
    }

    fn record(&self, height: u64) -> CommitRecord {
        self.commits[usize::try_from(height).unwrap() - 1].clone()
    }

    fn certificate(&self, height: u64) -> Certificate {
        let header = self.record(height).header;
        let message = header.hash().signing_bytes();
        Certificate {
            signature: self.secret.sign_share(&message),
            header,
        }
    }

    fn point(&self, height: u64) -> SyncPoint {
        let certificate = self.certificate(height);
        let round = certificate.header.leader_round;
        let naming = Round(round.0 + u64::from(self.rule.wave) - 1);
        SyncPoint {
            certificate,
            coin: self.coin(naming),
        }
    }

    fn trust(&self) -> Trust {
        Trust::new(self.committee.clone(), self.rule).unwrap()
    }

    fn place(&self, height: u64) -> Place {
        self.trust().point(&self.point(height)).unwrap()
    }
}

#[test]
fn a_point_says_which_slot_is_next() {
    let chain = Chain::new(41);
    let even = chain.place(40);
    assert_eq!((even.slot_round, even.slot_position), (Round(40), 1));
    assert_eq!((even.header.height, even.gc_round), (Height(40), Round(24)));
    let odd = chain.place(41);
    assert_eq!((odd.slot_round, odd.slot_position), (Round(42), 0));
    let point = chain.point(41);
    assert_eq!(SyncPoint::from_bytes(&point.to_bytes()), Ok(point));
}

#[test]
fn a_point_of_anybody_else_is_refused() {
    let chain = Chain::new(40);
    let trust = chain.trust();
    let refused = |change: &dyn Fn(&mut SyncPoint)| {
        let mut point = chain.point(40);
        change(&mut point);
        trust.point(&point).unwrap_err()
    };
    let height = Height(40);
    let certificate = PointError::Certificate { height };
    let header = |change: fn(&mut Header)| refused(&|point| change(&mut point.certificate.header));
    assert_eq!(
        header(|header| header.height = Height(41)),
        certificate_at(41)
    );
    assert_eq!(header(|header| header.state_root.0[0] ^= 1), certificate);
    assert_eq!(header(|header| header.chain.0[0] ^= 1), PointError::Foreign);
    assert_eq!(
        header(|header| header.epoch = Epoch(1)),
        PointError::Foreign
    );
    assert_eq!(
        header(|header| header.height = Height(0)),
        PointError::Genesis
    );
    let signature = refused(&|point| point.certificate.signature.0[9] ^= 1);
    assert_eq!(signature, certificate);
    let round = Round(40 + u64::from(chain.rule.wave) - 1);
    let other_coin = refused(&|point| point.coin = chain.coin(round.next()));
    assert_eq!(other_coin, PointError::Coin { round });
}

fn certificate_at(height: u64) -> PointError {
    PointError::Certificate {
        height: Height(height),
    }
}

/// A committee that certifies what its coin does not say would be more than f liars; the check is there all the same.
#[test]
fn a_leader_that_the_coin_does_not_name_is_refused() {
    let mut chain = Chain::new(40);
    let slots = chain.slots(Round(40));
    let other = (0..N)
        .map(ValidatorIndex)
        .find(|author| !slots.contains(author));
    chain.commits[39].header.leader_author = other.unwrap();
    let refused = chain.trust().point(&chain.point(40)).unwrap_err();
    assert_eq!(refused, PointError::Leader { height: Height(40) });
}

#[test]
fn a_tail_ends_where_no_block_matters_and_holds_what_was_output() {
    let chain = Chain::new(40);
    let mut tail = Tail::new(chain.place(40));
    let mut heights = Vec::new();
    while let Some(height) = tail.wanted() {
        assert_eq!(tail.checkpoint(), None);
        heights.push(height.0);
        let record = chain.record(height.0);
        assert_eq!(
            CommitRecord::from_bytes(&record.to_bytes()),
            Ok(record.clone())
        );
        tail.push(record).unwrap();
    }
    let down: Vec<u64> = (23..=40).rev().collect();
    assert_eq!(
        heights, down,
        "one more than matters shows that it does not"
    );
    let checkpoint = tail.checkpoint().unwrap();
    let all = chain.commits.iter().flat_map(|commit| &commit.blocks);
    let output = all.filter(|block| block.round >= Round(24)).copied();
    assert_eq!(checkpoint.output, output.collect());
    assert_eq!(checkpoint.gc_round, Round(24));
    assert_eq!(
        (checkpoint.slot_round, checkpoint.slot_position),
        (Round(40), 1)
    );
    assert_eq!(tail.push(chain.record(22)), Err(TailError::Complete));
}

#[test]
fn a_tail_of_a_young_chain_ends_at_genesis() {
    let chain = Chain::new(3);
    let mut tail = Tail::new(chain.place(3));
    for height in [3, 2, 1] {
        assert_eq!(tail.wanted(), Some(Height(height)));
        tail.push(chain.record(height)).unwrap();
    }
    assert_eq!(tail.wanted(), None);
    assert_eq!(tail.checkpoint().unwrap().output.len(), 4 + 4 + 1);
}

#[test]
fn a_tail_takes_nothing_but_its_commits() {
    let chain = Chain::new(40);
    let mut tail = Tail::new(chain.place(40));
    let header = TailError::Header { height: Height(40) };
    assert_eq!(tail.push(chain.record(39)), Err(header));
    let blocks = TailError::Blocks { height: Height(40) };
    let changes: [fn(&mut Vec<BlockRef>); 5] = [
        |blocks| blocks.truncate(2),
        |blocks| blocks.push(blocks[0]),
        |blocks| blocks.swap(0, 1),
        |blocks| blocks[0].round = Round(38),
        |blocks| blocks[0].author = ValidatorIndex(3),
    ];
    for change in changes {
        let mut record = chain.record(40);
        change(&mut record.blocks);
        assert_eq!(tail.push(record), Err(blocks));
    }
    assert_eq!(tail.wanted(), Some(Height(40)), "nothing was taken");
    tail.push(chain.record(40)).unwrap();
}

#[test]
fn a_history_leads_down_to_genesis_and_every_signature_counts() {
    let chain = Chain::new(40);
    let trust = chain.trust();
    let range = |from: u64, to: u64| -> Vec<Certificate> {
        (from..=to)
            .map(|height| chain.certificate(height))
            .collect()
    };
    let mut history = History::below(&chain.record(40).header);
    assert_eq!(history.wanted(), Some(Height(39)));
    let order = HistoryError::Order { height: Height(39) };
    assert_eq!(history.take(&trust, &range(30, 38)), Err(order));
    let mut gap = range(30, 39);
    gap.remove(4);
    let order = HistoryError::Order { height: Height(34) };
    assert_eq!(history.take(&trust, &gap), Err(order));
    let mut other = range(30, 39);
    other[3].header.timestamp_ms += 1;
    let header = HistoryError::Header { height: Height(33) };
    assert_eq!(history.take(&trust, &other), Err(header));
    let mut unsigned = range(30, 39);
    unsigned[5].signature = unsigned[6].signature;
    let signature = HistoryError::Signature { height: Height(35) };
    assert_eq!(history.take(&trust, &unsigned), Err(signature));
    assert_eq!(history.wanted(), Some(Height(39)), "nothing was taken");
    history.take(&trust, &range(30, 39)).unwrap();
    assert_eq!(history.wanted(), Some(Height(29)));
    history.take(&trust, &range(1, 29)).unwrap();
    assert_eq!(history.wanted(), None);
}
