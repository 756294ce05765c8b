//! Taking back what this member said before a restart.

use super::Engine;
use crate::io::Record;
use crate::message::Message;

impl Engine {
    /// Fills the places of the log's messages. A log whose entries exclude one another is not of this program's
    /// making; what comes second is ignored.
    pub(super) fn recover(&mut self, record: Record) {
        match record {
            Record::Body(dealing) => self.bodies.recover(dealing),
            Record::Outgoing(message) => {
                self.outbox += 1;
                self.recover_message(message);
            }
        }
    }

    fn recover_message(&mut self, message: Message) {
        let me = self.me;
        // Errors are ignored, see above.
        match message {
            Message::Dealing(dealing) => {
                let hash = dealing.hash();
                let state = &mut self.dealings[me.position()];
                state.announced = Some(hash);
                state.signed.insert(hash, dealing.signature);
                self.bodies.recover(dealing);
            }
            Message::Echo {
                dealer,
                hash,
                signature,
            } => {
                if let Some(state) = self.dealings.get_mut(dealer.position()) {
                    state.signed.insert(hash, signature);
                    let _ = state.broadcast.echo(me, hash);
                }
            }
            Message::Ready { dealer, hash } => {
                if let Some(state) = self.dealings.get_mut(dealer.position()) {
                    let _ = state.broadcast.ready(me, hash);
                }
            }
            Message::Proposal { set } => self.proposals[me.position()].announced = Some(set),
            Message::ProposalEcho { proposer, set } => {
                if let Some(proposal) = self.proposals.get_mut(proposer.position()) {
                    let _ = proposal.broadcast.echo(me, set);
                }
            }
            Message::ProposalReady { proposer, set } => {
                if let Some(proposal) = self.proposals.get_mut(proposer.position()) {
                    let _ = proposal.broadcast.ready(me, set);
                }
            }
            Message::Agreement { proposer, message } => {
                if let Some(proposal) = self.proposals.get_mut(proposer.position()) {
                    // That it decided is read from the agreement.
                    let _ = proposal.agreement.recover(message, &mut Vec::new());
                }
            }
            Message::CoinShare {
                proposer,
                round,
                share,
            } => {
                if let Some(proposal) = self.proposals.get_mut(proposer.position()) {
                    let _ = proposal.coins.entry(round).or_default().add(me, share);
                }
            }
            Message::CompletionShare { transcript, share } => {
                let _ = self.completion.add(me, transcript, share);
            }
            Message::Complete {
                set,
                hashes,
                certificate,
            } => {
                self.completed_before = true;
                let _ = self.completion.claim(me, set, &hashes, certificate);
            }
        }
    }
}
