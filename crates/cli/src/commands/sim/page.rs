//! The page that draws a simulated world.

use quorate_sim::Recording;

const TEMPLATE: &str = include_str!("page.html");
/// Where the template has the recording.
const PLACE: &str = "__RECORDING__";

/// A page that needs nothing but itself.
pub(super) fn page(recording: &Recording) -> Result<String, serde_json::Error> {
    // Nothing in it can end the script that it is in: `<` has another spelling in JSON's strings, and occurs nowhere else.
    let json = serde_json::to_string(recording)?.replace('<', "\\u003c");
    Ok(TEMPLATE.replacen(PLACE, &json, 1))
}

#[cfg(test)]
mod tests {
    use quorate_sim::{SimOptions, record_seed};

    use super::page;

    fn embedded(page: &str) -> serde_json::Value {
        let start = "<script id=\"recording\" type=\"application/json\">";
        let (_, rest) = page.split_once(start).unwrap();
        let (json, _) = rest.split_once("</script>").unwrap();
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_page_holds_the_whole_world() {
        let mut recording = record_seed(&SimOptions::new(4, 1..2), 1);
        assert!(recording.passed, "{}", recording.outcome);
        let drawn = page(&recording).unwrap();
        assert!(!drawn.contains("http"), "it loads nothing");
        let world = embedded(&drawn);
        assert_eq!(world["seed"], 1);
        let count = |name: &str| world[name].as_array().unwrap().len();
        assert_eq!(count("lies"), 4);
        assert!(count("commits") > 20);
        assert!(count("leaders") >= count("commits") / 3);
        let blocks = world["blocks"].as_array().unwrap();
        let known = |id: &serde_json::Value| blocks.iter().any(|block| block["id"] == *id);
        for commit in world["commits"].as_array().unwrap() {
            assert!(known(&commit["leader"]), "{commit}");
        }

        // Nothing in a recording ends the script.
        recording.outcome = "</script><b>".to_owned();
        let drawn = page(&recording).unwrap();
        assert!(!drawn.contains("</script><b>"));
        assert_eq!(embedded(&drawn)["outcome"], "</script><b>");
    }
}
