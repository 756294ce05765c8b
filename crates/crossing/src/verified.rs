//! What was checked, as a type.

use std::ops::Deref;

/// A value that was checked. Each kind of value has one constructor, and its documentation says what was checked, or what
/// its caller must have checked.
///
/// | Value | Constructor | Checked |
/// | --- | --- | --- |
/// | [`CertifiedRoots`](crate::CertifiedRoots) | `certified` | by the caller: the certificate |
/// | [`Opened`](crate::Opened) | [`Bundle::open`](crate::Bundle::open) | here: every path, against certified roots |
/// | [`Anchor`](crate::Anchor) | [`Anchor::open`](crate::Anchor::open) | here: the same |
/// | [`SignedAtomic`](crate::SignedAtomic) | `check` | here: form and signatures |
/// | [`Cancel`](crate::Cancel) | `check` | here: form, signatures, that of the cancelling key |
/// | [`Transfer`](crate::Transfer) | `authorised` | by the caller: the owner's signature, replay |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// For the constructors.
    pub(crate) const fn trust(value: T) -> Self {
        Self(value)
    }

    /// The value, which is then no longer known to be checked.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
