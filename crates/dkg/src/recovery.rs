//! A member's share, computed from public dealings and its encryption key.

use quorate_crypto::ShareSecret;
use quorate_crypto::pvss::{ChunkFault, ChunkTable, Dealing, DecryptError, EncryptionSecret};
use quorate_types::ValidatorIndex;

use crate::ceremony::{Ceremony, HIGH};
use crate::keys::{Keys, weights};

/// A member's share, and what its dealers did wrong on the way.
pub struct Recovered {
    /// The share; it belongs to the member's share key.
    pub share: ShareSecret,
    /// Chunks that were out of range, with their dealers. They were decrypted all the same, and convict their dealers
    /// once opened ([`crate::DealerEvidence::BadChunk`]).
    pub faults: Vec<(ValidatorIndex, ChunkFault)>,
}

/// Why a share cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// There is no such member.
    #[error("no member {index} among {members}")]
    UnknownMember {
        /// The index given.
        index: ValidatorIndex,
        /// How many members there are.
        members: u16,
    },
    /// The secret is not that of the member's encryption key.
    #[error("the secret does not belong to the encryption key of member {index}")]
    WrongSecret {
        /// The member.
        index: ValidatorIndex,
    },
    /// A valid dealing cannot be decrypted. Either its proofs were forged or this program is wrong: sign nothing, keep
    /// the bytes.
    #[error("the dealing of {dealer}: {error}")]
    Decrypt {
        /// Whose dealing.
        dealer: ValidatorIndex,
        /// What failed.
        error: DecryptError,
    },
    /// The decrypted shares add up to something else than the share key. To be treated as [`Self::Decrypt`].
    #[error("the share does not belong to the share key of member {index}")]
    Mismatch {
        /// The member.
        index: ValidatorIndex,
    },
}

/// Decrypts `me`'s part of the high lane of the dealings of distinct dealers, which make `keys`, and adds it up.
pub(crate) fn recover(
    ceremony: &Ceremony,
    dealings: &[(ValidatorIndex, &Dealing)],
    keys: &Keys,
    secret: &EncryptionSecret,
    me: ValidatorIndex,
    table: &ChunkTable,
) -> Result<Recovered, RecoverError> {
    let member =
        ceremony
            .definition()
            .members
            .get(me.position())
            .ok_or(RecoverError::UnknownMember {
                index: me,
                members: ceremony.size(),
            })?;
    if secret.public() != member.encryption_key {
        return Err(RecoverError::WrongSecret { index: me });
    }
    let mut shares = Vec::with_capacity(dealings.len());
    let mut faults = Vec::new();
    for (dealer, dealing) in dealings {
        let mut decrypted =
            dealing
                .decrypt(secret, me, table)
                .map_err(|error| RecoverError::Decrypt {
                    dealer: *dealer,
                    error,
                })?;
        faults.extend(decrypted.faults.iter().map(|fault| (*dealer, *fault)));
        shares.push(decrypted.shares.swap_remove(HIGH));
    }
    let share = if ceremony.is_reshare() {
        let weights = weights(dealings.iter().map(|(dealer, _)| dealer));
        let terms: Vec<_> = weights.into_iter().zip(&shares).collect();
        ShareSecret::weighted_sum(&terms)
    } else {
        ShareSecret::sum(&shares)
    };
    if Some(&share.public_key()) != keys.shares.get(me.position()) {
        return Err(RecoverError::Mismatch { index: me });
    }
    Ok(Recovered { share, faults })
}
