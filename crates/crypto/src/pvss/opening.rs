//! Evidence against a dealer whose dealing is valid, and holds a chunk that no honest dealer makes.

use quorate_types::{Blake3, CodecError, Decode, DomainTag, Encode, Reader, ValidatorIndex};
use rand_core::CryptoRng;

use super::CHALLENGE_BYTES;
use super::decrypt::ChunkFault;
use super::discrete_log::{CANONICAL, scalar};
use super::encryption::EncryptionSecret;
use super::parameters::CHUNKS;
use super::recipients::Recipients;
use super::validate::Dealing;
use crate::bls::{G1, PointError, Scalar, ScalarError, SecretScalar};

/// One chunk of a dealing opened by its member, without its secret key: the decrypted half of the encryption, the
/// chunk's value, and a proof that the half is the right one.
///
/// The proof shows that x R = P and x g = y for one x (Chaum and Pedersen, CRYPTO 1992, made non-interactive), where R
/// is the dealer's half of the encryption, y the member's key and P what is opened. Then C - P is the chunk times g.
/// It reveals this chunk alone, and a chunk that convicts is one that a cheater chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkOpening {
    member: ValidatorIndex,
    lane: u8,
    chunk: u8,
    value: i64,
    /// P, compressed.
    decrypted: [u8; G1::BYTES],
    challenge: [u8; 32],
    response: [u8; 32],
}

/// Why an opening convicts nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// The dealing was validated for another context or other recipients.
    #[error("the dealing was not validated for this context and these recipients")]
    OtherDealing,
    /// The dealing has no such chunk.
    #[error("no chunk {chunk} in lane {lane} of member {member}")]
    UnknownChunk {
        /// The member named.
        member: ValidatorIndex,
        /// The lane named.
        lane: u8,
        /// The chunk named.
        chunk: u8,
    },
    /// An honest dealer makes such chunks.
    #[error("{value} is a chunk that honest dealers make")]
    Canonical {
        /// The value claimed.
        value: i64,
    },
    /// The decrypted half is no acceptable point.
    #[error("decrypted point: {0}")]
    Point(#[from] PointError),
    /// A number of the proof is no scalar.
    #[error("proof: {0}")]
    Scalar(#[from] ScalarError),
    /// The value is not the one that is encrypted if the decrypted half is right.
    #[error("the value claimed is not the one decrypted")]
    Value,
    /// The proof does not show that the decrypted half is right.
    #[error("the proof of decryption does not hold")]
    Proof,
}

impl ChunkOpening {
    /// Opens a chunk that [`Dealing::decrypt`] found fault with, by the member's secret. `context` is the dealing's.
    ///
    /// # Panics
    /// If the dealing has no such member, lane or chunk.
    #[must_use]
    pub fn prove(
        dealing: &Dealing,
        secret: &EncryptionSecret,
        member: ValidatorIndex,
        fault: &ChunkFault,
        context: &[u8; 32],
        rng: &mut impl CryptoRng,
    ) -> Self {
        let column = usize::from(fault.lane) * CHUNKS + usize::from(fault.chunk);
        let ephemeral = dealing.ephemeral(column);
        let decrypted = secret.scalar().multiply(ephemeral);
        let nonce = SecretScalar::random(rng);
        let statement = Statement {
            context,
            member,
            lane: fault.lane,
            chunk: fault.chunk,
            key: secret.point(),
            ephemeral,
            ciphertext: &dealing.ciphertexts(member)[column],
            decrypted: &decrypted,
        };
        let commitments = [nonce.multiply(&G1::generator()), nonce.multiply(ephemeral)];
        let challenge = statement.challenge(&commitments);
        Self {
            member,
            lane: fault.lane,
            chunk: fault.chunk,
            value: fault.value,
            decrypted: decrypted.to_bytes(),
            challenge: challenge.to_bytes(),
            response: secret.scalar().respond(&challenge, &nonce).to_bytes(),
        }
    }

    /// Verifies the opening of a dealing that was validated for this context and these recipients. `Ok` convicts the
    /// dealer: whoever made the dealing encrypted a chunk that is not in 0..2^16. No opening of an honest dealer's
    /// dealing verifies.
    ///
    /// # Errors
    /// [`OpeningError`].
    pub fn verify(
        &self,
        dealing: &Dealing,
        recipients: &Recipients,
        context: &[u8; 32],
    ) -> Result<(), OpeningError> {
        if dealing.context() != context || dealing.recipients().digest() != recipients.digest() {
            return Err(OpeningError::OtherDealing);
        }
        let (lane, chunk) = (usize::from(self.lane), usize::from(self.chunk));
        let exists = lane < dealing.parameters().lanes() && chunk < CHUNKS;
        let key = recipients.point(self.member).filter(|_| exists);
        let key = key.ok_or(OpeningError::UnknownChunk {
            member: self.member,
            lane: self.lane,
            chunk: self.chunk,
        })?;
        if (0..i64::from(CANONICAL)).contains(&self.value) {
            return Err(OpeningError::Canonical { value: self.value });
        }
        let decrypted = G1::from_bytes(&self.decrypted)?;
        let challenge = Scalar::from_bytes(&self.challenge)?;
        let response = Scalar::from_bytes(&self.response)?;
        let column = lane * CHUNKS + chunk;
        let ephemeral = dealing.ephemeral(column);
        let ciphertext = &dealing.ciphertexts(self.member)[column];
        // A number of 64 bits is determined by its multiple: the group order is far larger.
        let encrypted = G1::generator().multiply(&scalar(self.value));
        if decrypted.add(&encrypted) != *ciphertext {
            return Err(OpeningError::Value);
        }
        // The commitments that the challenge must have been made for.
        let commitment =
            |base, product| G1::multi_scalar(&[base, product], &[response, -challenge]);
        let commitments = [
            commitment(G1::generator(), *key),
            commitment(*ephemeral, decrypted),
        ];
        let statement = Statement {
            context,
            member: self.member,
            lane: self.lane,
            chunk: self.chunk,
            key,
            ephemeral,
            ciphertext,
            decrypted: &decrypted,
        };
        if statement.challenge(&commitments) == challenge {
            return Ok(());
        }
        Err(OpeningError::Proof)
    }

    /// Whose chunk is opened.
    #[must_use]
    pub const fn member(&self) -> ValidatorIndex {
        self.member
    }

    /// The chunk, and the value claimed for it.
    #[must_use]
    pub const fn fault(&self) -> ChunkFault {
        ChunkFault {
            lane: self.lane,
            chunk: self.chunk,
            value: self.value,
        }
    }
}

/// What the proof speaks of.
struct Statement<'a> {
    context: &'a [u8; 32],
    member: ValidatorIndex,
    lane: u8,
    chunk: u8,
    key: &'a G1,
    ephemeral: &'a G1,
    ciphertext: &'a G1,
    decrypted: &'a G1,
}

impl Statement<'_> {
    fn challenge(&self, commitments: &[G1; 2]) -> Scalar {
        let mut hash = Blake3::new(DomainTag::PvssOpening)
            .chain(self.context)
            .chain(self.member.0.to_le_bytes())
            .chain([self.lane, self.chunk]);
        let points = [self.ciphertext, self.key, self.ephemeral, self.decrypted];
        for point in points.into_iter().chain(commitments) {
            hash = hash.chain(point.to_bytes());
        }
        let mut wide = [0; CHALLENGE_BYTES];
        hash.finish_into(&mut wide);
        Scalar::from_wide_bytes(&wide)
    }
}

/// Member (2), lane (1), chunk (1), value (8, two's complement), decrypted point (48), challenge (32), response (32).
impl Encode for ChunkOpening {
    fn encode(&self, out: &mut Vec<u8>) {
        self.member.encode(out);
        out.extend([self.lane, self.chunk]);
        out.extend(self.value.to_le_bytes());
        out.extend(self.decrypted);
        out.extend(self.challenge);
        out.extend(self.response);
    }
}

impl Decode for ChunkOpening {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let member = ValidatorIndex::decode(reader)?;
        let [lane, chunk] = reader.array()?;
        Ok(Self {
            member,
            lane,
            chunk,
            value: i64::from_le_bytes(reader.array()?),
            decrypted: reader.array()?,
            challenge: reader.array()?,
            response: reader.array()?,
        })
    }
}
