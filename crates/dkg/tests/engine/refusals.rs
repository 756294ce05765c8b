//! What no honest member sends, what it costs, and what is said about waiting.

use quorate_dkg::agreement::AgreementError;
use quorate_dkg::{
    Awaited, DealingFault, Effect, Engine, Input, JobResult, MemberSet, Message, MessageError,
    Role, SignedDealing, agreement,
};
use quorate_types::{
    DealingHash, Decode, Encode, IdentitySignature, Signature, TranscriptHash, ValidatorIndex,
};

use crate::liars::FOUR;
use crate::work::{FakeWork, Work, set};
use crate::world::{Late, World};

const ME: ValidatorIndex = ValidatorIndex(0);
const PEER: ValidatorIndex = ValidatorIndex(1);

fn dealing(dealer: u16, text: &[u8]) -> SignedDealing {
    let identity = &FOUR.identities[usize::from(dealer)];
    SignedDealing::sign(
        &FOUR.ceremony,
        ValidatorIndex(dealer),
        text.into(),
        identity,
    )
}

fn echo(dealing: &SignedDealing) -> Message {
    Message::Echo {
        dealer: dealing.dealer,
        hash: dealing.hash(),
        signature: dealing.signature,
    }
}

fn started() -> Engine {
    let mut engine = Engine::new(FOUR.ceremony.clone(), ME, Role::Member);
    engine.step(Input::Start, &mut Vec::new());
    engine
}

/// What member 1's messages cost it.
fn cost(engine: &mut Engine, messages: Vec<Message>) -> Option<MessageError> {
    let mut out = Vec::new();
    for message in messages {
        let (from, position) = (PEER, engine.next_position(PEER));
        let input = Input::Received {
            from,
            position,
            message,
        };
        engine.step(input, &mut out);
    }
    out.into_iter().find_map(|effect| match effect {
        Effect::Refused { from: PEER, error } => Some(error),
        _ => None,
    })
}

#[test]
fn lies_are_told_apart() {
    let stranger = ValidatorIndex(4);
    let share = Signature([0; Signature::LENGTH]);
    let of_two = dealing(2, b"a");
    let forged = |dealer| Message::Echo {
        dealer,
        hash: DealingHash([7; 32]),
        signature: IdentitySignature([0; 64]),
    };
    let ready = |hash| Message::Ready {
        dealer: ME,
        hash: DealingHash([hash; 32]),
    };
    let proposal = |set| Message::Proposal { set };
    let said = |round, value| Message::Agreement {
        proposer: ME,
        message: agreement::Message::Echo2 { round, value },
    };
    let completion = Message::CompletionShare {
        transcript: TranscriptHash([0; 32]),
        share,
    };
    let coin = |proposer, round| Message::CoinShare {
        proposer,
        round,
        share,
    };
    let complete = |set: MemberSet, count: usize| Message::Complete {
        set,
        hashes: vec![DealingHash([0; 32]); count],
        certificate: share,
    };
    let three = set([0, 1, 2]);
    let few = Some(MessageError::TooFewDealers {
        found: 2,
        needed: 3,
    });
    let unknown = Some(MessageError::UnknownMember(stranger));
    let repeated = Some(MessageError::Repeated);
    let no_member = set([0, 1, 4]).check(4).map_err(MessageError::Set).err();
    for (messages, error) in [
        (
            vec![Message::Dealing(of_two.clone())],
            Some(MessageError::NotTheDealer(ValidatorIndex(2))),
        ),
        (
            vec![
                Message::Dealing(dealing(1, b"a")),
                Message::Dealing(dealing(1, b"a")),
            ],
            repeated.clone(),
        ),
        (
            vec![echo(&of_two), echo(&dealing(2, b"b"))],
            repeated.clone(),
        ),
        (vec![forged(stranger)], unknown.clone()),
        (vec![ready(1), ready(2)], repeated.clone()),
        (vec![proposal(set([0, 1]))], few.clone()),
        (vec![proposal(set([0, 1, 4]))], no_member),
        (
            vec![proposal(three), proposal(set([0, 1, 2, 3]))],
            repeated.clone(),
        ),
        (
            vec![Message::ProposalEcho {
                proposer: stranger,
                set: three,
            }],
            unknown.clone(),
        ),
        (
            vec![Message::ProposalReady {
                proposer: ME,
                set: set([3]),
            }],
            Some(MessageError::TooFewDealers {
                found: 1,
                needed: 3,
            }),
        ),
        (
            vec![said(0, true), said(0, false)],
            Some(MessageError::Agreement(AgreementError::Repeated)),
        ),
        (vec![coin(ME, 1)], Some(MessageError::CoinRound(1))),
        (vec![coin(ME, 129)], Some(MessageError::CoinRound(129))),
        (vec![coin(ME, 2), coin(ME, 2)], repeated.clone()),
        (vec![coin(stranger, 2)], unknown),
        (vec![completion.clone(), completion], repeated.clone()),
        (
            vec![complete(three, 2)],
            Some(MessageError::Count {
                hashes: 2,
                dealers: 3,
            }),
        ),
        (vec![complete(set([0, 3]), 2)], few),
        (vec![complete(three, 3), complete(three, 3)], repeated),
        (
            vec![
                echo(&of_two),
                ready(1),
                proposal(three),
                said(0, true),
                coin(ME, 2),
                complete(three, 3),
            ],
            None,
        ),
    ] {
        assert_eq!(
            cost(&mut started(), messages.clone()),
            error,
            "{messages:?}"
        );
    }
    let forgery = cost(&mut started(), vec![forged(ME)]);
    assert!(matches!(
        forgery,
        Some(MessageError::Dealing(DealingFault::Signature(_)))
    ));
}

#[test]
fn who_lied_is_not_heard_again_and_who_is_out_of_step_is() {
    let mut engine = started();
    let mut out = Vec::new();
    let echo = echo(&dealing(2, b"a"));
    let input = |from, position, message| Input::Received {
        from,
        position,
        message,
    };
    engine.step(input(PEER, 1, echo.clone()), &mut out);
    let position = MessageError::Position {
        expected: 0,
        found: 1,
    };
    assert!(matches!(&out[..], [Effect::Refused { error, .. }] if *error == position));
    assert_eq!(engine.next_position(PEER), 0);
    assert_eq!(cost(&mut engine, vec![echo.clone()]), None);
    assert_eq!(
        cost(&mut engine, vec![echo.clone()]),
        Some(MessageError::Repeated)
    );
    let next = engine.next_position(PEER);
    assert_eq!(cost(&mut engine, vec![echo]), None, "once is enough");
    assert_eq!(engine.next_position(PEER), next);
    assert_eq!(engine.status().refused, [(PEER, MessageError::Repeated)]);
}

#[test]
fn waiting_names_what_and_whom() {
    let mut engine = Engine::new(FOUR.ceremony.clone(), ME, Role::Member);
    assert_eq!(engine.explain()[0].what, Awaited::Recovery);
    let mut work = FakeWork::new(&FOUR, ME, 1);
    let mut out = Vec::new();
    engine.step(Input::Start, &mut out);
    // The own dealing is made, validated and echoed; member 1 sends its own, and echoes ours.
    while let Some(Effect::Compute(job)) = out.pop() {
        engine.step(Input::Done(work.perform(job)), &mut out);
        out.retain(|effect| matches!(effect, Effect::Compute(_)));
    }
    let lines = |engine: &Engine| -> Vec<String> {
        engine.explain().iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        lines(&engine),
        [
            "echoes for dealing 0: have 1 of 3; missing members 1, 2, 3",
            "dealing of member 1 not received; missing member 1",
            "dealing of member 2 not received; missing member 2",
            "dealing of member 3 not received; missing member 3",
        ]
    );
    assert_eq!(
        cost(&mut engine, vec![Message::Dealing(dealing(1, b"a"))]),
        None
    );
    assert_eq!(lines(&engine)[1], "dealing of member 1 is being validated");
    let result = JobResult::Validated {
        dealing: (PEER, dealing(1, b"a").hash()),
        verdict: Ok(()),
        evidence: Vec::new(),
    };
    engine.step(Input::Done(result), &mut Vec::new());
    assert_eq!(
        lines(&engine)[1],
        "echoes for dealing 1: have 1 of 3; missing members 1, 2, 3"
    );
}

#[test]
fn a_stalled_ceremony_says_what_it_waits_for() {
    // Two of four members do nothing: nobody can go beyond the dealings.
    let silent = [2, 3].map(|me| {
        let me = ValidatorIndex(me);
        (
            me,
            crate::liars::Liar::new(&FOUR, me, crate::liars::Habit::Silent),
        )
    });
    let liars = silent.into_iter().collect();
    let mut world = World::<FakeWork>::with_liars(&FOUR, 1, Late::Nothing, liars);
    world.run();
    let waiting = world.member(0).engine.explain();
    let text: Vec<String> = waiting.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "echoes for dealing 0: have 2 of 3; missing members 2, 3",
            "echoes for dealing 1: have 2 of 3; missing members 2, 3",
            "dealing of member 2 not received; missing member 2",
            "dealing of member 3 not received; missing member 3",
        ]
    );
}

#[test]
fn messages_have_one_encoding() {
    let share = Signature([3; Signature::LENGTH]);
    let one = dealing(2, b"a");
    let (proposer, dealer) = (ME, PEER);
    let all = set([0, 1, 2]);
    for message in [
        Message::Dealing(one.clone()),
        echo(&one),
        Message::Ready {
            dealer,
            hash: one.hash(),
        },
        Message::Proposal { set: all },
        Message::ProposalEcho { proposer, set: all },
        Message::ProposalReady { proposer, set: all },
        Message::Agreement {
            proposer,
            message: agreement::Message::Echo3 {
                round: 4,
                value: None,
            },
        },
        Message::CoinShare {
            proposer,
            round: 2,
            share,
        },
        Message::CompletionShare {
            transcript: TranscriptHash([5; 32]),
            share,
        },
        Message::Complete {
            set: all,
            hashes: vec![one.hash(); 3],
            certificate: share,
        },
    ] {
        let bytes = message.to_bytes();
        assert_eq!(Message::from_bytes(&bytes), Ok(message.clone()));
        for length in 0..bytes.len() {
            assert!(
                Message::from_bytes(&bytes[..length]).is_err(),
                "{message:?}"
            );
        }
    }
    assert!(Message::from_bytes(&[10]).is_err());
}
