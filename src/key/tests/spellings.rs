//! Values that servers take for one are counted as one.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

#[test]
fn a_cookie_is_one_however_it_is_written() {
    let of = |line| found(r#"[{"cookie": "a"}]"#, get(&[("cookie", line)]));
    for line in [
        "a= 1",
        "a =1",
        " a\t=\t1 ;",
        "a=\"1\"",
        "a= \"1\" ; b=2",
        "a=\" 1\t\"",
        "b=2;a=1",
    ] {
        assert_eq!(of(line), of("a=1"), "{line}");
    }
    for other in ["a=1\"", "a=\"1", "a=1=", "a=01"] {
        assert_ne!(of(other), of("a=1"), "{other}");
    }
    let lines = get(&[("cookie", "b=2; a=1"), ("cookie", "c=3")]);
    assert_eq!(found(r#"[{"cookie": "a"}]"#, lines), of("a=1"));
}

/// Over HTTP/2 Envoy hands on the blanks and tabs around a value.
#[test]
fn blanks_around_a_value_make_no_other_key() {
    for (key, name, values) in [
        (r#"[{"header": "a"}]"#, "a", ["1", " 1", "1\t", "\t 1 \t"]),
        (r#"["host"]"#, ":authority", ["a", " a", "a\t", " a:80 "]),
        (r#"["host"]"#, "host", ["a", " a", "a\t", " a:80 "]),
        (
            r#"[{"query": "a"}]"#,
            ":path",
            ["/?a=1", "/?a=+1", "/?a=1%20", " /?a=%091\t"],
        ),
        (r#"["path"]"#, ":path", ["/a", " /a", "/a\t", "/a "]),
        (
            r#"[{"header": "authorization"}]"#,
            "authorization",
            ["Bearer x", " bearer x", "BEARER  x\t", "bearer\tx "],
        ),
        (
            r#"[{"header": "proxy-authorization"}]"#,
            "proxy-authorization",
            ["Basic x", "basic x", "BASIC  x\t", "\tbasic x "],
        ),
    ] {
        for value in values {
            let of = |value| get(&[(name, value)]);
            assert_eq!(found(key, of(value)), found(key, of(values[0])), "{value}");
            let (sent, first) = (of(value), of(values[0]));
            assert_eq!(
                asked(key, "deny", sent),
                asked(key, "deny", first),
                "{value}"
            );
        }
    }
    let key = r#"[{"header": "authorization"}]"#;
    let of = |value| get(&[("authorization", value)]);
    assert_ne!(found(key, of("Bearer x")), found(key, of("Bearer X")));
    assert_ne!(found(key, of("Bearer x")), found(key, of("Basic x")));
    let told = asked(key, "deny", of(" BEARER  x"));
    assert_eq!(told.unwrap(), "authorization=bearer x");
    // In any other header a blank between two words is a byte like any other.
    let key = r#"[{"header": "a"}]"#;
    let of = |value| found(key, get(&[("a", value)]));
    assert_ne!(of("Bearer x"), of("Bearer  x"));
    assert_ne!(of("Bearer x"), of("bearer x"));
}

#[test]
fn a_method_is_one_in_either_case() {
    let of = |method| found(r#"["method"]"#, get(&[(":method", method)]));
    assert_eq!(of("post"), of("POST"));
    assert_ne!(of("PUT"), of("POST"));
}

#[test]
fn a_host_is_compared_without_case_port_and_final_dot() {
    let of = |host| found(r#"["host"]"#, get(&[(":authority", host)]));
    for host in [
        "Example.COM",
        "example.com:8080",
        "example.com.",
        "example.com.:80",
    ] {
        assert_eq!(of(host), of("example.com"), "{host}");
    }
    assert_eq!(of("[2001:db8::1]:80"), of("[2001:DB8::1]"));
    assert_ne!(of("a.example"), of("b.example"));
}
