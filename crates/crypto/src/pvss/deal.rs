//! Making a dealing.

use rand_core::CryptoRng;

use super::chunking::Blinded;
use super::encoding::Part;
use super::parameters::Parameters;
use super::recipients::Recipients;
use super::sharing::Sharing;
use super::statement::{Statement, Witness};
use crate::threshold::ShareSecret;

/// Why there is no dealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DealError {
    /// The list of recipients is not as long as the parameters say.
    #[error("{found} recipients for {expected} members")]
    Recipients {
        /// Members.
        expected: u16,
        /// Recipients given.
        found: usize,
    },
    /// There is not one secret, given or left open, for every lane.
    #[error("{found} secrets for {expected} lanes")]
    Secrets {
        /// Lanes.
        expected: usize,
        /// Secrets given.
        found: usize,
    },
    /// The random numbers were useless many times over, which those of a sound generator are not.
    #[error("the random numbers are not random")]
    Unlucky,
}

/// Shares the secret of each lane, the given one or a fresh one, among the recipients. The bytes are public.
///
/// `context` binds the dealing to what it is for: who deals, in which ceremony, to whom. A dealing of another context
/// is not valid. All secrets are erased when this returns. Nobody may see two dealings of one generator state: see
/// [`hedged_rng`](super::hedged_rng).
///
/// # Errors
/// [`DealError`].
pub fn deal(
    parameters: &Parameters,
    context: &[u8; 32],
    recipients: &Recipients,
    secrets: &[Option<&ShareSecret>],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, DealError> {
    check_lengths(parameters, recipients, secrets)?;
    let witness = Witness::draw(parameters, secrets, rng);
    let mut statement = Statement::new(parameters, context, recipients, &witness);
    let blinded = Blinded::first_move(&mut statement, rng)?;
    blinded
        .second_move(&mut statement, rng)
        .respond(&mut statement);
    Sharing::first_move(&mut statement, rng).respond(&mut statement);
    // A share or mask of zero has the identity as its point, which no verifier accepts.
    let identity = |element: &[u8]| element[0] & 0x40 != 0;
    let points = super::encoding::POINT_PARTS.iter();
    if points
        .flat_map(|part: &Part| statement.draft.view().elements(*part))
        .any(identity)
    {
        return Err(DealError::Unlucky);
    }
    Ok(statement.draft.into_bytes())
}

pub(super) fn check_lengths(
    parameters: &Parameters,
    recipients: &Recipients,
    secrets: &[Option<&ShareSecret>],
) -> Result<(), DealError> {
    if recipients.len() != parameters.count() {
        return Err(DealError::Recipients {
            expected: parameters.members(),
            found: recipients.len(),
        });
    }
    if secrets.len() != parameters.lanes() {
        return Err(DealError::Secrets {
            expected: parameters.lanes(),
            found: secrets.len(),
        });
    }
    Ok(())
}
