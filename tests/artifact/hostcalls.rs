//! The imports from `env` that are not about a stream: log, configuration, shared data, metrics.

use wasmi::Linker;
use wasmi::errors::LinkerError;

use crate::boundary::{Answer, Guest, bytes, data, effect, fill, key, unexpected, write};
use crate::header_map::show;
use crate::host::Host;
use crate::process::Kind;
use crate::shared_data::Dialect;
use crate::status;

/// Body of the answer to a call out.
const CALL_ANSWER: u32 = 4;

/// The configuration of the plugin.
const CONFIGURATION: u32 = 7;

/// All of them.
pub fn link(linker: &mut Linker<Host>) -> Result<(), LinkerError> {
    linker
        .func_wrap("env", "proxy_log", log)?
        .func_wrap("env", "proxy_set_tick_period_milliseconds", set_tick_period)?
        .func_wrap("env", "proxy_get_buffer_bytes", get_buffer)?
        .func_wrap("env", "proxy_get_shared_data", get_shared_data)?
        .func_wrap("env", "proxy_set_shared_data", set_shared_data)?
        .func_wrap("env", "proxy_define_metric", define_metric)?
        .func_wrap("env", "proxy_increment_metric", increment_metric)?
        .func_wrap("env", "proxy_record_metric", record_metric)?;
    Ok(())
}

fn log(mut guest: Guest<'_>, level: u32, start: u32, length: u32) -> Answer {
    let line = show(&bytes(&guest, start, length)?);
    let names = ["trace", "debug", "info", "warn", "error", "critical"];
    let name = names
        .get(usize::try_from(level).unwrap())
        .copied()
        .unwrap_or("?");
    effect(&mut guest, "log", &format!("{name}: {line}"), |host| {
        host.log.push((level, line.clone()));
        Ok(())
    })
}

fn set_tick_period(mut guest: Guest<'_>, period: u32) -> Answer {
    effect(
        &mut guest,
        "set_tick_period",
        &format!("{period} ms"),
        |host| {
            let root = host.context;
            let before = host.tick_periods.insert(root, period);
            // A root of Kong is configured once, and fuzzed ones are not.
            let before = before.filter(|_| host.callback != "proxy_on_configure");
            if host.dialect() == Dialect::Kong && before.is_some() {
                return unexpected("a tick period is set once on Kong");
            }
            Ok(())
        },
    )
}

fn get_buffer(
    mut guest: Guest<'_>,
    kind: u32,
    start: u32,
    length: u32,
    value: u32,
    value_length: u32,
) -> Answer {
    data(
        &mut guest,
        "get_buffer_bytes",
        &kind.to_string(),
        (value, value_length),
        |host| {
            let all = match kind {
                CONFIGURATION => host.configuration.as_ref(),
                CALL_ANSWER => host.http_calls.answer.as_ref().map(|answer| &answer.body),
                _ => None,
            };
            let Some(all) = all.filter(|_| start == 0) else {
                return unexpected("the buffer is there from its begin, in its callback");
            };
            let length = usize::try_from(length).unwrap().min(all.len());
            Ok(all[..length].to_vec())
        },
    )
}

fn get_shared_data(
    mut guest: Guest<'_>,
    start: u32,
    length: u32,
    value: u32,
    value_length: u32,
    cas: u32,
) -> Answer {
    let wanted = bytes(&guest, start, length)?;
    let out = (value, value_length);
    let answer = data(&mut guest, "get_shared_data", &key(&wanted), out, |host| {
        Ok(host.process.borrow().shared_data.get(&wanted)?.0)
    })?;
    if answer == status::OK {
        let held = guest.data().process.borrow().shared_data.get(&wanted);
        let held = held.map_or(1, |(_, cas)| cas);
        write(&mut guest, cas, &held.to_le_bytes())?;
    }
    Ok(answer)
}

fn set_shared_data(
    mut guest: Guest<'_>,
    start: u32,
    length: u32,
    value: u32,
    value_length: u32,
    cas: u32,
) -> Answer {
    let name = bytes(&guest, start, length)?;
    let value = bytes(&guest, value, value_length)?;
    let mode = match cas {
        0 => "cas 0",
        u32::MAX => "cas ffffffff",
        _ => "cas",
    };
    let arguments = format!("{} ({} B, {mode})", key(&name), value.len());
    effect(&mut guest, "set_shared_data", &arguments, |host| {
        Ok(host
            .process
            .borrow_mut()
            .shared_data
            .set(&name, &value, cas)?)
    })
}

fn define_metric(mut guest: Guest<'_>, kind: u32, name: u32, length: u32, id: u32) -> Answer {
    let name = show(&bytes(&guest, name, length)?);
    let (kind, shown) = match kind {
        0 => (Some(Kind::Counter), "counter"),
        1 => (Some(Kind::Gauge), "gauge"),
        2 => (Some(Kind::Histogram), "histogram"),
        _ => (None, "?"),
    };
    fill(
        &mut guest,
        "define_metric",
        &format!("{shown} {name}"),
        id,
        |host| {
            let Some(kind) = kind else {
                return unexpected("no such kind");
            };
            let id = host.process.borrow_mut().metrics.define(kind, name.clone());
            Ok(id.to_le_bytes().to_vec())
        },
    )
}

fn increment_metric(mut guest: Guest<'_>, id: u32, offset: i64) -> Answer {
    let (kind, name) = metric(&guest, id);
    effect(
        &mut guest,
        "increment_metric",
        &format!("{name} {offset:+}"),
        |host| {
            let mut process = host.process.borrow_mut();
            match kind {
                None => unexpected("no such metric"),
                Some(Kind::Gauge) if process.dialect() == Dialect::Kong => {
                    unexpected("incrementing a gauge traps on Kong")
                }
                Some(Kind::Histogram) => unexpected("a histogram takes records"),
                Some(_) => {
                    process.metrics.add(&name, offset);
                    Ok(())
                }
            }
        },
    )
}

fn record_metric(mut guest: Guest<'_>, id: u32, value: u64) -> Answer {
    let (kind, name) = metric(&guest, id);
    effect(
        &mut guest,
        "record_metric",
        &format!("{name} = {value}"),
        |host| match kind {
            Some(Kind::Gauge) => {
                let value = value.try_into().unwrap();
                host.process.borrow_mut().metrics.set(&name, value);
                Ok(())
            }
            // How often something was recorded is what a test can know.
            Some(Kind::Histogram) => {
                host.process.borrow_mut().metrics.add(&name, 1);
                Ok(())
            }
            _ => unexpected("no such gauge or histogram"),
        },
    )
}

/// The kind of the metric of this number, if there is one, and what the trace calls it.
fn metric(guest: &Guest<'_>, id: u32) -> (Option<Kind>, String) {
    match guest.data().process.borrow().metrics.defined(id) {
        Some((kind, name)) => (Some(kind), name),
        None => (None, format!("#{id}")),
    }
}
