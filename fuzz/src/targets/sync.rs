//! What a validator that joins is told by its peers.

use quorate_consensus::Checkpoint;
use quorate_ledger::StateChunk;
use quorate_sync::{CommitRecord, History, SyncPoint, Tail, Trust};
use quorate_types::{Certificate, Decode, Encode, Hash32};

use super::types::codec;
use crate::Target;
use crate::canonical::canonical;
use crate::choices::{Choices, with_length};
use crate::samples::chain::CHAIN;

/// Bytes of a chunk that is not the whole state.
const PART_BYTES: usize = 300;

pub(super) fn targets() -> Vec<Target> {
    vec![
        Target::new("sync-point", point, || vec![sample_point().to_bytes()]).mutations(200),
        codec!("sync-commit", CommitRecord, [record()]).allocated_max(256 << 10),
        Target::new("sync-tail", tail, || {
            vec![with_length(&record().to_bytes())]
        }),
        Target::new("sync-chunk", chunk, chunks),
        Target::new("sync-history", history, || {
            vec![with_length(&CHAIN.certificate.to_bytes())]
        })
        .mutations(200),
        codec!(
            "consensus-checkpoint",
            Checkpoint,
            [Checkpoint::genesis(), checkpoint()]
        ),
    ]
}

fn trust() -> Trust {
    Trust::new(CHAIN.committee.clone(), CHAIN.genesis.rule).unwrap()
}

fn sample_point() -> SyncPoint {
    SyncPoint {
        certificate: CHAIN.certificate.clone(),
        coin: CHAIN.coin,
    }
}

fn record() -> CommitRecord {
    CommitRecord {
        header: CHAIN.execution.header.clone(),
        blocks: CHAIN.commit.references().collect(),
    }
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        output: CHAIN.commit.references().collect(),
        ..Checkpoint::genesis()
    }
}

/// The sample's leader was not drawn by its coin, so the point may be refused; a header that was not certified must be.
fn point(bytes: &[u8]) -> bool {
    let Some(point) = canonical::<SyncPoint>(bytes) else {
        return false;
    };
    if let Ok(place) = trust().point(&point) {
        assert_eq!(place.header, CHAIN.execution.header, "a false point");
    }
    true
}

/// Records that are offered one after another below the sample's height: none but the true ones are taken.
fn tail(bytes: &[u8]) -> bool {
    let header = &CHAIN.execution.header;
    let mut tail = Tail::new(quorate_sync::Place {
        header: header.clone(),
        signature: CHAIN.certificate.signature,
        slot_round: header.leader_round.next(),
        slot_position: 0,
        gc_round: header.leader_round.back(CHAIN.genesis.rule.gc_depth),
    });
    let mut choices = Choices::new(bytes);
    while !choices.is_empty() {
        let Ok(offered) = CommitRecord::from_bytes(choices.bytes()) else {
            continue;
        };
        let taken = tail.push(offered.clone());
        assert!(taken.is_err() || offered == record(), "a false commit");
    }
    let Some(checkpoint) = tail.checkpoint() else {
        return false;
    };
    assert!(checkpoint.output.into_iter().eq(CHAIN.commit.references()));
    true
}

/// A chunk that verifies is what the state has there.
fn chunk(bytes: &[u8]) -> bool {
    let (Some(start), Some(rest)) = (bytes.first_chunk::<32>(), bytes.get(32..)) else {
        return false;
    };
    let Some(chunk) = canonical::<StateChunk>(rest) else {
        return false;
    };
    let (start, snapshot) = (Hash32(*start), CHAIN.ledger.snapshot());
    let Ok(range) = chunk.verify(&snapshot.root(), &start) else {
        return false;
    };
    let there: Vec<_> = snapshot
        .entries()
        .filter(|(key, _)| range.contains(&key.hash()))
        .collect();
    assert_eq!(chunk.entries, there, "a false chunk");
    true
}

fn chunks() -> Vec<Vec<u8>> {
    let snapshot = CHAIN.ledger.snapshot();
    let chunk = |start: Hash32, bytes| {
        let chunk = snapshot.chunk(&start, bytes);
        [start.0.to_vec(), chunk.to_bytes()].concat()
    };
    vec![
        chunk(Hash32([0; 32]), usize::MAX),
        chunk(Hash32([0; 32]), PART_BYTES),
        chunk(Hash32([0xff; 32]), PART_BYTES),
    ]
}

/// Certificates below a header: none but the true one is taken.
fn history(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let mut certificates = Vec::new();
    while !choices.is_empty() && certificates.len() < 4 {
        certificates.extend(Certificate::from_bytes(choices.bytes()));
    }
    let mut above = CHAIN.execution.header.clone();
    above.height = above.height.next();
    above.previous = CHAIN.execution.header.hash();
    let mut history = History::below(&above);
    let taken = history.take(&trust(), &certificates);
    let taken = taken.is_ok() && !certificates.is_empty();
    assert_eq!(history.wanted().is_none(), taken);
    if taken {
        assert_eq!(certificates.len(), 1);
        assert_eq!(certificates[0], CHAIN.certificate, "a false past");
    }
    taken
}
