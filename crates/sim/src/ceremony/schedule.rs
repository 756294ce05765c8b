//! What may happen next, and what of it does.

use std::collections::BTreeMap;

use quorate_dkg::Message;
use quorate_dkg::agreement::Message as Vote;
use quorate_types::ValidatorIndex;

use crate::ceremony::mix::CeremonyMix;
use crate::ceremony::options::Schedule;
use crate::dice::Dice;

/// Something that may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A member reads the next message of a peer's outbox.
    Deliver {
        from: ValidatorIndex,
        to: ValidatorIndex,
    },
    /// A member's log becomes durable.
    Sync(ValidatorIndex),
    /// One of a member's jobs ends.
    Work { at: ValidatorIndex, job: usize },
    /// One of a member's requests is answered.
    Answer { at: ValidatorIndex, request: usize },
    /// A liar makes something up.
    Chat(ValidatorIndex),
}

/// How much something is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Held {
    /// Not at all.
    Free,
    /// Mostly, as long as anything is free.
    Mostly,
    /// As long as anything else is left.
    Strictly,
    /// As long as anything at all is left: it brings nothing forward.
    Idle,
}

/// One in so many choices ignores what is held back mostly.
const LEAK: u64 = 50;

/// Coins that the adversary knows, by proposer and round.
pub(crate) type Coins = BTreeMap<(ValidatorIndex, u32), bool>;

/// Holds things back as the mix says.
pub(crate) fn held_back(
    mix: &CeremonyMix,
    coins: &Coins,
    action: Action,
    message: Option<&Message>,
) -> Held {
    let side = |member: ValidatorIndex| mix.side[member.position()];
    let touches = |member: ValidatorIndex| match action {
        Action::Deliver { from, to } => from == member || to == member,
        Action::Sync(at)
        | Action::Work { at, .. }
        | Action::Answer { at, .. }
        | Action::Chat(at) => at == member,
    };
    let (from, to) = match action {
        Action::Deliver { from, to } => (from, to),
        _ => (ValidatorIndex(0), ValidatorIndex(0)),
    };
    let deliver = matches!(action, Action::Deliver { .. });
    match mix.schedule {
        Schedule::Slow if deliver && (side(from) || side(to)) => Held::Mostly,
        Schedule::Halves if deliver && side(from) != side(to) => Held::Mostly,
        Schedule::Starve(victim) if touches(victim) => Held::Strictly,
        Schedule::StarveFinishes => match message {
            Some(Message::Agreement {
                message: Vote::Finish { .. },
                ..
            }) => Held::Strictly,
            _ => Held::Free,
        },
        Schedule::AgainstTheCoin if mix.is_honest(to) => match message {
            // Half of the members see half of the proposals late: opinions about them differ.
            Some(Message::ProposalReady { proposer, .. }) if side(to) && side(*proposer) => {
                Held::Mostly
            }
            _ => against_the_coin(coins, message),
        },
        _ => Held::Free,
    }
}

/// Votes for what the coin shows come last, and so do the shares that make it.
fn against_the_coin(coins: &Coins, message: Option<&Message>) -> Held {
    let known = |proposer: &ValidatorIndex, round: u32| match round {
        0 => Some(true),
        1 => Some(false),
        _ => coins.get(&(*proposer, round)).copied(),
    };
    match message {
        Some(Message::CoinShare { .. }) => Held::Strictly,
        Some(Message::Agreement { proposer, message }) => {
            let value = match message {
                Vote::Echo1 { value, .. } | Vote::Echo2 { value, .. } => Some(*value),
                Vote::Echo3 { value, .. } => *value,
                Vote::Finish { .. } => return Held::Strictly,
            };
            let coin = known(proposer, message.round().unwrap_or(0));
            if value.is_some() && value == coin {
                Held::Strictly
            } else {
                Held::Free
            }
        }
        _ => Held::Free,
    }
}

/// Chooses among what may happen: its hold, and when it was said.
pub(crate) fn choose(
    mix: &CeremonyMix,
    dice: &mut Dice,
    choices: &[(Action, Held, u64)],
) -> Action {
    let leaks = dice.below(LEAK) == 0;
    let least = choices
        .iter()
        .map(|(_, held, _)| *held)
        .min()
        .unwrap_or(Held::Free);
    let most = if leaks {
        least.max(Held::Mostly)
    } else {
        least
    };
    let open: Vec<&(Action, Held, u64)> =
        choices.iter().filter(|choice| choice.1 <= most).collect();
    if mix.schedule == Schedule::Newest && dice.per_mille(900) {
        let newest = open.iter().max_by_key(|(_, _, said)| *said);
        return newest.expect("there is a choice").0;
    }
    dice.pick(&open).0
}
