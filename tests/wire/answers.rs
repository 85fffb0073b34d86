//! Every recorded answer, and what is made of it: `told/<engine>.txt`, one line for each.
//!
//! `WEIR_BLESS=1` rewrites them.

use std::{env, fs};

use weir::global::wire::{Counter, Fault, Reset, Told};
use weir::units::Nanos;

use super::recorded::{ENGINES, Exchange, Read, exchanges, file};

#[test]
fn every_recorded_answer_is_read_as_what_it_means() {
    for (engine, name) in ENGINES {
        let lines: String = exchanges(engine, name).iter().map(line).collect();
        let path = file(&format!("told/{name}.txt"));
        if env::var_os("WEIR_BLESS").is_some() {
            fs::write(&path, &lines).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap();
        for (line, expected) in lines.lines().zip(expected.lines()) {
            assert_eq!(line, expected, "{name}");
        }
        assert_eq!(lines, expected);
    }
}

fn line(exchange: &Exchange) -> String {
    format!("{}: {}\n", exchange.case, shown(&exchange.read()))
}

/// As `granted 4/5 a 3600s, 3178s..3179s | fault item`; what stands alike in a row, once.
fn shown(read: &Read) -> String {
    let told = match read {
        Ok(told) => told,
        Err(Fault::Status(status)) => return format!("fault status {status}"),
        Err(fault) => return format!("fault {}", fault.kind()),
    };
    let items = told.iter().map(|item| match item {
        Ok(told) => shown_told(told),
        Err(fault) => format!("fault {}", fault.kind()),
    });
    let mut rows: Vec<(usize, String)> = Vec::new();
    for item in items {
        match rows.last_mut() {
            Some((times, last)) if *last == item => *times += 1,
            _ => rows.push((1, item)),
        }
    }
    let rows = rows.into_iter().map(|(times, item)| match times {
        1 => item,
        _ => format!("{times} x {item}"),
    });
    rows.collect::<Vec<_>>().join(" | ")
}

fn shown_told(told: &Told) -> String {
    let granted = if told.granted { "granted" } else { "refused" };
    match &told.counter {
        Some(counter) if counter.is_unlimited() => format!("{granted} unlimited"),
        Some(counter) => format!("{granted} {}", shown_counter(counter)),
        None => format!("{granted} unmatched"),
    }
}

fn shown_counter(counter: &Counter) -> String {
    let seconds = |nanos: Nanos| nanos.0 / Nanos::SECOND.0;
    let or_unknown = |known: Option<String>| known.unwrap_or("?".to_owned());
    let remaining = or_unknown(counter.remaining.map(|remaining| remaining.to_string()));
    let per = or_unknown(counter.per.map(|per| format!("{}s", seconds(per))));
    let reset = or_unknown(counter.reset.map(|reset| match reset {
        Reset::RoundedUp(after) => format!("{}s..{}s", seconds(after) - 1, seconds(after)),
        Reset::RoundedDown(after) => format!("{}s..{}s", seconds(after), seconds(after) + 1),
        Reset::Aligned => "aligned".to_owned(),
        Reset::At(time) => format!("at {} ms", time.0 / Nanos::MILLISECOND.0),
    }));
    format!("{remaining}/{} a {per}, {reset}", counter.limit)
}
