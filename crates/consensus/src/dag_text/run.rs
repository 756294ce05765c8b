//! Carrying a text out.

use std::collections::BTreeMap;

use quorate_types::{
    BlockRef, Commit, Committee, Round, RuleParameters, Timestamp, ValidatorIndex,
};

use super::{DagTextError, Name, Parents, Problem, Scenario, Statement};
use crate::engine::Consensus;
use crate::io::{Effect, Input, Source};
use crate::options::Options;
use crate::status::Verdict;
use crate::test_utils;
use crate::verify::VerifiedBlock;

/// An engine, the blocks by name, and what came out.
struct Run {
    committee: Committee,
    consensus: Consensus,
    blocks: BTreeMap<Name, VerifiedBlock>,
    names: BTreeMap<BlockRef, Name>,
    commits: Vec<Commit>,
    dropped: Vec<BlockRef>,
}

impl Scenario {
    /// The options that the text asks for.
    #[must_use]
    pub fn options(&self) -> Options {
        Options::new(RuleParameters {
            wave: self.wave,
            leaders: 1,
            gc_depth: self.gc_depth,
        })
    }

    /// Carries the text out.
    ///
    /// # Errors
    /// The first expectation that does not hold, or a block that is not there.
    pub fn run(&self) -> Result<Vec<Commit>, DagTextError> {
        self.run_with(self.options())
    }

    /// Carries the text out with an engine set up differently.
    ///
    /// # Errors
    /// As [`Scenario::run`].
    pub fn run_with(&self, options: Options) -> Result<Vec<Commit>, DagTextError> {
        let committee = test_utils::committee(self.validators);
        let mut run = Run {
            consensus: Consensus::new(committee.clone(), ValidatorIndex(0), options, None),
            committee,
            blocks: BTreeMap::new(),
            names: BTreeMap::new(),
            commits: Vec::new(),
            dropped: Vec::new(),
        };
        for (at, statement) in &self.statements {
            let done = run.carry_out(statement);
            done.map_err(|problem| DagTextError { at: *at, problem })?;
        }
        Ok(run.commits)
    }
}

impl Run {
    fn carry_out(&mut self, statement: &Statement) -> Result<(), Problem> {
        match statement {
            Statement::Full { rounds, authors } => {
                for round in rounds.clone() {
                    self.fill(Round(round), authors)?;
                }
            }
            Statement::Block {
                name,
                parents,
                hidden,
            } => {
                self.make(*name, parents)?;
                if !hidden {
                    self.deliver(*name)?;
                }
            }
            Statement::Deliver(name) => self.deliver(*name)?,
            Statement::Leaders { round, order } => {
                let mut out = Vec::new();
                self.consensus.inject_leaders(*round, order, &mut out);
                self.note(out);
            }
            expectation => return self.check(expectation),
        }
        Ok(())
    }

    fn fill(&mut self, round: Round, authors: &[ValidatorIndex]) -> Result<(), Problem> {
        let all = Parents::All {
            without: Vec::new(),
            with: Vec::new(),
        };
        for author in self.committee.indices() {
            if authors.is_empty() || authors.contains(&author) {
                let name = Name {
                    round,
                    author,
                    twin: 0,
                };
                self.make(name, &all)?;
                self.deliver(name)?;
            }
        }
        Ok(())
    }

    fn check(&self, expectation: &Statement) -> Result<(), Problem> {
        let kind = |direct: bool| if direct { "direct" } else { "indirect" };
        let (expected, found) = match expectation {
            Statement::Commit { name, direct } => {
                let expected = format!("commit {name} {}", kind(*direct));
                (expected, self.verdict(*name))
            }
            Statement::Skip { slot, direct } => {
                let expected = format!("skip {slot} {}", kind(*direct));
                (expected, self.verdict(*slot))
            }
            Statement::Undecided(slot) => (format!("undecided {slot}"), self.verdict(*slot)),
            Statement::Held(name) => (format!("held {name}"), self.whereabouts(*name)?),
            Statement::Waiting(name) => (format!("waiting {name}"), self.whereabouts(*name)?),
            Statement::Dropped(name) => {
                let dropped = self.dropped.contains(&self.made(*name)?.reference());
                let found = if dropped { "dropped" } else { "not dropped" };
                (format!("dropped {name}"), format!("{found} {name}"))
            }
            Statement::Order(commits) => (order(commits), self.order()),
            _ => return Ok(()),
        };
        if expected == found {
            return Ok(());
        }
        Err(Problem::Unmet { expected, found })
    }

    fn verdict(&self, slot: Name) -> String {
        let kind = |direct: bool| if direct { "direct" } else { "indirect" };
        match self.consensus.verdict(slot.round, slot.author) {
            None => format!("undecided {slot}"),
            Some(Verdict::Skip { direct }) => format!("skip {slot} {}", kind(direct)),
            Some(Verdict::Commit { direct, block }) => {
                format!("commit {} {}", self.name(&block), kind(direct))
            }
        }
    }

    fn whereabouts(&self, name: Name) -> Result<String, Problem> {
        let reference = self.made(name)?.reference();
        Ok(if self.consensus.block(&reference).is_some() {
            format!("held {name}")
        } else if self.consensus.is_waiting(&reference) {
            format!("waiting {name}")
        } else {
            format!("no sign of {name}")
        })
    }

    fn order(&self) -> String {
        let names = |commit: &Commit| {
            let blocks = commit.blocks.iter();
            blocks
                .map(|block| self.name(&block.reference()))
                .collect::<Vec<_>>()
        };
        order(&self.commits.iter().map(names).collect::<Vec<_>>())
    }

    fn name(&self, reference: &BlockRef) -> Name {
        self.names[reference]
    }

    fn made(&self, name: Name) -> Result<&VerifiedBlock, Problem> {
        self.blocks.get(&name).ok_or_else(|| Problem::UnknownBlock {
            name: name.to_string(),
        })
    }

    fn reference(&self, name: Name) -> Result<BlockRef, Problem> {
        if name.round == Round(0) {
            return Ok(self.committee.genesis_block(name.author));
        }
        self.made(name).map(|block| block.reference())
    }

    fn make(&mut self, name: Name, parents: &Parents) -> Result<(), Problem> {
        if self.blocks.contains_key(&name) {
            return Err(Problem::MadeTwice {
                name: name.to_string(),
            });
        }
        let parents = self.parents(name, parents)?;
        let block = test_utils::block(
            &self.committee,
            name.author,
            name.round,
            &parents,
            &[],
            name.twin,
        );
        self.names.insert(block.reference(), name);
        self.blocks.insert(name, block);
        Ok(())
    }

    fn parents(&self, name: Name, parents: &Parents) -> Result<Vec<BlockRef>, Problem> {
        let (without, with) = match parents {
            Parents::These(names) => {
                return names.iter().map(|name| self.reference(*name)).collect();
            }
            Parents::All { without, with } => (without, with),
        };
        let mut chosen = BTreeMap::new();
        for author in self.committee.indices() {
            let first = Name {
                round: name.round.back(1),
                author,
                twin: 0,
            };
            if !without.contains(&first)
                && let Ok(reference) = self.reference(first)
            {
                chosen.insert(author, reference);
            }
        }
        for other in with {
            chosen.insert(other.author, self.reference(*other)?);
        }
        let own = chosen.remove(&name.author);
        Ok(own.into_iter().chain(chosen.into_values()).collect())
    }

    fn deliver(&mut self, name: Name) -> Result<(), Problem> {
        let block = self.made(name)?.clone();
        let source = Source::Peer(name.author);
        let mut out = Vec::new();
        self.consensus
            .step(Timestamp(0), Input::Block { source, block }, &mut out);
        self.note(out);
        Ok(())
    }

    fn note(&mut self, out: Vec<Effect>) {
        for effect in out {
            match effect {
                Effect::Commit(commit) => self.commits.push(commit),
                Effect::Dropped { own } => self.dropped.push(own),
                _ => {}
            }
        }
    }
}

fn order(commits: &[Vec<Name>]) -> String {
    let commit = |names: &Vec<Name>| {
        let names = names.iter().map(Name::to_string);
        names.collect::<Vec<_>>().join(" ")
    };
    let commits: Vec<String> = commits.iter().map(commit).collect();
    format!("order {}", commits.join(" | "))
}
