//! Evidence as lines of JSON, for the file that operators keep.

use quorate_types::{BlockRef, Evidence};
use serde_json::{Value, json};

/// One line without its end.
pub(crate) fn to_json(evidence: &Evidence) -> Value {
    match evidence {
        Evidence::Equivocation { first, second } => json!({
            "kind": "equivocation",
            "author": first.author.0,
            "round": first.round.0,
            "first": block(first),
            "second": block(second),
        }),
        Evidence::BadCoinShare { author, round } => json!({
            "kind": "bad_coin_share",
            "author": author.0,
            "round": round.0,
        }),
        Evidence::BadFinalityShare { author, height } => json!({
            "kind": "bad_finality_share",
            "author": author.0,
            "height": height.0,
        }),
    }
}

fn block(reference: &BlockRef) -> String {
    reference.id.to_hex()
}
