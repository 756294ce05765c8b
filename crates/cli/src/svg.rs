//! Elements of pictures.

use std::fmt::{Arguments, Write};

/// A self-contained picture of this size on white ground.
pub(crate) fn page((width, height): (f64, f64), body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

/// Words at a point, which is their `anchor`: `start`, `middle` or `end`.
pub(crate) fn text(out: &mut String, at: (f64, f64), anchor: &str, words: &str) {
    coloured_text(out, at, anchor, "#333", words);
}

/// The same in a colour.
pub(crate) fn coloured_text(
    out: &mut String,
    (x, y): (f64, f64),
    anchor: &str,
    colour: &str,
    words: &str,
) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    push(
        out,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{words}</text>"
        ),
    );
}

/// A line through points; `more` are further attributes, with a space before each.
pub(crate) fn polyline(
    out: &mut String,
    points: impl Iterator<Item = (f64, f64)>,
    colour: &str,
    more: &str,
) {
    let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let points = points.join(" ");
    push(
        out,
        format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{more}/>"
        ),
    );
}

/// Any other element.
pub(crate) fn push(out: &mut String, element: Arguments<'_>) {
    writeln!(out, "{element}").expect("strings take everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_like_markup_are_words() {
        let mut out = String::new();
        text(&mut out, (1.0, 2.0), "start", "<b> & c");
        assert!(out.contains(">&lt;b> &amp; c<"));
    }
}
