//! Where a mistake is said to be, whatever carries the document.

use std::fs;

use super::{fixtures, said};

/// What comes before a line and column of a text.
fn before(text: &str, line: usize, column: usize) -> String {
    let mut lines = text.split_inclusive('\n');
    let above: String = lines.by_ref().take(line - 1).collect();
    let within = lines.next().unwrap_or_default().chars();
    above + &within.take(column - 1).collect::<String>()
}

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let string = serde_json::to_string(text).unwrap();
    let text = string.strip_prefix('"').unwrap();
    text.strip_suffix('"').unwrap().to_owned()
}

/// A document says the same as a block of YAML, further down and to the right, and as a string of JSON.
#[test]
fn a_document_says_the_same_in_every_carrier() {
    const HEAD: &str =
        "_format_version: '3.0'\nfilter_chains:\n- filters:\n  - name: weir\n    config: |\n";
    const INDENT: &str = "       ";
    let mut compared = 0;
    for path in fixtures("tests/config/broken") {
        let text = fs::read_to_string(&path).unwrap();
        // Kong has no clusters, but addresses.
        let text = text.replace("\"ratelimit\"", "\"limits:80\"");
        // What begins otherwise is read as YAML, when it stands alone; what ends too early ends elsewhere in a block,
        // which has a line break more.
        if !text.starts_with('{') || path.ends_with("syntax-cut-off.json") {
            continue;
        }
        let alone = said(&text);
        let block: String = text
            .lines()
            .map(|line| format!("{INDENT}{line}\n"))
            .collect();
        let (above, left) = (HEAD.lines().count(), INDENT.len());
        let moved = alone
            .iter()
            .map(|(line, column, words)| (line + above, column + left, words.clone()));
        assert_eq!(
            said(&format!("{HEAD}{block}")),
            moved.collect::<Vec<_>>(),
            "{}",
            path.display()
        );
        let filter = serde_json::json!({ "name": "weir", "config": text });
        let string = serde_json::json!({ "_format_version": "3.0", "filter_chains": [{ "filters": [filter] }] })
            .to_string();
        let begin = string.find(&escaped(&text)).unwrap();
        let moved = alone.into_iter().map(|(line, column, words)| {
            let before = escaped(&before(&text, line, column)).chars().count();
            (1, begin + before + 1, words)
        });
        assert_eq!(
            said(&string),
            moved.collect::<Vec<_>>(),
            "{}",
            path.display()
        );
        compared += 1;
    }
    assert!(compared > 90, "{compared}");
}

/// Characters of several bytes, more of them than are counted at once, in one line.
#[test]
fn a_column_is_of_characters_however_long_the_line() {
    for length in [1, 2_047, 2_048, 5_000] {
        let input = format!(r#"{{"domain": "{}", "rules": 1}}"#, "é".repeat(length));
        let places: Vec<_> = said(&input)
            .into_iter()
            .map(|(line, column, _)| (line, column))
            .collect();
        assert_eq!(places, [(1, 2), (1, length + 16)]);
    }
}
