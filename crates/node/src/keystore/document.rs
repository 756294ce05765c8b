//! The JSON of EIP-2335 and its strict reading.

use std::path::Path;

use quorate_types::{EncryptionKey, IdentityKey, ThresholdKey};
use serde::{Deserialize, Serialize};

use super::cipher::{Parameters, ScryptCost, ScryptCostError, Sealed};
use super::{KeystoreError, PublicKey, VERSION};

/// What makes a file no usable key store.
#[derive(Debug, thiserror::Error)]
pub enum MalformedKeystore {
    /// It is no JSON, or not the fields of the layout.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A field is not hexadecimal of its length.
    #[error("`{field}` must be {bytes} bytes in hexadecimal")]
    Hex {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
    /// A function is not the one that this program uses.
    #[error("`{field}` must be `{expected}`")]
    Function {
        /// The field.
        field: &'static str,
        /// The only function supported.
        expected: &'static str,
    },
    /// The cost parameters are out of range.
    #[error(transparent)]
    Cost(#[from] ScryptCostError),
    /// The public key is of no kind.
    #[error(
        "`pubkey` must be an identity key of 32 bytes, an encryption key of 48 bytes or a share's key of 96 bytes in hexadecimal"
    )]
    PublicKey,
    /// The name of the sealing file could be a file elsewhere.
    #[error("`sealing` must be the name of a file beside the key store")]
    SealingName,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    crypto: Crypto,
    description: String,
    pubkey: String,
    path: String,
    uuid: String,
    version: u64,
    /// Name of the file with the sealing key, which must be beside this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealing: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Crypto {
    kdf: Module<Kdf>,
    checksum: Module<Nothing>,
    cipher: Module<Cipher>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Module<P> {
    function: String,
    params: P,
    message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    dklen: u32,
    n: u64,
    p: u32,
    r: u32,
    salt: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cipher {
    iv: String,
}

/// The one field that is read before all others.
#[derive(Deserialize)]
struct Versioned {
    version: Option<u64>,
}

const KDF: &str = "scrypt";
const CHECKSUM: &str = "sha256";
const CIPHER: &str = "aes-128-ctr";
/// Length of the derived key, as in EIP-2335.
const DERIVED_BYTES: u32 = 32;

impl Document {
    pub(super) fn new(
        public: &PublicKey,
        parameters: &Parameters,
        sealed: &Sealed,
        uuid: [u8; 16],
        sealing: Option<String>,
    ) -> Self {
        Self {
            crypto: Crypto {
                kdf: Module {
                    function: KDF.into(),
                    params: Kdf {
                        dklen: DERIVED_BYTES,
                        n: parameters.cost.n(),
                        p: ScryptCost::p(),
                        r: ScryptCost::r(),
                        salt: hex::encode(parameters.salt),
                    },
                    message: String::new(),
                },
                checksum: Module {
                    function: CHECKSUM.into(),
                    params: Nothing {},
                    message: hex::encode(sealed.checksum),
                },
                cipher: Module {
                    function: CIPHER.into(),
                    params: Cipher {
                        iv: hex::encode(parameters.initial_vector),
                    },
                    message: hex::encode(sealed.message),
                },
            },
            description: format!("Quorate {}", public.kind()),
            pubkey: public.to_hex(),
            path: String::new(),
            uuid: uuid_text(uuid),
            version: VERSION,
            sealing,
        }
    }

    /// Name of the file with the sealing key, if there is one.
    pub(super) const fn sealing(&self) -> Option<&String> {
        self.sealing.as_ref()
    }

    /// What tells this key store from others.
    pub(super) fn uuid(&self) -> &str {
        &self.uuid
    }

    pub(super) fn parse(text: &[u8], path: &Path) -> Result<Self, KeystoreError> {
        let refused = |source: serde_json::Error| {
            let path = path.to_owned();
            if source.is_eof() {
                return KeystoreError::Truncated { path };
            }
            KeystoreError::Malformed {
                path,
                source: source.into(),
            }
        };
        // A later version may have other fields, so it is told apart before they are read.
        let versioned: Versioned = serde_json::from_slice(text).map_err(refused)?;
        match versioned.version {
            Some(found) if found != VERSION => Err(KeystoreError::Version {
                path: path.to_owned(),
                found,
            }),
            _ => serde_json::from_slice(text).map_err(refused),
        }
    }

    pub(super) fn to_text(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("text and numbers have a JSON form");
        text.push('\n');
        text
    }

    pub(super) fn public_key(&self) -> Result<PublicKey, MalformedKeystore> {
        let identity = IdentityKey::from_hex(&self.pubkey).map(PublicKey::Identity);
        identity
            .or_else(|| ThresholdKey::from_hex(&self.pubkey).map(PublicKey::Share))
            .or_else(|| EncryptionKey::from_hex(&self.pubkey).map(PublicKey::Encryption))
            .ok_or(MalformedKeystore::PublicKey)
    }

    pub(super) fn sealed(&self) -> Result<(Parameters, Sealed), MalformedKeystore> {
        let Crypto {
            kdf,
            checksum,
            cipher,
        } = &self.crypto;
        require("crypto.kdf.function", &kdf.function, KDF)?;
        require("crypto.checksum.function", &checksum.function, CHECKSUM)?;
        require("crypto.cipher.function", &cipher.function, CIPHER)?;
        if let Some(name) = &self.sealing
            && (name.is_empty()
                || name.contains('/')
                || name.contains('\0')
                || name.starts_with(".."))
        {
            return Err(MalformedKeystore::SealingName);
        }
        let parameters = Parameters {
            cost: ScryptCost::from_parameters(kdf.params.n, kdf.params.r, kdf.params.p)?,
            salt: array("crypto.kdf.params.salt", &kdf.params.salt)?,
            initial_vector: array("crypto.cipher.params.iv", &cipher.params.iv)?,
        };
        if kdf.params.dklen != DERIVED_BYTES {
            return Err(MalformedKeystore::Function {
                field: "crypto.kdf.params.dklen",
                expected: "32",
            });
        }
        let sealed = Sealed {
            message: array("crypto.cipher.message", &cipher.message)?,
            checksum: array("crypto.checksum.message", &checksum.message)?,
        };
        Ok((parameters, sealed))
    }
}

fn require(
    field: &'static str,
    found: &str,
    expected: &'static str,
) -> Result<(), MalformedKeystore> {
    if found == expected {
        return Ok(());
    }
    Err(MalformedKeystore::Function { field, expected })
}

fn array<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], MalformedKeystore> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| MalformedKeystore::Hex { field, bytes: N })?;
    Ok(bytes)
}

/// The text of a random (version 4, RFC 9562) UUID.
pub(super) fn uuid_text(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    let groups = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    groups.join("-")
}
