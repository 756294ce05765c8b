//! Validators that lie.
//!
//! A liar runs the real engine on the truth, so that it keeps up with the committee, and lies on the wire: what it tells its
//! peers is changed, held back or made up here. It signs with no key but its own, and knows nothing that a real liar could
//! not know.

mod forge;
mod speech;

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_types::{
    Block, BlockRef, Certificate, FinalityShare, Height, Round, Signature, ValidatorIndex,
};
use quorate_validator::Cryptography;

use self::forge::Draft;
use crate::behaviour::Behaviour;
use crate::dice::Dice;
use crate::setup::Setup;

/// Of a liar's blocks, how many of a thousand have a twin, or invented parents, or a bad coin share.
const LIES_PER_MILLE: u64 = 600;
/// The largest valid blocks that a liar makes in one boot: they cost the world much.
const LARGEST_BLOCKS: u32 = 1;
/// Blocks of rounds that nobody has reached, at most, in one boot.
const FAR_BLOCKS: u32 = 24;
/// Of its own blocks that are older than this many rounds a liar remembers nothing.
const MEMORY_ROUNDS: u64 = 128;

/// A liar and what it remembers.
#[derive(Debug)]
pub(crate) struct Liar {
    me: ValidatorIndex,
    lies: Vec<Behaviour>,
    dice: Dice,
    /// Which peers get the second block of a slot.
    second_half: Vec<bool>,
    /// Whose blocks it leaves out.
    shunned: Vec<ValidatorIndex>,
    /// How many rounds it holds its blocks back.
    lateness: u64,
    /// The other blocks of own slots.
    twins: BTreeMap<Round, Arc<Block>>,
    /// What is held back, and from whom.
    withheld: BTreeMap<Round, Vec<(ValidatorIndex, Arc<Block>)>>,
    /// A coin share of each of the last rounds, by somebody else.
    heard: BTreeMap<Round, Signature>,
    largest_left: u32,
    far_left: u32,
}

/// What a liar can look at when it speaks.
pub(crate) struct Sight<'a> {
    pub(crate) setup: &'a Setup,
    /// The highest round that anybody has reached.
    pub(crate) highest: Round,
    pub(crate) own_blocks: &'a BTreeMap<Round, Arc<Block>>,
    pub(crate) certificates: &'a BTreeMap<Height, Arc<Certificate>>,
}

impl Liar {
    /// A liar in its `boot`; some of its habits outlive restarts.
    pub(crate) fn new(
        me: ValidatorIndex,
        lies: &[Behaviour],
        seed: u64,
        boot: u64,
        setup: &Setup,
    ) -> Self {
        let size = setup.committee.size();
        let habits = &mut Dice::new(seed, size, &format!("habits of liar {me}"));
        let mut second_half: Vec<bool> = (0..size).map(|at| at % 2 == 0).collect();
        let turn = habits.below(u64::from(size));
        second_half.rotate_left(usize::try_from(turn).expect("below n"));
        let faults = setup.committee.faults();
        let first = habits.below(u64::from(size));
        let shunned = (0..u64::from(faults)).map(|step| (first + step) % u64::from(size));
        let rule = setup.options.rule;
        let wave = u64::from(rule.wave);
        Self {
            me,
            lies: lies.to_vec(),
            dice: Dice::new(seed, size, &format!("liar {me}, boot {boot}")),
            second_half,
            shunned: shunned
                .map(|at| ValidatorIndex(u16::try_from(at).expect("below n")))
                .collect(),
            lateness: *habits.pick(&[2, wave - 2, wave - 1, wave, wave + 1, rule.gc_depth]),
            twins: BTreeMap::new(),
            withheld: BTreeMap::new(),
            heard: BTreeMap::new(),
            largest_left: LARGEST_BLOCKS,
            far_left: FAR_BLOCKS,
        }
    }

    fn does(&self, behaviour: Behaviour) -> bool {
        self.lies.contains(&behaviour)
    }

    /// Whether it does it this time, if it does it at all.
    fn lies_now(&mut self, behaviour: Behaviour) -> bool {
        self.does(behaviour) && self.dice.per_mille(LIES_PER_MILLE)
    }

    /// Takes note of a block of somebody else.
    pub(crate) fn hear(&mut self, block: &Block) {
        self.heard.insert(block.round(), *block.coin_share());
        if self.heard.len() > 8 {
            self.heard.pop_first();
        }
    }

    /// The parents of the next own block: enough of those that the engine proposes.
    pub(crate) fn choose_parents(
        &mut self,
        round: Round,
        parents: Vec<BlockRef>,
        setup: &Setup,
    ) -> Vec<BlockRef> {
        let quorum = usize::from(setup.committee.quorum());
        let before = round.back(1);
        let mut chosen = parents;
        if self.does(Behaviour::Shunning) {
            let mut spare = count_at(&chosen, before).saturating_sub(quorum);
            chosen.retain(|parent| {
                let shunned = parent.author != self.me && self.shunned.contains(&parent.author);
                if !shunned || (parent.round == before && spare == 0) {
                    return true;
                }
                spare -= usize::from(parent.round == before);
                false
            });
        }
        if self.lies_now(Behaviour::OmittingParents) {
            // What is old is not needed; of the others, each may be one too many.
            chosen.retain(|parent| parent.round == before || parent.author == self.me);
            while count_at(&chosen, before) > quorum {
                let at = self.dice.below(chosen.len() as u64);
                let at = usize::try_from(at).expect("below a length");
                if chosen[at].author != self.me {
                    chosen.remove(at);
                }
            }
        }
        chosen
    }

    /// What becomes of the own block that it has just made: the block that its own engine takes, and in memory the others
    /// that it will show.
    pub(crate) fn remake(
        &mut self,
        block: &Block,
        setup: &Setup,
        cryptography: &dyn Cryptography,
    ) -> Option<Arc<Block>> {
        let mut draft = Draft::of(block);
        let mut remade = false;
        if self.lies_now(Behaviour::BadCoinShares) {
            draft.coin_share = self.bad_coin_share(&draft, cryptography);
            remade = true;
        }
        if self.does(Behaviour::Spamming) && self.largest_left > 0 && self.dice.per_mille(30) {
            self.largest_left -= 1;
            draft.fill();
            remade = true;
        }
        let splits = self.does(Behaviour::Splitting) || self.lies_now(Behaviour::Equivocating);
        let invents = self.lies_now(Behaviour::InventingParents);
        if splits || invents {
            let mut twin = draft.clone();
            twin.timestamp_ms += 1;
            if invents {
                twin.invent_parents(&mut self.dice);
            }
            self.twins.insert(draft.round, twin.signed(setup));
        }
        let oldest = draft.round.back(MEMORY_ROUNDS);
        self.twins = self.twins.split_off(&oldest);
        remade.then(|| draft.signed(setup))
    }

    fn bad_coin_share(&mut self, draft: &Draft, cryptography: &dyn Cryptography) -> Signature {
        let own = draft.coin_share;
        let share = match self.dice.below(16) {
            // No point of the group at all: real keys refuse the block, and all that is built on it waits.
            0 => None,
            // Of another member, of this round or of one before.
            1..=5 => self.heard.last_key_value().map(|(_, share)| *share),
            // Of an earlier round, the own one if there is a twin of it.
            6..=10 => self
                .twins
                .last_key_value()
                .map(|(_, twin)| *twin.coin_share()),
            // Over something else.
            _ => {
                let hash = quorate_types::HeaderHash(self.dice.bytes());
                Some(
                    cryptography
                        .sign_share(Height(draft.round.0), hash)
                        .signature,
                )
            }
        };
        share
            .filter(|share| *share != own)
            .unwrap_or(Signature([7; 48]))
    }

    /// The own share, or what it says instead.
    pub(crate) fn change_share(
        &mut self,
        share: FinalityShare,
        cryptography: &dyn Cryptography,
    ) -> FinalityShare {
        if !self.lies_now(Behaviour::BadFinalityShares) {
            return share;
        }
        let other = quorate_types::HeaderHash(self.dice.bytes());
        let over_other = cryptography.sign_share(share.height, other);
        match self.dice.below(4) {
            // A good share over another header.
            0 => over_other,
            // A share that is not over this header.
            1 => FinalityShare {
                header_hash: share.header_hash,
                ..over_other
            },
            // A share of another height.
            2 => FinalityShare {
                height: share.height.next(),
                ..share
            },
            _ => FinalityShare {
                signature: Signature([7; 48]),
                ..share
            },
        }
    }
}

fn count_at(parents: &[BlockRef], round: Round) -> usize {
    parents
        .iter()
        .filter(|parent| parent.round == round)
        .count()
}

#[cfg(test)]
mod tests {
    use quorate_types::BlockId;

    use super::*;
    use crate::mix::Mix;
    use crate::options::SimOptions;

    fn setup() -> Setup {
        let options = SimOptions::new(7, 0..1);
        Setup::new(0, &options, &Mix::draw(0, &options))
    }

    /// All blocks of round 4, the own one first, and an old one of nobody in particular.
    fn parents(me: u16) -> Vec<BlockRef> {
        let parent = |author, round| BlockRef {
            round: Round(round),
            author: ValidatorIndex(author),
            id: BlockId([1; 32]),
        };
        let others = (0..6).filter(|author| *author != me);
        let others = others.map(|author| parent(author, 4));
        [parent(me, 4)]
            .into_iter()
            .chain(others)
            .chain([parent(6, 2)])
            .collect()
    }

    fn chosen(lie: Behaviour) -> (Liar, Vec<BlockRef>) {
        let setup = setup();
        let mut liar = Liar::new(ValidatorIndex(3), &[lie], 1, 1, &setup);
        let chosen = liar.choose_parents(Round(5), parents(3), &setup);
        (liar, chosen)
    }

    #[test]
    fn parents_are_left_out_as_far_as_that_is_valid() {
        let setup = setup();
        let quorum = usize::from(setup.committee.quorum());
        let mut liar = Liar::new(
            ValidatorIndex(3),
            &[Behaviour::OmittingParents],
            1,
            1,
            &setup,
        );
        let counts: Vec<usize> = (0..40)
            .map(|_| liar.choose_parents(Round(5), parents(3), &setup).len())
            .collect();
        assert!(counts.contains(&quorum) && counts.iter().all(|count| *count >= quorum));
    }

    #[test]
    fn who_is_shunned_is_left_out_while_others_make_a_quorum() {
        let (liar, chosen) = chosen(Behaviour::Shunning);
        let all = parents(3).len();
        let left = chosen.iter().map(|parent| parent.author);
        let kept = left.filter(|author| liar.shunned.contains(author)).count();
        assert!(chosen.len() < all);
        assert_eq!(chosen[0].author, ValidatorIndex(3));
        // Six are at the round before and five are needed.
        assert!(count_at(&chosen, Round(4)) >= 5 && kept <= 2);
    }

    #[test]
    fn a_block_is_withheld_until_receivers_are_past_it() {
        let mut liar = chosen(Behaviour::Withholding).0;
        let setup = setup();
        let block = setup
            .cryptography(liar.me)
            .propose(Round(5), &parents(3), 0, &[]);
        let block = block.expect("a valid block").shared();
        let (own_blocks, certificates) = (BTreeMap::new(), BTreeMap::new());
        let sight = Sight {
            setup: &setup,
            highest: Round(5),
            own_blocks: &own_blocks,
            certificates: &certificates,
        };
        let shown = liar.tell(&block, &sight).len();
        assert!(shown <= 2);
        let due = Round(5).forward(liar.lateness);
        assert!(liar.release(due.back(1)).is_empty());
        assert_eq!(liar.release(due).len() + shown, 6);
    }
}
