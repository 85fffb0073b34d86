//! Which address a client is known by.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::client::{Connection, get};
use crate::document::{Listener, per_client};
use crate::proxy;

/// One request an hour for each address, as the nearest untrusted entry of X-Forwarded-For names it.
fn by_forwarded_address() -> Value {
    let mut filter = per_client(&json!([{ "requests": 1, "per": "1h" }]));
    filter["client_ip"] =
        json!({ "from": "x-forwarded-for", "trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"] });
    filter
}

/// Clients are told apart by the peer's address, and cannot talk their way into another one.
#[tokio::test]
async fn a_spoofed_forwarded_for_does_not_change_the_connection_s_address() {
    for host in proxy::everywhere() {
        let envoy = host
            .start(Listener::new(&per_client(
                &json!([{ "requests": 2, "per": "1h" }]),
            )))
            .await;
        let mut first = Connection::http1_from(Ipv4Addr::new(127, 0, 0, 2), envoy.address).await;
        let mut second = Connection::http1_from(Ipv4Addr::new(127, 0, 0, 3), envoy.address).await;
        for expected in [200, 200, 429, 429] {
            let spoofed = get("/").header("x-forwarded-for", format!("192.0.2.{expected}"));
            assert_eq!(first.send(spoofed).await.status, expected);
        }
        assert_eq!(
            second
                .send(get("/").header("x-forwarded-for", "127.0.0.2"))
                .await
                .status,
            200
        );
    }
}

/// From the right: the first address that is not a trusted proxy's. What a client writes left of it is ignored.
#[tokio::test]
async fn the_forwarded_address_is_the_nearest_that_nobody_vouches_for() {
    for host in proxy::everywhere() {
        let envoy = host
            .start(Listener::new(&by_forwarded_address()).forwarded_as_sent())
            .await;
        let mut caller = envoy.connect().await;
        let cases = [
            ("192.0.2.1", 200),
            ("203.0.113.9, 192.0.2.1", 429),
            ("203.0.113.10, 192.0.2.1, 10.1.2.3", 429),
            ("192.0.2.1:4711,10.1.2.3", 429),
            ("192.0.2.2", 200),
            // What does not parse ends the walk: the last good address counts, which is here the proxy's own.
            ("192.0.2.3, unknown", 200),
            ("192.0.2.4, \"quoted\"", 429),
            ("", 429),
        ];
        for (forwarded, expected) in cases {
            let answer = caller
                .send(get("/").header("x-forwarded-for", forwarded))
                .await;
            assert_eq!(answer.status, expected, "{forwarded}");
        }
    }
}

/// However an address is written it is one client, and so is a whole /64, whose owner holds all of it.
#[tokio::test]
async fn an_address_counts_once_in_all_its_spellings() {
    let spellings: [&[&str]; 3] = [
        &[
            "2001:db8::1",
            "2001:DB8:0:0:0:0:0:1",
            "2001:0db8:0000:0000:0000:0000:0000:0001",
            "2001:db8::0.0.0.1",
            "[2001:db8::1]",
            "[2001:db8::1]:443",
            "2001:db8::ffff:1:2",
        ],
        &["2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"],
        &[
            "192.0.2.1",
            "::ffff:192.0.2.1",
            "::ffff:c000:201",
            "[::ffff:192.0.2.1]:80",
            "192.0.2.1:80",
            "64:ff9b::c000:201",
            "[64:ff9b::192.0.2.1]:80",
        ],
    ];
    for host in proxy::everywhere() {
        let envoy = host
            .start(Listener::new(&by_forwarded_address()).forwarded_as_sent())
            .await;
        let mut caller = envoy.connect().await;
        for same in spellings {
            for (spelling, expected) in same.iter().zip([200].into_iter().chain([429; 8])) {
                let answer = caller
                    .send(get("/").header("x-forwarded-for", *spelling))
                    .await;
                assert_eq!(answer.status, expected, "{spelling}");
            }
        }
    }
}

/// The prefixes that are one client are the operator's choice.
#[tokio::test]
async fn prefixes_gather_addresses() {
    let mut filter = by_forwarded_address();
    filter["client_ip"]["v4_prefix"] = 24.into();
    filter["client_ip"]["v6_prefix"] = 128.into();
    let envoy = proxy::newest()
        .start(Listener::new(&filter).forwarded_as_sent())
        .await;
    let mut caller = envoy.connect().await;
    for (address, expected) in [
        ("192.0.2.1", 200),
        ("192.0.2.255", 429),
        ("192.0.3.1", 200),
        ("2001:db8::1", 200),
        ("2001:db8::2", 200),
    ] {
        assert_eq!(
            caller
                .send(get("/").header("x-forwarded-for", address))
                .await
                .status,
            expected,
            "{address}"
        );
    }
}
