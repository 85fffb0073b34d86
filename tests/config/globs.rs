//! Globs against the regular expressions that they stand for.

use proptest::prelude::*;
use regex_lite::Regex;

use weir::path::Glob;

/// Parts that meet each other in many ways: repeated bytes, slashes, stars of both kinds.
fn glob() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => "[ab]{1,3}",
        2 => Just("/".to_owned()),
        2 => Just("*".to_owned()),
        2 => Just("**".to_owned()),
        1 => "(ab/){1,40}",
    ];
    prop::collection::vec(part, 0..16).prop_map(|parts| parts.concat())
}

fn expression(glob: &str) -> Regex {
    let parts = glob.replace("**", "\u{1}").replace('*', "[^/]*");
    Regex::new(&format!("(?s)^{}$", parts.replace('\u{1}', ".*"))).unwrap()
}

proptest! {
    #[test]
    fn any_path(glob in glob(), paths in prop::collection::vec("[ab/]{0,24}", 16)) {
        let (matcher, expression) = (Glob::new(glob.as_bytes()).unwrap(), expression(&glob));
        for path in paths {
            prop_assert_eq!(matcher.matches(path.as_bytes()), expression.is_match(&path), "{}", path);
        }
    }

    /// Paths made of the glob itself, with something in place of each star, hold often.
    #[test]
    fn a_path_of_that_shape(glob in glob(), fillings in prop::collection::vec("[ab/]{0,6}", 16)) {
        let (matcher, expression) = (Glob::new(glob.as_bytes()).unwrap(), expression(&glob));
        let mut fillings = fillings.iter().cycle();
        let mut path = String::new();
        for byte in glob.replace("**", "*").chars() {
            match byte {
                '*' => path += fillings.next().unwrap(),
                byte => path.push(byte),
            }
        }
        prop_assert_eq!(matcher.matches(path.as_bytes()), expression.is_match(&path), "{}", path);
    }
}
