//! Texts that are compared with files in `tests/artifact/golden`; `WEIR_BLESS=1` rewrites them.

use std::path::PathBuf;

/// Compares; panics with a diff.
pub fn check(case: &str, actual: &str) {
    let path: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "tests",
        "artifact",
        "golden",
        &format!("{case}.txt"),
    ]
    .iter()
    .collect();
    let actual = format!("{}\n", actual.trim_end());
    if std::env::var_os("WEIR_BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == actual,
        "{case} is not as in {} (- expected, + seen; WEIR_BLESS=1 rewrites the file):\n{}",
        path.display(),
        diff(&golden, &actual),
    );
}

/// Lines common to both, lines of `old` with `-`, lines of `new` with `+`.
fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    // common[i][j]: length of the longest common subsequence of old[i..] and new[j..]
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        let (mark, line) = if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            (' ', old[i - 1])
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', old[i - 1])
        } else {
            j += 1;
            ('+', new[j - 1])
        };
        out.push_str(&format!("{mark} {line}\n"));
    }
    out
}

#[test]
fn a_diff_shows_what_went_and_what_came() {
    assert_eq!(
        diff("a\nb\nc\n", "a\nx\nc\nd\n"),
        "  a\n- b\n+ x\n  c\n+ d\n"
    );
}
