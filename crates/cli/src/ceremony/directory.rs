//! The directory of one member in one ceremony: what `join` prepares and `run` needs.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use quorate_dkg::Ceremony;
use quorate_node::ceremony::{SHARE_FILE, TRANSCRIPT_FILE};
use quorate_node::ceremony_file;
use quorate_node::files::{Audience, Existing, write_file};
use serde::{Deserialize, Serialize};

use super::shown::fingerprint;

/// The copy of the definition. It is written last: a directory that has it is complete.
const DEFINITION: &str = "ceremony.json";
/// Where the member's key stores are.
const MEMBER: &str = "member.json";
const VERSION: u32 = 1;

/// What `member.json` says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberFile {
    version: u32,
    /// Absolute; absent in a resharing, where a member signs with its share alone.
    pub(crate) identity_keystore: Option<PathBuf>,
    /// Absolute.
    pub(crate) encryption_keystore: PathBuf,
}

/// A directory that was prepared.
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    pub(crate) ceremony: Ceremony,
    pub(crate) member: MemberFile,
}

impl Directory {
    /// Prepares `path` for a ceremony. One that was prepared for the same ceremony is left as it is, but for where the key
    /// stores are: that may change, and which keys they hold was checked.
    pub(crate) fn prepare(
        path: &Path,
        ceremony: &Ceremony,
        identity: Option<&Path>,
        encryption: &Path,
    ) -> anyhow::Result<()> {
        make(path)?;
        require_same(path, ceremony)?;
        let member = MemberFile {
            version: VERSION,
            identity_keystore: identity.map(absolute).transpose()?,
            encryption_keystore: absolute(encryption)?,
        };
        let mut text = serde_json::to_string_pretty(&member).context("paths are not UTF-8")?;
        text.push('\n');
        write_file(
            &path.join(MEMBER),
            text.as_bytes(),
            Audience::Owner,
            Existing::Replace,
        )?;
        let definition = path.join(DEFINITION);
        if !definition.exists() {
            ceremony_file::write_definition(ceremony.definition(), &definition)?;
        }
        Ok(())
    }

    /// Opens a directory that `join` prepared.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let definition = path.join(DEFINITION);
        ensure!(
            definition.exists(),
            "{} was not prepared: run `quorate ceremony join --dir {0}` first",
            path.display()
        );
        let ceremony = Ceremony::new(ceremony_file::read_definition(&definition)?)
            .with_context(|| format!("{} is refused", definition.display()))?;
        let file = path.join(MEMBER);
        let text =
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let member: MemberFile =
            serde_json::from_slice(&text).with_context(|| format!("{}", file.display()))?;
        ensure!(
            member.version == VERSION,
            "{} has version {}, this program knows {VERSION}",
            file.display(),
            member.version
        );
        Ok(Self {
            path: path.to_owned(),
            ceremony,
            member,
        })
    }

    pub(crate) fn share(&self) -> PathBuf {
        self.path.join(SHARE_FILE)
    }

    pub(crate) fn transcript(&self) -> PathBuf {
        self.path.join(TRANSCRIPT_FILE)
    }
}

/// Makes a directory that its owner alone can look into, or requires that it is one.
fn make(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(anyhow!(error).context(format!("cannot make {shown}"))),
    }
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot look at {shown}"))?;
    ensure!(metadata.is_dir(), "{shown} is no directory");
    let mode = metadata.permissions().mode() & 0o7777;
    ensure!(
        mode & 0o077 == 0,
        "{shown} has mode {mode:04o}, so others may look into it: run `chmod 700` on it"
    );
    Ok(())
}

/// Requires that a directory is empty, or prepared for this ceremony.
fn require_same(path: &Path, ceremony: &Ceremony) -> anyhow::Result<()> {
    let shown = path.display();
    let definition = path.join(DEFINITION);
    if definition.exists() {
        let there = ceremony_file::read_definition(&definition)?;
        ensure!(
            there == *ceremony.definition(),
            "{shown} belongs to another ceremony, {}; this one is {}: choose another --dir",
            fingerprint(&there.ceremony_id()),
            fingerprint(&ceremony.id())
        );
        return Ok(());
    }
    let failed = || format!("cannot look into {shown}");
    for entry in std::fs::read_dir(path).with_context(failed)? {
        let name = entry.with_context(failed)?.file_name();
        ensure!(
            name == MEMBER,
            "{shown} holds {} and was not made by `quorate ceremony join`: choose an empty or new directory",
            name.display()
        );
    }
    Ok(())
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    path.canonicalize()
        .with_context(|| format!("cannot find {}", path.display()))
}
