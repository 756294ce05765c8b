//! A member that lies: a real one whose words are twisted on their way out, differently for each receiver.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_crypto::ShareSecret;
use quorate_crypto::pvss::cheat::{self, Lie};
use quorate_dkg::agreement::Message as Vote;
use quorate_dkg::{HIGH, MemberSet, Message, SignedDealing};
use quorate_types::{DealingHash, Signature, TranscriptHash, ValidatorIndex};

use crate::ceremony::mix::Lies;
use crate::ceremony::options::DealingLie;
use crate::ceremony::setup::CeremonySetup;
use crate::dice::Dice;

/// Messages that a liar makes up out of nothing, in all.
const CHATTER: u64 = 60;

/// A liar's part beside the engine that it runs.
pub(crate) struct Liar {
    pub(crate) lies: Lies,
    /// What it told each member.
    told: Vec<Vec<Message>>,
    /// Votes that each member got, so that most lies are not refused for being the second of their kind.
    voted: Vec<BTreeSet<(ValidatorIndex, u8, u32, bool)>>,
    /// Its second dealing.
    twin: Option<SignedDealing>,
    /// Messages that it may still make up.
    pub(crate) chatter: u64,
    dice: Dice,
}

impl Liar {
    pub(crate) fn new(lies: Lies, size: u16, dice: Dice) -> Self {
        let size = usize::from(size);
        Self {
            lies,
            told: vec![Vec::new(); size],
            voted: vec![BTreeSet::new(); size],
            twin: None,
            chatter: if lies.votes { CHATTER } else { 0 },
            dice,
        }
    }

    pub(crate) fn told(&self, to: ValidatorIndex, position: u64) -> Option<&Message> {
        self.told[to.position()].get(usize::try_from(position).ok()?)
    }

    /// Makes its dealing.
    pub(crate) fn deal(
        &mut self,
        setup: &CeremonySetup,
        me: ValidatorIndex,
    ) -> Option<SignedDealing> {
        let identity = &setup.identities[me.position()];
        let ceremony = &setup.ceremony;
        let victim = self.other(me, ceremony.size());
        let honest = |dice: &mut Dice| {
            SignedDealing::deal(ceremony, identity, None, dice.rng()).expect("a member deals")
        };
        let lie = match self.lies.dealing {
            DealingLie::Nothing => return None,
            DealingLie::Honest => return Some(honest(&mut self.dice)),
            DealingLie::Two => {
                self.twin = Some(honest(&mut self.dice));
                return Some(honest(&mut self.dice));
            }
            DealingLie::Truncated => {
                let body = honest(&mut self.dice).body;
                let half = Arc::from(&body[..body.len() / 2]);
                return Some(SignedDealing::sign(ceremony, me, half, identity));
            }
            DealingLie::Replay => {
                let old = SignedDealing::deal(&setup.earlier, identity, None, self.dice.rng());
                let body = old.expect("a member deals").body;
                return Some(SignedDealing::sign(ceremony, me, body, identity));
            }
            // The low lane's polynomial can always have one coefficient more.
            DealingLie::WrongDegree => Lie::Degree { lane: 1 },
            DealingLie::WrongCiphertext => Lie::Ciphertext {
                lane: HIGH,
                member: victim,
            },
            DealingLie::LargeChunk => Lie::LargeChunk {
                lane: HIGH,
                member: victim,
            },
            DealingLie::NegativeChunk => Lie::NegativeChunk {
                lane: HIGH,
                member: victim,
            },
            DealingLie::Flipped => Lie::Flipped {
                bit: usize::try_from(self.dice.below(20_000)).expect("small"),
            },
        };
        let body = cheat::deal(
            ceremony.parameters(),
            &ceremony.context(me),
            ceremony.recipients(),
            &[None, None],
            lie,
            self.dice.rng(),
        );
        let body = body.expect("the lie is within the dealing").into();
        Some(SignedDealing::sign(ceremony, me, body, identity))
    }

    /// Tells each member something instead of a message to all.
    pub(crate) fn say(&mut self, me: ValidatorIndex, message: &Message) {
        for to in (0..self.told.len()).map(index) {
            if to == me || self.lies.silent {
                continue;
            }
            let twisted = self.twist(me, to, message);
            self.tell(to, twisted);
            if matches!(message, Message::Dealing(_)) && self.dice.per_mille(200) {
                let both = self.twin.clone().filter(|_| to.0 % 2 == 0);
                self.tell(to, both.map(Message::Dealing));
            }
        }
    }

    /// Makes a vote up.
    pub(crate) fn chat(&mut self, me: ValidatorIndex) {
        let size = u16::try_from(self.told.len()).expect("a committee's size");
        let to = self.other(me, size);
        let proposer = ValidatorIndex(self.roll(size));
        let message = self.vote(4);
        self.chatter -= 1;
        self.tell(to, Some(Message::Agreement { proposer, message }));
    }

    /// Answers a request for a dealing.
    pub(crate) fn answer(&mut self, held: Option<SignedDealing>) -> Option<SignedDealing> {
        if !self.lies.answers {
            return held;
        }
        match self.dice.below(4) {
            0 => None,
            1 => held,
            2 => self.twin.clone().or(held),
            _ => held.map(|mut dealing| {
                let mut body = dealing.body.to_vec();
                body[0] ^= 1;
                dealing.body = body.into();
                dealing
            }),
        }
    }

    fn tell(&mut self, to: ValidatorIndex, message: Option<Message>) {
        let Some(message) = message else {
            return;
        };
        if let Message::Agreement { proposer, message } = &message
            && let Some((kind, round, value)) = slot(message)
            && !self.voted[to.position()].insert((*proposer, kind, round, value))
        {
            return;
        }
        self.told[to.position()].push(message);
    }

    /// What a member is told instead; nothing, sometimes.
    fn twist(
        &mut self,
        me: ValidatorIndex,
        to: ValidatorIndex,
        message: &Message,
    ) -> Option<Message> {
        let mut message = message.clone();
        let broadcasts = self.lies.broadcasts && self.dice.per_mille(300);
        let completion = self.lies.completion && self.dice.per_mille(700);
        match &mut message {
            Message::Dealing(dealing) => {
                if let Some(twin) = self.twin_for(to) {
                    *dealing = twin;
                }
            }
            Message::Echo {
                dealer,
                hash,
                signature,
            } => {
                if *dealer == me
                    && let Some(twin) = self.twin_for(to)
                {
                    *hash = twin.hash();
                    *signature = twin.signature;
                } else if broadcasts {
                    return None;
                }
            }
            Message::Ready { dealer, hash } => {
                if *dealer == me
                    && let Some(twin) = self.twin_for(to)
                {
                    *hash = twin.hash();
                } else if broadcasts {
                    *hash = DealingHash(self.dice.bytes());
                }
            }
            Message::Proposal { set }
            | Message::ProposalEcho { set, .. }
            | Message::ProposalReady { set, .. }
                if broadcasts =>
            {
                *set = self.other_set(*set);
            }
            Message::Agreement { message, .. } if self.lies.votes => match self.dice.below(10) {
                0 => return None,
                1..=5 => *message = self.turn(*message),
                _ => {}
            },
            Message::CoinShare { share, .. } if self.lies.coins => *share = self.no_share(),
            Message::CompletionShare { transcript, share } if completion => {
                if self.dice.per_mille(500) {
                    *transcript = TranscriptHash(self.dice.bytes());
                }
                *share = self.no_share();
            }
            Message::Complete { certificate, .. } if completion => *certificate = self.no_share(),
            _ => {}
        }
        Some(message)
    }

    /// The second dealing, for one half of the members.
    fn twin_for(&self, to: ValidatorIndex) -> Option<SignedDealing> {
        self.twin.clone().filter(|_| to.0 % 2 == 1)
    }

    /// A vote of the same kind and round for something else.
    fn turn(&mut self, vote: Vote) -> Vote {
        let value = self.dice.per_mille(500);
        match vote {
            Vote::Echo1 { round, .. } => Vote::Echo1 { round, value },
            Vote::Echo2 { round, .. } => Vote::Echo2 { round, value },
            Vote::Echo3 { round, .. } => {
                let value = (!self.dice.per_mille(300)).then_some(value);
                Vote::Echo3 { round, value }
            }
            Vote::Finish { round, .. } => {
                let round = if self.dice.per_mille(300) {
                    None
                } else {
                    round
                };
                Vote::Finish { value, round }
            }
        }
    }

    fn vote(&mut self, rounds: u16) -> Vote {
        let round = u32::from(self.roll(rounds));
        let value = false;
        let vote = match self.dice.below(7) {
            0..=2 => Vote::Echo1 { round, value },
            3 | 4 => Vote::Echo2 { round, value },
            5 => Vote::Echo3 { round, value: None },
            _ => Vote::Finish {
                value,
                round: Some(round),
            },
        };
        self.turn(vote)
    }

    /// Some set with about as many members.
    fn other_set(&mut self, set: MemberSet) -> MemberSet {
        let mut other = set;
        let size = u16::try_from(self.told.len()).expect("a committee's size");
        other.remove(ValidatorIndex(self.roll(size)));
        other.insert(ValidatorIndex(self.roll(size)));
        other
    }

    /// A signature by nobody's share.
    fn no_share(&mut self) -> Signature {
        ShareSecret::random(self.dice.rng()).sign_share(b"nothing")
    }

    fn other(&mut self, me: ValidatorIndex, size: u16) -> ValidatorIndex {
        let step = self.roll(size - 1) + 1;
        ValidatorIndex((me.0 + step) % size)
    }

    fn roll(&mut self, bound: u16) -> u16 {
        u16::try_from(self.dice.below(u64::from(bound))).expect("below a small bound")
    }
}

fn index(position: usize) -> ValidatorIndex {
    ValidatorIndex(u16::try_from(position).expect("below n"))
}

/// Where a vote stands among those that exclude one another. Finishes are for the machine to judge.
fn slot(vote: &Vote) -> Option<(u8, u32, bool)> {
    match vote {
        Vote::Echo1 { round, value } => Some((1, *round, *value)),
        Vote::Echo2 { round, .. } => Some((2, *round, false)),
        Vote::Echo3 { round, .. } => Some((3, *round, false)),
        Vote::Finish { round, .. } => Some((4, 0, round.is_some())),
    }
}
