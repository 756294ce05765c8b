//! A member's log as its driver keeps it, and whether what is in it contradicts itself.

use quorate_dkg::agreement;
use quorate_dkg::{Message, Record};
use quorate_types::{Decode, Encode};

/// Entries, of which a prefix is durable.
#[derive(Clone, Default)]
pub(crate) struct Log {
    pub(crate) records: Vec<Record>,
    /// How many entries survive a crash; peers see no others.
    pub(crate) durable: usize,
}

impl Log {
    pub(crate) fn append(&mut self, record: Record) {
        let again = Record::from_bytes(&record.to_bytes());
        assert_eq!(again.as_ref(), Ok(&record), "what is stored can be read");
        self.records.push(record);
    }

    pub(crate) fn crash(&mut self) {
        self.records.truncate(self.durable);
    }

    /// The messages that peers see.
    pub(crate) fn outbox(&self) -> impl Iterator<Item = &Message> {
        outgoing(&self.records[..self.durable])
    }
}

pub(crate) fn outgoing(records: &[Record]) -> impl Iterator<Item = &Message> {
    records.iter().filter_map(|record| match record {
        Record::Outgoing(message) => Some(message),
        Record::Body(_) => None,
    })
}

/// Two messages that no honest member may both say.
pub(crate) fn contradiction(records: &[Record]) -> Option<(Message, Message)> {
    let said: Vec<&Message> = outgoing(records).collect();
    for (number, first) in said.iter().enumerate() {
        for second in &said[number + 1..] {
            if exclude(first, second) {
                return Some(((*first).clone(), (*second).clone()));
            }
        }
    }
    None
}

fn exclude(first: &Message, second: &Message) -> bool {
    use agreement::Message::{Echo1, Echo2, Echo3, Finish};
    match (first, second) {
        (Message::Dealing(_), Message::Dealing(_))
        | (Message::Proposal { .. }, Message::Proposal { .. })
        | (Message::CompletionShare { .. }, Message::CompletionShare { .. })
        | (Message::Complete { .. }, _) => true,
        (Message::Echo { dealer: a, .. }, Message::Echo { dealer: b, .. })
        | (Message::Ready { dealer: a, .. }, Message::Ready { dealer: b, .. }) => a == b,
        (Message::ProposalEcho { proposer: a, .. }, Message::ProposalEcho { proposer: b, .. })
        | (
            Message::ProposalReady { proposer: a, .. },
            Message::ProposalReady { proposer: b, .. },
        ) => a == b,
        (
            Message::CoinShare {
                proposer: a,
                round: r,
                ..
            },
            Message::CoinShare {
                proposer: b,
                round: s,
                ..
            },
        ) => a == b && r == s,
        (
            Message::Agreement {
                proposer: a,
                message: m,
            },
            Message::Agreement {
                proposer: b,
                message: n,
            },
        ) if a == b => match (m, n) {
            (Echo1 { .. }, Echo1 { .. }) => m == n,
            (Echo2 { round: r, .. }, Echo2 { round: s, .. })
            | (Echo3 { round: r, .. }, Echo3 { round: s, .. }) => r == s,
            (
                Finish {
                    value: v,
                    round: first,
                },
                Finish {
                    value: w,
                    round: second,
                },
            ) => v != w || first.is_some() || second.is_none(),
            (
                Finish {
                    round: Some(last), ..
                },
                later,
            ) => later.round() > Some(*last),
            _ => false,
        },
        _ => false,
    }
}
