//! Enrolments and definitions of key ceremonies as files: JSON that people read and compare, of exactly the content of
//! [`Enrolment`] and [`Definition`].
//!
//! Keys and signatures are hexadecimal. A definition states the ceremony's id; reading computes it again, so that a changed file
//! is noticed. Unknown fields are refused.
//!
//! Reading checks the form alone: signatures and keys are checked by [`Enrolment::verify`] and
//! [`Ceremony::new`](quorate_dkg::Ceremony::new).

use std::path::{Path, PathBuf};

use quorate_dkg::{Definition, Enrolment, Previous, Purpose};
use quorate_types::{
    CeremonyId, EncryptionKey, IdentityKey, IdentitySignature, KeyProof, Member, ThresholdKey,
    TranscriptHash,
};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::files::{Audience, Existing, WriteError, write_file};
use crate::json_text as text;

/// Version of the layouts.
const VERSION: u32 = 1;
/// Largest file that is read: 128 members, now and before, take about 1.5 kB each.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyFileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The file is longer than any of its kind.
    #[error("{} has {found} bytes, such a file has at most {FILE_BYTES_MAX}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// The text is no JSON, or not the fields that belong there. The source says line and column.
    #[error("{} is no usable {expected}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// Where and what.
        source: serde_json::Error,
    },
    /// The file ends early: it was cut off.
    #[error("{} ends in the middle: get it again from whoever made it", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
    },
    /// The text is JSON of another kind.
    #[error("{} is neither an enrolment nor a definition of a ceremony", path.display())]
    OtherKind {
        /// The file.
        path: PathBuf,
    },
    /// The file's layout is of another version.
    #[error("{}: the layout has version {found}, this program knows {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The content is not that of the stated ceremony.
    #[error(
        "{}: the content is that of ceremony {computed}, but `ceremony_id` says {stated}: somebody changed the file; get \
         the original",
        path.display()
    )]
    CeremonyId {
        /// The file.
        path: PathBuf,
        /// What the file says.
        stated: CeremonyId,
        /// What its content gives.
        computed: CeremonyId,
    },
}

/// A file of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CeremonyFile {
    /// What a member enrols with.
    Enrolment(Box<Enrolment>),
    /// What a ceremony is.
    Definition(Box<Definition>),
}

/// Reads a file of either kind, told apart by fields that only one has. It is not verified.
///
/// # Errors
/// [`CeremonyFileError`]: about the kind that the file is of.
pub fn read_any(path: &Path) -> Result<CeremonyFile, CeremonyFileError> {
    let text = read(path)?;
    let fields: KindFields = from_json(&text, path, "enrolment or definition")?;
    if fields.ceremony_id.or(fields.members).is_some() {
        let definition = parse_definition(&text, path)?;
        return Ok(CeremonyFile::Definition(Box::new(definition)));
    }
    if fields.encryption_key.or(fields.proof).is_some() {
        return parse_enrolment(&text, path)
            .map(|enrolment| CeremonyFile::Enrolment(Box::new(enrolment)));
    }
    Err(CeremonyFileError::OtherKind {
        path: path.to_owned(),
    })
}

/// Reads an enrolment. It is not verified.
///
/// # Errors
/// [`CeremonyFileError`].
pub fn read_enrolment(path: &Path) -> Result<Enrolment, CeremonyFileError> {
    parse_enrolment(&read(path)?, path)
}

/// Parses the text of the file at `path`. The enrolment is not verified.
///
/// # Errors
/// [`CeremonyFileError`].
pub fn parse_enrolment(text: &[u8], path: &Path) -> Result<Enrolment, CeremonyFileError> {
    let document: EnrolmentDocument = parse(text, path, "enrolment")?;
    Ok(Enrolment {
        name: document.name,
        identity: document.identity,
        address: document.address,
        encryption_key: document.encryption_key,
        proof: document.proof,
        signature: document.signature,
    })
}

/// The text of an enrolment's file.
#[must_use]
pub fn enrolment_text(enrolment: &Enrolment) -> String {
    to_text(&EnrolmentDocument {
        version: VERSION,
        name: enrolment.name.clone(),
        identity: enrolment.identity,
        address: enrolment.address.clone(),
        encryption_key: enrolment.encryption_key,
        proof: enrolment.proof,
        signature: enrolment.signature,
    })
}

/// Writes a new file. Nothing is overwritten.
///
/// # Errors
/// [`WriteError`].
pub fn write_enrolment(enrolment: &Enrolment, path: &Path) -> Result<(), WriteError> {
    let text = enrolment_text(enrolment);
    write_file(path, text.as_bytes(), Audience::Everybody, Existing::Keep)
}

/// Reads a definition. It is not verified.
///
/// # Errors
/// [`CeremonyFileError`].
pub fn read_definition(path: &Path) -> Result<Definition, CeremonyFileError> {
    parse_definition(&read(path)?, path)
}

/// Parses the text of the file at `path`. The definition is not verified, but that it is that of the stated ceremony.
///
/// # Errors
/// [`CeremonyFileError`].
pub fn parse_definition(text: &[u8], path: &Path) -> Result<Definition, CeremonyFileError> {
    let document: DefinitionDocument = parse(text, path, "definition")?;
    let stated = document.ceremony_id;
    let definition = Definition::from(document);
    let computed = definition.ceremony_id();
    if stated != computed {
        return Err(CeremonyFileError::CeremonyId {
            path: path.to_owned(),
            stated,
            computed,
        });
    }
    Ok(definition)
}

/// The text of a definition's file.
#[must_use]
pub fn definition_text(definition: &Definition) -> String {
    to_text(&DefinitionDocument::from(definition))
}

/// Writes a new file. Nothing is overwritten.
///
/// # Errors
/// [`WriteError`].
pub fn write_definition(definition: &Definition, path: &Path) -> Result<(), WriteError> {
    let text = definition_text(definition);
    write_file(path, text.as_bytes(), Audience::Everybody, Existing::Keep)
}

fn read(path: &Path) -> Result<Vec<u8>, CeremonyFileError> {
    let failed = |source| CeremonyFileError::Read {
        path: path.to_owned(),
        source,
    };
    let found = std::fs::metadata(path).map_err(failed)?.len();
    if found > FILE_BYTES_MAX {
        return Err(CeremonyFileError::TooLong {
            path: path.to_owned(),
            found,
        });
    }
    std::fs::read(path).map_err(failed)
}

fn parse<T: DeserializeOwned>(
    text: &[u8],
    path: &Path,
    expected: &'static str,
) -> Result<T, CeremonyFileError> {
    let Versioned { version } = from_json(text, path, expected)?;
    if version != VERSION {
        return Err(CeremonyFileError::Version {
            path: path.to_owned(),
            found: version,
        });
    }
    from_json(text, path, expected)
}

fn from_json<T: DeserializeOwned>(
    text: &[u8],
    path: &Path,
    expected: &'static str,
) -> Result<T, CeremonyFileError> {
    serde_json::from_slice(text).map_err(|source| {
        let path = path.to_owned();
        if source.is_eof() {
            return CeremonyFileError::Truncated { path };
        }
        CeremonyFileError::Json {
            path,
            expected,
            source,
        }
    })
}

fn to_text(document: &impl Serialize) -> String {
    let mut text =
        serde_json::to_string_pretty(document).expect("text and numbers have a JSON form");
    text.push('\n');
    text
}

/// The one field that is read before all others.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Fields by which the kinds are told apart.
#[derive(Deserialize)]
struct KindFields {
    ceremony_id: Option<IgnoredAny>,
    members: Option<IgnoredAny>,
    encryption_key: Option<IgnoredAny>,
    proof: Option<IgnoredAny>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnrolmentDocument {
    version: u32,
    name: String,
    #[serde(with = "text")]
    identity: IdentityKey,
    address: String,
    #[serde(with = "text")]
    encryption_key: EncryptionKey,
    #[serde(with = "text")]
    proof: KeyProof,
    #[serde(with = "text")]
    signature: IdentitySignature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DefinitionDocument {
    version: u32,
    #[serde(with = "text")]
    ceremony_id: CeremonyId,
    name: String,
    purpose: PurposeDocument,
    attempt: u32,
    quorum: u16,
    members: Vec<MemberDocument>,
    #[serde(with = "text")]
    organiser: IdentityKey,
    #[serde(with = "text")]
    signature: IdentitySignature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberDocument {
    name: String,
    #[serde(with = "text")]
    identity: IdentityKey,
    address: String,
    #[serde(with = "text")]
    encryption_key: EncryptionKey,
    #[serde(with = "text")]
    proof: KeyProof,
    #[serde(with = "text")]
    signature: IdentitySignature,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PurposeDocument {
    Genesis,
    Reshare(PreviousDocument),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviousDocument {
    #[serde(with = "text")]
    transcript: TranscriptHash,
    quorum: u16,
    #[serde(with = "text")]
    group_key: ThresholdKey,
    members: Vec<PreviousMemberDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviousMemberDocument {
    #[serde(with = "text")]
    identity: IdentityKey,
    #[serde(with = "text")]
    share_key: ThresholdKey,
}

impl From<&Definition> for DefinitionDocument {
    fn from(definition: &Definition) -> Self {
        let member = |member: &Enrolment| MemberDocument {
            name: member.name.clone(),
            identity: member.identity,
            address: member.address.clone(),
            encryption_key: member.encryption_key,
            proof: member.proof,
            signature: member.signature,
        };
        Self {
            version: VERSION,
            ceremony_id: definition.ceremony_id(),
            name: definition.name.clone(),
            purpose: match &definition.purpose {
                Purpose::Genesis => PurposeDocument::Genesis,
                Purpose::Reshare { previous } => PurposeDocument::Reshare(previous.into()),
            },
            attempt: definition.attempt,
            quorum: definition.quorum,
            members: definition.members.iter().map(member).collect(),
            organiser: definition.organiser,
            signature: definition.signature,
        }
    }
}

impl From<&Previous> for PreviousDocument {
    fn from(previous: &Previous) -> Self {
        let member = |member: &Member| PreviousMemberDocument {
            identity: member.identity,
            share_key: member.share_key,
        };
        Self {
            transcript: previous.transcript,
            quorum: previous.quorum,
            group_key: previous.group_key,
            members: previous.members.iter().map(member).collect(),
        }
    }
}

impl From<DefinitionDocument> for Definition {
    fn from(document: DefinitionDocument) -> Self {
        let member = |member: MemberDocument| Enrolment {
            name: member.name,
            identity: member.identity,
            address: member.address,
            encryption_key: member.encryption_key,
            proof: member.proof,
            signature: member.signature,
        };
        Self {
            name: document.name,
            purpose: match document.purpose {
                PurposeDocument::Genesis => Purpose::Genesis,
                PurposeDocument::Reshare(previous) => Purpose::Reshare {
                    previous: previous.into(),
                },
            },
            attempt: document.attempt,
            quorum: document.quorum,
            members: document.members.into_iter().map(member).collect(),
            organiser: document.organiser,
            signature: document.signature,
        }
    }
}

impl From<PreviousDocument> for Previous {
    fn from(document: PreviousDocument) -> Self {
        let member = |member: PreviousMemberDocument| Member {
            identity: member.identity,
            share_key: member.share_key,
        };
        Self {
            transcript: document.transcript,
            quorum: document.quorum,
            group_key: document.group_key,
            members: document.members.into_iter().map(member).collect(),
        }
    }
}
