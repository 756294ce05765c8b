//! A validator that joins by state sync instead of starting: what `quorate run` does before it runs, one question at a time.
//!
//! Peers answer from what they keep in memory, as nodes do; those that are down, cut off or unlucky do not, and liars change what
//! they send. Chunks that were taken are on disk, so that a crash amid joining loses none. The last step is the node's: what binds the
//! validator goes to the end of the log, then one transaction replaces state, checkpoint and place in the log.

use std::sync::Arc;

use quorate_ledger::{KeyRange, StateChunk};
use quorate_store::disk::MemoryDisk;
use quorate_store::wal::Wal;
use quorate_sync::{CommitRecord, Download, Place, Request, SyncPoint, Tail, Trust};
use quorate_types::{Certificate, Decode, Encode, Height, ValidatorIndex};
use quorate_validator::{Carried, Logged};

use crate::failure::RestartError;
use crate::hub::Hub;
use crate::process::{Process, Remains, open_log};
use crate::setup::CommitteeKey;
use crate::tables::Joined;

/// Bytes of chunks and of answers with commits: small, as the states of simulated chains are, so that there are several.
const CHUNK_BYTES: usize = 256;
const COMMITS_BYTES: usize = 2_000;
/// Times in a row that a peer may have nothing before it is taken not to have the point.
const FAILURES_MAX: u32 = 3;
/// Searches for a point before the validator starts without.
const SEARCHES_MAX: u32 = 4;
/// Of a thousand answers of a liar, how many it changes.
const LIES: u64 = 600;
/// Of a thousand validators that have everything, how many lose power amid the last step.
const CRASHES_AT_END: u64 = 250;
/// Changes of the disk after which the power goes.
const POWER_OFF_AFTER: (u64, u64) = (1, 6);

/// A validator that joins.
pub(crate) struct Joining {
    me: ValidatorIndex,
    pub(crate) remains: Box<Remains>,
    trust: Trust<CommitteeKey>,
    /// Only a higher point is of use.
    above: Height,
    /// What its log says of it, once read; only a point that has forgotten its blocks is of use.
    carried: Option<Carried>,
    searches: u32,
    stage: Stage,
}

enum Stage {
    Search,
    Commits {
        offer: Offer,
        tail: Box<Tail>,
        /// Which of the offer's peers is asked.
        asked: usize,
    },
    Chunks {
        offer: Offer,
        tail: Box<Tail>,
        download: Box<Download>,
    },
    /// Everything is there.
    End {
        offer: Offer,
        tail: Box<Tail>,
    },
}

/// A point and who offers it.
struct Offer {
    point: SyncPoint,
    place: Place,
    peers: Vec<ValidatorIndex>,
}

/// What comes of a step.
pub(crate) enum Step {
    /// There will be another.
    Next,
    /// It starts, at the point or, if nobody has one, without.
    Start,
    /// The power went.
    Crash,
    /// It cannot start from what it has.
    Refused(RestartError),
}

impl Joining {
    pub(crate) fn new(me: ValidatorIndex, remains: Box<Remains>, hub: &Hub) -> Self {
        let certified = remains.tables.content().certificates.last_key_value();
        Self {
            me,
            above: certified.map_or(Height(0), |(height, _)| *height),
            carried: None,
            remains,
            trust: hub.setup.trust(),
            searches: 0,
            stage: Stage::Search,
        }
    }

    /// Asks one question, or as many as may be under way at one time.
    pub(crate) fn step(&mut self, peers: &mut [Option<&mut Process>], hub: &mut Hub) -> Step {
        match std::mem::replace(&mut self.stage, Stage::Search) {
            Stage::Search => {
                if self.searches == SEARCHES_MAX {
                    return Step::Start;
                }
                self.searches += 1;
                if let Err(error) = self.read_log(hub) {
                    return Step::Refused(error);
                }
                self.search(peers, hub);
            }
            Stage::Commits { offer, tail, asked } => self.commits(offer, tail, asked, peers, hub),
            Stage::Chunks {
                offer,
                tail,
                download,
            } => self.chunks(offer, tail, download, peers, hub),
            Stage::End { offer, tail } => {
                let below = self.certificates_below(&offer, peers);
                return self.end(&offer, &tail, below, hub);
            }
        }
        Step::Next
    }

    fn read_log(&mut self, hub: &mut Hub) -> Result<(), RestartError> {
        let replay_from = self.remains.tables.content().replay_from;
        let (_, records) = open_log(self.me, &mut self.remains.disk, hub)?;
        let mut carried = Carried::new(self.me);
        for (kind, payload, position) in records {
            if replay_from.is_none_or(|from| position >= from) {
                carried.note(&Logged::decode(kind, payload.into())?);
            }
        }
        self.carried = Some(carried);
        Ok(())
    }

    /// The point that an earlier boot was at, if somebody still offers it; else the highest.
    fn search(&mut self, peers: &mut [Option<&mut Process>], hub: &mut Hub) {
        let stored = self
            .remains
            .tables
            .joining()
            .map(|joining| joining.point.clone());
        let height = stored.map(|point| point.certificate.header.height);
        let mut best = height.and_then(|height| self.offers(Some(height), peers, hub));
        if best.is_none() {
            best = self.offers(None, peers, hub);
        }
        if let Some(offer) = best {
            let tail = Box::new(Tail::new(offer.place.clone()));
            self.say(hub, || {
                format!("joins at height {}", offer.place.header.height)
            });
            self.stage = Stage::Commits {
                offer,
                tail,
                asked: 0,
            };
        }
    }

    fn offers(
        &self,
        height: Option<Height>,
        peers: &mut [Option<&mut Process>],
        hub: &mut Hub,
    ) -> Option<Offer> {
        let mut best: Option<Offer> = None;
        for index in hub.peers(self.me) {
            let ask = |peer: &mut Process, hub: &Hub| peer.sync_point(height, hub);
            let Some(bytes) = self.ask(index, peers, hub, ask) else {
                continue;
            };
            let Ok(point) = SyncPoint::from_bytes(&bytes) else {
                continue;
            };
            let Ok(place) = self.trust.point(&point) else {
                continue;
            };
            let found = place.header.height;
            let forgotten = |carried: &Carried| carried.highest_round() < place.gc_round;
            if found <= self.above || !self.carried.as_ref().is_some_and(forgotten) {
                continue;
            }
            match &mut best {
                Some(offer) if offer.place.header.height == found => offer.peers.push(index),
                Some(offer) if offer.place.header.height > found => {}
                _ => {
                    best = Some(Offer {
                        point,
                        place,
                        peers: vec![index],
                    });
                }
            }
        }
        best
    }

    fn commits(
        &mut self,
        offer: Offer,
        mut tail: Box<Tail>,
        mut asked: usize,
        peers: &mut [Option<&mut Process>],
        hub: &mut Hub,
    ) {
        let Some(peer) = offer.peers.get(asked).copied() else {
            // Nobody has all of it.
            return;
        };
        let point = offer.place.header.height;
        let from = tail.wanted().expect("it is not complete");
        let ask = |peer: &mut Process, hub: &Hub| {
            let commits = peer.sync_commits(point, from, COMMITS_BYTES, hub)?;
            Some(
                commits
                    .iter()
                    .flat_map(|commit| with_length(commit.to_bytes()))
                    .collect(),
            )
        };
        let answer = self.ask(peer, peers, hub, ask);
        let taken = answer.and_then(|bytes| take_commits(&mut tail, &bytes));
        if taken.is_none() {
            asked += 1;
        }
        if tail.wanted().is_some() {
            self.stage = Stage::Commits { offer, tail, asked };
            return;
        }
        let present = self.remains.tables.join_at(&offer.point);
        let root = offer.place.header.state_root;
        let download = Download::new(root, offer.peers.iter().copied(), present);
        #[cfg(feature = "mutants")]
        let download = if hub.makes(crate::options::DriverFault::ChunksUnverified) {
            download.trusting()
        } else {
            download
        };
        self.stage = Stage::Chunks {
            offer,
            tail,
            download: Box::new(download),
        };
    }

    fn chunks(
        &mut self,
        offer: Offer,
        tail: Box<Tail>,
        mut download: Box<Download>,
        peers: &mut [Option<&mut Process>],
        hub: &mut Hub,
    ) {
        let point = offer.place.header.height;
        for Request { peer, start } in download.requests() {
            let ask = |peer: &mut Process, hub: &Hub| {
                let snapshot = peer.sync_snapshot(point, hub)?;
                Some(snapshot.chunk(&start, CHUNK_BYTES).to_bytes())
            };
            let answer = self.ask(peer, peers, hub, ask);
            match download.answer(Request { peer, start }, answer.as_deref()) {
                Ok(Some((range, chunk))) => self.remains.tables.keep_chunk(range, chunk),
                Ok(None) => {}
                Err(blame) => hub.checker.blamed(self.me, peer, blame),
            }
        }
        if download.is_complete() {
            self.stage = Stage::End { offer, tail };
        } else if !download.is_exhausted(FAILURES_MAX) {
            self.stage = Stage::Chunks {
                offer,
                tail,
                download,
            };
        }
    }

    /// Certificates below the point, as far as anybody has them. A node fetches them while it runs already; that is the store's
    /// business, and here it is done at once.
    fn certificates_below(
        &self,
        offer: &Offer,
        peers: &[Option<&mut Process>],
    ) -> Vec<Arc<Certificate>> {
        let mut below = Vec::new();
        let mut expected = offer.place.header.previous;
        let mut height = offer.place.header.height.0;
        while height > self.above.0 + 1 {
            height -= 1;
            let find = |peer: &&mut Process| peer.certificate(Height(height));
            let found = peers.iter().flatten().find_map(find);
            let Some(certificate) = found else {
                break;
            };
            assert_eq!(
                certificate.header.hash(),
                expected,
                "certified headers are one chain"
            );
            expected = certificate.header.previous;
            below.push(certificate);
        }
        below
    }

    /// Writes what binds this validator to the end of the log, and then puts the state in place.
    fn end(
        &mut self,
        offer: &Offer,
        tail: &Tail,
        below: Vec<Arc<Certificate>>,
        hub: &mut Hub,
    ) -> Step {
        let height = offer.place.header.height;
        let (mut wal, _) = match open_log(self.me, &mut self.remains.disk, hub) {
            Ok(opened) => opened,
            Err(error) => return Step::Refused(error),
        };
        let carried = self.carried.take().expect("the log was read");
        let crashes = !hub.healed && hub.dice.per_mille(CRASHES_AT_END);
        if crashes {
            self.remains.disk.power_off_after(hub.draw(POWER_OFF_AFTER));
        }
        let written = write(&mut wal, carried, height);
        if crashes {
            // It may have come through; that the transaction after it did not is what is left to chance here.
            self.remains.disk.crash(hub.dice.next());
            return Step::Crash;
        }
        let replay_from = match written {
            Ok(position) => position,
            Err(error) => return Step::Refused(error),
        };
        self.remains.disk.kill();
        let header = offer.place.header.clone();
        hub.checker.header(self.me, height, header.hash());
        self.remains.tables.join(Joined {
            certificate: Certificate {
                header,
                signature: offer.place.signature,
            },
            checkpoint: tail.checkpoint().expect("it is complete").to_bytes(),
            replay_from,
            lowest: tail.gc_round(),
            below,
        });
        hub.counters.joined += 1;
        self.say(hub, || format!("has the state of height {height}"));
        Step::Start
    }

    /// What a peer answers, if it does; a liar may have changed it.
    fn ask(
        &self,
        index: ValidatorIndex,
        peers: &mut [Option<&mut Process>],
        hub: &mut Hub,
        ask: impl FnOnce(&mut Process, &Hub) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let cut = hub.network.is_cut(self.me, index) || hub.network.is_cut(index, self.me);
        if cut || (!hub.healed && hub.dice.per_mille(hub.mix.loss)) {
            return None;
        }
        let mut bytes = ask(peers[index.position()].as_mut()?, hub)?;
        if !hub.checker.is_honest(index) && hub.dice.per_mille(LIES) && !bytes.is_empty() {
            let at = hub.dice.below(bytes.len() as u64);
            let at = usize::try_from(at).expect("below a length");
            if hub.dice.per_mille(300) {
                bytes.truncate(at);
            } else {
                bytes[at] ^= u8::try_from(hub.dice.between(1, 255)).expect("a byte");
            }
        }
        Some(bytes)
    }

    fn say(&self, hub: &Hub, what: impl FnOnce() -> String) {
        hub.trace.say(hub.now, Some(self.me), what);
    }
}

fn with_length(bytes: Vec<u8>) -> impl Iterator<Item = u8> {
    let length = u32::try_from(bytes.len()).expect("a commit is small");
    length.to_le_bytes().into_iter().chain(bytes)
}

/// Takes commits with their lengths before them; `None` if anything is wrong with them.
fn take_commits(tail: &mut Tail, mut bytes: &[u8]) -> Option<()> {
    tail.wanted()?;
    let mut any = None;
    while tail.wanted().is_some() && !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (record, rest) = rest.split_at_checked(length)?;
        tail.push(CommitRecord::from_bytes(record).ok()?).ok()?;
        bytes = rest;
        any = Some(());
    }
    any
}

/// Appends what binds a validator; where it begins.
fn write(
    wal: &mut Wal<MemoryDisk>,
    carried: Carried,
    height: Height,
) -> Result<quorate_store::wal::Position, RestartError> {
    let mut first = None;
    for record in carried.records(height) {
        let position = wal.append(record.kind(), &record.payload())?;
        first.get_or_insert(position);
    }
    wal.flush()?;
    Ok(first.expect("there is always one record"))
}

/// Chunks that are on disk of a point that is being joined at.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) point: SyncPoint,
    pub(crate) chunks: Vec<(KeyRange, StateChunk)>,
}
