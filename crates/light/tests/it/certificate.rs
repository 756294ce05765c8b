//! Certificates: what the validators' library signs verifies here, and nothing else does.

use proptest::prelude::*;
use quorate_crypto::threshold::GroupKey as ValidatorKey;
use quorate_light::{GroupKey, Input, LightError, PointError, TrustedKey, verify_message};
use quorate_types::{ChainId, CodecError, Encode, Epoch, Header, ShardId, Signature, ThresholdKey};

use crate::committee::{TestCommittee, header};

#[test]
fn whichever_quorum_signed_the_certificate_verifies() {
    for (size, quorum) in [(4, 3), (4, 4), (7, 5), (10, 8)] {
        let committee = TestCommittee::new(size, quorum, u64::from(size));
        let key = committee.trusted_key();
        let header = header(9);
        let signing_bytes = header.hash().signing_bytes();
        let signatures: Vec<Signature> = (0..usize::from(size))
            .map(|first| committee.sign(&signing_bytes, first))
            .collect();
        assert!(signatures.windows(2).all(|pair| pair[0] == pair[1]));
        let verified = key.verify_certificate(&committee.certify(&header)).unwrap();
        assert_eq!(verified.header(), &header);
        assert_eq!(verified.hash(), header.hash());
        assert_eq!(key.group_key().encoded(), committee.group_key());
    }
}

#[test]
fn a_certificate_with_any_byte_changed_is_refused() {
    let committee = TestCommittee::four();
    let key = committee.trusted_key();
    let good = committee.certify(&header(1));
    assert!(key.verify_certificate(&good).is_ok());
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let error = key.verify_certificate(&bad).unwrap_err();
        let expected = match at {
            0..2 => matches!(
                error,
                LightError::Malformed {
                    input: Input::Certificate,
                    source: CodecError::Version { .. }
                }
            ),
            2..34 => matches!(error, LightError::WrongChain { .. }),
            34..38 => matches!(error, LightError::WrongShard { .. }),
            38..46 => matches!(error, LightError::WrongEpoch { .. }),
            46..Header::LENGTH => error == LightError::NotSigned,
            _ => matches!(error, LightError::Signature(_) | LightError::NotSigned),
        };
        assert!(expected, "byte {at}: {error:?}");
    }
}

#[test]
fn a_certificate_that_is_shorter_or_longer_is_refused() {
    let committee = TestCommittee::four();
    let key = committee.trusted_key();
    let good = committee.certify(&header(1));
    assert_eq!(good.len(), Header::LENGTH + Signature::LENGTH);
    for length in 0..good.len() {
        let error = key.verify_certificate(&good[..length]).unwrap_err();
        let expected = matches!(
            error,
            LightError::Malformed {
                input: Input::Certificate,
                source: CodecError::Truncated { .. }
            }
        );
        assert!(expected, "{length} bytes: {error:?}");
    }
    let longer = [&good[..], &[0]].concat();
    assert_eq!(
        key.verify_certificate(&longer),
        Err(LightError::Malformed {
            input: Input::Certificate,
            source: CodecError::Trailing { extra: 1 }
        })
    );
}

#[test]
fn a_key_speaks_for_its_chain_shard_and_epoch_only() {
    let committee = TestCommittee::four();
    let header = header(1);
    let certificate = committee.certify(&header);
    let verify = |chain, shard, epoch, key: &TestCommittee| {
        TrustedKey::new(chain, shard, epoch, key.group_key())
            .unwrap()
            .verify_certificate(&certificate)
            .map(|_| ())
    };
    let Header {
        chain,
        shard,
        epoch,
        ..
    } = header;
    assert_eq!(verify(chain, shard, epoch, &committee), Ok(()));
    let other = ChainId([9; 32]);
    assert_eq!(
        verify(other, shard, epoch, &committee),
        Err(LightError::WrongChain {
            expected: other,
            found: chain
        })
    );
    let other = ShardId(8);
    assert_eq!(
        verify(chain, other, epoch, &committee),
        Err(LightError::WrongShard {
            expected: other,
            found: shard
        })
    );
    let other = Epoch(4);
    assert_eq!(
        verify(chain, shard, other, &committee),
        Err(LightError::WrongEpoch {
            expected: other,
            found: epoch
        })
    );
    let other = TestCommittee::new(4, 3, 2);
    assert_eq!(
        verify(chain, shard, epoch, &other),
        Err(LightError::NotSigned)
    );
}

/// A share alone, or a signature over the hash without its tag, is no certificate.
#[test]
fn signatures_over_something_else_are_refused() {
    let committee = TestCommittee::four();
    let key = committee.trusted_key();
    let header = header(1);
    let with = |signature: Signature| {
        let bytes = [&header.to_bytes()[..], &signature.0].concat();
        key.verify_certificate(&bytes).map(|_| ())
    };
    let message = header.hash().signing_bytes();
    assert_eq!(with(committee.sign(&message, 0)), Ok(()));
    assert_eq!(
        with(committee.sign(&message[8..], 0)),
        Err(LightError::NotSigned)
    );
    assert_eq!(
        with(committee.sign(&header.to_bytes(), 0)),
        Err(LightError::NotSigned)
    );
    let single = TestCommittee::new(4, 1, 3);
    assert_eq!(with(single.sign(&message, 0)), Err(LightError::NotSigned));
}

/// The identity: under it as a key, it verifies as everybody's signature.
const IDENTITY_FLAGS: u8 = 0xc0;

#[test]
fn points_that_prove_nothing_are_refused() {
    let committee = TestCommittee::four();
    let key = GroupKey::parse(committee.group_key()).unwrap();
    let good = committee.sign(b"message", 0);
    assert_eq!(key.verify(b"message", &good), Ok(()));

    let mut identity = Signature([0; 48]);
    identity.0[0] = IDENTITY_FLAGS;
    let mut identity_key = ThresholdKey([0; 96]);
    identity_key.0[0] = IDENTITY_FLAGS;
    assert_eq!(
        key.verify(b"message", &identity),
        Err(LightError::Signature(PointError::Identity))
    );
    assert_eq!(
        verify_message(&identity_key, b"message", &identity),
        Err(LightError::GroupKey(PointError::Identity))
    );

    // Flags: uncompressed, and the identity's with something after it.
    for flags in [0x00, 0x20, 0xe0] {
        let mut bad = good;
        bad.0[0] = bad.0[0] & 0x1f | flags;
        assert_eq!(
            key.verify(b"message", &bad),
            Err(LightError::Signature(PointError::Encoding)),
            "{flags:02x}"
        );
    }
    // x = p, the same as x = 0 but not canonical: p is the first 48 bytes of this.
    let p = "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";
    let mut bad = Signature::from_hex(p).unwrap();
    bad.0[0] |= 0x80;
    assert_eq!(
        key.verify(b"message", &bad),
        Err(LightError::Signature(PointError::Encoding))
    );
}

/// Points on the curve but outside the subgroup, found by counting up x.
#[test]
fn points_outside_the_subgroup_are_refused() {
    let committee = TestCommittee::four();
    let key = GroupKey::parse(committee.group_key()).unwrap();
    let mut outside = (0, 0);
    for x in 0..40 {
        let mut signature = Signature([0; 48]);
        (signature.0[0], signature.0[47]) = (0x80, x);
        match key.verify(b"message", &signature).unwrap_err() {
            LightError::Signature(PointError::Subgroup) => outside.0 += 1,
            error => assert_eq!(error, LightError::Signature(PointError::Encoding)),
        }
        let mut group_key = ThresholdKey([0; 96]);
        (group_key.0[0], group_key.0[95]) = (0x80, x);
        match GroupKey::parse(&group_key).unwrap_err() {
            PointError::Subgroup => outside.1 += 1,
            error => assert_eq!(error, PointError::Encoding),
        }
    }
    assert!(outside.0 > 8 && outside.1 > 8, "{outside:?}");
}

/// What both libraries say of the same bytes.
fn verdicts(key: &ThresholdKey, message: &[u8], signature: &Signature) -> (bool, bool) {
    let validators =
        ValidatorKey::parse(key).is_ok_and(|key| key.verify(message, signature).is_ok());
    (validators, verify_message(key, message, signature).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn both_libraries_say_the_same(
        seed: u64,
        message in prop::collection::vec(any::<u8>(), 0..200),
        flip in prop::option::of((0usize..144, 0u8..8)),
        random: [u8; 32],
    ) {
        let committee = TestCommittee::new(4, 3, seed);
        let mut key = *committee.group_key();
        let mut signature = committee.sign(&message, 1);
        prop_assert_eq!(verdicts(&key, &message, &signature), (true, true));
        if let Some((at, bit)) = flip {
            match at {
                0..96 => key.0[at] ^= 1 << bit,
                _ => signature.0[at - 96] ^= 1 << bit,
            }
            prop_assert_eq!(verdicts(&key, &message, &signature), (false, false));
        }
        // Any x below 2^256: half are on the curve, hardly any in the subgroup.
        signature.0 = [0; 48];
        signature.0[0] = 0x80;
        signature.0[16..].copy_from_slice(&random);
        prop_assert_eq!(verdicts(committee.group_key(), &message, &signature), (false, false));
    }
}
