//! Documents that list what the code defines.

use std::path::PathBuf;

use quorate_types::DomainTag;

#[test]
fn every_domain_tag_is_documented_with_its_bytes() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/domain-tags.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(rows.len(), DomainTag::ALL.len(), "one row a tag");
    for (tag, row) in DomainTag::ALL.iter().zip(rows) {
        let bytes = tag.bytes();
        let padding = bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let shown = std::str::from_utf8(&bytes[..8 - padding]).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let start = format!("| `{tag:?}` | `{shown}` | `{hex}` |");
        assert!(row.starts_with(&start), "{row}\nshould start with\n{start}");
    }
}
