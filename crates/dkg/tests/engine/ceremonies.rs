//! Honest ceremonies, with keys.

use quorate_crypto::pvss::Sequential;
use quorate_dkg::{DealerEvidence, Phase};
use quorate_types::ValidatorIndex;

use crate::liars::{FOUR, hint, seeds};
use crate::work::{RealWork, set};
use crate::world::{Late, World};

fn assert_keys(world: &World<RealWork>) {
    for (me, member) in world.honest() {
        let outcome = member.outcome.as_ref().unwrap();
        let share = member.work.holder.share().expect("it was decrypted");
        let key = outcome.transcript.keys.shares[me.position()];
        assert_eq!(share.public_key(), key, "member {me}");
    }
    let transcript = &world
        .honest()
        .next()
        .unwrap()
        .1
        .outcome
        .as_ref()
        .unwrap()
        .transcript;
    let verified = transcript
        .verify(&Sequential)
        .expect("anybody can check it");
    assert_eq!(verified.hash(), transcript.hash());
}

#[test]
fn four_members_make_a_key() {
    for seed in seeds(2) {
        let late = if seed == 0 {
            Late::Nothing
        } else {
            Late::Halves
        };
        let mut world = World::<RealWork>::new(&FOUR, seed, late);
        world.run();
        world.assert_complete(&hint(seed));
        assert_keys(&world);
    }
}

#[test]
fn a_slow_member_takes_the_result_from_others() {
    let mut world = World::<RealWork>::new(&FOUR, 3, Late::Members(set([2])));
    world.run();
    world.assert_complete("a slow member");
    assert_keys(&world);
    let status = world.member(2).engine.status();
    assert_eq!(status.phase, Phase::Complete);
    assert!(status.refused.is_empty());
    assert_eq!(world.member(2).evidence, Vec::<DealerEvidence>::new());
}

#[test]
fn a_member_with_another_key_is_told_so() {
    use quorate_crypto::pvss::EncryptionSecret;
    use quorate_dkg::{KeyHolder, KeyHolderError};
    use rand_chacha::rand_core::SeedableRng;
    use std::sync::Arc;

    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(99);
    let other = Arc::new(EncryptionSecret::generate(&mut rng));
    let refused = KeyHolder::new(&FOUR.ceremony, FOUR.identities[1].clone(), other);
    let expected = KeyHolderError::OtherEncryptionKey(ValidatorIndex(1));
    assert_eq!(refused.err(), Some(expected));
}
