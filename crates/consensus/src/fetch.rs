//! Which missing blocks to ask of whom, and when.

use std::collections::{BTreeMap, BTreeSet};

use quorate_types::{BlockRef, Timestamp, ValidatorIndex};

use crate::authors::AuthorSet;
use crate::options::FetchOptions;

/// The missing blocks and their requests.
///
/// The first to be asked is the peer that sent a block with the missing parent, then the authors of the blocks that
/// wait for it, then its author, then everybody, over and over, with waits that double up to a bound.
#[derive(Debug)]
pub(crate) struct Fetcher {
    options: FetchOptions,
    me: ValidatorIndex,
    size: u16,
    wanted: BTreeMap<BlockRef, Ask>,
    /// When to look at each wanted block again.
    due: BTreeSet<(Timestamp, BlockRef)>,
    /// By author, how many blocks are being asked for on its behalf.
    in_flight: Vec<usize>,
}

#[derive(Debug)]
struct Ask {
    due: Timestamp,
    /// The peer that made the block known.
    source: Option<ValidatorIndex>,
    /// Peers asked since everybody was.
    asked: AuthorSet,
    tries: u32,
    /// On whose behalf.
    charged: Option<ValidatorIndex>,
}

impl Fetcher {
    pub(crate) fn new(options: FetchOptions, me: ValidatorIndex, size: u16) -> Self {
        Self {
            options,
            me,
            size,
            wanted: BTreeMap::new(),
            due: BTreeSet::new(),
            in_flight: vec![0; usize::from(size)],
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.wanted.len()
    }

    pub(crate) fn want(&mut self, block: BlockRef, source: Option<ValidatorIndex>, now: Timestamp) {
        if self.wanted.contains_key(&block) {
            return;
        }
        let ask = Ask {
            due: now,
            source: source.filter(|source| *source != self.me),
            asked: AuthorSet::default(),
            tries: 0,
            charged: None,
        };
        self.wanted.insert(block, ask);
        self.due.insert((now, block));
    }

    /// The block arrived, or is not wanted any more.
    pub(crate) fn settle(&mut self, block: &BlockRef) {
        let Some(ask) = self.wanted.remove(block) else {
            return;
        };
        self.due.remove(&(ask.due, *block));
        if let Some(author) = ask.charged {
            self.in_flight[author.position()] -= 1;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The requests that are due, by peer. `dependents` are the authors of the blocks that wait for a block,
    /// at first hand or not; one with room is charged.
    pub(crate) fn requests(
        &mut self,
        now: Timestamp,
        dependents: impl Fn(&BlockRef) -> Vec<ValidatorIndex>,
    ) -> Vec<(ValidatorIndex, Vec<BlockRef>)> {
        let mut requests: BTreeMap<ValidatorIndex, Vec<BlockRef>> = BTreeMap::new();
        while let Some(&(due, block)) = self.due.first() {
            if due > now {
                break;
            }
            self.due.pop_first();
            let authors = dependents(&block);
            let ask = self.wanted.get_mut(&block).expect("what is due is wanted");
            if ask.charged.is_none() {
                let room = self.options.in_flight_per_author_max;
                let free = |author: &&ValidatorIndex| self.in_flight[author.position()] < room;
                ask.charged = authors.iter().find(free).copied();
                if let Some(author) = ask.charged {
                    self.in_flight[author.position()] += 1;
                }
            }
            // Without an allowance it waits as if it had been asked for.
            if ask.charged.is_some() {
                let peer = ask.next_peer(&block, &authors, self.me, self.size);
                requests.entry(peer).or_default().push(block);
            }
            ask.due = now.plus_micros(self.options.retry_wait_micros(ask.tries));
            ask.tries += u32::from(ask.charged.is_some());
            self.due.insert((ask.due, block));
        }
        let mut bounded = Vec::new();
        for (peer, mut blocks) in requests {
            blocks.sort_unstable();
            let chunks = blocks.chunks(self.options.refs_per_request_max.max(1));
            bounded.extend(chunks.map(|chunk| (peer, chunk.to_vec())));
        }
        bounded
    }
}

impl Ask {
    fn next_peer(
        &mut self,
        block: &BlockRef,
        authors: &[ValidatorIndex],
        me: ValidatorIndex,
        size: u16,
    ) -> ValidatorIndex {
        // Everybody, beginning after the block's author, so that requests for different authors' blocks spread.
        let everybody = (1..=size).map(|step| ValidatorIndex((block.author.0 + step) % size));
        let candidates: Vec<ValidatorIndex> = self
            .source
            .into_iter()
            .chain(authors.iter().copied())
            .chain([block.author])
            .chain(everybody)
            .filter(|peer| *peer != me)
            .collect();
        let fresh = candidates.iter().find(|peer| !self.asked.contains(**peer));
        let peer = fresh.copied().unwrap_or_else(|| {
            self.asked = AuthorSet::default();
            candidates[0]
        });
        self.asked.insert(peer);
        peer
    }
}

impl FetchOptions {
    fn retry_wait_micros(&self, tries: u32) -> u64 {
        let factor = 1u64.checked_shl(tries).unwrap_or(u64::MAX);
        let wait = self.retry_first_micros.saturating_mul(factor);
        // At least a microsecond, so that a request moves on.
        wait.min(self.retry_most_micros).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_types::{BlockId, Round};

    fn block(author: u16, id: u8) -> BlockRef {
        BlockRef {
            round: Round(5),
            author: ValidatorIndex(author),
            id: BlockId([id; 32]),
        }
    }

    #[test]
    fn the_sender_is_asked_first_and_then_everybody_with_growing_waits() {
        let mut fetcher = Fetcher::new(FetchOptions::default(), ValidatorIndex(0), 5);
        let wanted = block(4, 1);
        fetcher.want(wanted, Some(ValidatorIndex(3)), Timestamp(0));
        let (mut peers, mut waits) = (Vec::new(), Vec::new());
        let mut now = Timestamp(0);
        for _ in 0..8 {
            let requests = fetcher.requests(now, |_| vec![ValidatorIndex(2)]);
            assert_eq!(requests.len(), 1);
            assert_eq!(requests[0].1, [wanted]);
            peers.push(requests[0].0.0);
            let next = fetcher.deadline().expect("still wanted");
            waits.push(next.micros_since(now) / 1000);
            now = next;
        }
        assert_eq!(peers, [3, 2, 4, 1, 3, 2, 4, 1]);
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        fetcher.settle(&wanted);
        assert_eq!(fetcher.deadline(), None);
        assert_eq!(fetcher.in_flight, [0; 5]);
    }

    #[test]
    fn one_authors_invented_parents_leave_room_for_the_others() {
        let options = FetchOptions {
            in_flight_per_author_max: 3,
            refs_per_request_max: 2,
            ..FetchOptions::default()
        };
        let mut fetcher = Fetcher::new(options, ValidatorIndex(0), 4);
        for id in 0..10 {
            fetcher.want(block(1, id), Some(ValidatorIndex(1)), Timestamp(0));
        }
        fetcher.want(block(3, 99), Some(ValidatorIndex(2)), Timestamp(0));
        let requests = fetcher.requests(Timestamp(0), |block| {
            vec![ValidatorIndex(if block.id.0[0] == 99 { 2 } else { 1 })]
        });
        let sizes: Vec<_> = requests
            .iter()
            .map(|(peer, blocks)| (peer.0, blocks.len()))
            .collect();
        assert_eq!(sizes, [(1, 2), (1, 1), (2, 1)]);
    }
}
