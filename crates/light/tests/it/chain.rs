//! Chains of headers below a certified one.

use quorate_light::{Input, LightError, VerifiedHeader};
use quorate_types::{ChainId, CodecError, Encode, Epoch, Header, Height, ShardId};

use crate::committee::{TestCommittee, header};

/// Headers of heights 1 to `length`, chained, after `change` was made to the one of height `at`.
fn chained(length: u64, at: u64, change: impl Fn(&mut Header)) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for height in 1..=length {
        let mut next = header(height);
        if let Some(last) = headers.last() {
            next.previous = last.hash();
        }
        if height == at {
            change(&mut next);
        }
        headers.push(next);
    }
    headers
}

/// Certifies the highest; gives it and the encodings of the others, downwards.
fn certified(headers: &[Header]) -> (VerifiedHeader, Vec<Vec<u8>>) {
    let committee = TestCommittee::four();
    let (highest, below) = headers.split_last().unwrap();
    let verified = committee
        .trusted_key()
        .verify_certificate(&committee.certify(highest))
        .unwrap();
    (verified, below.iter().rev().map(Encode::to_bytes).collect())
}

#[test]
fn a_chain_leads_down_to_its_lowest_header() {
    let headers = chained(6, 0, |_| {});
    let (verified, below) = certified(&headers);
    for length in 0..=below.len() {
        let lowest = verified.verify_ancestor(&below[..length]).unwrap();
        let expected = &headers[below.len() - length];
        assert_eq!(lowest.header(), expected);
        assert_eq!(lowest.hash(), expected.hash());
    }
    // An earlier epoch's header is as final as its successors.
    let headers = chained(3, 1, |header| header.epoch = Epoch(2));
    let (verified, below) = certified(&headers);
    let lowest = verified.verify_ancestor(&below).unwrap();
    assert_eq!(lowest.header().epoch, Epoch(2));
}

#[test]
fn a_chain_with_a_gap_or_out_of_order_is_broken() {
    let headers = chained(5, 0, |_| {});
    let (verified, below) = certified(&headers);
    let broken = |list: &[&Vec<u8>], position: usize| {
        let error = verified.verify_ancestor(list).unwrap_err();
        let LightError::BrokenChain { position: at, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(at, position);
    };
    broken(&[&below[1]], 0);
    broken(&[&below[0], &below[2]], 1);
    broken(&[&below[0], &below[0]], 1);
    broken(&[&below[1], &below[0]], 0);
}

#[test]
fn a_chain_with_any_byte_changed_is_refused() {
    let headers = chained(3, 0, |_| {});
    let (verified, below) = certified(&headers);
    for at in 0..Header::LENGTH {
        let mut bad = below.clone();
        bad[1][at] ^= 0x10;
        match verified.verify_ancestor(&bad).unwrap_err() {
            LightError::BrokenChain { position: 1, .. } => assert!(at >= 2),
            LightError::Malformed {
                input: Input::Header(1),
                source: CodecError::Version { .. },
            } => assert!(at < 2),
            error => panic!("byte {at}: {error:?}"),
        }
        let mut short = below.clone();
        short[0].truncate(at);
        assert!(matches!(
            verified.verify_ancestor(&short),
            Err(LightError::Malformed {
                input: Input::Header(0),
                source: CodecError::Truncated { .. }
            })
        ));
    }
}

/// What no honest committee certifies is refused all the same.
#[test]
fn a_chain_that_leaves_its_chain_or_height_is_refused() {
    let walk = |change: fn(&mut Header)| {
        let (verified, below) = certified(&chained(3, 2, change));
        verified.verify_ancestor(&below).unwrap_err()
    };
    assert!(matches!(
        walk(|header| header.chain = ChainId([9; 32])),
        LightError::WrongChain { .. }
    ));
    assert_eq!(
        walk(|header| header.shard = ShardId(9)),
        LightError::WrongShard {
            expected: ShardId(7),
            found: ShardId(9)
        }
    );
    for found in [0, 1, 3, u64::MAX] {
        let headers = chained(3, 2, |header| header.height = Height(found));
        let (verified, below) = certified(&headers);
        assert_eq!(
            verified.verify_ancestor(&below),
            Err(LightError::NotConsecutive {
                position: 0,
                successor: Height(3),
                found: Height(found)
            })
        );
    }
}
