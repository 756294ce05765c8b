//! Certificates below a point, newest first.

use quorate_types::{Certificate, Header, HeaderHash, Height};

use crate::point::Trust;

/// Takes certificates downwards from a verified header to genesis.
#[derive(Clone, Debug)]
pub struct History {
    next: Height,
    expected: HeaderHash,
}

/// Why certificates are not the next ones of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// They are not consecutive, or do not end at the height wanted.
    #[error("the certificates do not lead down from height {height}")]
    Order {
        /// The height wanted.
        height: Height,
    },
    /// One of them is not of the header that the one above names.
    #[error("height {height} is not the one that the header above names")]
    Header {
        /// The height.
        height: Height,
    },
    /// One of them is not signed by the committee.
    #[error("the certificate of height {height} does not verify")]
    Signature {
        /// The height.
        height: Height,
    },
}

impl History {
    /// What lies below `lowest`, which was verified.
    #[must_use]
    pub fn below(lowest: &Header) -> Self {
        Self {
            next: Height(lowest.height.0.saturating_sub(1)),
            expected: lowest.previous,
        }
    }

    /// The highest height that is missing; `None` if none is.
    #[must_use]
    pub const fn wanted(&self) -> Option<Height> {
        if self.next.0 == 0 {
            None
        } else {
            Some(self.next)
        }
    }

    /// Whether a header is the one wanted next.
    #[must_use]
    pub fn expects(&self, header: &Header) -> bool {
        self.wanted() == Some(header.height) && header.hash() == self.expected
    }

    /// Takes ascending, consecutive certificates that end at [`History::wanted`]. Their signatures are verified together.
    ///
    /// # Errors
    /// [`HistoryError`]; nothing was taken.
    pub fn take(
        &mut self,
        trust: &Trust,
        certificates: &[Certificate],
    ) -> Result<(), HistoryError> {
        let (mut next, mut expected) = (self.next, self.expected);
        for certificate in certificates.iter().rev() {
            let header = &certificate.header;
            if header.height != next || next == Height(0) {
                return Err(HistoryError::Order { height: next });
            }
            if header.hash() != expected {
                return Err(HistoryError::Header { height: next });
            }
            expected = header.previous;
            next = Height(next.0 - 1);
        }
        let messages: Vec<[u8; 40]> = certificates
            .iter()
            .map(|certificate| certificate.header.hash().signing_bytes())
            .collect();
        let items: Vec<_> = messages
            .iter()
            .zip(certificates)
            .map(|(message, certificate)| (message.as_slice(), certificate.signature))
            .collect();
        if let Err(bad) = trust.key().verify_many(&items) {
            let first = bad
                .first()
                .map_or(self.next, |position| certificates[*position].header.height);
            return Err(HistoryError::Signature { height: first });
        }
        (self.next, self.expected) = (next, expected);
        Ok(())
    }
}
