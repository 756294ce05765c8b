//! `quorate bench bank`: faults, and an audit of everything that was acknowledged. `quorate bench soak`: what memory and disk
//! do meanwhile.

use serde_json::Value;

use crate::committee::finished;

#[test]
fn nothing_acknowledged_is_lost_whatever_befalls_the_committee() {
    let output = finished(&[
        "--json",
        "bench",
        "bank",
        "--seconds",
        "8",
        "--fault-interval-ms",
        "500",
        "--clients",
        "1",
    ]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {error}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["lost"], 0, "{report}");
    assert_eq!(report["disagreements"], 0, "{report}");
    assert_eq!(report["balances"], 4);
    assert_eq!(report["receipts"], report["acknowledged"]);
    assert!(report["acknowledged"].as_u64() > Some(4), "{report}");
    let faults = report["faults"].as_object().unwrap().values();
    let faults: u64 = faults.filter_map(Value::as_u64).sum();
    assert!(faults > 2, "{report}");
}

#[test]
fn a_soak_samples_memory_and_disk_and_draws_them() {
    let directory = tempfile::tempdir().unwrap();
    let svg = directory.path().join("soak.svg");
    let output = finished(&[
        "--json",
        "bench",
        "soak",
        "--seconds",
        "4",
        "--every",
        "1",
        "--load",
        "20",
        "--accounts",
        "8",
        "--svg",
        &svg.display().to_string(),
    ]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {error}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let samples = report["samples"].as_array().unwrap();
    assert!(samples.len() >= 2, "{report}");
    let last = samples.last().unwrap();
    for quantity in ["resident_mib", "log_mib", "tables_mib"] {
        assert!(last[quantity].as_f64() > Some(0.0), "{last}");
    }
    assert!(last["transactions"].as_u64() > Some(0), "{last}");
    let picture = std::fs::read_to_string(svg).unwrap();
    assert_eq!(picture.matches("<polyline").count(), 3);
}
