//! Key holders by themselves: coins, bad shares, and dealers that cheat one member.

use std::sync::LazyLock;

use quorate_crypto::pvss::cheat::{self, Lie};
use quorate_dkg::{
    CoinJob, DealerEvidence, DealingName, HIGH, Job, JobFailure, JobResult, SignedDealing,
};
use quorate_types::{Signature, ValidatorIndex};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::liars::FOUR;
use crate::work::{RealWork, Work, set};

/// Three dealings, which any key holder can validate.
static DEALINGS: LazyLock<Vec<SignedDealing>> = LazyLock::new(|| {
    let dealt = |me| match RealWork::new(&FOUR, ValidatorIndex(me), 1).perform(Job::Deal) {
        JobResult::Dealt(dealing) => dealing,
        other => panic!("{other:?}"),
    };
    (0..3).map(dealt).collect()
});

fn names() -> Vec<DealingName> {
    let names = DEALINGS.iter();
    names
        .map(|dealing| (dealing.dealer, dealing.hash()))
        .collect()
}

/// A key holder that validated all dealings.
fn holder(me: u16) -> RealWork {
    let mut work = RealWork::new(&FOUR, ValidatorIndex(me), 2);
    for dealing in DEALINGS.iter() {
        let result = work.perform(Job::Validate(dealing.clone()));
        assert!(matches!(
            result,
            JobResult::Validated {
                verdict: Ok(()),
                ..
            }
        ));
    }
    work
}

fn coin(round: u32) -> CoinJob {
    CoinJob {
        proposer: ValidatorIndex(1),
        set: set([0, 1, 2]),
        dealings: names(),
        round,
    }
}

#[test]
fn any_two_of_four_toss_the_same_coin_and_bad_shares_are_named() {
    let mut holders: Vec<_> = (0..4).map(holder).collect();
    let mut both = [false; 2];
    for round in 2..10 {
        let shares: Vec<(ValidatorIndex, Signature)> = (0..4)
            .map(ValidatorIndex)
            .zip(&mut holders)
            .map(
                |(me, work)| match work.perform(Job::SignCoin(coin(round))) {
                    JobResult::CoinSigned { share, .. } => (me, share),
                    other => panic!("{other:?}"),
                },
            )
            .collect();
        let mut toss = |shares: Vec<(ValidatorIndex, Signature)>| {
            let coin = coin(round);
            match holders[0].perform(Job::CombineCoin { coin, shares }) {
                JobResult::CoinCombined { coin, bad, .. } => (coin, bad),
                other => panic!("{other:?}"),
            }
        };
        let (value, _) = toss(shares[..2].to_vec());
        let value = value.expect("two shares are enough");
        assert_eq!(toss(shares[2..].to_vec()), (Some(value), Vec::new()));
        both[usize::from(value)] = true;
        // Member 1 sends the share of member 3.
        let wrong = (ValidatorIndex(1), shares[3].1);
        let named = vec![ValidatorIndex(1)];
        assert_eq!(toss(vec![shares[0], wrong]), (None, named.clone()));
        assert_eq!(
            toss(vec![shares[0], wrong, shares[2]]),
            (Some(value), named)
        );
    }
    assert_eq!(both, [true; 2], "the coin has two sides");
}

#[test]
fn the_certificate_takes_three_good_shares_and_can_be_checked() {
    let mut holders: Vec<_> = (0..4).map(holder).collect();
    let dealings = names();
    let sign = |work: &mut RealWork| {
        let dealings = names();
        match work.perform(Job::SignCompletion { dealings }) {
            JobResult::CompletionSigned { share, .. } => share,
            other => panic!("{other:?}"),
        }
    };
    let shares: Vec<_> = holders.iter_mut().map(sign).collect();
    let of = |members: [u16; 3]| {
        members
            .map(|me| (ValidatorIndex(me), shares[usize::from(me)]))
            .to_vec()
    };
    let mut combine = |shares| {
        let dealings = dealings.clone();
        match holders[0].perform(Job::CombineCompletion { dealings, shares }) {
            JobResult::CompletionCombined { certificate, bad } => (certificate, bad),
            other => panic!("{other:?}"),
        }
    };
    let (certificate, _) = combine(of([0, 1, 2]));
    let certificate = certificate.expect("three are enough");
    assert_eq!(combine(of([1, 2, 3])), (Some(certificate), Vec::new()));
    let mut wrong = of([0, 1, 2]);
    wrong[2].1 = shares[3];
    assert_eq!(combine(wrong), (None, vec![ValidatorIndex(2)]));

    let mut late = holder(3);
    for (claimed, right) in [(certificate, true), (shares[0], false)] {
        let dealings = dealings.clone();
        let result = late.perform(Job::CheckComplete {
            dealings,
            certificate: claimed,
        });
        let JobResult::CompleteChecked { keys, .. } = result else {
            panic!("{result:?}");
        };
        assert_eq!(keys.is_some(), right);
    }
    assert!(late.holder.share().is_some());
}

#[test]
fn a_dealer_that_cheats_one_member_is_convicted_by_it() {
    let dealer = ValidatorIndex(2);
    let member = ValidatorIndex(0);
    let ceremony = &FOUR.ceremony;
    let lie = Lie::LargeChunk { lane: HIGH, member };
    let body = cheat::deal(
        ceremony.parameters(),
        &ceremony.context(dealer),
        ceremony.recipients(),
        &[None, None],
        lie,
        &mut ChaCha20Rng::seed_from_u64(5),
    )
    .unwrap();
    let identity = &FOUR.identities[dealer.position()];
    let dealing = SignedDealing::sign(ceremony, dealer, body.into(), identity);
    for me in [0, 1] {
        let mut work = RealWork::new(&FOUR, ValidatorIndex(me), 2);
        let result = work.perform(Job::Validate(dealing.clone()));
        let JobResult::Validated {
            verdict, evidence, ..
        } = result
        else {
            panic!("{result:?}");
        };
        assert_eq!(verdict, Ok(()), "the dealing counts");
        let convicts: Vec<_> = evidence.iter().map(|e| e.verify(ceremony)).collect();
        let expected = if me == 0 {
            vec![Ok(dealer)]
        } else {
            Vec::new()
        };
        assert_eq!(convicts, expected);
        assert!(
            evidence
                .iter()
                .all(|e| matches!(e, DealerEvidence::BadChunk { .. }))
        );
    }
}

#[test]
fn a_job_about_a_dealing_that_was_not_validated_fails() {
    let mut work = RealWork::new(&FOUR, ValidatorIndex(0), 2);
    let dealer = ValidatorIndex(0);
    let failed = JobResult::Failed(JobFailure::UnknownDealing { dealer });
    assert_eq!(work.perform(Job::SignCoin(coin(2))), failed);
}
