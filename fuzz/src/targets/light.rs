//! What a light client is given: and `crypto`, over another library, judges the same.

use std::sync::LazyLock;

use quorate_crypto::{GroupKey, parse_signature};
use quorate_light::{GroupKey as LightKey, LightError, TrustedKey, VerifiedHeader, verify_message};
use quorate_types::{
    AccountId, Certificate, Decode, Encode, Height, Signature, StateKey, ThresholdKey,
};

use super::types::{account, keys};
use crate::Target;
use crate::choices::{Choices, with_length};
use crate::samples::chain::{ASSETS, CHAIN, account_of};

pub(super) fn targets() -> Vec<Target> {
    vec![
        Target::new("light-certificate", certificate, || {
            vec![CHAIN.certificate.to_bytes()]
        })
        .mutations(150),
        Target::new("light-keys", keys_agree, || {
            vec![CHAIN.committee.group_key().0.to_vec()]
        })
        .mutations(200),
        Target::new("light-signatures", signatures_agree, || {
            vec![
                CHAIN.coin.0.to_vec(),
                CHAIN.certificate.signature.0.to_vec(),
            ]
        })
        .mutations(150),
        Target::new("light-proofs", proofs, proof_seeds).mutations(1500),
        Target::new("light-ancestors", ancestors, || {
            vec![with_length(&CHAIN.start.head().to_bytes())]
        }),
    ]
}

static TRUSTED: LazyLock<TrustedKey> = LazyLock::new(|| {
    let committee = &CHAIN.committee;
    let (shard, epoch) = (committee.shard(), committee.epoch());
    TrustedKey::new(committee.chain(), shard, epoch, committee.group_key()).unwrap()
});

static VERIFIED: LazyLock<VerifiedHeader> = LazyLock::new(|| {
    let certificate = CHAIN.certificate.to_bytes();
    TRUSTED.verify_certificate(&certificate).unwrap()
});

/// What sync takes for certified is what a light client takes, but for height 0, which only genesis vouches for.
fn certificate(bytes: &[u8]) -> bool {
    let light = TRUSTED.verify_certificate(bytes).is_ok();
    let rule = CHAIN.genesis.rule;
    let trust = quorate_sync::Trust::new(CHAIN.committee.clone(), rule).unwrap();
    let full = Certificate::from_bytes(bytes).is_ok_and(|certificate| {
        certificate.header.height == Height(0) && light || trust.certificate(&certificate).is_ok()
    });
    assert_eq!(light, full, "light and crypto disagree");
    light
}

/// Both libraries take the same bytes for keys.
fn keys_agree(bytes: &[u8]) -> bool {
    let Ok(bytes) = bytes.try_into() else {
        return false;
    };
    let key = ThresholdKey(bytes);
    let light = LightKey::parse(&key).is_ok();
    assert_eq!(
        light,
        GroupKey::parse(&key).is_ok(),
        "light and crypto disagree"
    );
    light
}

/// Both libraries take the same bytes for points that may be signatures.
fn signatures_agree(bytes: &[u8]) -> bool {
    let Ok(bytes) = bytes.try_into() else {
        return false;
    };
    let signature = Signature(bytes);
    let light = verify_message(
        CHAIN.committee.group_key(),
        b"nobody signed this",
        &signature,
    );
    assert!(light.is_err(), "a forgery");
    let light = !matches!(light, Err(LightError::Signature(_)));
    assert_eq!(
        light,
        parse_signature(&signature).is_ok(),
        "light and crypto disagree"
    );
    light
}

/// Nothing is proved but what the state and the receipts under the header are.
fn proofs(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let kind = choices.below(4);
    let which = choices.byte();
    let (value, proof) = (choices.bytes(), choices.bytes());
    let (header, snapshot) = (&*VERIFIED, CHAIN.ledger.snapshot());
    let id = account_of(which % 5);
    let asset = ASSETS[usize::from(which % 2)];
    match kind {
        0 => header.verify_receipt(value, proof).is_ok_and(|receipt| {
            assert!(
                CHAIN.execution.receipts.contains(&receipt),
                "a false receipt"
            );
            true
        }),
        1 => header
            .verify_account(&id, value, proof)
            .is_ok_and(|proved| {
                assert_eq!(Some(&proved), snapshot.account(&id), "a false account");
                true
            }),
        2 => header.verify_absent_account(&id, proof).is_ok_and(|()| {
            assert_eq!(snapshot.account(&id), None, "it is there");
            true
        }),
        _ => header
            .verify_asset(asset, value, proof)
            .is_ok_and(|proved| {
                assert_eq!(Some(&proved), snapshot.asset(asset), "a false asset");
                true
            }),
    }
}

fn proof_seeds() -> Vec<Vec<u8>> {
    let snapshot = CHAIN.ledger.snapshot();
    let seed = |kind: u8, which: u8, value: &[u8], proof: &[u8]| {
        [vec![kind, which], with_length(value), with_length(proof)].concat()
    };
    let of_key = |kind, which, key: StateKey| {
        let (value, proof) = snapshot.prove(&key);
        seed(kind, which, &value.unwrap_or_default(), &proof.to_bytes())
    };
    let receipts = &CHAIN.execution.receipts;
    let inclusion = quorate_ledger::receipt_proof(receipts, 0).unwrap();
    let absent: AccountId = account_of(4);
    assert_eq!(keys()[0], StateKey::Account(account(0).id()));
    vec![
        seed(0, 0, &receipts[0].to_bytes(), &inclusion.to_bytes()),
        of_key(1, 0, StateKey::Account(account_of(0))),
        of_key(2, 4, StateKey::Account(absent)),
        of_key(3, 1, StateKey::Asset(ASSETS[1])),
    ]
}

/// Headers below a verified one: nothing but the true ancestors is taken.
fn ancestors(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let mut headers = Vec::new();
    while !choices.is_empty() && headers.len() < 4 {
        headers.push(choices.bytes());
    }
    let proved = VERIFIED.verify_ancestor(headers.iter());
    proved.is_ok_and(|header| {
        let header = header.header();
        let known = [CHAIN.start.head(), CHAIN.ledger.head()];
        assert!(known.contains(&header), "a false ancestor");
        true
    })
}
