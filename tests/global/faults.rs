//! What fails: calls, answers, workers, the limiter itself.

use weir::global::breaker::{Change, Terms};
use weir::global::wire::Engine;

use crate::course::{CALM, Course, ENGINES, MILLI, Outage, Reload, SECOND};
use crate::record::Record;
use crate::world::{run, runs};

/// The breakers keep to their own times: each opens for as long as it says, and only then closes.
fn keeps_its_times(record: &Record, course: &Course) {
    let terms: Terms = course.plan(course.limit).service.unwrap().breaker;
    for proxy in 0..course.proxies as usize {
        let changes = record.breakers.iter().filter(|(at, ..)| *at == proxy);
        let mut open_until = 0;
        let mut is_open = false;
        for (_, time, change) in changes {
            // It keeps whole milliseconds.
            assert!(
                *time + MILLI > open_until,
                "{change:?} {}",
                open_until - time
            );
            match change {
                Change::Opened(_, span) => {
                    assert!(span.0 * 4 >= terms.open.0 * 3 && span.0 <= terms.max_open.0);
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

fn show(what: &str, course: &Course, record: &Record) {
    println!(
        "{what} {:?} {}: {} under, {} alone, {} denied, {} overdue, {} uncharged, {} lost swaps, {} probes, {:.1} ms",
        course.engine,
        course.on_error,
        record.undershoot(course),
        record.alone,
        record.denied,
        record.overdue,
        record.uncharged,
        record.lost_swaps,
        record.probes,
        record.longest_wait as f64 / MILLI as f64,
    );
}

const ON_ERROR: [&str; 3] = ["deny", "local", "allow"];

#[test]
fn workers_that_cross_keep_the_limit() {
    for engine in ENGINES {
        let course = Course {
            engine,
            crossings: 0.3,
            workers: 4,
            windows: 4,
            ..CALM
        };
        for record in runs(3, course) {
            show("cross", &course, &record);
            assert!(record.lost_swaps > 500, "{}", record.lost_swaps);
            assert!(record.undershoot(&course) <= 5, "{course:?}");
        }
    }
}

#[test]
fn lost_late_and_garbled_calls_admit_nothing_and_stick_nowhere() {
    for engine in ENGINES {
        for on_error in ON_ERROR {
            let course = Course {
                engine,
                on_error,
                lost: 0.03,
                late: 0.1,
                garbled: 0.02,
                crossings: 0.1,
                windows: 5,
                ..CALM
            };
            for record in runs(3, course) {
                show("lost", &course, &record);
                keeps_its_times(&record, &course);
                assert!(record.overdue > 0);
            }
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
            leaving: 0.2,
            windows: 4,
            ..CALM
        };
        for record in runs(3, course) {
            show("die", &course, &record);
            assert_eq!(record.overdue, 0);
            assert!(record.undershoot(&course) <= 20, "{course:?}");
        }
    }
}

/// An outage of five seconds in the second window.
fn outage(outage: Outage) -> impl Iterator<Item = Course> {
    let begin = 62 * SECOND;
    let course = move |engine| {
        ON_ERROR.map(|on_error| Course {
            engine,
            on_error,
            limit: 6_000,
            offered: 1.5,
            outage: Some((outage, begin, begin + 5 * SECOND)),
            windows: 4,
            ..CALM
        })
    };
    ENGINES.into_iter().flat_map(course)
}

#[test]
fn a_limiter_that_is_down_is_left_alone_and_found_again() {
    for kind in [Outage::Refuses, Outage::Hangs, Outage::Gone] {
        for course in outage(kind) {
            let (_, begin, end) = course.outage.unwrap();
            for (deaths, crossings) in [(0.0, 0.0), (1.0, 0.2)] {
                let course = Course {
                    deaths,
                    crossings,
                    ..course
                };
                for record in runs(2, course) {
                    show(&format!("{kind:?}"), &course, &record);
                    keeps_its_times(&record, &course);
                    let opened = |proxy: usize| {
                        let times = record.breakers.iter().filter(|(at, ..)| *at == proxy);
                        times.map(|(_, time, _)| *time).next().expect("it opened")
                    };
                    let all_open = (0..course.proxies as usize).map(opened).max().unwrap();
                    assert!(all_open < begin + 3 * SECOND, "{}", all_open - begin);
                    let is_leased = |from: u64, to: u64| {
                        let mut times = record.last_leased.iter();
                        times.any(|time| (from..to).contains(time))
                    };
                    assert!(!is_leased(all_open + SECOND, end), "{course:?}");
                    assert!(is_leased(end, end + 3 * SECOND), "{course:?}");
                }
            }
        }
    }
}

#[test]
fn with_the_limiter_gone_for_good_nobody_waits() {
    for kind in [Outage::Refuses, Outage::Hangs, Outage::Gone] {
        for course in outage(kind).filter(|course| course.on_error == "local") {
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
                Engine::EnvoyRatelimit => 6_000,
                Engine::Gubernator | Engine::Limitador => 6_060,
            };
            assert!((5_900..=most).contains(&window), "{window}");
        }
    }
}

#[test]
fn a_reload_neither_doubles_leases_nor_loses_who_waits() {
    for engine in ENGINES {
        for reload in [Reload::Same, Reload::Half] {
            let course = Course {
                engine,
                limit: 6_000,
                crossings: 0.1,
                reload: Some((reload, 80 * SECOND)),
                windows: 4,
                ..CALM
            };
            for record in runs(2, course) {
                show(&format!("{reload:?}"), &course, &record);
                if reload == Reload::Same {
                    assert!(record.undershoot(&course) <= 30, "{course:?}");
                }
            }
        }
    }
}

#[test]
fn a_clock_that_is_wrong_by_more_than_the_guard_breaks_it() {
    let wrong = |engine, skew: u64| Course {
        engine,
        windows: 8,
        offered: 0.9,
        skew: (skew * MILLI) as i64,
        ..CALM
    };
    let course = wrong(Engine::Gubernator, 300);
    let broken = run(0, course).holds(&course);
    assert!(broken.is_err(), "what the tests would not see");
    // Where a reset is a time from now, not a time of day, more than a second is found out.
    runs(2, wrong(Engine::EnvoyRatelimit, 3_400));
}
