//! `quorate bench bank`: faults, and an audit of everything that was acknowledged.

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
