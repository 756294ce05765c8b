//! What a member hands to the organiser before a ceremony.

use quorate_crypto::pvss::{self, EncryptionSecret, KeyProofError};
use quorate_crypto::{IdentitySecret, SignatureError, identity};
use quorate_types::limits::NAME_BYTES_MAX;
use quorate_types::{
    CodecError, Decode, DomainTag, Encode, EncryptionKey, IdentityKey, IdentitySignature, KeyProof,
    Reader, decode_version,
};
use rand_core::CryptoRng;

use super::text::{
    ADDRESS_BYTES_MAX, AddressError, NameError, check_address, check_name, decode_text, encode_text,
};

/// A member's entry in a ceremony: who it is, where it listens, and the key that its shares are encrypted to.
///
/// The proof of possession is bound to the identity, so that nobody enrols with another member's encryption key
/// (Groth, ePrint 2021/339: the secrecy proof extracts the members' decryption keys). An enrolment names no ceremony: an
/// attempt that failed can be repeated with the same ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// A name for people: 1 to 64 bytes, no control characters.
    pub name: String,
    /// The member's identity.
    pub identity: IdentityKey,
    /// `host:port` of the member's listener for this ceremony.
    pub address: String,
    /// The key that the member's shares are encrypted to.
    pub encryption_key: EncryptionKey,
    /// Proof that the member holds that key's secret; its context is the identity key's 32 bytes.
    pub proof: KeyProof,
    /// By the identity, over everything before it.
    pub signature: IdentitySignature,
}

/// Why an enrolment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// The name is malformed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The address is malformed.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The member did not sign this.
    #[error("the member's signature: {0}")]
    Signature(SignatureError),
    /// The encryption key is malformed or its proof of possession is wrong.
    #[error("the proof of possession of the encryption key: {0}")]
    Proof(KeyProofError),
}

impl Enrolment {
    /// The version of the encoding.
    pub const VERSION: u16 = 1;

    /// Enrols the holder of both secrets.
    ///
    /// # Errors
    /// The name or the address is malformed.
    pub fn new(
        identity: &IdentitySecret,
        encryption: &EncryptionSecret,
        name: String,
        address: String,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, EnrolmentError> {
        check_name(&name)?;
        check_address(&address)?;
        let public = identity.public();
        let mut enrolment = Self {
            name,
            identity: public,
            address,
            encryption_key: encryption.public(),
            proof: encryption.prove(&public.0, rng),
            signature: IdentitySignature([0; IdentitySignature::LENGTH]),
        };
        enrolment.signature = identity.sign(DomainTag::Enrolment, &enrolment.signed_bytes());
        Ok(enrolment)
    }

    /// Checks the name, the address, the signature and the proof of possession.
    ///
    /// # Errors
    /// [`EnrolmentError`].
    pub fn verify(&self) -> Result<(), EnrolmentError> {
        check_name(&self.name)?;
        check_address(&self.address)?;
        identity::verify(
            &self.identity,
            DomainTag::Enrolment,
            &self.signed_bytes(),
            &self.signature,
        )
        .map_err(EnrolmentError::Signature)?;
        pvss::verify_key_proof(&self.encryption_key, &self.identity.0, &self.proof)
            .map_err(EnrolmentError::Proof)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Self::VERSION.encode(&mut out);
        encode_text(&self.name, &mut out);
        self.identity.encode(&mut out);
        encode_text(&self.address, &mut out);
        self.encryption_key.encode(&mut out);
        self.proof.encode(&mut out);
        out
    }
}

impl Encode for Enrolment {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.signed_bytes());
        self.signature.encode(out);
    }
}

impl Decode for Enrolment {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        decode_version(reader, "enrolment", Self::VERSION)?;
        Ok(Self {
            name: decode_text(reader, "name", NAME_BYTES_MAX)?,
            identity: Decode::decode(reader)?,
            address: decode_text(reader, "address", ADDRESS_BYTES_MAX)?,
            encryption_key: Decode::decode(reader)?,
            proof: Decode::decode(reader)?,
            signature: Decode::decode(reader)?,
        })
    }
}
