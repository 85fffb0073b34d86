//! Refusals that name a later time than the true one: how late, and that nothing else changes.

use weir::decision::Decision;
use weir::reply::LocalReply;
use weir::units::Nanos;

use crate::world::at;
use crate::world::proxy::Proxy;

const CLIENTS: u64 = 10_000;
const SECOND: u64 = Nanos::SECOND.0;

/// One request in twelve seconds, by each algorithm.
const LIMITS: [&str; 3] = [
    r#"{"requests":1,"per":"12s"}"#,
    r#"{"requests":1,"per":"12s","algorithm":"fixed_window"}"#,
    r#"{"requests":1,"per":"12s","algorithm":"sliding_window"}"#,
];

fn proxy(limit: &str, jitter: &str) -> Proxy {
    Proxy::new(&format!(
        r#"{{"rules":[{{"name":"all","key":["client_ip"],"limits":[{limit}]}}],
            "response":{{"headers":["x-ratelimit","ietf-draft-11"],"retry_jitter":"{jitter}"}}}}"#
    ))
}

/// Two requests at the same time; what the second one was refused with.
fn refused(proxy: &mut Proxy, client: u64, time: u64) -> (Decision, LocalReply) {
    let now = at(Nanos(time));
    let first = proxy.ask(client, now);
    first
        .or_else(|| proxy.ask(client, now))
        .expect("one is refused")
}

/// The seconds that a reply names, which it says alike everywhere.
fn named(reply: &LocalReply) -> u64 {
    let text = String::from_utf8([&*reply.headers, &reply.body].concat()).unwrap();
    let number = |before: &str| -> u64 {
        let (_, behind) = text
            .split_once(before)
            .unwrap_or_else(|| panic!("{before}: {text:?}"));
        let mut numbers = behind.split(|letter: char| !letter.is_ascii_digit());
        numbers.next().unwrap().parse().unwrap()
    };
    let seconds = number("retry-after\0");
    for other in ["x-ratelimit-reset\0", ";r=0;t=", "; retry in "] {
        assert_eq!(number(other), seconds, "{other}");
    }
    seconds
}

fn true_wait(decision: &Decision) -> u64 {
    decision.refused_for().expect("a limit refused it").0
}

/// Ten thousand keys over a range of 601 whole seconds: each tenth of it has its share.
#[test]
fn keys_are_spread_over_the_whole_range() {
    for limit in LIMITS {
        let mut proxy = proxy(limit, "10m");
        let mut tenths = [0; 10];
        let (mut least, mut most) = (u64::MAX, 0);
        for client in 0..CLIENTS {
            let (decision, reply) = refused(&mut proxy, client, 5 * SECOND);
            let late = named(&reply) - true_wait(&decision).div_ceil(SECOND);
            tenths[(late * 10 / 601) as usize] += 1;
            (least, most) = (least.min(late), most.max(late));
        }
        assert!(
            tenths.iter().all(|keys| (800..=1_200).contains(keys)),
            "{limit}: {tenths:?}"
        );
        assert_eq!((least, most), (0, 600), "{limit}");
    }
}

/// A client that comes back when it was told to is admitted, and so is one that knows the true time.
#[test]
fn the_true_time_still_admits() {
    for limit in LIMITS {
        let mut proxy = proxy(limit, "30s");
        for client in 0..500 {
            let time = client * 97 * SECOND / 100;
            let (decision, reply) = refused(&mut proxy, client, time);
            let wait = true_wait(&decision);
            let due = match client % 2 {
                0 => wait,
                _ => named(&reply) * SECOND,
            };
            assert!(due >= wait, "{limit}");
            let early = proxy.ask(client, at(Nanos(time + wait - 1)));
            assert!(early.is_some(), "{limit}: the limit holds to the end");
            let admitted = proxy.ask(client, at(Nanos(time + due)));
            assert!(admitted.is_none(), "{limit}: {admitted:?}");
        }
    }
}

/// A client that asks again in the same window is told the same time, to the second; in another window another.
#[test]
fn a_client_is_told_one_time_in_a_window() {
    let mut proxy = proxy(
        r#"{"requests":1,"per":"1h","algorithm":"fixed_window"}"#,
        "10m",
    );
    let (mut others, hour) = (0, 3_600 * SECOND);
    for client in 0..100 {
        let begin = hour - at(Nanos(0)).unix.0 % hour;
        let named_at = |proxy: &mut Proxy, time| named(&refused(proxy, client, time).1);
        let first = named_at(&mut proxy, begin);
        for later in [1, 60, 3_598] {
            assert_eq!(named_at(&mut proxy, begin + later * SECOND), first - later);
        }
        // Within a second it is the same whole number.
        assert_eq!(named_at(&mut proxy, begin + hour - 1), first - 3_599);
        others += u64::from(named_at(&mut proxy, begin + hour) != first);
    }
    assert!(others > 90, "{others}");
}

/// Waiting does not help, so no time is named.
#[test]
fn never_stays_never() {
    let mut proxy = proxy(r#"{"requests":0,"per":"1m"}"#, "10m");
    for client in 0..10 {
        let (_, reply) = proxy.ask(client, at(Nanos(0))).expect("it is closed");
        let text = String::from_utf8([&*reply.headers, &reply.body].concat()).unwrap();
        for name in ["retry-after", "x-ratelimit-reset", ";t=", "retry in"] {
            assert!(!text.contains(name), "{text:?}");
        }
    }
}
