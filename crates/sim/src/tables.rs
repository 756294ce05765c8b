//! A model of the tables beside the log: transactions that are there wholly or not at all, and for good once synced.
//! The tables themselves are tested in `quorate_store`.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_ledger::{KeyRange, StateChunk};
use quorate_store::wal::Position;
use quorate_sync::SyncPoint;
use quorate_types::{Certificate, Header, Height, Round, StateKey};

use crate::dice::Dice;
use crate::joining::Fetched;

/// What a transaction adds.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// The engine's checkpoint, encoded.
    pub(crate) checkpoint: Vec<u8>,
    /// The header at the checkpoint's height.
    pub(crate) head: Header,
    pub(crate) changes: BTreeMap<StateKey, Vec<u8>>,
    pub(crate) headers: Vec<Header>,
    pub(crate) certificates: Vec<Arc<Certificate>>,
}

/// What is in the tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) checkpoint: Option<(Vec<u8>, Header)>,
    pub(crate) entries: BTreeMap<StateKey, Vec<u8>>,
    pub(crate) headers: BTreeMap<Height, Header>,
    pub(crate) certificates: BTreeMap<Height, Arc<Certificate>>,
    /// Where the part of the log begins that belongs to the checkpoint, if it was joined at.
    pub(crate) replay_from: Option<Position>,
    /// Blocks below this round are not here, for it joined above them.
    pub(crate) lowest: Round,
    /// What there is of a state that is being joined at.
    joining: Option<Fetched>,
}

/// What takes the place of checkpoint and state, once all chunks are there.
#[derive(Clone, Debug)]
pub(crate) struct Joined {
    pub(crate) certificate: Certificate,
    pub(crate) checkpoint: Vec<u8>,
    pub(crate) replay_from: Position,
    pub(crate) lowest: Round,
    /// Certificates below the point.
    pub(crate) below: Vec<Arc<Certificate>>,
}

/// The tables of one validator.
#[derive(Debug, Default)]
pub(crate) struct TablesModel {
    content: Content,
    syncing: Option<Box<Batch>>,
}

impl TablesModel {
    pub(crate) const fn content(&self) -> &Content {
        &self.content
    }

    pub(crate) const fn joining(&self) -> Option<&Fetched> {
        self.content.joining.as_ref()
    }

    /// Begins to join at a point, or goes on: which ranges of its state are there.
    pub(crate) fn join_at(&mut self, point: &SyncPoint) -> Vec<KeyRange> {
        match &self.content.joining {
            Some(fetched) if fetched.point == *point => {
                fetched.chunks.iter().map(|(range, _)| *range).collect()
            }
            _ => {
                self.content.joining = Some(Fetched {
                    point: point.clone(),
                    chunks: Vec::new(),
                });
                Vec::new()
            }
        }
    }

    pub(crate) fn keep_chunk(&mut self, range: KeyRange, chunk: StateChunk) {
        let fetched = self.content.joining.as_mut();
        fetched.expect("it joins").chunks.push((range, chunk));
    }

    /// Takes over what was fetched, in one transaction.
    pub(crate) fn join(&mut self, joined: Joined) {
        let content = &mut self.content;
        let fetched = content.joining.take().expect("it joins");
        let chunks = fetched.chunks.into_iter();
        content.entries = chunks.flat_map(|(_, chunk)| chunk.entries).collect();
        let header = joined.certificate.header.clone();
        let height = header.height;
        content.checkpoint = Some((joined.checkpoint, header.clone()));
        content.headers.insert(height, header);
        content
            .certificates
            .insert(height, Arc::new(joined.certificate));
        let below = joined.below.into_iter();
        content
            .certificates
            .extend(below.map(|certificate| (certificate.header.height, certificate)));
        content.replay_from = Some(joined.replay_from);
        content.lowest = joined.lowest;
    }

    pub(crate) const fn is_syncing(&self) -> bool {
        self.syncing.is_some()
    }

    /// Begins a transaction. There is one at a time.
    pub(crate) fn begin(&mut self, batch: Batch) {
        assert!(self.syncing.is_none(), "one transaction at a time");
        self.syncing = Some(Box::new(batch));
    }

    /// The transaction is durable.
    pub(crate) fn synced(&mut self) {
        let Some(batch) = self.syncing.take() else {
            return;
        };
        let content = &mut self.content;
        content.checkpoint = Some((batch.checkpoint, batch.head));
        content.entries.extend(batch.changes);
        let headers = batch.headers.into_iter();
        content
            .headers
            .extend(headers.map(|header| (header.height, header)));
        let certificates = batch.certificates.into_iter();
        content
            .certificates
            .extend(certificates.map(|certificate| (certificate.header.height, certificate)));
    }

    /// What a copy of the file holds: what is synced.
    pub(crate) fn back_up(&self) -> Self {
        Self {
            content: self.content.clone(),
            syncing: None,
        }
    }

    /// A deliberate mistake: of a transaction under way, all happens but the changes of the state.
    pub(crate) fn tear(&mut self) {
        if let Some(batch) = &mut self.syncing {
            batch.changes.clear();
        }
        self.synced();
    }

    /// The process dies: a transaction under way has happened, or not.
    pub(crate) fn crash(&mut self, dice: &mut Dice) {
        if dice.per_mille(500) {
            self.synced();
        }
        self.syncing = None;
    }
}
