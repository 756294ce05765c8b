//! Evidence that an operator's file holds, against the committee and the blocks in the log.

use std::io::{BufRead, BufReader};

use quorate_store::tables::Tables;
use quorate_types::{BlockId, BlockRef, Round, ValidatorIndex};
use serde::Deserialize;

use super::super::blocks::{BLOCKS, block_key};
use super::super::error::NodeError;
use super::super::evidence::EVIDENCE_FILE;
use super::{Directory, Fault};

/// One line. Fields that are not listed are refused: they would be a newer program's.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Equivocation {
        author: u16,
        round: u64,
        first: String,
        second: String,
    },
    BadCoinShare {
        author: u16,
        #[serde(rename = "round")]
        _round: u64,
    },
    BadFinalityShare {
        author: u16,
        #[serde(rename = "height")]
        _height: u64,
    },
}

/// Reads all lines. Answers how many there are, and how many name two different blocks of one slot that are both in the log.
pub(super) fn check(directory: &Directory<'_>, tables: &Tables) -> Result<(u64, u64), Fault> {
    let failed = NodeError::system("evidence file");
    let file = match std::fs::File::open(directory.path.join(EVIDENCE_FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((0, 0)),
        file => file.map_err(failed)?,
    };
    let (mut lines, mut proved) = (0, 0);
    for text in BufReader::new(file).lines() {
        lines += 1;
        let malformed = Fault::Evidence { line: lines };
        let Ok(line) = text
            .map_err(serde_json::Error::io)
            .and_then(|text| serde_json::from_str(&text))
        else {
            return Err(malformed);
        };
        let author = match &line {
            Line::Equivocation { author, .. }
            | Line::BadCoinShare { author, .. }
            | Line::BadFinalityShare { author, .. } => *author,
        };
        if usize::from(author) >= directory.genesis.members.len() {
            return Err(Fault::Stranger { line: lines });
        }
        if let Line::Equivocation {
            author,
            round,
            first,
            second,
        } = &line
        {
            let block = |id: &str| -> Option<BlockRef> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(id, &mut bytes).ok()?;
                Some(BlockRef {
                    round: Round(*round),
                    author: ValidatorIndex(*author),
                    id: BlockId(bytes),
                })
            };
            let (Some(first), Some(second)) = (block(first), block(second)) else {
                return Err(malformed);
            };
            if first == second {
                return Err(malformed);
            }
            let stored = |block| tables.get(BLOCKS, &block_key(block)).map(|at| at.is_some());
            proved += u64::from(stored(&first)? && stored(&second)?);
        }
    }
    Ok((lines, proved))
}
