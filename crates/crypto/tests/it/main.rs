//! Tests of the crate from outside.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "tests read vectors and records")]

use std::path::Path;

mod algebra;
mod differential;
mod identity;
mod known_answers;
mod min_sig;
mod pvss;
mod pvss_decrypt;
mod pvss_keys;
mod pvss_reference;
mod rfc9380;
mod threshold;

/// The bytes of hexadecimal text.
fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// A file of the larger sets of vectors, which live next to the workspace where they are present.
fn shared_vectors(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(_) => {
            println!("vectors absent: skipped ({name})");
            None
        }
    }
}
