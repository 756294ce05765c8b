//! `reshare order`.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use quorate_dkg::DealerEvidence;
use quorate_dkg::reshare::{Ignored, Ordered};
use quorate_types::Encode;
use serde::Serialize;

use super::list::{self, write_once};
use super::{begin, deal, define, keys};
use crate::args::OrderArgs;
use crate::ceremony::evidence::what;
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

#[derive(Serialize)]
struct Shown {
    /// Absent while dealings are missing.
    list: Option<String>,
    transcript_hash: Option<String>,
    counted: Vec<u16>,
    needed: u16,
    dealings: Vec<Judged>,
}

#[derive(Serialize)]
struct Judged {
    file: String,
    dealer: Option<u16>,
    verdict: String,
    evidence: Option<String>,
}

pub(crate) fn run(args: &OrderArgs, json: bool) -> Result<(), Failure> {
    let mut reshare = begin(define::read(&args.definition)?, &args.definition)?;
    let threads = keys::threads()?;
    let (mut judged, mut counted) = (Vec::new(), Vec::new());
    for path in &args.dealings {
        let dealing = match deal::read(path) {
            Ok(dealing) => dealing,
            Err(error) => {
                judged.push(Judged::unreadable(path, &error));
                continue;
            }
        };
        let ordered = reshare.order(dealing.clone(), &threads);
        let evidence = match &ordered {
            Ordered::Evidence(evidence) => {
                Some(write_evidence(evidence, &args.evidence).or_fail(Kind::File)?)
            }
            _ => None,
        };
        judged.push(Judged {
            file: path.display().to_string(),
            dealer: Some(dealing.dealer.0),
            verdict: story(&ordered),
            evidence: evidence.map(|path| path.display().to_string()),
        });
        if ordered == Ordered::Counted {
            counted.push(dealing);
        }
    }
    let handover = reshare.handover();
    if handover.is_ok() {
        list::write(&args.out, &reshare.ceremony().id(), &counted).or_fail(Kind::File)?;
    }
    let hash = handover.as_ref().ok().map(|handover| handover.hash());
    let shown = Shown {
        list: hash.map(|_| args.out.display().to_string()),
        transcript_hash: hash.map(|hash| hash.to_hex()),
        counted: reshare.counted().iter().map(|dealer| dealer.0).collect(),
        needed: reshare.ceremony().dealings_needed(),
        dealings: judged,
    };
    output::print(json, &shown, text)?;
    match handover {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = anyhow!(error).context(format!("{} was not written", args.out.display()));
            Err(Failure::new(Kind::Incomplete, error))
        }
    }
}

impl Judged {
    fn unreadable(path: &Path, error: &anyhow::Error) -> Self {
        Self {
            file: path.display().to_string(),
            dealer: None,
            verdict: format!("refused: {error:#}"),
            evidence: None,
        }
    }
}

/// What became of a dealing, in words.
pub(crate) fn story(ordered: &Ordered) -> String {
    match ordered {
        Ordered::Counted => "counts".into(),
        Ordered::Evidence(evidence) => format!("convicts its dealer: {}", what(evidence)),
        Ordered::Ignored(Ignored::Repeated) => "ignored: its dealer counts already".into(),
        Ordered::Ignored(Ignored::Enough) => "not needed: enough count already".into(),
        Ordered::Ignored(Ignored::NotSigned(fault)) => format!("refused: {fault}"),
    }
}

/// Writes evidence, under a name that says whom it is about.
fn write_evidence(evidence: &DealerEvidence, folder: &Path) -> anyhow::Result<PathBuf> {
    let kind = match evidence {
        DealerEvidence::TwoDealings { .. } => "two-dealings",
        DealerEvidence::InvalidDealing(_) => "invalid-dealing",
        DealerEvidence::BadChunk { .. } => "bad-chunk",
    };
    let path = folder.join(format!("evidence-{}-{kind}.bin", evidence.dealer()));
    write_once(&path, &evidence.to_bytes()).context("the evidence cannot be kept")?;
    Ok(path)
}

fn text(shown: &Shown) -> String {
    let rows = shown.dealings.iter().map(|judged| {
        let dealer = judged.dealer.map(|dealer| dealer.to_string());
        [
            judged.file.clone(),
            dealer.unwrap_or_else(|| "-".into()),
            judged.verdict.clone(),
            judged.evidence.clone().unwrap_or_default(),
        ]
    });
    let mut text = output::table(["dealing", "old member", "verdict", "evidence"], rows);
    text.push_str(&format!(
        "\n{} of {} that are needed count\n",
        shown.counted.len(),
        shown.needed
    ));
    if let (Some(list), Some(hash)) = (&shown.list, &shown.transcript_hash) {
        text.push_str(&format!(
            "list        {list}\ntranscript  {hash}\n\
             All new members must work on this list: read the transcript's hash to each other.\n"
        ));
    }
    text
}
