//! What fails: calls, answers, workers, the limiter itself.

use weir::global::breaker::Change;

use crate::calm::runs;
use crate::course::{BREAKER, CALM, Course, ENGINES, Engine, MILLI, Outage, SECOND};
use crate::record::Record;

/// The breakers keep to their own times: each opens for as long as it says, and only then closes.
fn keeps_its_times(record: &Record, course: &Course) {
    for proxy in 0..course.proxies as usize {
        let changes = record.breakers.iter().filter(|(at, ..)| *at == proxy);
        let mut open_until = 0;
        let mut is_open = false;
        for (_, time, change) in changes {
            assert!(*time >= open_until, "{change:?} {}", open_until - time);
            match change {
                Change::Opened(_, span) => {
                    assert!(span.0 * 4 >= BREAKER.open.0 * 3 && span.0 <= BREAKER.max_open.0);
                    (open_until, is_open) = (time + span.0, true);
                }
                Change::Closed => {
                    assert!(is_open, "it closes once");
                    is_open = false;
                }
            }
        }
    }
}

#[test]
fn lost_and_late_calls_admit_nothing_and_stick_nowhere() {
    for engine in ENGINES {
        let course = Course {
            engine,
            lost: 0.03,
            late: 0.1,
            crossings: 0.1,
            windows: 5,
            ..CALM
        };
        for record in runs(4, course) {
            keeps_its_times(&record, &course);
            // Those who waited in vain were the proxies' own share.
            assert!(record.abandoned > 0);
            // What a lost answer had granted is lost, and nothing else.
            let under = record.undershoot(&course);
            println!("{engine:?}: {under} under, {} abandoned", record.abandoned);
            assert!(under <= 250, "{under}: {course:?}");
        }
    }
}

#[test]
fn workers_that_die_take_nothing_with_them_but_their_calls() {
    for engine in ENGINES {
        let course = Course {
            engine,
            deaths: 0.5,
            crossings: 0.1,
            windows: 4,
            ..CALM
        };
        for record in runs(3, course) {
            assert_eq!(record.abandoned, 0);
            let under = record.undershoot(&course);
            println!("{engine:?}: {under} under");
            assert!(under <= 20, "{under}: {course:?}");
        }
    }
}

/// An outage of five seconds in the second window.
fn outage(outage: Outage) -> impl Iterator<Item = Course> {
    let begin = 62 * SECOND;
    ENGINES.into_iter().map(move |engine| Course {
        engine,
        limit: 6_000,
        offered: 1.5,
        outage: Some((outage, begin, begin + 5 * SECOND)),
        windows: 4,
        ..CALM
    })
}

#[test]
fn a_limiter_that_is_down_is_left_alone_and_found_again() {
    for kind in [Outage::Refuses, Outage::Hangs] {
        for course in outage(kind) {
            let (_, begin, end) = course.outage.unwrap();
            for record in runs(3, course) {
                keeps_its_times(&record, &course);
                let opened = |proxy: usize| {
                    let times = record.breakers.iter().filter(|(at, ..)| *at == proxy);
                    times.map(|(_, time, _)| *time).next().expect("it opened")
                };
                let all_open = (0..course.proxies as usize).map(opened).max().unwrap();
                assert!(all_open < begin + 3 * SECOND, "{}", all_open - begin);
                let is_leased = |from: u64, to: u64| {
                    record
                        .last_leased
                        .iter()
                        .any(|time| (from..to).contains(time))
                };
                assert!(!is_leased(all_open + SECOND, end), "{course:?}");
                assert!(is_leased(end, end + 3 * SECOND), "{course:?}");
                // Alone, each admits its share of what was left, and tells it afterwards.
                assert!(
                    record.alone > 100 && record.alone <= 6_000,
                    "{}",
                    record.alone
                );
                let told: u64 = record.windows.values().map(|window| window.told).sum();
                println!(
                    "{:?} {kind:?}: {} alone, {told} told, {} under, {} ms to open, {} waits abandoned",
                    course.engine,
                    record.alone,
                    record.undershoot(&course),
                    (all_open - begin) / MILLI,
                    record.abandoned,
                );
            }
        }
    }
}

#[test]
fn with_the_limiter_gone_for_good_nobody_waits() {
    for kind in [Outage::Refuses, Outage::Hangs] {
        for course in outage(kind) {
            let (_, begin, _) = course.outage.unwrap();
            let gone = Course {
                outage: Some((kind, begin, u64::MAX / 2)),
                ..course
            };
            let [short, long] = [3, 5].map(|windows| runs(1, Course { windows, ..gone }).remove(0));
            // Two windows more, and not one more was parked.
            assert_eq!(short.parked, long.parked);
            // A window without the limiter admits its shares, and no more; where windows begin with their first hit,
            // the end of a run may cut one short.
            let window = (long.alone - short.alone) / 2;
            let most = match course.engine {
                Engine::Ratelimit => 6_000,
                Engine::Gubernator | Engine::Limitador => 6_060,
            };
            assert!((5_900..=most).contains(&window), "{window}");
        }
    }
}

#[test]
fn everything_at_once_keeps_the_limit() {
    for engine in ENGINES {
        for seeds in [1_000, 60_000] {
            let course = Course {
                engine,
                limit: seeds as u32 / 10,
                period: 10 * SECOND,
                cost: 5,
                keys: 3,
                workers: 3,
                lost: 0.02,
                late: 0.05,
                crossings: 0.2,
                given_back: 0.1,
                deaths: 0.2,
                skew: 8 * MILLI as i64,
                outage: Some((Outage::Hangs, 23 * SECOND, 27 * SECOND)),
                windows: 6,
                ..CALM
            };
            for record in runs(3, course) {
                keeps_its_times(&record, &course);
            }
        }
    }
}
