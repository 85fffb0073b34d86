//! Any course: what holds whatever happens.

use weir::global::wire::Engine;

use crate::chance::Chance;
use crate::course::{CALM, Course, ENGINES, Load, MILLI, Outage, Reload, SECOND};
use crate::record::Record;
use crate::world::{run, seeds};

fn pick<T: Copy>(chance: &mut Chance, of: &[T]) -> T {
    of[chance.below(of.len() as u64) as usize]
}

/// Nothing fails in it, but requests come in any number to any number of workers.
fn any(chance: &mut Chance) -> Course {
    let engine = pick(chance, &ENGINES);
    let period = match engine {
        Engine::Limitador => pick(chance, &[10 * SECOND, 60 * SECOND]),
        Engine::EnvoyRatelimit => pick(chance, &[SECOND, 60 * SECOND]),
        Engine::Gubernator => pick(chance, &[SECOND, 10 * SECOND, 60 * SECOND]),
    };
    let seconds = period / SECOND;
    let most = pick(chance, &[1, 2, 7, 60, 500, 3_000]);
    Course {
        engine,
        on_error: pick(chance, &["deny", "local", "allow"]),
        limit: most,
        period,
        windows: (60 / seconds).clamp(4, 12),
        proxies: pick(chance, &[1, 2, 3]),
        workers: pick(chance, &[1, 2, 4]),
        keys: pick(chance, &[1, 1, 5]),
        load: pick(chance, &[Load::Even, Load::Skewed, Load::Bursts]),
        offered: pick(chance, &[0.5, 1.0, 2.0, 8.0]),
        second: pick(chance, &[None, None, Some(most * 3)]),
        each: chance.below(4) == 0,
        here: pick(chance, &[None, None, Some(5)]),
        rtt: pick(chance, &[MILLI / 5, MILLI, 8 * MILLI]),
        skew: pick(chance, &[0, 0, -8, 8]) * MILLI as i64,
        crossings: pick(chance, &[0.0, 0.1, 0.3]),
        leaving: pick(chance, &[0.0, 0.0, 0.3]),
        reload: pick(
            chance,
            &[None, None, Some((Reload::Same, 2 * period + period / 3))],
        ),
        ..CALM
    }
}

/// And everything fails that may.
fn any_fault(chance: &mut Chance) -> Course {
    let course = any(chance);
    let begin = course.period + chance.below(course.period);
    let down = pick(chance, &[Outage::Refuses, Outage::Gone, Outage::Hangs]);
    let until = begin + pick(chance, &[SECOND / 10, 3 * SECOND, course.period]);
    Course {
        lost: pick(chance, &[0.0, 0.0, 0.05, 0.4]),
        late: pick(chance, &[0.0, 0.1, 0.5]),
        garbled: pick(chance, &[0.0, 0.02]),
        deaths: pick(chance, &[0.0, 0.3, 3.0]),
        outage: pick(chance, &[None, Some((down, begin, until))]),
        max_parked: pick(chance, &[2, 1_024]),
        invented: pick(chance, &[0.0, 0.0, 50.0]),
        cold_keys_per_second: pick(chance, &[1, 1_000]),
        reload: match course.reload {
            Some((_, at)) => Some((pick(chance, &[Reload::Same, Reload::Half]), at)),
            None => None,
        },
        ..course
    }
}

/// Runs courses of these seeds, or of the one that `WEIR_SEED` names, and tells the first that breaks what it must keep.
fn courses(
    count: u64,
    make: fn(&mut Chance) -> Course,
    keeps: fn(&Record, &Course) -> Result<(), String>,
) {
    for seed in seeds(count) {
        let course = make(&mut Chance::new(seed));
        let record = run(seed, course);
        let broken = record.holds(&course).and_then(|()| keeps(&record, &course));
        if let Err(broken) = broken {
            panic!("WEIR_SEED={seed}: {broken}\n{course:?}");
        }
    }
}

/// Where nothing fails, nobody is left to `on_error`, and what there is is spent.
fn is_whole(record: &Record, course: &Course) -> Result<(), String> {
    let Record {
        denied,
        alone,
        uncharged,
        refused,
        ..
    } = *record;
    // Two calls of 8 ms and a tick are more than a request waits.
    if course.rtt <= MILLI && denied + alone + uncharged > 0 {
        return Err(format!(
            "{denied} denied, {alone} alone, {uncharged} uncharged"
        ));
    }
    let by_leases_only = course.second.is_none() && course.here.is_none() && !course.each;
    let is_pressed = course.offered > 1.5 && course.load == Load::Even && refused > 0;
    let under = record.undershoot(course);
    if by_leases_only
        && is_pressed
        && course.leaving == 0.0
        && under > u64::from(course.limit / 50).max(3)
    {
        return Err(format!("{under} under"));
    }
    Ok(())
}

#[test]
fn whatever_comes_is_admitted_or_refused_in_time() {
    courses(40, any, is_whole);
}

#[test]
fn whatever_fails_nothing_is_admitted_that_was_not_debited() {
    courses(40, any_fault, |_, _| Ok(()));
}
