//! Bytes that no host should give and some day one will.

use crate::host::{At, Fault, Script};
use crate::process::Random;
use crate::request::Request;
use crate::scene::{ONE_AN_HOUR, PER_CLIENT, SECOND, Scene};
use crate::shared_data::Dialect;

/// Ways to spoil a stored value.
fn spoil(way: usize, random: &mut Random, value: &mut Vec<u8>) {
    match way {
        0 => *value = random.bytes(value.len()),
        1 => value.truncate(random.below(value.len() + 1)),
        2 => value.clear(),
        3 => value.push(0),
        4 => *value = random.bytes(1 + value.len() % 37),
        5 => value.fill(0),
        6 => value.fill(0xff),
        7 => *value = random.bytes(70_000),
        8 => {
            let bit = random.below(value.len().max(1) * 8);
            if let Some(byte) = value.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        _ => value.reverse(),
    }
}

const WAYS: usize = 10;

/// Where the workers keep what they agreed on; every other key is a set of the table.
pub const FOUNDING: &[u8] = b"w1";

#[test]
fn a_spoilt_set_is_a_fresh_one() {
    for dialect in [Dialect::Envoy, Dialect::Kong] {
        for way in 0..WAYS {
            let mut scene = Scene::on(dialect, ONE_AN_HOUR);
            let request = Request::get("/");
            scene.admit(1, &request);
            let mut random = Random(u64::try_from(way).unwrap());
            scene.process.borrow_mut().shared_data.garble(|key, value| {
                if key != FOUNDING {
                    spoil(way, &mut random, value);
                }
            });
            // Another worker: what this one remembers is not at stake here.
            let (mut worker, root) = scene.second_worker(ONE_AN_HOUR);
            let case = format!("{dialect:?}, way {way}");
            assert!(worker.exchange(root, &request).admitted(), "{case}");
            assert!(!worker.exchange(root, &request).admitted(), "{case}");
            worker.tick(root);
            assert_eq!(scene.metric("weir.store.corrupt"), 1, "{case}");
            assert_eq!(scene.metric("weir.rule.per-client.uncharged"), 0, "{case}");
        }
    }
}

#[test]
fn a_spoilt_founding_is_a_fault_that_is_counted() {
    for dialect in [Dialect::Envoy, Dialect::Kong] {
        for way in 0..WAYS {
            let mut scene = Scene::on(dialect, ONE_AN_HOUR);
            scene.admit(1, &Request::get("/"));
            let mut random = Random(u64::try_from(way).unwrap());
            let spoil = |_: &[u8], value: &mut Vec<u8>| spoil(way, &mut random, value);
            scene.process.borrow_mut().shared_data.garble(spoil);
            let (mut worker, root) = scene.second_worker(ONE_AN_HOUR);
            let count = |_: &usize| worker.exchange(root, &Request::get("/")).admitted();
            let admitted = i64::try_from((0..5).filter(count).count()).unwrap();
            worker.tick(root);
            let uncharged = scene.metric("weir.rule.per-client.uncharged");
            assert!(
                admitted - uncharged <= 1,
                "{dialect:?}, way {way}: {admitted}, {uncharged}"
            );
        }
    }
}

#[test]
fn a_read_that_is_torn_is_read_again() {
    for dialect in [Dialect::Envoy, Dialect::Kong] {
        let mut scene = Scene::on(dialect, ONE_AN_HOUR);
        let request = Request::get("/");
        scene.admit(1, &request);
        let (mut worker, root) = scene.second_worker(ONE_AN_HOUR);
        let (_, mut torn) = scene.process.borrow().shared_data.entries().pop().unwrap();
        let half = torn.len() / 2;
        torn[half..].fill(0);
        let torn = (At::Nth("get_shared_data", 0), Fault::Bytes(torn));
        worker.script(Script::new([torn]));
        assert!(!worker.exchange(root, &request).admitted(), "{dialect:?}");
    }
}

/// What two keys of one CRC-32 look like on Kong.
#[test]
fn a_whole_set_of_another_place_is_never_written_over() {
    let deny = ONE_AN_HOUR.replace(r#""key""#, r#""on_fault": "deny", "key""#);
    for (configuration, admits) in [(ONE_AN_HOUR, true), (&deny, false)] {
        let mut scene = Scene::new(configuration);
        let request = |client: usize| Request::get("/").from(&format!("198.51.100.{client}:80"));
        scene.admit(1, &request(1));
        let entries = scene.process.borrow().shared_data.entries();
        let (_, other) = entries
            .into_iter()
            .find(|(key, _)| key != FOUNDING)
            .unwrap();
        let swap = |name| Script::new([(At::Every(name), Fault::Bytes(other.clone()))]);
        let writes = scene.process.borrow().shared_data.writes();
        let exchange = scene.scripted(swap("get_shared_data"), &request(2));
        assert_eq!(exchange.admitted(), admits);
        assert_eq!(exchange.reply.map_or(503, |reply| reply.status), 503);
        assert_eq!(scene.process.borrow().shared_data.writes(), writes);
        assert_eq!(scene.metric("weir.rule.per-client.errors"), 1);
        assert_eq!(
            scene.metric("weir.rule.per-client.uncharged"),
            i64::from(admits)
        );
    }
}

#[test]
fn eviction_of_everything_is_survived() {
    let mut scene = Scene::on(Dialect::Kong, PER_CLIENT);
    let request = Request::get("/");
    scene.admit(3, &request);
    scene.process.borrow_mut().shared_data.forget();
    scene.admit(40, &request);
    assert!(!scene.exchange(&request).admitted());
}

/// Header maps that lie.
fn lying_maps() -> Vec<Vec<u8>> {
    let whole = Request::get("/")
        .header("x-tenant", "acme")
        .stream()
        .request
        .serialise();
    let number = |value: u32| value.to_le_bytes().to_vec();
    let mut maps: Vec<_> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
    for at in (0..80).step_by(4) {
        for value in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX] {
            let mut map = whole.clone();
            map[at..at + 4].copy_from_slice(&number(value));
            maps.push(map);
        }
    }
    maps.push([number(u32::MAX), number(0)].concat());
    maps.push(number(0));
    maps.push(number(1));
    maps.push([number(1), number(u32::MAX), number(u32::MAX), vec![0; 64]].concat());
    maps.push([number(0x2000_0000), vec![0; 4_096]].concat());
    maps
}

#[test]
fn header_maps_that_lie() {
    let keyed = PER_CLIENT.replace(
        r#""client_ip""#,
        r#"{"header": "x-tenant"}, {"cookie": "sid"}"#,
    );
    let forwarded = PER_CLIENT.replacen(
        '{',
        r#"{"client_ip": {"from": "x-forwarded-for", "trusted_proxies": ["10.0.0.0/8"]}, "#,
        1,
    );
    for configuration in [&keyed, &forwarded] {
        let mut scene = Scene::new(configuration);
        let request = Request::get("/").header("x-tenant", "acme");
        let mut random = Random(11);
        let noise = (0..200)
            .map(|length| random.bytes(length))
            .collect::<Vec<_>>();
        for map in lying_maps().into_iter().chain(noise) {
            let fault = (At::Nth("get_header_map_pairs", 0), Fault::Bytes(map));
            scene.scripted(Script::new([fault]), &request);
        }
        scene.process.borrow_mut().advance(86_400 * SECOND);
        scene.admit(20, &request);
    }
}

#[test]
fn headers_of_any_bytes() {
    let configuration = r#"{"rules": [
        {"name": "a", "key": [{"header": "x-tenant"}, "path", "host", "method"], "limits": [{"requests": 9, "per": "1s"}]},
        {"name": "b", "key": [{"cookie": "sid"}], "limits": [{"requests": 9, "per": "1s"}]},
        {"name": "c", "key": [{"query": "q"}], "limits": [{"requests": 9, "per": "1s"}]},
        {"name": "d", "key": [{"path_segment": 1}], "limits": [{"requests": 9, "per": "1s"}]},
        {"name": "e", "key": [{"path_template": "/users/{id}"}], "limits": [{"requests": 9, "per": "1s"}]},
        {"name": "f", "key": ["client_ip"], "match": {"path": [{"glob": "/**/x"}, {"regex": "^/[a-z]+"}]},
            "limits": [{"requests": 9, "per": "1s"}]}],
        "client_ip": {"from": "x-forwarded-for", "trusted_proxies": ["10.0.0.0/8"]}}"#;
    let mut scene = Scene::new(configuration);
    let mut random = Random(5);
    for length in (0..300).chain([1_023, 1_024, 1_025, 61_440]) {
        let mut noise = || random.bytes(length);
        let mut stream = Request::get("/");
        for name in [&b":path"[..], b":authority", b":method", b"content-type"] {
            stream = stream.without(name).raw_header(name, &noise());
        }
        for name in [&b"x-tenant"[..], b"cookie", b"x-forwarded-for", b"\xff\xfe"] {
            stream = stream.raw_header(name, &noise());
        }
        scene.exchange(&stream);
    }
    scene.admit(9, &Request::get("/").header("x-tenant", "acme"));
    let refused = scene.exchange(&Request::get("/").header("x-tenant", "acme"));
    assert!(!refused.admitted());
}

#[test]
fn addresses_that_are_none() {
    let mut scene = Scene::new(PER_CLIENT);
    let mut random = Random(3);
    let mut addresses: Vec<Vec<u8>> = [
        "",
        ":",
        ":80",
        "[",
        "]",
        "[]",
        "[]:",
        "[::1",
        "[::1]:",
        "::1",
        "1.2.3",
        "1.2.3.4.5:1",
        "1.2.3.4:",
        "1.2.3.4:99999999999",
        "999.1.1.1:80",
        "[fe80::1%eth0]:80",
        "[::ffff:1.2.3.4]:80",
        "/var/run/x.sock",
        "1.2.3.4:80, 5.6.7.8:80",
        "\0\0\0\0",
        "\u{2028}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    addresses.extend((0..100).map(|length| random.bytes(length)));
    addresses.push(vec![b'1'; 70_000]);
    for address in addresses {
        scene.exchange(&Request::get("/").property(b"source\0address", Some(&address)));
    }
    scene.admit(40, &Request::get("/"));
    assert!(!scene.exchange(&Request::get("/")).admitted());
}

#[test]
fn configurations_that_are_none() {
    let mut scene = Scene::new(PER_CLIENT);
    let mut random = Random(9);
    let deep = "[".repeat(100_000);
    let mut texts: Vec<String> = ["", "null", "[]", "{}", "\"", "{\"rules\":", "\u{0}", &deep]
        .map(str::to_owned)
        .to_vec();
    texts.extend((0..PER_CLIENT.len()).map(|end| PER_CLIENT[..end].to_owned()));
    texts
        .extend((0..100).map(|length| String::from_utf8_lossy(&random.bytes(length)).into_owned()));
    for text in texts {
        let root = scene.worker.configure(&text);
        assert!(!root.accepted, "{text}");
        scene.worker.exchange(root, &Request::get("/"));
        scene.worker.tick(root);
        scene.worker.delete(root.id);
    }
    scene.admit(5, &Request::get("/"));
}
