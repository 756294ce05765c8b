//! What peers' messages may take up on their way to the core: each peer has room of its own, so that one that floods waits for
//! itself and for nobody else.

use std::sync::Arc;

use quorate_validator::Input;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Most bytes of one peer's messages that wait for the core: one of the largest blocks, and some usual ones.
pub(crate) const INBOX_BYTES_MAX: u32 = 8 << 20;
/// Most of one peer's messages that wait for the core.
pub(crate) const INBOX_MESSAGES_MAX: u32 = 64;

/// An input of the core, with the room that it takes up until the core is done with it.
pub(crate) struct Arrival {
    input: Input,
    room: Option<OwnedSemaphorePermit>,
}

impl From<Input> for Arrival {
    /// An answer, which takes up no peer's room.
    fn from(input: Input) -> Self {
        Self { input, room: None }
    }
}

impl Arrival {
    /// The input, and what to drop once it is dealt with.
    pub(crate) fn into_parts(self) -> (Input, Option<OwnedSemaphorePermit>) {
        (self.input, self.room)
    }
}

/// One peer's way to the core. Clones share its room.
#[derive(Clone)]
pub(crate) struct Inbox {
    room: Arc<Semaphore>,
    core: mpsc::Sender<Arrival>,
}

/// The core has stopped.
#[derive(Debug)]
pub(crate) struct CoreStopped;

/// The queue of all peers' messages to the core: it has room for all that [`Inbox`]es let through.
pub(crate) fn queue(members: u16) -> (mpsc::Sender<Arrival>, mpsc::Receiver<Arrival>) {
    let each = usize::try_from(INBOX_MESSAGES_MAX).unwrap_or(usize::MAX);
    mpsc::channel(each.saturating_mul(members.into()))
}

impl Inbox {
    pub(crate) fn new(core: mpsc::Sender<Arrival>) -> Self {
        let bytes = usize::try_from(INBOX_BYTES_MAX).unwrap_or(usize::MAX);
        Self {
            room: Arc::new(Semaphore::new(bytes)),
            core,
        }
    }

    /// Waits for room and hands a message of `bytes` bytes to the core.
    pub(crate) async fn send(&self, input: Input, bytes: usize) -> Result<(), CoreStopped> {
        // A message counts for at least its part, which bounds their number too.
        let weight = u32::try_from(bytes).unwrap_or(u32::MAX);
        let weight = weight.clamp(INBOX_BYTES_MAX / INBOX_MESSAGES_MAX, INBOX_BYTES_MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(weight).await;
        let arrival = Arrival {
            input,
            room: Some(room.map_err(|_| CoreStopped)?),
        };
        self.core.send(arrival).await.map_err(|_| CoreStopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// How many messages of `bytes` bytes go through before one waits.
    fn sent(inbox: &Inbox, bytes: usize) -> u32 {
        let mut count = 0;
        while inbox.send(Input::Tick, bytes).now_or_never().is_some() {
            count += 1;
        }
        count
    }

    #[test]
    fn a_peer_waits_for_its_own_room_and_for_no_other_peers() {
        let (core, mut arrivals) = queue(2);
        let (flooding, other) = (Inbox::new(core.clone()), Inbox::new(core));
        assert_eq!(sent(&flooding, 4 << 20), 2, "bytes are the bound");
        assert_eq!(sent(&other, 1), 64, "the number is the bound");
        let first = arrivals.try_recv().expect("they are in order");
        assert_eq!(sent(&flooding, 1), 0, "the core is not done with it");
        drop(first);
        assert_eq!(sent(&flooding, 1), 32);
        drop(arrivals);
        assert!(inbox_is_closed(&flooding) && inbox_is_closed(&other));
    }

    fn inbox_is_closed(inbox: &Inbox) -> bool {
        matches!(
            inbox.send(Input::Tick, 1).now_or_never(),
            Some(Err(CoreStopped))
        )
    }
}
