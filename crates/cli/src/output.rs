//! Facts on standard output: JSON for programs, aligned text for people.

use std::io::Write;

use anyhow::Context;
use serde::Serialize;

/// Most characters of an error in a table.
const CAUSE_CHARS_MAX: usize = 60;

/// Prints `fact` as JSON, or what `text` makes of it.
pub(crate) fn print<T: Serialize>(
    json: bool,
    fact: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    let shown = if json {
        serde_json::to_string_pretty(fact).context("the answer has no JSON form")?
    } else {
        text(fact)
    };
    let mut out = std::io::stdout().lock();
    // A reader that has seen enough (`| head`) is no failure.
    match writeln!(out, "{}", shown.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Lines of `name  value`, the values aligned.
pub(crate) fn list<const N: usize>(lines: [(&str, String); N]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}\n"))
        .collect()
}

/// A table with a line under its head.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
    table.set_header(head);
    for row in rows {
        table.add_row(row);
    }
    table.to_string()
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An error as short as a table needs it: the innermost message if it is a chain of them, as gRPC's errors are shown.
pub(crate) fn short_cause(error: &str) -> String {
    let innermost = error
        .rsplit_once("message: \"")
        .and_then(|(_, rest)| rest.split('"').next())
        .filter(|message| !message.is_empty())
        .unwrap_or(error);
    if innermost.chars().count() <= CAUSE_CHARS_MAX {
        return innermost.to_owned();
    }
    innermost
        .chars()
        .take(CAUSE_CHARS_MAX - 1)
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{CAUSE_CHARS_MAX, grouped, short_cause};

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0u64, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn errors_are_as_short_as_a_table_needs_them() {
        let refused = "code: 'The service is currently unavailable', message: \"Connection refused (os error 111)\", \
                       source: tonic::transport::Error(Transport, ConnectError(Os { code: 111, kind: \
                       ConnectionRefused, message: \"Connection refused\" }))";
        assert_eq!(short_cause(refused), "Connection refused");
        assert_eq!(short_cause(""), "");
        assert_eq!(short_cause("another chain"), "another chain");
        let long = short_cause(&"ä".repeat(CAUSE_CHARS_MAX + 1));
        assert_eq!(long.chars().count(), CAUSE_CHARS_MAX);
        assert!(long.ends_with('…'), "{long}");
    }
}
