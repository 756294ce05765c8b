//! What can go wrong before anything is served.

use quorate_types::{IdentityKey, ValidatorIndex};

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no such member.
    #[error("there is no member {index} among {size}")]
    NoSuchMember {
        /// The index given.
        index: ValidatorIndex,
        /// How many members there are.
        size: u16,
    },
    /// The secret is another member's, or nobody's.
    #[error("member {index} has the identity {expected}, the secret given is that of {found}")]
    WrongIdentity {
        /// The index given.
        index: ValidatorIndex,
        /// The identity that is listed.
        expected: IdentityKey,
        /// The identity of the secret.
        found: IdentityKey,
    },
    /// The certificate could not be made.
    #[error("cannot make the certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// rustls refuses the configuration.
    #[error("cannot set up TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

/// Why a listener stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The transport failed.
    #[error("the listener failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptor set for reflection is refused.
    #[error("cannot serve reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}
