use regex_lite::Regex;

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn glob(pattern: &str) -> Glob {
    Glob::new(pattern.as_bytes()).unwrap()
}

#[track_caller]
fn check(pattern: &str, held: &[&str], others: &[&str]) {
    let glob = glob(pattern);
    for path in held {
        assert!(glob.matches(path.as_bytes()), "{pattern} {path}");
    }
    for path in others {
        assert!(!glob.matches(path.as_bytes()), "{pattern} {path}");
    }
}

#[test]
fn one_star_stays_in_its_segment_and_two_do_not() {
    check("/a/*", &["/a/", "/a/b"], &["/a", "/a/b/", "/b/a"]);
    check("/a/**", &["/a/", "/a/b/c/"], &["/a", "/b/a/"]);
    check("*", &["", "a"], &["/", "a/"]);
    check("**", &["", "a", "/", "/a//b"], &[]);
    check("***", &["", "a", "/", "/a//b"], &[]);
    check(
        "/**/*.php",
        &["/a/.php", "//x.php", "/a/b/c.d.php"],
        &["/x.php", "/a/x.php/"],
    );
    check("/*/a/**", &["//a/", "/b/a/b/c"], &["/b/c/a/", "/a/"]);
    check("/a*b*c", &["/abc", "/aXbXbXc"], &["/ab/c", "/ac", "/abcd"]);
    // A star in a segment that follows one across segments: which slash it stands behind is not the first found.
    check("**/*b", &["/b", "/a/ab", "a/a/bab"], &["b", "/b/a"]);
    check(
        "/**/a/*/b",
        &["//a/a/b", "/a/a/a/a/b"],
        &["/a/a/b", "/x/a/b"],
    );
}

#[test]
fn what_begins_a_path_does_not_end_it_as_well() {
    check("/aa*aa", &["/aaaa", "/aaaaa"], &["/aaa", "/aa"]);
    check("/a", &["/a"], &["/", "/aa", "/a/"]);
    check("", &[""], &["a"]);
}

#[test]
fn any_byte_is_part_of_a_path() {
    let every: Vec<_> = (0..=u8::MAX).collect();
    assert!(glob("**").matches(&every));
    assert!(!glob("*").matches(&every));
    assert!(glob("*/*").matches(&every));
    assert!(glob("*\u{1}*/**").matches(&every));
}

/// All texts over an alphabet of up to so many bytes.
fn texts(alphabet: &str, most: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut longest = all.clone();
    for _ in 0..most {
        let longer = longest
            .iter()
            .flat_map(|text| alphabet.chars().map(move |c| format!("{text}{c}")));
        longest = longer.collect();
        all.extend_from_slice(&longest);
    }
    all
}

/// The regular expression that a glob stands for.
fn expression(pattern: &str) -> Regex {
    let inner = pattern
        .replace("**", "\u{1}")
        .replace('*', "[^/]*")
        .replace('\u{1}', ".*");
    Regex::new(&format!("(?s)^{inner}$")).unwrap()
}

#[test]
fn every_short_glob_is_its_regular_expression() {
    let paths = texts("ab/", 5);
    for pattern in texts("ab/*", 5) {
        let (glob, expression) = (glob(&pattern), expression(&pattern));
        for path in &paths {
            let holds = expression.is_match(path);
            assert_eq!(glob.matches(path.as_bytes()), holds, "{pattern} {path}");
        }
    }
}

#[test]
fn a_glob_of_several_words_is_its_regular_expression() {
    for length in [62, 63, 64, 65, 126, 127, 128, 129, 400] {
        let literal = "ab/".repeat(length);
        let literal = literal.get(..length).unwrap();
        for pattern in [
            format!("/*{literal}*"),
            format!("**{literal}**"),
            format!("**a*{literal}*b**{literal}*"),
        ] {
            let (glob, expression) = (glob(&pattern), expression(&pattern));
            for path in [
                format!("/{literal}"),
                format!("/x{literal}y"),
                format!("/x{literal}y/"),
                format!("/{literal}{literal}"),
                format!("/aa{literal}xb/{literal}"),
                format!("/{}", literal.get(1..).unwrap()),
                literal.repeat(3),
            ] {
                let holds = expression.is_match(&path);
                assert_eq!(glob.matches(path.as_bytes()), holds, "{pattern} {path}");
            }
        }
    }
}

#[test]
fn sixty_four_states_are_a_word() {
    for (pattern, words) in [
        ("/a".repeat(400), 1),
        ("**/*a*a*a*a*b".to_owned(), 1),
        ("**a**a**a**a**b".to_owned(), 1),
        (format!("*{}*", "a".repeat(63)), 1),
        (format!("*{}*", "a".repeat(64)), 2),
        (format!("{0}*{0}", "a".repeat(500)), 1),
        (format!("*{}*", "a".repeat(1_023)), 16),
    ] {
        assert_eq!(glob(&pattern).words(), words, "{pattern}");
    }
    let beyond = format!("*{}*", "a".repeat(1_024));
    assert_eq!(Glob::new(beyond.as_bytes()), Err(TooLong));
}
