//! Evidence: what operators are shown, and the file that they keep, a line of JSON for each.
//!
//! A member that lies in every round could fill any memory and any disk with proofs of it, though one convicts it. Of each kind the
//! first [`EACH_MAX`] about each member are kept; all are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use quorate_types::{BlockRef, Evidence};
use serde_json::{Value, json};

use super::error::NodeError;

/// The file's name in the data directory.
pub(crate) const EVIDENCE_FILE: &str = "evidence.jsonl";
/// How much evidence of one kind about one member is kept.
pub(crate) const EACH_MAX: usize = 100;

/// Kinds of lies as the file names them.
const KINDS: [&str; 3] = ["equivocation", "bad_coin_share", "bad_finality_share"];

/// Who lied, how, and in which round or at which height.
type Subject = (u64, &'static str, u64);

/// What is kept already, by member and kind: rounds and heights.
#[derive(Default)]
struct Known(BTreeMap<(u64, &'static str), BTreeSet<u64>>);

impl Known {
    /// Whether it is new, and there is room for it, which is then taken. What recovery finds once more is not new.
    fn take(&mut self, (author, kind, number): Subject) -> bool {
        let known = self.0.entry((author, kind)).or_default();
        known.len() < EACH_MAX && known.insert(number)
    }
}

/// What was found since the start.
#[derive(Default)]
pub(crate) struct Found {
    kept: Vec<Evidence>,
    known: Known,
}

impl Found {
    /// Whether it is kept.
    pub(crate) fn add(&mut self, evidence: &Evidence) -> bool {
        let new = self.known.take(subject(evidence));
        if new {
            self.kept.push(evidence.clone());
        }
        new
    }

    /// All that is kept, in the order in which it was found.
    pub(crate) fn kept(&self) -> &[Evidence] {
        &self.kept
    }
}

/// The file, which outlives everything else.
pub(crate) struct EvidenceFile {
    file: File,
    known: Known,
}

impl EvidenceFile {
    /// Opens or makes the file of a data directory.
    pub(crate) fn open(directory: &Path) -> Result<Self, NodeError> {
        let failed = |error| NodeError::system("evidence file")(error);
        let path = directory.join(EVIDENCE_FILE);
        let mut options = OpenOptions::new();
        let file = options.append(true).read(true).create(true).mode(0o600);
        let file = file.open(path).map_err(failed)?;
        let mut known = Known::default();
        let mut reader = BufReader::new(&file);
        let (mut line, mut whole) = (Vec::new(), 0);
        while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 && line.ends_with(b"\n") {
            whole += line.len() as u64;
            // A newer program's line is none that this program would write.
            let line: Value =
                serde_json::from_slice(&std::mem::take(&mut line)).unwrap_or_default();
            let kind = KINDS.into_iter().find(|kind| line["kind"] == **kind);
            let number = line["round"].as_u64().or(line["height"].as_u64());
            if let (Some(kind), Some(author), Some(number)) =
                (kind, line["author"].as_u64(), number)
            {
                known.take((author, kind, number));
            }
        }
        // What a crash cut short was never durable; the next line must not be glued to it.
        file.set_len(whole).map_err(failed)?;
        Ok(Self { file, known })
    }

    /// Adds a line, durably, unless it is there or there are enough of its kind about its member.
    pub(crate) fn append(&mut self, evidence: &Evidence) -> Result<(), NodeError> {
        if !self.known.take(subject(evidence)) {
            return Ok(());
        }
        writeln!(self.file, "{}", to_json(evidence))
            .and_then(|()| self.file.sync_data())
            .map_err(NodeError::system("evidence file"))
    }
}

fn subject(evidence: &Evidence) -> Subject {
    match evidence {
        Evidence::Equivocation { first, .. } => (first.author.0.into(), KINDS[0], first.round.0),
        Evidence::BadCoinShare { author, round } => (author.0.into(), KINDS[1], round.0),
        Evidence::BadFinalityShare { author, height } => (author.0.into(), KINDS[2], height.0),
    }
}

/// One line without its end.
fn to_json(evidence: &Evidence) -> Value {
    let (author, kind, _) = subject(evidence);
    match evidence {
        Evidence::Equivocation { first, second } => json!({
            "kind": kind,
            "author": author,
            "round": first.round.0,
            "first": block(first),
            "second": block(second),
        }),
        Evidence::BadCoinShare { round, .. } => json!({
            "kind": kind,
            "author": author,
            "round": round.0,
        }),
        Evidence::BadFinalityShare { height, .. } => json!({
            "kind": kind,
            "author": author,
            "height": height.0,
        }),
    }
}

fn block(reference: &BlockRef) -> String {
    reference.id.to_hex()
}

#[cfg(test)]
mod tests {
    use quorate_types::{Round, ValidatorIndex};

    use super::*;

    fn bad_coin_share(author: u16, round: u64) -> Evidence {
        Evidence::BadCoinShare {
            author: ValidatorIndex(author),
            round: Round(round),
        }
    }

    fn lines(directory: &Path) -> usize {
        let text = std::fs::read_to_string(directory.join(EVIDENCE_FILE));
        text.expect("the file is there").lines().count()
    }

    #[test]
    fn a_line_that_a_crash_cut_is_gone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(EVIDENCE_FILE);
        for round in 0..3 {
            let mut file = EvidenceFile::open(directory.path()).expect("a file");
            file.append(&bad_coin_share(1, round))
                .expect("room on the disk");
            let whole = std::fs::read(&path).expect("the file is there");
            std::fs::write(&path, [&whole[..], b"{\"kind\":\"equi"].concat()).expect("room");
        }
        drop(EvidenceFile::open(directory.path()).expect("a file"));
        let text = std::fs::read_to_string(&path).expect("the file is there");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("a whole line"))
            .collect();
        let rounds: Vec<&Value> = lines.iter().map(|line| &line["round"]).collect();
        assert_eq!(rounds, [0, 1, 2]);
    }

    #[test]
    fn one_member_takes_bounded_room_and_no_other_is_forgotten() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut found = Found::default();
        let most = EACH_MAX;
        // Some before a restart, the same once more and others after it.
        for start in [0, 30] {
            let mut file = EvidenceFile::open(directory.path()).expect("a file");
            for round in start..start + 90 {
                let evidence = bad_coin_share(1, round);
                file.append(&evidence).expect("room on the disk");
                found.add(&evidence);
            }
        }
        assert_eq!((lines(directory.path()), found.kept().len()), (most, most));
        let mut file = EvidenceFile::open(directory.path()).expect("a file");
        let other = bad_coin_share(2, 1);
        file.append(&other).expect("room on the disk");
        assert!(found.add(&other));
        let another = Evidence::BadFinalityShare {
            author: ValidatorIndex(1),
            height: quorate_types::Height(1),
        };
        file.append(&another).expect("room on the disk");
        assert!(found.add(&another));
        assert_eq!(lines(directory.path()), most + 2);
        assert_eq!(found.kept().len(), most + 2);
    }
}
