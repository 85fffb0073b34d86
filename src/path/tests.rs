use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn normal_text(target: &str) -> String {
    String::from_utf8(normal(target.as_bytes()).into_owned()).unwrap()
}

fn normalized(path: &str) -> String {
    String::from_utf8(normalize(path.as_bytes()).into_owned()).unwrap()
}

#[test]
fn only_unreserved_characters_are_decoded_and_only_once() {
    for (target, path) in [
        ("/%61dmin", "/admin"),
        ("/%41%2d%2e%5F%7e", "/A-._~"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%00b", "/a%00b"),
        ("/a%3bb;c=d", "/a%3Bb;c=d"),
        // Twice encoded: it was `%61` and stays that.
        ("/%2561", "/%2561"),
        ("/%25%36%31", "/%2561"),
        ("/%ff%C3", "/%FF%C3"),
        ("/é|\\ \"", "/%C3%A9%7C%5C%20%22"),
        ("/[{^}]`", "/%5B%7B%5E%7D%5D%60"),
        ("/:@!$&'()*+,;=-._~", "/:@!$&'()*+,;=-._~"),
        ("/%2e%2E/x", "/../x"),
        // Not escapes.
        ("/%", "/%25"),
        ("/%4", "/%254"),
        ("/%zz%g1", "/%25zz%25g1"),
        ("/%%61", "/%25a"),
        ("/%%36%31", "/%2561"),
        ("//a/./../b/", "//a/./../b/"),
    ] {
        assert_eq!(normal_text(target), path, "{target}");
    }
}

#[test]
fn a_path_ends_where_query_or_fragment_begin() {
    for (target, path) in [
        ("/a?", "/a"),
        ("/a?b?c#d", "/a"),
        ("/a#b?c", "/a"),
        ("/%3f?x", "/%3F"),
        ("", ""),
        ("?a", ""),
        ("*", "*"),
        ("http://example.com/a?b", "/a"),
        ("HTTP+x://user@[::1]:80/%61//b", "/a//b"),
        ("http://example.com", "/"),
        ("http://example.com?/a", "/"),
        ("/http://example.com", "/http://example.com"),
        ("1http://a/b", "1http://a/b"),
        ("ht_tp://a/b", "ht_tp://a/b"),
        ("example.com:443", "example.com:443"),
    ] {
        assert_eq!(normal_text(target), path, "{target}");
    }
}

#[test]
fn bytes_that_no_uri_has_are_encoded() {
    assert_eq!(*normal(b"/\xff\xfe%61?\xff"), *b"/%FF%FEa");
    assert_eq!(*normal(b"/%\xff1"), *b"/%25%FF1");
    assert_eq!(*normalize(b"/\xff//.."), *b"/");
}

#[test]
fn what_needs_no_change_is_not_copied() {
    assert!(matches!(normal(b"/a/%2F?x=%61"), Cow::Borrowed(_)));
    assert!(matches!(normal(b"/a/%2f"), Cow::Owned(_)));
    assert!(matches!(normalize(b"/a/.b/..c/"), Cow::Borrowed(_)));
    assert!(matches!(decoded(b"b"), Cow::Borrowed(_)));
}

#[test]
fn slashes_are_merged_and_dot_segments_removed() {
    for (path, result) in [
        ("/", "/"),
        ("//", "/"),
        ("/a//b///c", "/a/b/c"),
        ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/../", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a//../b", "/b"),
        // RFC 3986 §5.2.4.
        ("/a/b/c/./../../g", "/a/g"),
        ("/a/...", "/a/..."),
        ("", ""),
        ("*", "*"),
        ("a/../b", "a/../b"),
    ] {
        assert_eq!(normalized(path), result, "{path}");
    }
}

#[test]
fn segments_count_from_the_first_slash() {
    let of = |path: &'static str| -> Vec<_> { segments(path.as_bytes()).collect() };
    assert_eq!(of("/a/b"), [b"a", b"b"]);
    assert_eq!(of("/a/"), [&b"a"[..], b""]);
    assert_eq!(of("/"), [b""]);
    assert!(of("").is_empty());
    assert_eq!(of("*"), [b"*"]);
}

#[test]
fn a_query_is_between_question_mark_and_hash() {
    assert_eq!(query(b"/a?b?c#d?e"), Some(&b"b?c"[..]));
    assert_eq!(query(b"/a?"), Some(&b""[..]));
    assert_eq!(query(b"/a#b?c"), None);
    assert_eq!(query(b"/a"), None);
}

#[test]
fn a_parameter_has_the_values_that_its_name_has_in_any_spelling() {
    let of = |query: &'static [u8], name: &'static [u8]| -> Vec<Vec<u8>> {
        let values = parameters(query, name);
        values.map(|value| decoded(value).into_owned()).collect()
    };
    assert_eq!(of(b"x=1&key=a%20b+c%2B", b"key"), [b"a b c+"]);
    assert_eq!(of(b"k%65y=1", b"key"), [b"1"]);
    assert_eq!(of(b"api+key=1", b"api key"), [b"1"]);
    assert_eq!(of(b"key=a=b", b"key"), [b"a=b"]);
    assert_eq!(of(b"key=%ff\xff", b"key"), [b"\xff\xff"]);
    assert_eq!(of(b"key=%f&", b"key"), [b"%f"]);
    assert_eq!(of(b"key=1&x=2&%6bey=3&key", b"key"), [&b"1"[..], b"3", b""]);
    for missing in [&b""[..], b"KEY=1", b"xkey=1", b"x=key"] {
        assert!(of(missing, b"key").is_empty(), "{missing:?}");
    }
}

#[test]
fn a_template_captures_whole_segments() {
    let template = Template::parse("/users/{id}/%6frders/{order}").unwrap();
    let of = |path: &'static str| -> Option<Vec<_>> {
        Some(template.captures(path.as_bytes())?.collect())
    };
    assert_eq!(of("/users/7/orders/a%2Fb").unwrap(), [&b"7"[..], b"a%2Fb"]);
    for other in [
        "/users//orders/1",
        "/users/7/orders/",
        "/users/7/orders",
        "/users/7/orders/1/",
        "users/7/orders/1",
        "/Users/7/orders/1",
        "",
        "*",
    ] {
        assert_eq!(of(other), None, "{other}");
    }
    let slash = Template::parse("/a/{b}/").unwrap();
    assert!(slash.captures(b"/a/x/").is_some());
    assert!(slash.captures(b"/a/x").is_none());
}

#[test]
fn what_is_no_template_is_refused() {
    use TemplateError::*;
    for (source, error) in [
        ("", NoSlash),
        ("users/{id}", NoSlash),
        ("/users", NoCapture),
        ("/a{id}", BadCapture),
        ("/{id}b", BadCapture),
        ("/{}", BadCapture),
        ("/{1}", BadCapture),
        ("/{a b}", BadCapture),
        ("/{a}}", BadCapture),
        ("/}{", BadCapture),
        ("/{a}/{a}", DuplicateCapture),
        ("/{a}/*", BadCharacter('*')),
        ("/{a}?x={b}", BadCharacter('?')),
    ] {
        assert_eq!(Template::parse(source), Err(error), "{source}");
    }
}

#[test]
fn a_normal_path_is_ascii_and_stays_what_it_is() {
    for first in 0..=255 {
        for path in [
            vec![b'/', first],
            vec![b'/', b'%', b'4', first],
            vec![b'/', first, b'6', b'1'],
        ] {
            let once = normal(&path).into_owned();
            assert!(once.is_ascii(), "{path:?}");
            assert!(
                matches!(normal(&once), Cow::Borrowed(twice) if twice == once),
                "{path:?}"
            );
        }
    }
}
