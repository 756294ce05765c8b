//! `reshare finish`.

use std::collections::BTreeMap;

use anyhow::Context;
use quorate_types::ValidatorIndex;
use serde::Serialize;

use super::{keys, ready, replay, transcript};
use crate::args::FinishArgs;
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

#[derive(Serialize)]
struct Shown {
    transcript: String,
    transcript_hash: String,
    group_key: String,
    ready: Vec<u16>,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    file: String,
    reason: String,
}

pub(crate) fn run(args: &FinishArgs, json: bool) -> Result<(), Failure> {
    let reshare = replay(&args.definition, &args.list)?;
    let handover = reshare.handover().or_fail(Kind::Unverified)?;
    let (mut words, mut refused) = (BTreeMap::new(), Vec::new());
    for path in &args.ready {
        let checked = ready::read(path).and_then(|word| {
            handover.verify_ready(&word)?;
            Ok(word)
        });
        match checked {
            Ok(word) => {
                words.insert(word.member, word);
            }
            Err(error) => {
                let (file, reason) = (path.display().to_string(), format!("{error:#}"));
                eprintln!("{file} is left out: {reason}");
                refused.push(Refused { file, reason });
            }
        }
    }
    let members: Vec<ValidatorIndex> = words.keys().copied().collect();
    let words: Vec<_> = words.into_values().collect();
    let finished = handover
        .complete(&words)
        .with_context(|| {
            let needed = reshare.ceremony().quorum();
            format!("{} members are ready, {needed} are needed", words.len())
        })
        .or_fail(Kind::Incomplete)?;
    finished
        .verify(&keys::threads()?)
        .context("the combined transcript does not verify: report it")
        .or_fail(Kind::Unverified)?;
    transcript::write(&finished, &args.out).or_fail(Kind::File)?;
    let shown = Shown {
        transcript: args.out.display().to_string(),
        transcript_hash: finished.hash().to_hex(),
        group_key: finished.keys.group.to_hex(),
        ready: members.iter().map(|member| member.0).collect(),
        refused,
    };
    output::print(json, &shown, |shown| {
        let members: Vec<_> = shown.ready.iter().map(ToString::to_string).collect();
        output::list([
            ("transcript", shown.transcript.clone()),
            ("hash", shown.transcript_hash.clone()),
            ("ready", members.join(" ")),
            ("group key", format!("{} as before", shown.group_key)),
            (
                "next",
                "old members: quorate ceremony reshare erase; new ones: quorate ceremony erase"
                    .into(),
            ),
        ])
    })?;
    Ok(())
}
