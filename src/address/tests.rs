use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn client(lines: &[&str], trusted: &[&str]) -> Option<IpAddr> {
    let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
    forwarded_for(lines.iter().map(|line| line.as_bytes()), &trusted)
}

#[test]
fn one_address_has_many_spellings() {
    for spelling in [
        "2001:db8::1",
        "2001:DB8:0:0:0:0:0:1",
        "2001:0db8:0000:0000:0000:0000:0000:0001",
        "[2001:db8::1]",
        "[2001:db8::1]:443",
        " 2001:db8::1\t",
        "2001:db8::1%eth0",
        "[2001:db8::1%25eth0]:80",
    ] {
        assert_eq!(
            parse(spelling.as_bytes()),
            Some(ip("2001:db8::1")),
            "{spelling}"
        );
    }
    for spelling in [
        "192.0.2.7",
        "192.0.2.7:65535",
        "::ffff:192.0.2.7",
        "::FFFF:c000:207",
        "[::ffff:192.0.2.7]:1",
        "64:ff9b::c000:207",
        "64:FF9B::192.0.2.7",
        "[64:ff9b::c000:207]:443",
        "64:ff9b::c000:207%eth0",
    ] {
        assert_eq!(
            parse(spelling.as_bytes()),
            Some(ip("192.0.2.7")),
            "{spelling}"
        );
    }
}

/// Only the well-known prefix is always a translator's, and only with all of its 96 bits.
#[test]
fn an_address_beside_the_translators_prefix_is_ipv6() {
    for address in [
        "64:ff9b::1:c000:207",
        "64:ff9b:1::c000:207",
        "64:ff9a::c000:207",
        "65:ff9b::c000:207",
        "::c000:207",
    ] {
        assert_eq!(parse(address.as_bytes()), Some(ip(address)));
        assert!(ip(address).is_ipv6());
    }
}

#[test]
fn what_is_no_address_is_none() {
    for text in [
        &b""[..],
        b"unknown",
        b"_hidden",
        b"192.0.2",
        b"192.0.2.256",
        b"010.0.0.1",
        b"192.0.2.7:",
        b"192.0.2.7:http",
        b"[2001:db8::1",
        b"[2001:db8::1]443",
        b"[2001:db8::1]:",
        b"2001:db8:::1",
        b"\xff\xfe",
        b"192.0.2.7\0",
        b"1",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn the_first_from_the_right_that_is_no_proxy_is_the_client() {
    let proxies = ["10.0.0.0/8", "2001:db8:1::/48"];
    assert_eq!(
        client(&["203.0.113.9, 10.0.0.1"], &proxies),
        Some(ip("203.0.113.9"))
    );
    assert_eq!(
        client(
            &["198.51.100.1, 203.0.113.9", "2001:db8:1::5,10.2.3.4"],
            &proxies
        ),
        Some(ip("203.0.113.9"))
    );
    // Nobody is trusted: the last hop is the client.
    assert_eq!(
        client(&["203.0.113.9, 10.0.0.1"], &[]),
        Some(ip("10.0.0.1"))
    );
    // Everybody is: the leftmost.
    assert_eq!(
        client(&["10.0.0.1, 10.0.0.2"], &proxies),
        Some(ip("10.0.0.1"))
    );
    assert_eq!(
        client(&["::ffff:10.0.0.1, 10.0.0.2"], &proxies),
        Some(ip("10.0.0.1"))
    );
    assert_eq!(
        client(&["64:ff9b::c000:207, 64:ff9b::a00:1"], &proxies),
        Some(ip("192.0.2.7"))
    );
    assert_eq!(client(&[], &proxies), None);
}

#[test]
fn what_a_client_invents_stands_left_of_what_counts() {
    let proxies = ["10.0.0.0/8"];
    for invented in [
        "10.0.0.9",
        "127.0.0.1",
        "nonsense",
        "",
        ",,,",
        "192.0.2.1, 10.0.0.1",
    ] {
        let line = format!("{invented}, 203.0.113.9, 10.0.0.1");
        assert_eq!(
            client(&[&line], &proxies),
            Some(ip("203.0.113.9")),
            "{invented}"
        );
    }
    // What does not parse ends the walk at the last good one.
    assert_eq!(
        client(&["203.0.113.9, nonsense, 10.0.0.1"], &proxies),
        Some(ip("10.0.0.1"))
    );
    assert_eq!(client(&["203.0.113.9, 10.0.0.1, nonsense"], &proxies), None);
}

#[test]
fn only_the_prefix_counts() {
    let counted = |text, v4, v6| aggregate(ip(text), v4, v6).to_string();
    assert_eq!(counted("192.0.2.255", 32, 64), "192.0.2.255");
    assert_eq!(counted("192.0.2.255", 25, 64), "192.0.2.128");
    assert_eq!(counted("192.0.2.255", 0, 64), "0.0.0.0");
    assert_eq!(counted("2001:db8:1:2:3:4:5:6", 32, 64), "2001:db8:1:2::");
    assert_eq!(
        counted("2001:db8:1:2:3:4:5:6", 32, 128),
        "2001:db8:1:2:3:4:5:6"
    );
    assert_eq!(counted("2001:db8:1:2:3:4:5:6", 32, 0), "::");
}

/// The quick way agrees with the general one on every text that is nearly an IPv4 address.
#[test]
fn the_quick_way_to_ipv4_is_the_long_way() {
    let parts = [
        "0", "7", "00", "01", "10", "99", "255", "256", "999", "1234", "", "a", "+1",
    ];
    let slow = |text: &str| text.parse::<Ipv4Addr>().ok();
    for first in parts {
        for second in parts {
            for text in [
                format!("{first}.2.3.{second}"),
                format!("1.{first}.{second}.4"),
                format!("{first}.{second}"),
                format!("1.2.3.{first}.{second}"),
                format!("1.2.{first}{second}.4"),
            ] {
                assert_eq!(v4(text.as_bytes()), slow(&text), "{text}");
            }
        }
    }
    for (text, found) in [
        ("1.2.3.4:80", true),
        ("1.2.3.4:", false),
        ("1.2.3.4:x", false),
        ("1.2.3.4:123456", false),
        ("1.2.3.4 ", false),
        ("1.2.3.4.", false),
        (".1.2.3.4", false),
    ] {
        assert_eq!(v4(text.as_bytes()).is_some(), found, "{text}");
    }
}
