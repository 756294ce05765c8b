//! The coin: which shares to combine when, and which leaders a coin names.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{Blake3, DomainTag, Round, Signature, ValidatorIndex};

/// The first `count` of the committee's `size` members in the order that a coin shuffles them into: a Fisher-Yates
/// shuffle drawing from the extended output of BLAKE3 over the combined signature, without modulo bias.
///
/// The signature is unique for its round, whoever's shares made it, so the order is the same for all, and as hard to
/// tell beforehand as the signature.
#[must_use]
pub fn leaders(signature: &Signature, size: u16, count: u16) -> Vec<ValidatorIndex> {
    let mut draws = Draws::new(signature);
    let mut order: Vec<ValidatorIndex> = (0..size).map(ValidatorIndex).collect();
    let count = usize::from(count.min(size));
    for position in 0..count {
        let left = size - u16::try_from(position).expect("below the size");
        let chosen = position + usize::from(draws.below(left));
        order.swap(position, chosen);
    }
    order.truncate(count);
    order
}

/// Uniform draws from a coin's extended output.
struct Draws {
    hash: Blake3,
    words: Vec<u8>,
    used: usize,
}

impl Draws {
    /// Sixteen-bit words read at first; each further read doubles them.
    const WORDS: usize = 64;

    fn new(signature: &Signature) -> Self {
        let hash = Blake3::new(DomainTag::CoinSeed).chain(signature);
        let mut draws = Self {
            hash,
            words: vec![0; 2 * Self::WORDS],
            used: 0,
        };
        draws.hash.finish_into(&mut draws.words);
        draws
    }

    /// A number below `bound`, each as likely as the others: words above the largest multiple of `bound` are drawn
    /// again.
    fn below(&mut self, bound: u16) -> u16 {
        let fair = u16::MAX - u16::MAX % bound;
        loop {
            let word = self.word();
            if word < fair {
                return word % bound;
            }
        }
    }

    fn word(&mut self) -> u16 {
        if self.used == self.words.len() {
            // The extended output is a stream: reading it again, further, begins with the same bytes.
            self.words.resize(2 * self.used, 0);
            self.hash.finish_into(&mut self.words);
        }
        let word = [self.words[self.used], self.words[self.used + 1]];
        self.used += 2;
        u16::from_le_bytes(word)
    }
}

/// The coins of the rounds in memory: known, asked for, or short of shares.
#[derive(Debug)]
pub(crate) struct Coins {
    quorum: u16,
    rounds: BTreeMap<Round, CoinRound>,
}

#[derive(Debug, Default)]
struct CoinRound {
    known: Option<Signature>,
    /// Whether an answer is outstanding.
    asking: bool,
    /// The shares of the last request.
    asked: BTreeMap<ValidatorIndex, Signature>,
    bad: BTreeSet<(ValidatorIndex, Signature)>,
}

impl Coins {
    pub(crate) fn new(quorum: u16) -> Self {
        Self {
            quorum,
            rounds: BTreeMap::new(),
        }
    }

    pub(crate) fn known(&self, round: Round) -> Option<Signature> {
        self.rounds.get(&round)?.known
    }

    /// Takes the coin of a round; whether it is news.
    pub(crate) fn learn(&mut self, round: Round, signature: Signature) -> bool {
        let coin = self.rounds.entry(round).or_default();
        let news = coin.known.is_none();
        coin.known = Some(signature);
        coin.asking = false;
        news
    }

    /// Whether an author's share is worth reading out all shares of the round.
    pub(crate) fn wants_shares(&self, round: Round) -> bool {
        let coin = self.rounds.get(&round);
        coin.is_none_or(|coin| coin.known.is_none() && !coin.asking)
    }

    /// Marks shares of the last request as bad; returns the authors for whom that is the first time this round.
    pub(crate) fn refuse(&mut self, round: Round, bad: &[ValidatorIndex]) -> Vec<ValidatorIndex> {
        let coin = self.rounds.entry(round).or_default();
        coin.asking = false;
        let mut convicted = Vec::new();
        for &author in bad {
            let Some(&share) = coin.asked.get(&author) else {
                continue;
            };
            let first = !coin.bad.iter().any(|(other, _)| *other == author);
            if coin.bad.insert((author, share)) && first {
                convicted.push(author);
            }
        }
        convicted
    }

    /// What to combine next, given all shares held of the round: one an author, the first that was not found bad (a
    /// twin's share may be good where its sibling's is bad), if there is a quorum of them and one is new.
    pub(crate) fn request(
        &mut self,
        round: Round,
        held: impl Iterator<Item = (ValidatorIndex, Signature)>,
    ) -> Option<Vec<(ValidatorIndex, Signature)>> {
        if !self.wants_shares(round) {
            return None;
        }
        let coin = self.rounds.get(&round);
        let mut shares = BTreeMap::new();
        for (author, share) in held {
            if !coin.is_some_and(|coin| coin.bad.contains(&(author, share))) {
                shares.entry(author).or_insert(share);
            }
        }
        let news = coin.is_none_or(|coin| {
            let asked = |(author, share)| coin.asked.get(author) == Some(share);
            !shares.iter().all(asked)
        });
        if shares.len() < usize::from(self.quorum) || !news {
            return None;
        }
        let coin = self.rounds.entry(round).or_default();
        coin.asking = true;
        coin.asked.clone_from(&shares);
        Some(shares.into_iter().collect())
    }

    pub(crate) fn forget_below(&mut self, round: Round) {
        self.rounds = self.rounds.split_off(&round);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(byte: u8) -> Signature {
        Signature([byte; 48])
    }

    #[test]
    fn leaders_are_distinct_deterministic_and_evenly_spread() {
        let mut heads = [0u32; 7];
        for byte in 0..=u8::MAX {
            let order = leaders(&share(byte), 7, 7);
            assert_eq!(order, leaders(&share(byte), 7, 7));
            assert_eq!(order[..2], leaders(&share(byte), 7, 2));
            assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 7);
            heads[order[0].position()] += 1;
        }
        // 256 draws: 36.6 expected for each, standard deviation 5.6.
        assert!(
            heads.iter().all(|&count| (15..60).contains(&count)),
            "{heads:?}"
        );
    }

    #[test]
    fn the_shuffle_is_fixed() {
        // A change here forks every chain.
        let order: Vec<u16> = leaders(&share(7), 10, 10)
            .iter()
            .map(|index| index.0)
            .collect();
        assert_eq!(order, FIXED);
    }
    const FIXED: [u16; 10] = [2, 3, 8, 9, 0, 7, 6, 1, 5, 4];

    #[test]
    fn draws_go_on_beyond_the_first_read() {
        let mut draws = Draws::new(&share(1));
        let long: Vec<u16> = (0..1000).map(|_| draws.word()).collect();
        let again: Vec<u16> = {
            let mut draws = Draws::new(&share(1));
            (0..1000).map(|_| draws.word()).collect()
        };
        assert_eq!(long, again);
        assert_ne!(long[..64], long[64..128]);
    }

    #[test]
    fn a_short_coin_is_asked_for_again_with_more_shares_only() {
        let held = |count: u16| (0..count).map(|index| (ValidatorIndex(index), share(1)));
        let mut coins = Coins::new(3);
        let round = Round(9);
        assert_eq!(coins.request(round, held(2)), None);
        assert_eq!(
            coins.request(round, held(3)).map(|shares| shares.len()),
            Some(3)
        );
        assert_eq!(
            coins.request(round, held(4)),
            None,
            "an answer is outstanding"
        );
        assert_eq!(
            coins.refuse(round, &[ValidatorIndex(1)]),
            [ValidatorIndex(1)]
        );
        assert_eq!(coins.request(round, held(3)), None, "two good shares");
        let again = coins
            .request(round, held(4))
            .expect("three good shares, one new");
        assert!(again.iter().all(|(author, _)| *author != ValidatorIndex(1)));
        assert_eq!(coins.refuse(round, &[]), []);
        assert_eq!(coins.request(round, held(4)), None, "nothing new");
        let twin = held(4).chain([(ValidatorIndex(1), share(2))]);
        assert_eq!(
            coins.request(round, twin).map(|shares| shares.len()),
            Some(4)
        );
        assert_eq!(
            coins.refuse(round, &[ValidatorIndex(1)]),
            [],
            "convicted once"
        );
        assert!(coins.learn(round, share(3)));
        assert!(!coins.learn(round, share(3)));
    }
}
