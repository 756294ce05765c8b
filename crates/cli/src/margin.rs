//! `quorate margin`: what pending operations can do to an account.

mod decimal;
mod file;
mod plot;
mod shown;
mod situation;

use anyhow::Context;

use crate::args::{MarginCommand, MarginExplainArgs};
use crate::failure::{Failure, Kind, OrFail};
use crate::output;

use file::File;
use shown::Facts;
use situation::Situation;

pub(crate) fn run(command: MarginCommand, json: bool) -> Result<(), Failure> {
    match command {
        MarginCommand::Explain(args) => explain(&args, json),
    }
}

fn explain(args: &MarginExplainArgs, json: bool) -> Result<(), Failure> {
    let name = args.file.display();
    let text = std::fs::read_to_string(&args.file)
        .with_context(|| format!("cannot read {name}"))
        .or_fail(Kind::File)?;
    let file: File = toml::from_str(&text)
        .with_context(|| format!("{name} is not what `quorate margin` reads"))
        .or_fail(Kind::File)?;
    let situation = Situation::new(&file)
        .with_context(|| format!("{name} makes no sense"))
        .or_fail(Kind::File)?;
    let facts = Facts::new(&situation)?;
    if let Some(path) = &args.svg {
        let picture = plot::svg(&situation)?;
        std::fs::write(path, picture)
            .with_context(|| format!("cannot write {}", path.display()))
            .or_fail(Kind::File)?;
    }
    output::print(json, &facts, Facts::text)?;
    Ok(())
}
