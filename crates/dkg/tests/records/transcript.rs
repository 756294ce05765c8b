//! Transcripts: verified from nothing but their bytes, and good for everybody's share.

use std::sync::LazyLock;
use std::time::Duration;

use quorate_crypto::SignatureError;
use quorate_crypto::pvss::Sequential;
use quorate_dkg::{
    DealingFault, DefinitionError, Purpose, RecoverError, SignedDealing, Transcript,
    TranscriptError, VerifiedTranscript,
};
use quorate_types::{Decode, Encode, Signature, ValidatorIndex};

use crate::world::{People, TABLE};

struct Run {
    people: People,
    transcript: Transcript,
}

/// A key of four members, three of whom dealt.
static RUN: LazyLock<Run> = LazyLock::new(|| {
    let people = People::new(0..4, 0);
    let ceremony = people.ceremony(Purpose::Genesis, 0);
    let transcript = people.genesis(&ceremony, &[0, 2, 3]);
    Run { people, transcript }
});

fn verify(change: impl FnOnce(&mut Transcript)) -> Result<VerifiedTranscript, TranscriptError> {
    let mut transcript = RUN.transcript.clone();
    change(&mut transcript);
    transcript.verify(&Sequential)
}

fn refused(change: impl FnOnce(&mut Transcript)) -> TranscriptError {
    match verify(change) {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    }
}

#[test]
fn a_transcript_gives_everybody_a_share_and_any_quorum_signs() {
    let bytes = RUN.transcript.to_bytes();
    let transcript = Transcript::from_bytes(&bytes).unwrap();
    let verified = transcript.verify(&Sequential).unwrap();
    assert_eq!(verified.hash(), RUN.transcript.hash());
    let dealers: Vec<_> = verified.dealers().collect();
    assert_eq!(dealers, [0, 2, 3].map(ValidatorIndex));
    // Also member 1, who did not deal, and member 3, who did not sign.
    let shares: Vec<_> = verified
        .ceremony()
        .indices()
        .map(|me| {
            let secret = &RUN.people.0[me.position()].encryption;
            (me, verified.recover_share(secret, me, &TABLE).unwrap())
        })
        .collect();
    let message = b"anything";
    let mut signatures = Vec::new();
    for absent in 0..4 {
        let signers = shares.iter().filter(|(me, _)| me.0 != absent);
        let signed: Vec<_> = signers
            .map(|(me, share)| (*me, share.sign_share(message)))
            .collect();
        signatures.push(
            verified
                .public()
                .combine(message, &signed)
                .unwrap()
                .signature,
        );
        assert!(verified.public().combine(message, &signed[..2]).is_err());
    }
    signatures.dedup();
    assert_eq!(signatures.len(), 1, "whoever signs, it is one signature");
}

#[test]
fn shares_go_to_their_holders_alone() {
    let verified = verify(|_| ()).unwrap();
    let secret = &RUN.people.0[1].encryption;
    let index = ValidatorIndex(2);
    let error = verified.recover_share(secret, index, &TABLE).err();
    assert_eq!(error, Some(RecoverError::WrongSecret { index }));
    let index = ValidatorIndex(4);
    let error = verified.recover_share(secret, index, &TABLE).err();
    assert_eq!(
        error,
        Some(RecoverError::UnknownMember { index, members: 4 })
    );
}

#[test]
fn the_number_and_order_of_dealings_are_checked() {
    let count = TranscriptError::Count {
        found: 2,
        least: 3,
        most: 4,
    };
    assert_eq!(refused(|transcript| transcript.dealings.truncate(2)), count);
    let order = |dealer| TranscriptError::Order {
        dealer: ValidatorIndex(dealer),
    };
    let swapped = refused(|transcript| transcript.dealings.swap(0, 1));
    assert_eq!(swapped, order(0));
    let doubled = refused(|transcript| transcript.dealings[1] = transcript.dealings[0].clone());
    assert_eq!(doubled, order(0));
}

#[test]
fn what_fails_is_named() {
    let definition = refused(|transcript| transcript.definition.attempt += 1);
    let organiser = DefinitionError::Organiser(SignatureError::Invalid);
    assert_eq!(definition, TranscriptError::Definition(organiser));

    let invalid = TranscriptError::Certificate(SignatureError::Invalid);
    let keys = RUN.transcript.keys.clone();
    let foreign = quorate_crypto::ShareSecret::random(&mut crate::world::rng(5));
    let certificate = foreign.sign_share(b"something else");
    assert_eq!(
        refused(|transcript| transcript.certificate = certificate),
        invalid
    );
    // One dealing more, or another one, is another transcript.
    let ceremony = RUN.people.ceremony(Purpose::Genesis, 0);
    let extra = RUN.people.deal(&ceremony, 1);
    let more = refused(|transcript| transcript.dealings.insert(1, extra));
    assert_eq!(more, invalid);

    let degree = refused(|transcript| transcript.keys.shares.swap(0, 1));
    assert!(matches!(degree, TranscriptError::Keys(_)), "{degree}");
    let fewer = refused(|transcript| {
        transcript.keys.shares.pop();
    });
    assert_eq!(fewer, invalid);

    let dealer = ValidatorIndex(2);
    let signature = DealingFault::Signature(SignatureError::Invalid);
    let unsigned = refused(|transcript| transcript.dealings[1].signature.0[0] ^= 1);
    let expected = TranscriptError::Dealing {
        dealer,
        fault: signature,
    };
    assert_eq!(unsigned, expected);
    assert_eq!(keys, verify(|_| ()).unwrap().keys().clone());
}

/// Somebody who knows a key signs a transcript that claims it with the dealings of others.
#[test]
fn keys_that_the_dealings_do_not_make_are_refused() {
    let ceremony = RUN.people.ceremony(Purpose::Genesis, 0);
    let dealt = quorate_crypto::dealer::deal(4, 3, &mut crate::world::rng(6));
    let error = refused(|transcript| {
        transcript.keys.group = dealt.group;
        transcript.keys.shares.clone_from(&dealt.shares_public);
        let message = ceremony.completion_message(&transcript.hash());
        let shares: Vec<_> = ceremony
            .indices()
            .zip(&dealt.secrets)
            .map(|(me, secret)| (me, secret.sign_share(&message)))
            .collect();
        let public = transcript.keys.parse(3).unwrap();
        transcript.certificate = public.combine(&message, &shares).unwrap().signature;
    });
    assert_eq!(error, TranscriptError::OtherKeys);
}

/// An invalid dealing with everything else right: only its proofs tell.
#[test]
fn an_invalid_dealing_is_refused_whatever_is_certified() {
    let ceremony = RUN.people.ceremony(Purpose::Genesis, 0);
    let good = RUN.people.deal(&ceremony, 2);
    let mut body = good.body.to_vec();
    let last = body.len() - 1;
    body[last] ^= 1;
    let identity = &RUN.people.0[2].identity;
    let bad = SignedDealing::sign(&ceremony, ValidatorIndex(2), body.into(), identity);
    let fault = bad.validate(&ceremony, &Sequential).err().unwrap();
    assert!(fault.convicts());
    // The certificate is by those who hold the keys, on a list with the bad dealing.
    let verified = verify(|_| ()).unwrap();
    let error = refused(|transcript| {
        transcript.dealings[1] = bad;
        let message = ceremony.completion_message(&transcript.hash());
        let shares: Vec<_> = ceremony
            .indices()
            .map(|me| {
                let secret = &RUN.people.0[me.position()].encryption;
                let share = verified.recover_share(secret, me, &TABLE).unwrap();
                (me, share.sign_share(&message))
            })
            .collect();
        transcript.certificate = verified
            .public()
            .combine(&message, &shares)
            .unwrap()
            .signature;
    });
    let dealer = ValidatorIndex(2);
    assert_eq!(error, TranscriptError::Dealing { dealer, fault });
}

#[test]
fn any_flipped_byte_is_refused() {
    let bytes = RUN.transcript.to_bytes();
    // Every byte of what is short, and some of every dealing.
    let definition = RUN.transcript.definition.to_bytes().len() + 2;
    let tail = bytes.len() - RUN.transcript.keys.to_bytes().len() - Signature::LENGTH;
    let dealings = (definition..tail).step_by(1999);
    for position in (0..definition)
        .step_by(3)
        .chain(dealings)
        .chain((tail..bytes.len()).step_by(5))
    {
        let mut changed = bytes.clone();
        changed[position] ^= 0x10;
        if let Ok(other) = Transcript::from_bytes(&changed) {
            assert!(other.verify(&Sequential).is_err(), "byte {position}");
        }
    }
}

/// A larger ceremony; its size can be set to measure, in a release build:
/// `QUORATE_CEREMONY_MEMBERS=64 cargo test --release -p quorate-dkg --test records many -- --nocapture`.
#[test]
fn a_transcript_of_many_members_verifies() {
    let size: u64 = std::env::var("QUORATE_CEREMONY_MEMBERS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(7);
    let people = People::new(0..size, 0);
    let ceremony = people.ceremony(Purpose::Genesis, 0);
    let dealers: Vec<_> = (0..usize::from(ceremony.agreement_quorum())).collect();
    let transcript = people.genesis(&ceremony, &dealers);
    let (verified, took) = timed(|| transcript.verify(&Threads).unwrap());
    let bytes = transcript.to_bytes().len();
    println!("{size} members, {bytes} bytes, verified in {took:?} on all cores");
    assert_eq!(verified.keys(), &transcript.keys);
}

#[allow(clippy::disallowed_types, reason = "a measurement")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    (work(), start.elapsed())
}

/// As many threads as there are cores.
struct Threads;

impl quorate_crypto::pvss::Parallel for Threads {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        let next = std::sync::atomic::AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if index >= jobs {
                            break;
                        }
                        job(index);
                    }
                });
            }
        });
    }
}
