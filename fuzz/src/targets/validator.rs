//! What a validator reads back from its log, and what peers' blocks must be.

use quorate_consensus::Verifier;
use quorate_types::{Block, HeaderHash, Height, Round, Signature};
use quorate_validator::{Logged, Record};

use crate::Target;
use crate::samples::chain::CHAIN;

pub(super) fn targets() -> Vec<Target> {
    vec![
        Target::new("validator-record", record, || {
            let small = [
                Record::Coin {
                    round: Round(7),
                    signature: Signature([5; 48]),
                },
                Record::Vote {
                    height: Height(9),
                    header_hash: HeaderHash([6; 32]),
                },
                Record::Lost,
                Record::ProposedPast { round: Round(11) },
                Record::Doubtful { round: Round(12) },
                Record::Block(CHAIN.blocks[0].clone()),
            ];
            let bytes = small.iter().map(|record| {
                let payload = record.payload();
                [&[record.kind()], payload.as_ref()].concat()
            });
            bytes.collect()
        }),
        Target::new("block-verify", verify, || {
            let blocks = CHAIN.blocks.iter();
            blocks.map(|block| block.bytes().to_vec()).collect()
        })
        .mutations(400),
    ]
}

/// The kind, then the record: what is accepted is written as it was read.
fn record(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else {
        return false;
    };
    let early = Logged::block_round(*kind, rest);
    let Ok(logged) = Logged::decode(*kind, rest.to_vec().into()) else {
        return false;
    };
    let again = match logged {
        Logged::Block(block) => {
            assert_eq!(early, Some(block.round()));
            assert!(block.bytes() == rest);
            return true;
        }
        Logged::Coin { round, signature } => Record::Coin { round, signature },
        Logged::Vote {
            height,
            header_hash,
        } => Record::Vote {
            height,
            header_hash,
        },
        Logged::Lost => Record::Lost,
        Logged::ProposedPast { round } => Record::ProposedPast { round },
        Logged::Doubtful { round } => Record::Doubtful { round },
    };
    assert_eq!((again.kind(), again.payload().as_ref()), (*kind, rest));
    true
}

/// A block that verifies is one that a member signed, and the log gives it back.
fn verify(bytes: &[u8]) -> bool {
    let Ok(block) = Block::decode(bytes.to_vec().into()) else {
        return false;
    };
    let verifier = Verifier::new(&CHAIN.committee).unwrap();
    let recovered = verifier.recovered(block.clone());
    let verified = verifier.verify(block);
    assert!(recovered.is_ok() || verified.is_err());
    verified.is_ok_and(|block| {
        assert!(CHAIN.blocks.contains(&block), "a forged block");
        true
    })
}
