//! What binds a validator beyond a point that it syncs to.

use std::collections::BTreeMap;

use quorate_types::{HeaderHash, Height, Round, ValidatorIndex};

use crate::record::{Logged, Record};

/// What a log holds that binds its validator: whoever goes on from a point that others gave it begins its log with
/// these records, and forgets the rest.
#[derive(Clone, Debug)]
pub struct Carried {
    me: ValidatorIndex,
    /// The highest round that it must not propose at again.
    past: Round,
    lost: bool,
    votes: BTreeMap<Height, HeaderHash>,
}

impl Carried {
    /// Nothing is known to bind the validator `me`.
    #[must_use]
    pub const fn new(me: ValidatorIndex) -> Self {
        Self {
            me,
            past: Round(0),
            lost: false,
            votes: BTreeMap::new(),
        }
    }

    /// Notes a record of the log. Call it with all of them that are replayed, in order.
    pub fn note(&mut self, logged: &Logged) {
        match *logged {
            Logged::Block(ref block) if block.author() == self.me => {
                self.past = self.past.max(block.round());
            }
            Logged::Vote {
                height,
                header_hash,
            } => {
                self.votes.insert(height, header_hash);
            }
            Logged::Lost => self.lost = true,
            Logged::ProposedPast { round } => {
                self.past = self.past.max(round);
                self.lost = false;
            }
            // Own blocks that others may still need lie above the point: none of the log is left to be in doubt.
            Logged::Block(_) | Logged::Coin { .. } | Logged::Doubtful { .. } => {}
        }
    }

    /// The highest round of a block that the validator may have made. It may go on from a point only if that lies below the point's
    /// garbage-collection round: others may need blocks above, and only their author may have them.
    #[must_use]
    pub const fn highest_round(&self) -> Round {
        self.past
    }

    /// The records to go on with from `height`, at least one. The bound comes first: it says that nothing is lost, unless the next
    /// record says that something is.
    #[must_use]
    pub fn records(mut self, height: Height) -> Vec<Record> {
        let mut records = vec![Record::ProposedPast { round: self.past }];
        records.extend(self.lost.then_some(Record::Lost));
        records.extend(self.votes.split_off(&height.next()).into_iter().map(
            |(height, header_hash)| Record::Vote {
                height,
                header_hash,
            },
        ));
        records
    }
}
