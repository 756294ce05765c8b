//! The state, chunk by chunk, from several peers at once.

use std::collections::{BTreeMap, BTreeSet};

use quorate_ledger::{ChunkError, KeyRange, StateChunk};
use quorate_types::{CodecError, Decode, Hash32, ValidatorIndex};

/// Parts that the state is split into for several peers, once the first chunk shows that it is large.
const PARTS: u8 = 16;
/// Chunks that one peer is asked for at a time: one on the way while another is being verified.
const IN_FLIGHT_PER_PEER: usize = 2;

/// What to ask of whom: the chunk around a key hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The peer.
    pub peer: ValidatorIndex,
    /// The lowest key hash that is missing there.
    pub start: Hash32,
}

/// Why a peer is not asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blame {
    /// Its chunk does not decode.
    #[error("the chunk does not decode: {0}")]
    Codec(#[from] CodecError),
    /// Its chunk is not part of the state.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

#[derive(Clone, Debug, Default)]
struct Peer {
    in_flight: usize,
    /// How often it had nothing to say since it last did.
    failures: u32,
    banned: Option<Blame>,
}

/// A download of the state under one root. Driven by [`Download::requests`] and [`Download::answer`] until
/// [`Download::is_complete`].
#[derive(Clone, Debug)]
pub struct Download {
    root: Hash32,
    /// What is missing: disjoint ranges, first key hash to last.
    missing: BTreeMap<Hash32, Hash32>,
    asked: BTreeMap<Hash32, ValidatorIndex>,
    peers: BTreeMap<ValidatorIndex, Peer>,
    split: bool,
    #[cfg(any(test, feature = "mutants"))]
    trusting: bool,
}

impl Download {
    /// A download from these peers, of which `present` is there already, verified under the same root.
    #[must_use]
    pub fn new(
        root: Hash32,
        peers: impl IntoIterator<Item = ValidatorIndex>,
        present: impl IntoIterator<Item = KeyRange>,
    ) -> Self {
        let all = KeyRange::ALL;
        let mut download = Self {
            root,
            missing: BTreeMap::from([(all.first, all.last)]),
            asked: BTreeMap::new(),
            peers: BTreeMap::new(),
            split: false,
            #[cfg(any(test, feature = "mutants"))]
            trusting: false,
        };
        for peer in peers {
            download.peers.insert(peer, Peer::default());
        }
        for range in present {
            download.remove(&range);
            download.split = true;
        }
        if download.split {
            download.split_missing();
        }
        download
    }

    /// Takes chunks as they come: the mistake that tests must notice.
    #[cfg(any(test, feature = "mutants"))]
    #[must_use]
    pub const fn trusting(mut self) -> Self {
        self.trusting = true;
        self
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Whether no peer is left that might have what is missing: all sent bad chunks, or have `failures_max` times in a row
    /// said nothing.
    #[must_use]
    pub fn is_exhausted(&self, failures_max: u32) -> bool {
        let mut peers = self.peers.values();
        !self.is_complete()
            && peers.all(|peer| peer.banned.is_some() || peer.failures >= failures_max)
    }

    /// The share of the key space that is there, in millionths.
    #[must_use]
    pub fn progress(&self) -> u64 {
        let top = |hash: &Hash32| {
            let bytes: [u8; 8] = hash.0[..8].try_into().expect("eight of 32 bytes");
            u128::from(u64::from_be_bytes(bytes))
        };
        let missing: u128 = self
            .missing
            .iter()
            .map(|(first, last)| top(last) - top(first) + 1)
            .sum();
        let there = ((1u128 << 64).saturating_sub(missing) * 1_000_000) >> 64;
        u64::try_from(there).expect("at most a million")
    }

    /// What to ask now.
    pub fn requests(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        // The first chunk says how large the state is: until then one part is all there is.
        let starts: Vec<Hash32> = self.missing.keys().copied().collect();
        for start in starts {
            if self.asked.contains_key(&start) {
                continue;
            }
            let Some(peer) = self.idle_peer() else {
                break;
            };
            self.asked.insert(start, peer);
            requests.push(Request { peer, start });
        }
        requests
    }

    /// The peer to ask next: who failed least, then who has least to do.
    fn idle_peer(&mut self) -> Option<ValidatorIndex> {
        let able = self
            .peers
            .iter_mut()
            .filter(|(_, peer)| peer.banned.is_none() && peer.in_flight < IN_FLIGHT_PER_PEER);
        let (index, peer) =
            able.min_by_key(|(index, peer)| (peer.failures, peer.in_flight, **index))?;
        peer.in_flight += 1;
        Some(*index)
    }

    /// Takes the answer to a request; `None` if there was none. Returns the chunk to keep, or `None` if there is nothing to
    /// keep.
    ///
    /// # Errors
    /// [`Blame`]: the peer lied, and is not asked again.
    pub fn answer(
        &mut self,
        request: Request,
        answer: Option<&[u8]>,
    ) -> Result<Option<(KeyRange, StateChunk)>, Blame> {
        if self.asked.get(&request.start) != Some(&request.peer) {
            return Ok(None);
        }
        self.asked.remove(&request.start);
        let peer = self
            .peers
            .get_mut(&request.peer)
            .expect("only peers are asked");
        peer.in_flight -= 1;
        let Some(bytes) = answer else {
            peer.failures += 1;
            return Ok(None);
        };
        peer.failures = 0;
        let verified = self.verify(bytes, &request.start);
        let (range, chunk) = match verified {
            Ok(verified) => verified,
            Err(blame) => {
                self.ban(request.peer, blame);
                return Err(blame);
            }
        };
        self.remove(&range);
        if !self.split {
            self.split = true;
            self.split_missing();
        }
        Ok(Some((range, chunk)))
    }

    fn ban(&mut self, index: ValidatorIndex, blame: Blame) {
        if let Some(peer) = self.peers.get_mut(&index) {
            peer.banned = Some(blame);
            peer.in_flight = 0;
        }
        self.asked.retain(|_, asked| *asked != index);
    }

    fn verify(&self, bytes: &[u8], start: &Hash32) -> Result<(KeyRange, StateChunk), Blame> {
        let chunk = StateChunk::from_bytes(bytes)?;
        #[cfg(any(test, feature = "mutants"))]
        if self.trusting {
            return Ok((chunk.range(start), chunk));
        }
        let range = chunk.verify(&self.root, start)?;
        Ok((range, chunk))
    }

    /// A range is there.
    fn remove(&mut self, range: &KeyRange) {
        let overlapping: Vec<(Hash32, Hash32)> = self
            .missing
            .range(..=range.last)
            .filter(|(_, last)| **last >= range.first)
            .map(|(first, last)| (*first, *last))
            .collect();
        for (first, last) in overlapping {
            self.missing.remove(&first);
            if first < range.first {
                self.missing.insert(first, before(&range.first));
            }
            if last > range.last {
                self.missing.insert(after(&range.last), last);
            }
        }
        let missing: BTreeSet<Hash32> = self.missing.keys().copied().collect();
        let gone = self
            .asked
            .iter()
            .filter(|(start, _)| !missing.contains(*start));
        let gone: Vec<(Hash32, ValidatorIndex)> =
            gone.map(|(start, peer)| (*start, *peer)).collect();
        for (start, peer) in gone {
            self.asked.remove(&start);
            if let Some(peer) = self.peers.get_mut(&peer) {
                peer.in_flight -= 1;
            }
        }
    }

    /// Cuts what is missing at the borders of equal parts of the key space.
    fn split_missing(&mut self) {
        let width = u8::MAX / PARTS + 1;
        for part in 1..PARTS {
            let mut border = [0; 32];
            border[0] = part * width;
            let border = Hash32(border);
            let around = self.missing.range(..border).next_back();
            let around = around.map(|(first, last)| (*first, *last));
            if let Some((first, last)) = around.filter(|(_, last)| *last >= border) {
                self.missing.insert(first, before(&border));
                self.missing.insert(border, last);
            }
        }
    }
}

/// The key hash after this one, which is not the last.
fn after(hash: &Hash32) -> Hash32 {
    let mut bytes = hash.0;
    for byte in bytes.iter_mut().rev() {
        let (next, carry) = byte.overflowing_add(1);
        *byte = next;
        if !carry {
            break;
        }
    }
    Hash32(bytes)
}

/// The key hash before this one, which is not the first.
fn before(hash: &Hash32) -> Hash32 {
    let mut bytes = hash.0;
    for byte in bytes.iter_mut().rev() {
        let (next, borrow) = byte.overflowing_sub(1);
        *byte = next;
        if !borrow {
            break;
        }
    }
    Hash32(bytes)
}
