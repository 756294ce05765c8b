//! Every rule just below its threshold and at it, with 7 members of which 2 may lie.

use proptest::prelude::*;
use quorate_types::{CodecError, Decode, Encode, ValidatorIndex};

use crate::agreement::{Agreement, AgreementError, Message, Mutation, Output, ROUND_MAX, Stage};

const ME: ValidatorIndex = ValidatorIndex(0);
const NAMES: [&str; 2] = ["below the threshold", "at the threshold"];

fn echo1(round: u32, value: bool) -> Message {
    Message::Echo1 { round, value }
}

fn echo2(round: u32, value: bool) -> Message {
    Message::Echo2 { round, value }
}

fn echo3(round: u32, value: impl Into<Option<bool>>) -> Message {
    let value = value.into();
    Message::Echo3 { round, value }
}

fn finish(value: bool, round: impl Into<Option<u32>>) -> Message {
    let round = round.into();
    Message::Finish { value, round }
}

struct Member {
    agreement: Agreement,
    out: Vec<Output>,
}

impl Member {
    fn new() -> Self {
        Self {
            agreement: Agreement::new(7, 2, ME),
            out: Vec::new(),
        }
    }

    fn started(value: bool) -> Self {
        let mut member = Self::new();
        member.agreement.start(value, &mut member.out);
        member
    }

    /// A message of members `first` to `last`.
    fn hear(&mut self, first: u16, last: u16, message: Message) -> &mut Self {
        for from in (first..=last).map(ValidatorIndex) {
            let heard = self.agreement.receive(from, message, &mut self.out);
            assert_eq!(heard, Ok(()), "{message:?} of {from}");
        }
        self
    }

    /// Whether this came out since the last question.
    fn says(&mut self, output: Output) -> bool {
        std::mem::take(&mut self.out).contains(&output)
    }

    fn sends(&mut self, message: Message) -> bool {
        self.says(Output::Send(message))
    }

    /// In round 0 with both values approved: 4 others sent each echo1, and this member both.
    fn torn() -> Self {
        let mut member = Self::started(true);
        member
            .hear(1, 4, echo1(0, false))
            .hear(1, 4, echo1(0, true));
        member
    }
}

#[test]
fn starting_sends_the_estimate_once() {
    let mut member = Member::started(true);
    assert_eq!(member.out, [Output::Send(echo1(0, true))]);
    member.agreement.start(false, &mut member.out);
    assert_eq!(member.out.len(), 1);
}

#[test]
fn nothing_is_sent_before_the_start_and_nothing_is_lost() {
    let mut member = Member::new();
    member.hear(1, 6, echo1(0, false));
    assert!(member.out.is_empty());
    member.agreement.start(true, &mut member.out);
    assert!(member.out.contains(&Output::Send(echo1(0, false))));
    assert!(member.sends(echo2(0, false)));
}

#[test]
fn f_plus_one_first_echoes_are_joined() {
    for (senders, joined, name) in [(2, false, NAMES[0]), (3, true, NAMES[1])] {
        let mut member = Member::started(true);
        member.hear(1, senders, echo1(0, false));
        assert_eq!(member.sends(echo1(0, false)), joined, "{name}");
    }
}

#[test]
fn n_minus_f_first_echoes_approve_a_value() {
    // The own one counts.
    for (senders, approved, name) in [(3, false, NAMES[0]), (4, true, NAMES[1])] {
        let mut member = Member::started(true);
        member.hear(1, senders, echo1(0, true));
        assert_eq!(member.sends(echo2(0, true)), approved, "{name}");
    }
}

#[test]
fn the_second_echo_is_of_the_first_approved_value_alone() {
    let mut member = Member::started(true);
    member.hear(1, 4, echo1(0, false));
    assert!(member.sends(echo2(0, false)));
    member.hear(1, 4, echo1(0, true));
    assert!(!member.sends(echo2(0, true)));
}

#[test]
fn n_minus_f_second_echoes_make_the_third() {
    for (senders, made, name) in [(3, false, NAMES[0]), (4, true, NAMES[1])] {
        let mut member = Member::started(true);
        member
            .hear(1, 4, echo1(0, true))
            .hear(1, senders, echo2(0, true));
        assert_eq!(member.sends(echo3(0, true)), made, "{name}");
    }
}

#[test]
fn second_echoes_of_a_value_that_is_not_approved_make_nothing() {
    let mut member = Member::started(true);
    member.hear(1, 6, echo2(0, false));
    assert_eq!(member.out, [Output::Send(echo1(0, true))]);
}

#[test]
fn both_values_approved_make_a_third_echo_of_neither() {
    assert!(Member::torn().sends(echo3(0, None)));
}

#[test]
fn the_output_is_an_approved_value_with_n_minus_f_third_echoes() {
    for (senders, bound, name) in [(3, None, NAMES[0]), (4, Some(Some(false)), NAMES[1])] {
        let mut member = Member::started(false);
        member
            .hear(1, 4, echo1(0, false))
            .hear(1, 4, echo2(0, false));
        member.hear(1, senders, echo3(0, false));
        assert_eq!(member.agreement.output(0), bound, "{name}");
    }
}

#[test]
fn mixed_third_echoes_bind_neither_only_if_both_values_are_approved() {
    for (senders, bound, name) in [(3, None, NAMES[0]), (4, Some(None), NAMES[1])] {
        let mut member = Member::torn();
        member.hear(1, senders, echo3(0, true));
        assert_eq!(member.agreement.output(0), bound, "{name}");
    }
    let mut one_approved = Member::started(true);
    one_approved
        .hear(1, 4, echo1(0, true))
        .hear(1, 4, echo2(0, true));
    one_approved
        .hear(1, 1, echo3(0, true))
        .hear(2, 6, echo3(0, None));
    assert_eq!(one_approved.agreement.output(0), None);
}

/// All echoes of members 1 to 4 for a value.
fn unanimous(member: &mut Member, round: u32, value: bool) {
    member.hear(1, 4, echo1(round, value));
    member.hear(1, 4, echo2(round, value));
    member.hear(1, 4, echo3(round, value));
}

#[test]
fn unanimous_ones_decide_in_round_0_and_zeros_in_round_1_without_any_coin() {
    let mut one = Member::started(true);
    unanimous(&mut one, 0, true);
    assert!(one.out.contains(&Output::Send(finish(true, 0))));
    assert!(one.says(Output::Decided(true)));

    let mut zero = Member::started(false);
    unanimous(&mut zero, 0, false);
    assert_eq!(zero.agreement.decision(), None, "the coin of round 0 is 1");
    unanimous(&mut zero, 1, false);
    assert!(zero.sends(finish(false, 1)));
    assert_eq!(zero.agreement.decision(), Some(false));
    assert_eq!(zero.agreement.round(), Some(1), "no later round is entered");
}

/// Rounds 0 and 1 without a value.
fn unanimous_neither(member: &mut Member) {
    for round in 0..2 {
        member
            .hear(1, 4, echo1(round, false))
            .hear(1, 4, echo1(round, true));
        member.hear(1, 4, echo3(round, None));
    }
    assert_eq!(member.agreement.round(), Some(2));
}

/// In round 2 without an output: neither in round 0 and 1, so the estimate is 0.
fn in_round_2() -> Member {
    let mut member = Member::started(true);
    unanimous_neither(&mut member);
    member
}

#[test]
fn the_coin_is_wanted_after_the_output_and_decides_or_moves_the_estimate() {
    for coin in [false, true] {
        let mut member = in_round_2();
        member
            .hear(1, 4, echo1(2, false))
            .hear(1, 4, echo2(2, false));
        member.hear(1, 3, echo3(2, false));
        assert!(!member.says(Output::WantCoin(2)), "{}", NAMES[0]);
        member.hear(4, 4, echo3(2, false));
        assert_eq!(member.out, [Output::WantCoin(2)]);
        assert_eq!(member.agreement.stage(), Stage::Coin { round: 2 });
        member.agreement.coin(2, coin, &mut member.out);
        let decided = (!coin).then_some(false);
        assert_eq!(member.agreement.decision(), decided);
        let next = if coin {
            echo1(3, false)
        } else {
            finish(false, 2)
        };
        assert!(member.sends(next));
    }
}

#[test]
fn an_output_of_neither_takes_the_coin() {
    let mut member = in_round_2();
    member
        .hear(1, 4, echo1(2, false))
        .hear(1, 4, echo1(2, true));
    member.hear(1, 4, echo3(2, None));
    member.agreement.coin(2, true, &mut member.out);
    assert_eq!(member.agreement.decision(), None);
    assert!(member.sends(echo1(3, true)));
}

#[test]
fn f_plus_one_finishes_decide_and_end_nothing() {
    for (senders, decided, name) in [(2, None, NAMES[0]), (3, Some(true), NAMES[1])] {
        let mut member = Member::started(false);
        member.hear(1, senders, finish(true, 0));
        assert_eq!(member.agreement.decision(), decided, "{name}");
        assert_eq!(
            member.sends(finish(true, None)),
            decided.is_some(),
            "{name}"
        );
        assert!(!member.agreement.is_halted());
    }
}

#[test]
fn n_minus_f_finishes_end_it() {
    for (senders, halted, name) in [(3, false, NAMES[0]), (4, true, NAMES[1])] {
        let mut member = Member::started(false);
        member.hear(1, senders, finish(true, 0));
        assert_eq!(member.agreement.is_halted(), halted, "{name}");
        assert_eq!(member.says(Output::Halted), halted, "{name}");
    }
}

#[test]
fn a_finish_stands_for_all_echoes_of_later_rounds_and_no_others() {
    let mut member = Member::torn();
    member.hear(1, 4, echo3(0, None));
    assert_eq!(member.agreement.round(), Some(1));
    member.hear(1, 2, finish(true, 0));
    // With the own, three of five echo1; two more approve, and need three more echo2, of which two are there.
    member.hear(3, 4, echo1(1, true)).hear(3, 3, echo2(1, true));
    assert!(!member.sends(echo3(1, true)));
    member.hear(4, 4, echo2(1, true));
    assert!(member.sends(echo3(1, true)));

    let mut same_round = Member::torn();
    same_round
        .hear(1, 2, finish(true, 0))
        .hear(3, 4, echo3(0, true));
    assert_eq!(same_round.agreement.output(0), None, "round 0 is not later");
}

#[test]
fn who_took_the_word_of_others_may_decide_by_a_coin_later() {
    let mut member = Member::started(true);
    member.hear(1, 3, finish(true, None));
    unanimous(&mut member, 0, true);
    assert!(member.out.contains(&Output::Send(finish(true, None))));
    assert!(member.out.contains(&Output::Send(finish(true, 0))));
    let decided = member.out.iter().filter(|o| **o == Output::Decided(true));
    assert_eq!(decided.count(), 1);
}

#[test]
fn what_no_honest_member_sends_is_refused() {
    let repeated = Err(AgreementError::Repeated);
    let after = |round, last| Err(AgreementError::AfterFinish { round, last });
    let from = ValidatorIndex(1);
    for (first, second, verdict) in [
        (echo1(0, true), echo1(0, true), repeated),
        (echo1(0, true), echo1(0, false), Ok(())),
        (echo2(0, true), echo2(0, false), repeated),
        (echo3(0, true), echo3(0, None), repeated),
        (finish(true, None), finish(true, 3), Ok(())),
        (finish(true, None), finish(false, 3), repeated),
        (finish(true, None), finish(true, None), repeated),
        (finish(true, 3), finish(true, 4), repeated),
        (finish(true, 3), echo1(3, false), Ok(())),
        (finish(true, 3), echo1(4, true), after(4, 3)),
        (finish(true, None), echo1(9, true), Ok(())),
        (
            echo1(0, true),
            echo1(ROUND_MAX + 1, true),
            Err(AgreementError::Round(ROUND_MAX + 1)),
        ),
        (
            echo1(0, true),
            finish(true, ROUND_MAX + 1),
            Err(AgreementError::Round(ROUND_MAX + 1)),
        ),
    ] {
        let mut member = Member::started(true);
        member.hear(1, 1, first);
        let before = member.agreement.clone();
        let second_time = member.agreement.receive(from, second, &mut member.out);
        assert_eq!(second_time, verdict, "{first:?}, then {second:?}");
        assert!(
            verdict.is_ok() || member.agreement == before,
            "no trace is left"
        );
    }
    for stranger in [ME, ValidatorIndex(7), ValidatorIndex(u16::MAX)] {
        let mut member = Member::started(true);
        let verdict = member
            .agreement
            .receive(stranger, echo1(0, true), &mut member.out);
        assert_eq!(verdict, Err(AgreementError::Sender));
    }
}

#[test]
fn what_was_sent_before_a_restart_is_neither_repeated_nor_contradicted() {
    let mut member = Member::new();
    for message in [echo1(0, false), echo2(0, false), echo3(0, None)] {
        member.agreement.recover(message, &mut member.out).unwrap();
    }
    // Another estimate, and another order of arrival.
    member.agreement.start(true, &mut member.out);
    unanimous(&mut member, 0, true);
    let sent: Vec<_> = member.out.drain(..).collect();
    assert_eq!(
        sent,
        [Output::Send(echo1(0, true))],
        "joining others is no contradiction"
    );
    assert_eq!(member.agreement.decision(), None);
}

#[test]
fn a_finish_before_a_restart_stands() {
    let mut member = Member::new();
    for message in [
        echo1(0, true),
        echo2(0, true),
        echo3(0, true),
        finish(true, 0),
    ] {
        member.agreement.recover(message, &mut member.out).unwrap();
    }
    assert_eq!(member.out, [Output::Decided(true)]);
    member.agreement.start(true, &mut member.out);
    member
        .hear(1, 4, echo1(0, false))
        .hear(1, 4, echo1(0, true));
    member.hear(1, 4, echo3(0, None));
    assert_eq!(
        member.agreement.round(),
        Some(0),
        "round 0 was called the last"
    );
    member.hear(1, 4, finish(true, 0));
    assert!(member.says(Output::Halted));
}

/// What a run of any length may not show: these break the binding of a round's output, which matters only to a network
/// that knows the coin.
#[test]
fn a_broken_binding_shows_in_what_is_sent() {
    let broken = |mutation| Member {
        agreement: Agreement::new(7, 2, ME).with_mutation(Some(mutation)),
        out: Vec::new(),
    };
    let mut unsupported = broken(Mutation::UnsupportedEcho3);
    unsupported.agreement.start(true, &mut unsupported.out);
    unsupported.hear(1, 4, echo1(0, true));
    assert!(unsupported.sends(echo3(0, true)));

    let mut early = broken(Mutation::CoinBeforeOutput);
    early.agreement.start(false, &mut early.out);
    unanimous_neither(&mut early);
    assert!(early.says(Output::WantCoin(2)));
}

#[test]
fn rounds_end_at_the_limit() {
    let mut member = Member::torn();
    for round in 0..=ROUND_MAX {
        member.hear(1, 4, echo3(round, None));
        member.agreement.coin(round, true, &mut member.out);
        if round < ROUND_MAX {
            member
                .hear(1, 4, echo1(round + 1, false))
                .hear(1, 4, echo1(round + 1, true));
        }
    }
    assert_eq!(member.agreement.round(), Some(ROUND_MAX));
}

#[test]
fn decoding_refuses_rounds_and_kinds_that_there_are_not() {
    let mut too_high = echo1(0, true).to_bytes();
    too_high[1..].copy_from_slice(&(ROUND_MAX + 1).to_le_bytes());
    assert!(matches!(
        Message::from_bytes(&too_high),
        Err(CodecError::TooMany { .. })
    ));
    assert!(matches!(
        Message::from_bytes(&[11]),
        Err(CodecError::Variant { found: 11, .. })
    ));
}

fn any_message() -> impl Strategy<Value = Message> {
    let round = 0..=ROUND_MAX;
    prop_oneof![
        (round.clone(), any::<bool>()).prop_map(|(round, value)| echo1(round, value)),
        (round.clone(), any::<bool>()).prop_map(|(round, value)| echo2(round, value)),
        (round.clone(), any::<Option<bool>>()).prop_map(|(round, value)| echo3(round, value)),
        (proptest::option::of(round), any::<bool>())
            .prop_map(|(round, value)| finish(value, round)),
    ]
}

proptest! {
    #[test]
    fn messages_have_one_encoding(message in any_message()) {
        let bytes = message.to_bytes();
        prop_assert_eq!(Message::from_bytes(&bytes), Ok(message));
    }

    #[test]
    fn decoded_bytes_encode_to_themselves(bytes in proptest::collection::vec(any::<u8>(), 0..7)) {
        if let Ok(message) = Message::from_bytes(&bytes) {
            prop_assert_eq!(message.to_bytes(), bytes);
        }
    }
}
