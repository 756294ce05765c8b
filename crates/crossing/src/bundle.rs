//! What relayers carry: messages with the paths that prove them, checked against certified roots.
//!
//! Checking is pure and takes no state of a shard, so it can be done anywhere and in parallel; where the messages belong in
//! the receiver's log is for [`Crossing::deliver`](crate::Crossing::deliver). Relayers are trusted with nothing: all they can do is
//! not to relay. Source: SHARDING 1.2, point 1.

use std::sync::Arc;

use quorate_types::{
    CodecError, Decode, Encode, MerkleProof, Peaks, RangeProof, Reader, ShardId, codec_struct,
    decode_version, encode_list,
};

use crate::channel::{CertifiedRoots, ChannelHead};
use crate::codec::count_of;
use crate::limits::BUNDLE_MESSAGES_MAX;
use crate::message::{Body, Credit, Message, Parcel, Receipt, Vote};
use crate::transaction::{AtomicId, Network, SignedAtomic, TransactionError};
use crate::verified::Verified;

/// Consecutive messages of one channel, and their proof under a certificate of the shard that sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The channel, as the certificate has it.
    pub head: ChannelHead,
    /// That the head is under the certified outbox root.
    pub head_proof: MerkleProof,
    /// That the messages are under the head's root.
    pub range: RangeProof,
    /// The messages; may be none, to bring an acknowledgement alone.
    pub parcels: Vec<Parcel>,
}

impl Bundle {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// Checks every path against certified roots, and every transaction inside. What the sending shard certified and nobody can
    /// read is not the relayer's fault: it is marked, and consumed with an [`Alarm`](crate::Alarm).
    ///
    /// # Errors
    /// [`BundleError`]: the relayer lied, or was cut off.
    pub fn open(
        self,
        network: &Network,
        roots: &Verified<CertifiedRoots>,
    ) -> Result<Verified<Opened>, BundleError> {
        check_head(roots, &self.head, &self.head_proof)?;
        if count_of(&self.parcels) > u64::from(BUNDLE_MESSAGES_MAX) {
            return Err(BundleError::TooMany {
                found: count_of(&self.parcels),
            });
        }
        if self.range.size != self.head.sent {
            return Err(BundleError::Size {
                sent: self.head.sent,
                found: self.range.size,
            });
        }
        let leaves: Vec<&[u8]> = self.parcels.iter().map(|p| p.message.as_slice()).collect();
        let before = self.range.verify(&self.head.root, &leaves);
        let before = before.ok_or(BundleError::Range)?;
        let mut arrivals = Vec::with_capacity(self.parcels.len());
        for (sequence, parcel) in (self.range.start..).zip(self.parcels) {
            let arrival = Arrival::read(network, &self.head, sequence, parcel)?;
            arrivals.push(Arc::new(arrival));
        }
        Ok(Verified::trust(Opened {
            roots: **roots,
            head: self.head,
            before,
            arrivals,
        }))
    }
}

impl Encode for Bundle {
    fn encode(&self, out: &mut Vec<u8>) {
        Self::VERSION.encode(out);
        self.head.encode(out);
        self.head_proof.encode(out);
        self.range.encode(out);
        encode_list(&self.parcels, out);
    }
}

impl Decode for Bundle {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "bundle", Self::VERSION)?;
        Ok(Self {
            head: Decode::decode(reader)?,
            head_proof: Decode::decode(reader)?,
            range: Decode::decode(reader)?,
            parcels: reader.list("messages", BUNDLE_MESSAGES_MAX)?,
        })
    }
}

/// A channel's head under an anchored certificate, and that it agrees with what was consumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The channel, as the anchored certificate has it.
    pub head: ChannelHead,
    /// That the head is under the anchored outbox root.
    pub head_proof: MerkleProof,
    /// That the shorter of the two lists, the head's and the one consumed here, is the beginning of the longer.
    pub prefix: RangeProof,
}
codec_struct!(Anchor {
    head,
    head_proof,
    prefix
});

impl Anchor {
    /// Checks the head's path against certified roots. Whether it agrees with what was consumed is for
    /// [`Crossing::anchor`](crate::Crossing::anchor).
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn open(self, roots: &Verified<CertifiedRoots>) -> Result<Verified<Self>, BundleError> {
        if roots.finality != crate::Finality::Anchored {
            return Err(BundleError::NotAnchored);
        }
        check_head(roots, &self.head, &self.head_proof)?;
        Ok(Verified::trust(self))
    }
}

fn check_head(
    roots: &CertifiedRoots,
    head: &ChannelHead,
    proof: &MerkleProof,
) -> Result<(), BundleError> {
    if head.source != roots.shard {
        return Err(BundleError::Source {
            certified: roots.shard,
            found: head.source,
        });
    }
    if !proof.verifies(&roots.outbox_root, &head.to_bytes()) {
        return Err(BundleError::Head);
    }
    Ok(())
}

/// What a bundle holds, once every path was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub(crate) roots: CertifiedRoots,
    pub(crate) head: ChannelHead,
    /// Of the messages before the first one.
    pub(crate) before: Peaks,
    pub(crate) arrivals: Vec<Arc<Arrival>>,
}

impl Opened {
    /// The shard that sent the messages.
    #[must_use]
    pub const fn source(&self) -> ShardId {
        self.head.source
    }

    /// The shard that they are for.
    #[must_use]
    pub const fn destination(&self) -> ShardId {
        self.head.destination
    }

    /// Sequence of the first message.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.before.count()
    }

    /// How many messages there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        count_of(&self.arrivals)
    }
}

/// A message that is proved to be in its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Its bytes in the channel's tree.
    pub(crate) leaf: Vec<u8>,
    pub(crate) content: Content,
}

/// A transaction that a peer sent, checked, or its id and what is wrong with it.
pub(crate) type Checked = Result<Arc<Verified<SignedAtomic>>, (AtomicId, TransactionError)>;

/// What a message says, with transactions checked and credits beside their receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Prepare(Checked),
    Vote(Vote, Option<Checked>),
    Receipt(Receipt, Vec<Credit>),
    Bounce(Receipt, Vec<Credit>),
    /// Anything that needs no check of its own.
    Plain(Body),
    /// The bytes say nothing.
    Unreadable(CodecError),
    /// The bytes speak of another channel or another place in it, or the receipt does not add up.
    Misplaced,
}

impl Arrival {
    pub(crate) fn read(
        network: &Network,
        head: &ChannelHead,
        sequence: u64,
        parcel: Parcel,
    ) -> Result<Self, BundleError> {
        let Parcel {
            message: leaf,
            credits,
        } = parcel;
        let content = match Message::from_bytes(&leaf) {
            Err(error) => Content::Unreadable(error),
            Ok(message) => {
                let place = (message.source, message.destination, message.sequence);
                if place == (head.source, head.destination, sequence) {
                    content(network, sequence, message.body, &credits)?
                } else {
                    Content::Misplaced
                }
            }
        };
        let has_credits = matches!(content, Content::Receipt(..) | Content::Bounce(..));
        if !has_credits && !credits.is_empty() {
            return Err(BundleError::Credits { sequence });
        }
        Ok(Self { leaf, content })
    }
}

fn content(
    network: &Network,
    sequence: u64,
    body: Body,
    credits: &[Credit],
) -> Result<Content, BundleError> {
    let checked = |signed: SignedAtomic| {
        let id = signed.id();
        let checked = Verified::<SignedAtomic>::check(signed, network);
        checked.map(Arc::new).map_err(|error| (id, error))
    };
    Ok(match body {
        Body::Prepare(signed) => Content::Prepare(checked(*signed)),
        Body::Vote(mut vote) => {
            let submitted = vote.submitted.take().map(|signed| checked(*signed));
            Content::Vote(*vote, submitted)
        }
        Body::Receipt(receipt) => {
            check_credits(sequence, &receipt, credits)?;
            Content::Receipt(receipt, credits.to_vec())
        }
        Body::Bounce(receipt) => {
            check_credits(sequence, &receipt, credits)?;
            Content::Bounce(receipt, credits.to_vec())
        }
        plain => Content::Plain(plain),
    })
}

/// The credits are those that the sending shard committed to. A shard that committed to a root without credits behind it, or
/// to a sum that is none, certified something that nobody can relay: it stalls its own channel and no other.
fn check_credits(sequence: u64, receipt: &Receipt, credits: &[Credit]) -> Result<(), BundleError> {
    if Receipt::of(receipt.asset, credits) == Some(*receipt) {
        return Ok(());
    }
    Err(BundleError::Credits { sequence })
}

/// Why a bundle proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The head is another shard's than the certificate.
    #[error("the certificate is shard {certified}'s, the head shard {found}'s")]
    Source {
        /// The shard that certified.
        certified: ShardId,
        /// The shard that the head names.
        found: ShardId,
    },
    /// The head is not under the certified root.
    #[error("the head is not under the certified outbox root")]
    Head,
    /// There are too many messages.
    #[error("{found} messages, at most {BUNDLE_MESSAGES_MAX} go into a bundle")]
    TooMany {
        /// How many there are.
        found: u64,
    },
    /// The proof is for a channel of another length.
    #[error("the channel has {sent} messages, the proof is for {found}")]
    Size {
        /// Messages by the head.
        sent: u64,
        /// Messages by the proof.
        found: u64,
    },
    /// The messages are not under the head's root at their place.
    #[error("the messages are not under the channel's root at that place")]
    Range,
    /// The credits are not those of the message.
    #[error("the credits are not those of message {sequence}")]
    Credits {
        /// The message.
        sequence: u64,
    },
    /// The certificate is not anchored.
    #[error("the certificate is not anchored")]
    NotAnchored,
}
