//! The state machine of one validator.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate_consensus::{Checkpoint, Consensus, Options, Source, Status, VerifiedBlock};
use quorate_types::{
    BlockRef, Certificate, Commit, Committee, Evidence, FinalityShare, Header, HeaderHash, Height,
    Round, Timestamp, ValidatorIndex,
};

use crate::finality::{Finality, FinalityStatus};
use crate::guard::{Greeting, Guard};
use crate::job::{CandidateVerdict, CoinVerdict, Job};
use crate::record::Record;

/// How many heights lie between two checkpoints: what a restart replays at most, against a few kilobytes written for
/// each checkpoint.
pub const CHECKPOINT_HEIGHTS: u64 = 128;

/// What happens to a validator.
#[derive(Clone, Debug)]
pub enum Input {
    /// A block from a peer, streamed or fetched.
    Block {
        /// The peer it came from, not necessarily the author.
        from: ValidatorIndex,
        /// The block.
        block: VerifiedBlock,
    },
    /// A peer's finality share, from its own connection.
    Share {
        /// The peer.
        from: ValidatorIndex,
        /// The share, not verified.
        share: FinalityShare,
    },
    /// A certificate that a peer offers.
    Certificate {
        /// The peer.
        from: ValidatorIndex,
        /// The certificate, not verified.
        certificate: Certificate,
    },
    /// The answer to [`Job::Propose`].
    Built(VerifiedBlock),
    /// The answer to [`Job::Coin`].
    Coin {
        /// The round.
        round: Round,
        /// The verdict.
        verdict: CoinVerdict,
    },
    /// The answer to [`Job::SignShare`].
    ShareSigned(FinalityShare),
    /// The answer to [`Job::Finality`].
    Finality(Vec<CandidateVerdict>),
    /// The answer to [`Effect::Execute`]: the header at the commit's height.
    Executed(Header),
    /// What a peer said when a connection to it was made. The first proposal after a start waits for these.
    Greeting {
        /// The peer.
        from: ValidatorIndex,
        /// What it said.
        greeting: Greeting,
    },
    /// Whether the pool holds anything to propose.
    PayloadWaiting(bool),
    /// Time passed: see [`Validator::deadline`].
    Tick,
}

/// What the driver must do, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Append `record` to the log; once it is durable, do `then`.
    Persist {
        /// What to append.
        record: Record,
        /// What may only happen once the record, and all before it, are durable.
        then: Vec<Self>,
    },
    /// Send the own block to every peer.
    SendBlock(VerifiedBlock),
    /// Send the own share to every peer.
    SendShare(FinalityShare),
    /// Ask `peer` for blocks; answer each with [`Input::Block`].
    Fetch {
        /// Whom to ask.
        peer: ValidatorIndex,
        /// What for.
        blocks: Vec<BlockRef>,
    },
    /// Run a job and answer with its input.
    Compute(Job),
    /// Execute a commit and answer with [`Input::Executed`].
    Execute(Commit),
    /// Remember that everything up to the checkpoint's height is executed, together with the ledger's state there. The
    /// ledger has been handed all commits up to that height in earlier effects. Records before the first block at or above
    /// the checkpoint's garbage-collection round are not needed any more: what still binds is said again just before this.
    Checkpoint(Checkpoint),
    /// A height became final.
    Certified(Box<Certificate>),
    /// An own block will never be output: put these transactions of it back into the pool.
    Reclaim {
        /// The block's round.
        round: Round,
        /// Its payload, without what a later own block carries already.
        transactions: Vec<Bytes>,
    },
    /// Keep this.
    Evidence(Evidence),
    /// A peer showed an own block that the log does not have: this store is older than the validator. Nothing is proposed
    /// until enough others have said what they hold. Tell the operator.
    Amnesia {
        /// The block's round.
        round: Round,
    },
    /// This validator executed something else than what the committee certified, or than what it had signed before a
    /// restart. Stop: going on would certify wrong state.
    Diverged {
        /// Where.
        height: Height,
        /// The header computed here.
        own: HeaderHash,
        /// The header certified, or signed before.
        certified: HeaderHash,
    },
}

/// Where to go on after a restart.
#[derive(Clone, Debug, Default)]
pub struct Resume {
    /// The last checkpoint, if one was reached.
    pub checkpoint: Option<Checkpoint>,
    /// All heights up to this one have stored certificates. At most the checkpoint's height.
    pub certified: Height,
    /// Headers above `certified` up to the checkpoint's height: executed, not known to be certified.
    pub uncertified: Vec<Header>,
    /// The operator says that the store is not the newest this validator had: its disk was lost, or a backup was restored.
    pub lost: bool,
}

/// One validator.
pub struct Validator {
    me: ValidatorIndex,
    consensus: Consensus,
    finality: Finality,
    guard: Guard,
    /// The operator's word; the log may tell of an earlier loss that is mended.
    told_lost: bool,
    /// Headers signed before a restart, for heights not executed again yet.
    votes: BTreeMap<Height, HeaderHash>,
    /// Own blocks that were not output yet.
    own_blocks: BTreeMap<Round, OwnBlock>,
    /// Own blocks of the log, until it is known whether it has all of them.
    logged: Vec<VerifiedBlock>,
    /// Those of them that will never be output.
    reclaimed: Vec<VerifiedBlock>,
    /// Own blocks up to this round may have been forgotten, and carry again what older ones of the log carried.
    doubtful: Round,
    /// Headers whose shares are signed again once recovery is over.
    unsigned: Vec<(Height, HeaderHash)>,
    checkpointed: Height,
    recovering: bool,
    /// Once it has computed something else than what is signed, it does nothing more.
    diverged: bool,
    scratch: Vec<quorate_consensus::Effect>,
}

/// An own block that was not output yet.
#[derive(Clone, Debug)]
struct OwnBlock {
    block: VerifiedBlock,
    /// Read back from the log: of an earlier boot.
    logged: bool,
}

impl Validator {
    /// A validator that must be fed its log with [`Validator::recover`] and then started, with an empty log too.
    #[must_use]
    pub fn new(
        committee: &Committee,
        me: ValidatorIndex,
        options: Options,
        resume: Resume,
    ) -> Self {
        let checkpointed = resume
            .checkpoint
            .as_ref()
            .map_or(Height(0), |checkpoint| checkpoint.height);
        let mut finality = Finality::new(usize::from(committee.quorum()), resume.certified);
        let mut unsigned = Vec::new();
        let mut none = Vec::new();
        for header in resume.uncertified {
            unsigned.push((header.height, header.hash()));
            finality.executed(header, &mut none);
        }
        debug_assert!(none.is_empty(), "nothing certifies before there are shares");
        let mut guard = Guard::new(committee.quorum(), resume.lost);
        if let Some(checkpoint) = &resume.checkpoint {
            // Nothing is proposed below the first undecided slot, so what the log does not give back of it cannot be repeated.
            guard.know_own(checkpoint.slot_round.back(1));
        }
        let mut consensus = Consensus::new(committee.clone(), me, options, resume.checkpoint);
        consensus.hold_proposals(true);
        Self {
            me,
            consensus,
            finality,
            guard,
            told_lost: resume.lost,
            votes: BTreeMap::new(),
            own_blocks: BTreeMap::new(),
            logged: Vec::new(),
            reclaimed: Vec::new(),
            doubtful: Round(0),
            unsigned,
            checkpointed,
            recovering: true,
            diverged: false,
            scratch: Vec::new(),
        }
    }

    /// Feeds one record of the log, in order. Commits beyond the checkpoint come out to be executed again.
    pub fn recover(&mut self, now: Timestamp, record: Record, out: &mut Vec<Effect>) {
        match record {
            Record::Block(block) => {
                if block.author() == self.me {
                    self.guard.know_own(block.round());
                    let (block, logged) = (block.clone(), true);
                    self.logged.push(block.clone());
                    self.own_blocks
                        .insert(block.round(), OwnBlock { block, logged });
                }
                let source = Source::Recovered;
                self.agree(now, quorate_consensus::Input::Block { source, block }, out);
            }
            Record::Coin { round, signature } => {
                let bad = Vec::new();
                self.agree(
                    now,
                    quorate_consensus::Input::Coin {
                        round,
                        signature,
                        bad,
                    },
                    out,
                );
            }
            Record::Vote {
                height,
                header_hash,
            } => {
                self.votes.insert(height, header_hash);
            }
            Record::Lost => self.guard.recover_lost(),
            Record::Doubtful { round } => self.doubtful = self.doubtful.max(round),
            Record::ProposedPast { round } => {
                if self.guard.is_lost() {
                    self.doubtful = self.doubtful.max(round);
                }
                self.guard.recover_bound();
                // Whatever was forgotten up to there is not repeated, so a peer that shows it tells nothing new.
                self.guard.know_own(round);
                self.consensus.propose_past(round);
            }
        }
    }

    /// Ends recovery: from now on blocks are proposed, fetched and signed for.
    pub fn start(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        self.recovering = false;
        if self.told_lost {
            self.guard.recover_lost();
            out.push(persist(Record::Lost));
        }
        self.consensus.start(now, &mut self.scratch);
        self.translate(out);
        for (height, header_hash) in std::mem::take(&mut self.unsigned) {
            self.vote(height, header_hash, out);
        }
    }

    /// Takes one input and appends what must be done. Nothing more after [`Effect::Diverged`].
    pub fn step(&mut self, now: Timestamp, input: Input, out: &mut Vec<Effect>) {
        if self.diverged {
            return;
        }
        let before = out.len();
        self.take(now, input, out);
        self.open_guard(now, out);
        let diverged = |effect: &Effect| matches!(effect, Effect::Diverged { .. });
        if let Some(at) = out[before..].iter().position(diverged) {
            self.diverged = true;
            out.truncate(before + at + 1);
        }
    }

    fn take(&mut self, now: Timestamp, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Block { from, block } => {
                if block.author() == self.me && self.guard.shown_own(block.round()) {
                    self.consensus.hold_proposals(true);
                    out.push(persist(Record::Lost));
                    out.push(Effect::Amnesia {
                        round: block.round(),
                    });
                }
                let source = Source::Peer(from);
                self.agree(now, quorate_consensus::Input::Block { source, block }, out);
            }
            Input::Built(block) => {
                if self.guard.is_open() {
                    self.guard.know_own(block.round());
                } else {
                    // Begun before it was known what was forgotten; the engine gives its payload back.
                    self.consensus.propose_past(block.round());
                }
                let (own, logged) = (block.clone(), false);
                self.own_blocks
                    .insert(block.round(), OwnBlock { block: own, logged });
                let source = Source::Own;
                self.agree(now, quorate_consensus::Input::Block { source, block }, out);
            }
            Input::Coin { round, verdict } => {
                let bad = verdict.bad;
                let input = match verdict.signature {
                    Some(signature) => quorate_consensus::Input::Coin {
                        round,
                        signature,
                        bad,
                    },
                    None => quorate_consensus::Input::CoinShort { round, bad },
                };
                self.agree(now, input, out);
            }
            Input::PayloadWaiting(waiting) => {
                self.agree(now, quorate_consensus::Input::PayloadWaiting(waiting), out);
            }
            Input::Tick => self.agree(now, quorate_consensus::Input::Tick, out),
            Input::Greeting { from, greeting } if from != self.me => {
                self.guard.greet(from, greeting);
            }
            Input::Greeting { .. } => {}
            Input::Share { from, share } => self.finality.share(from, share, out),
            Input::Certificate { from, certificate } => {
                self.finality.certificate(from, &certificate, out)
            }
            Input::Finality(verdicts) => self.finality.verdicts(verdicts, out),
            Input::Executed(header) => self.executed(header, out),
            Input::ShareSigned(share) => {
                out.push(Effect::SendShare(share));
                self.finality.share(self.me, share, out);
            }
        }
    }

    /// Lets proposals go once it is known that they repeat none. The bound of a validator that had forgotten is durable
    /// before any own block above it, for the log is in order.
    fn open_guard(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        if self.recovering || self.guard.is_open() {
            return;
        }
        let Some(round) = self.guard.open(self.consensus.status().quorum_round) else {
            return;
        };
        if self.guard.is_lost() {
            out.push(persist(Record::ProposedPast { round }));
            self.consensus.propose_past(round);
            self.doubtful = round;
        }
        self.reclaim_logged(out);
        self.consensus.hold_proposals(false);
        self.agree(now, quorate_consensus::Input::Tick, out);
    }

    /// Whether it may propose: see [`Input::Greeting`].
    #[must_use]
    pub const fn may_propose(&self) -> bool {
        self.guard.is_open()
    }

    /// Whether it takes part again after it had forgotten something: an own block is in the DAG at or past the bound that it
    /// was given. Until then the committee does without it, as without one that is down.
    #[must_use]
    pub fn has_rejoined(&self) -> bool {
        self.guard.is_open() && self.consensus.round() >= self.consensus.proposed_past()
    }

    /// How many own blocks wait to be output.
    #[must_use]
    pub fn own_waiting(&self) -> usize {
        self.own_blocks.len()
    }

    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.consensus.deadline()
    }

    /// Where agreement stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.consensus.status()
    }

    /// Where finality stands.
    #[must_use]
    pub const fn finality(&self) -> FinalityStatus {
        self.finality.status()
    }

    /// A block held in memory, to answer a peer's fetch.
    #[must_use]
    pub fn block(&self, reference: &BlockRef) -> Option<&VerifiedBlock> {
        self.consensus.block(reference)
    }

    /// The engine of agreement, to look at.
    #[must_use]
    pub const fn consensus(&self) -> &Consensus {
        &self.consensus
    }

    fn agree(&mut self, now: Timestamp, input: quorate_consensus::Input, out: &mut Vec<Effect>) {
        self.consensus.step(now, input, &mut self.scratch);
        self.translate(out);
    }

    /// Turns effects of agreement into the validator's.
    fn translate(&mut self, out: &mut Vec<Effect>) {
        let mut committed = None;
        for effect in std::mem::take(&mut self.scratch) {
            match effect {
                quorate_consensus::Effect::Store(block) => {
                    let then = if block.author() == self.me {
                        vec![Effect::SendBlock(block.clone())]
                    } else {
                        Vec::new()
                    };
                    let record = Record::Block(block);
                    out.push(Effect::Persist { record, then });
                }
                quorate_consensus::Effect::Propose { round, parents } => {
                    out.push(Effect::Compute(Job::Propose { round, parents }));
                }
                quorate_consensus::Effect::Fetch { peer, blocks } => {
                    out.push(Effect::Fetch { peer, blocks })
                }
                quorate_consensus::Effect::CombineCoin { round, shares } => {
                    out.push(Effect::Compute(Job::Coin { round, shares }));
                }
                quorate_consensus::Effect::CoinKnown { round, signature } => {
                    out.push(Effect::Persist {
                        record: Record::Coin { round, signature },
                        then: Vec::new(),
                    })
                }
                quorate_consensus::Effect::Commit(commit) => {
                    committed = Some(commit.height);
                    self.forget_own(&commit);
                    out.push(Effect::Execute(commit));
                }
                quorate_consensus::Effect::Dropped { own } => {
                    match self.own_blocks.remove(&own.round) {
                        Some(OwnBlock { block, logged }) if logged => self.reclaimed.push(block),
                        Some(OwnBlock { block, .. }) => out.push(reclaim(&block, &BTreeSet::new())),
                        None => {}
                    }
                }
                quorate_consensus::Effect::Evidence(evidence) => {
                    out.push(Effect::Evidence(evidence))
                }
            }
        }
        if let Some(height) = committed
            && !self.recovering
            && height.0 - self.checkpointed.0 >= CHECKPOINT_HEIGHTS
        {
            self.checkpointed = height;
            let checkpoint = self.consensus.checkpoint();
            self.bind_again(&checkpoint, out);
            out.push(Effect::Checkpoint(checkpoint));
        }
        if self.guard.is_open() {
            self.reclaim_logged(out);
        }
        // After a restart some were output before the checkpoint, and no commit names them again.
        self.own_blocks = self.own_blocks.split_off(&self.consensus.gc_round());
    }

    /// A restart reads the log from the checkpoint's blocks on, and what lies before may be cut off. Votes above the
    /// checkpoint, and own blocks that it does not rule out, come after those blocks. What else binds is said again.
    fn bind_again(&self, checkpoint: &Checkpoint, out: &mut Vec<Effect>) {
        if self.doubtful >= checkpoint.gc_round && self.doubtful > Round(0) {
            let round = self.doubtful;
            out.push(persist(Record::Doubtful { round }));
        }
        // Nothing is proposed below the first undecided slot anyway.
        let round = self.consensus.proposed_past();
        if round >= checkpoint.slot_round {
            out.push(persist(Record::ProposedPast { round }));
        }
        // Last, since a bound ends what was lost before it.
        if self.guard.is_lost() && !self.guard.is_open() {
            out.push(persist(Record::Lost));
        }
    }

    /// Gives back the payloads of own blocks of the log that turned out to be lost. They may have been given back, and proposed
    /// again, before the restart already: what a later own block carries must not be ordered twice. Where a later one may
    /// be forgotten, nothing is given back: it is the client's to send again, as what only the pool had is.
    fn reclaim_logged(&mut self, out: &mut Vec<Effect>) {
        for block in std::mem::take(&mut self.reclaimed) {
            if block.round() <= self.doubtful {
                continue;
            }
            let later = self.logged.iter().filter(|own| own.round() > block.round());
            let carried: BTreeSet<&[u8]> = later.flat_map(|own| own.payload()).collect();
            out.push(reclaim(&block, &carried));
        }
        let oldest = self.own_blocks.values().find(|own| own.logged);
        if oldest.is_none() {
            self.logged.clear();
        }
    }

    fn forget_own(&mut self, commit: &Commit) {
        for block in commit
            .blocks
            .iter()
            .filter(|block| block.author() == self.me)
        {
            self.own_blocks.remove(&block.round());
        }
    }

    /// A height was executed: vote for its header.
    fn executed(&mut self, header: Header, out: &mut Vec<Effect>) {
        let height = header.height;
        let own = header.hash();
        if let Some(signed) = self.votes.remove(&height).filter(|signed| *signed != own) {
            let certified = signed;
            out.push(Effect::Diverged {
                height,
                own,
                certified,
            });
            return;
        }
        let certified = self.finality.status().certified;
        self.finality.executed(header, out);
        if height <= certified {
            return;
        }
        if self.recovering {
            self.unsigned.push((height, own));
        } else {
            self.vote(height, own, out);
        }
    }

    /// Signs a header once the vote is durable. Signing again what was signed before a restart gives the same share.
    fn vote(&self, height: Height, header_hash: HeaderHash, out: &mut Vec<Effect>) {
        out.push(Effect::Persist {
            record: Record::Vote {
                height,
                header_hash,
            },
            then: vec![Effect::Compute(Job::SignShare {
                height,
                header_hash,
            })],
        });
    }
}

/// A record on which nothing waits.
const fn persist(record: Record) -> Effect {
    Effect::Persist {
        record,
        then: Vec::new(),
    }
}

fn reclaim(block: &VerifiedBlock, carried: &BTreeSet<&[u8]>) -> Effect {
    let lost = block.payload().filter(|bytes| !carried.contains(bytes));
    Effect::Reclaim {
        round: block.round(),
        transactions: lost.map(|bytes| block.bytes().slice_ref(bytes)).collect(),
    }
}
