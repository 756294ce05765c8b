//! A small language for DAGs and what the commit rule must say about them.
//!
//! One statement a line, carried out in order on an engine in recovery, so that expectations can be given halfway;
//! `#` begins a comment. Validators are `A`, `B`, ..; `C4` is C's block at round 4, `C4'` and `C4''` are its twins.
//!
//! ```text
//! wave 5                      # 4 or 5; needed before anything else
//! validators 4                # needed before anything else
//! gc 16                       # depth of garbage collection; 64 unless given
//! full 1..3                   # everybody at rounds 1 to 3, each on everybody's first block of the round before
//! full 4..5 A B C             # the same for some
//! A4 -> *                     # on everybody's first block of the round before, the own one first
//! B4 -> * - [D3] + [C3']      # the same without D3, and with C3' in place of C's
//! C4 -> [C3, A3, B3]          # exactly these, in this order
//! hide D4 -> *                # made, not handed in; others may have it as a parent
//! deliver D4                  # handed in now
//! leaders 1 B A               # what the coin says about round 1
//! commit B1 direct            # expectations: so decided, in this way
//! skip A1 indirect
//! undecided A2
//! held C4                     # in the DAG
//! waiting B5                  # seen, and not in the DAG
//! dropped A1                  # A's block (the engine is A's) was forgotten without having been output
//! order A1 B1 | C1 A2         # everything output so far, commit by commit
//! ```

mod run;

use std::ops::RangeInclusive;

use quorate_types::{Round, ValidatorIndex};

/// A parsed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub(crate) wave: u8,
    pub(crate) validators: u16,
    pub(crate) gc_depth: u64,
    statements: Vec<(At, Statement)>,
}

/// A place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// Why a text is refused, or does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {problem}", at.line, at.column)]
pub struct DagTextError {
    /// Where.
    pub at: At,
    /// What.
    pub problem: Problem,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something else should stand here.
    #[error("expected {expected}")]
    Expected {
        /// What should stand here.
        expected: &'static str,
    },
    /// A number is out of range.
    #[error("the number must be in {least}..={most}")]
    OutOfRange {
        /// Least.
        least: u64,
        /// Most.
        most: u64,
    },
    /// No such block was made.
    #[error("no block {name}")]
    UnknownBlock {
        /// Its name.
        name: String,
    },
    /// The block was made before.
    #[error("{name} was made before")]
    MadeTwice {
        /// Its name.
        name: String,
    },
    /// An expectation does not hold.
    #[error("expected {expected}, found {found}")]
    Unmet {
        /// What should be.
        expected: String,
        /// What is.
        found: String,
    },
}

/// A block's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    round: Round,
    author: ValidatorIndex,
    twin: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Statement {
    Full {
        rounds: RangeInclusive<u64>,
        authors: Vec<ValidatorIndex>,
    },
    Block {
        name: Name,
        parents: Parents,
        hidden: bool,
    },
    Deliver(Name),
    Leaders {
        round: Round,
        order: Vec<ValidatorIndex>,
    },
    Commit {
        name: Name,
        direct: bool,
    },
    Skip {
        slot: Name,
        direct: bool,
    },
    Undecided(Name),
    Held(Name),
    Waiting(Name),
    Dropped(Name),
    Order(Vec<Vec<Name>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Parents {
    /// Everybody's first block of the round before, less some authors', with others in place.
    All {
        without: Vec<Name>,
        with: Vec<Name>,
    },
    These(Vec<Name>),
}

/// What every text begins with.
const SETUP: &str = "`wave` and `validators` first";

impl Scenario {
    /// Parses a text.
    ///
    /// # Errors
    /// [`DagTextError`], pointing at what is wrong.
    pub fn parse(text: &str) -> Result<Self, DagTextError> {
        let mut scenario = Self {
            wave: 0,
            validators: 0,
            gc_depth: 64,
            statements: Vec::new(),
        };
        for (line, content) in (1..).zip(text.lines()) {
            let mut line = Line::new(line, content, scenario.validators);
            if !line.is_empty() {
                scenario.parse_line(&mut line)?;
                line.end()?;
            }
        }
        if scenario.wave == 0 || scenario.validators == 0 {
            let line = text.lines().count().max(1);
            return Err(DagTextError::expected(At { line, column: 1 }, SETUP));
        }
        Ok(scenario)
    }

    fn parse_line(&mut self, line: &mut Line<'_>) -> Result<(), DagTextError> {
        let at = line.at();
        let first = line.word("a statement")?;
        match first {
            // Names were read with the committee that was known then.
            "validators" if !self.statements.is_empty() => {
                return Err(DagTextError::expected(at, SETUP));
            }
            "wave" => self.wave = u8::try_from(line.number(4, 5)?).unwrap_or(5),
            "validators" => self.validators = u16::try_from(line.number(4, 26)?).unwrap_or(26),
            "gc" => self.gc_depth = line.number(6, 10_000)?,
            _ if self.wave == 0 || self.validators == 0 => {
                return Err(DagTextError::expected(at, SETUP));
            }
            _ => {
                let statement = parse_statement(first, at, line)?;
                self.statements.push((at, statement));
            }
        }
        Ok(())
    }
}

fn parse_statement(first: &str, at: At, line: &mut Line<'_>) -> Result<Statement, DagTextError> {
    Ok(match first {
        "full" => {
            let from = line.number(1, 1000)?;
            line.symbol("..")?;
            let rounds = from..=line.number(from, 1000)?;
            let mut authors = Vec::new();
            while !line.is_empty() {
                authors.push(line.author()?);
            }
            Statement::Full { rounds, authors }
        }
        "hide" => {
            let name = line.name()?;
            parse_block(name, true, line)?
        }
        "deliver" => Statement::Deliver(line.name()?),
        "leaders" => {
            let round = Round(line.number(1, 1000)?);
            let mut order = vec![line.author()?];
            while !line.is_empty() {
                order.push(line.author()?);
            }
            Statement::Leaders { round, order }
        }
        "commit" => Statement::Commit {
            name: line.name()?,
            direct: line.directness()?,
        },
        "skip" => Statement::Skip {
            slot: line.name()?,
            direct: line.directness()?,
        },
        "undecided" => Statement::Undecided(line.name()?),
        "held" => Statement::Held(line.name()?),
        "waiting" => Statement::Waiting(line.name()?),
        "dropped" => Statement::Dropped(line.name()?),
        "order" => {
            let mut commits = vec![Vec::new()];
            while !line.is_empty() {
                if line.take("|") {
                    commits.push(Vec::new());
                    continue;
                }
                let name = line.name()?;
                commits.last_mut().expect("never empty").push(name);
            }
            commits.retain(|commit| !commit.is_empty());
            Statement::Order(commits)
        }
        name => {
            let name = line.parse_name(name, at)?;
            parse_block(name, false, line)?
        }
    })
}

fn parse_block(name: Name, hidden: bool, line: &mut Line<'_>) -> Result<Statement, DagTextError> {
    line.symbol("->")?;
    let parents = if line.take("*") {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        loop {
            if line.take("-") {
                without.extend(line.names()?);
            } else if line.take("+") {
                with.extend(line.names()?);
            } else {
                break;
            }
        }
        Parents::All { without, with }
    } else {
        Parents::These(line.names()?)
    };
    Ok(Statement::Block {
        name,
        parents,
        hidden,
    })
}

/// What is left of one line.
struct Line<'a> {
    line: usize,
    content: &'a str,
    offset: usize,
    validators: u16,
}

impl<'a> Line<'a> {
    fn new(line: usize, content: &'a str, validators: u16) -> Self {
        let content = content.split('#').next().unwrap_or_default().trim_end();
        let mut line = Self {
            line,
            content,
            offset: 0,
            validators,
        };
        line.skip_space();
        line
    }

    fn at(&self) -> At {
        At {
            line: self.line,
            column: self.content[..self.offset].chars().count() + 1,
        }
    }

    fn rest(&self) -> &'a str {
        &self.content[self.offset..]
    }

    fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.offset += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.offset += symbol.len();
            self.skip_space();
        }
        found
    }

    fn symbol(&mut self, symbol: &'static str) -> Result<(), DagTextError> {
        let at = self.at();
        if self.take(symbol) {
            return Ok(());
        }
        Err(DagTextError::expected(at, symbol))
    }

    fn word(&mut self, expected: &'static str) -> Result<&'a str, DagTextError> {
        let rest = self.rest();
        let length = rest
            .find(|character: char| !character.is_alphanumeric() && character != '\'')
            .unwrap_or(rest.len());
        if length == 0 {
            return Err(DagTextError::expected(self.at(), expected));
        }
        self.offset += length;
        self.skip_space();
        Ok(&rest[..length])
    }

    fn number(&mut self, least: u64, most: u64) -> Result<u64, DagTextError> {
        let at = self.at();
        let word = self.word("a number")?;
        let number: u64 = word
            .parse()
            .map_err(|_| DagTextError::expected(at, "a number"))?;
        if (least..=most).contains(&number) {
            return Ok(number);
        }
        let problem = Problem::OutOfRange { least, most };
        Err(DagTextError { at, problem })
    }

    fn author(&mut self) -> Result<ValidatorIndex, DagTextError> {
        let at = self.at();
        let word = self.word("a validator")?;
        let mut letters = word.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => self.parse_author(letter, at),
            _ => Err(DagTextError::expected(at, "a validator")),
        }
    }

    fn parse_author(&self, letter: char, at: At) -> Result<ValidatorIndex, DagTextError> {
        let index = u16::try_from(u32::from(letter).wrapping_sub(u32::from('A')));
        match index {
            Ok(index) if index < self.validators => Ok(ValidatorIndex(index)),
            _ => Err(DagTextError::expected(at, "a validator's letter")),
        }
    }

    fn name(&mut self) -> Result<Name, DagTextError> {
        let at = self.at();
        let word = self.word("a block")?;
        self.parse_name(word, at)
    }

    fn parse_name(&self, word: &str, at: At) -> Result<Name, DagTextError> {
        let expected = || DagTextError::expected(at, "a block, as C4 or C4'");
        let author = self.parse_author(word.chars().next().unwrap_or(' '), at)?;
        let number = word[1..].trim_end_matches('\'');
        let twin = word.len() - 1 - number.len();
        Ok(Name {
            round: Round(number.parse().map_err(|_| expected())?),
            author,
            twin: u8::try_from(twin).map_err(|_| expected())?,
        })
    }

    fn names(&mut self) -> Result<Vec<Name>, DagTextError> {
        self.symbol("[")?;
        let mut names = vec![self.name()?];
        while self.take(",") {
            names.push(self.name()?);
        }
        self.symbol("]")?;
        Ok(names)
    }

    fn directness(&mut self) -> Result<bool, DagTextError> {
        let at = self.at();
        match self.word("`direct` or `indirect`")? {
            "direct" => Ok(true),
            "indirect" => Ok(false),
            _ => Err(DagTextError::expected(at, "`direct` or `indirect`")),
        }
    }

    fn end(&self) -> Result<(), DagTextError> {
        if self.is_empty() {
            return Ok(());
        }
        Err(DagTextError::expected(self.at(), "the end of the line"))
    }
}

impl DagTextError {
    const fn expected(at: At, expected: &'static str) -> Self {
        Self {
            at,
            problem: Problem::Expected { expected },
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letter = char::from(b'A' + u8::try_from(self.author.0).unwrap_or(25));
        let marks = "'".repeat(usize::from(self.twin));
        write!(f, "{letter}{}{marks}", self.round)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Scenario::parse(text).expect_err("is wrong").to_string()
    }

    #[test]
    fn errors_point_at_line_and_column() {
        let head = "wave 5\nvalidators 4\n";
        assert_eq!(
            error("full 1..2"),
            "line 1, column 1: expected `wave` and `validators` first"
        );
        assert_eq!(
            error("wave 5\n\n"),
            "line 2, column 1: expected `wave` and `validators` first"
        );
        assert_eq!(
            error("wave 5\nvalidators 26\nfull 1..2\nvalidators 4"),
            "line 4, column 1: expected `wave` and `validators` first"
        );
        assert_eq!(
            error("wave 6"),
            "line 1, column 6: the number must be in 4..=5"
        );
        assert_eq!(
            error(&format!("{head}  E1 -> *")),
            "line 3, column 3: expected a validator's letter"
        );
        assert_eq!(
            error(&format!("{head}A1 -> [A0 B0]")),
            "line 3, column 11: expected ]"
        );
        assert_eq!(
            error(&format!("{head}\ncommit A1 soon")),
            "line 4, column 11: expected `direct` or `indirect`"
        );
        assert_eq!(
            error(&format!("{head}held A1 B1")),
            "line 3, column 9: expected the end of the line"
        );
        assert_eq!(
            error(&format!("{head}Ax -> *")),
            "line 3, column 1: expected a block, as C4 or C4'"
        );
    }

    #[test]
    fn unmet_expectations_point_at_their_line() {
        let text = "wave 4\nvalidators 4\nfull 1..4\nleaders 1 A\ncommit A1 indirect";
        let error = Scenario::parse(text).and_then(|scenario| scenario.run().map(drop));
        let error = error.expect_err("it is direct").to_string();
        assert_eq!(
            error,
            "line 5, column 1: expected commit A1 indirect, found commit A1 direct"
        );
    }
}
