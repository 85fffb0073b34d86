//! The imports from `env`: the proxy-wasm ABI 0.2.1, as far as the module uses it.

use wasmi::Linker;
use wasmi::errors::LinkerError;

use crate::boundary::{
    Answer, Denied, Guest, bytes, data, effect, fill, key, path, unexpected, write,
};
use crate::header_map::{HeaderMap, show};
use crate::host::{Host, Phase, Reply, Stream};
use crate::process::Kind;
use crate::shared_data::Dialect;
use crate::status;

/// Everything that the module may import from `env`.
pub fn link(linker: &mut Linker<Host>) -> Result<(), LinkerError> {
    linker
        .func_wrap("env", "proxy_log", log)?
        .func_wrap("env", "proxy_set_tick_period_milliseconds", set_tick_period)?
        .func_wrap("env", "proxy_get_buffer_bytes", get_buffer)?
        .func_wrap("env", "proxy_get_header_map_pairs", get_pairs)?
        .func_wrap("env", "proxy_get_header_map_value", get_header)?
        .func_wrap("env", "proxy_add_header_map_value", add_header)?
        .func_wrap("env", "proxy_replace_header_map_value", replace_header)?
        .func_wrap("env", "proxy_get_property", get_property)?
        .func_wrap("env", "proxy_set_property", set_property)?
        .func_wrap("env", "proxy_get_shared_data", get_shared_data)?
        .func_wrap("env", "proxy_set_shared_data", set_shared_data)?
        .func_wrap("env", "proxy_send_local_response", send_local_response)?
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
            if host.process.borrow().dialect() == Dialect::Kong && host.tick_period.is_some() {
                return Err(Denied::Status(status::BAD_ARGUMENT));
            }
            host.tick_period = Some(period);
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
            let Some(all) = host
                .configuration
                .as_ref()
                .filter(|_| kind == 7 && start == 0)
            else {
                return unexpected("only the configuration is there, only while configuring");
            };
            let length = usize::try_from(length).unwrap().min(all.len());
            Ok(all[..length].to_vec())
        },
    )
}

fn get_pairs(mut guest: Guest<'_>, map: u32, value: u32, value_length: u32) -> Answer {
    let name = map_name(map);
    data(
        &mut guest,
        "get_header_map_pairs",
        name,
        (value, value_length),
        |host| Ok(header_map(host, map)?.serialise()),
    )
}

fn get_header(
    mut guest: Guest<'_>,
    map: u32,
    name: u32,
    name_length: u32,
    value: u32,
    value_length: u32,
) -> Answer {
    let name = bytes(&guest, name, name_length)?;
    let arguments = format!("{} {}", map_name(map), show(&name));
    data(
        &mut guest,
        "get_header_map_value",
        &arguments,
        (value, value_length),
        |host| {
            let found = header_map(host, map)?.first(&name).map(<[u8]>::to_vec);
            found.ok_or(Denied::Status(status::NOT_FOUND))
        },
    )
}

fn add_header(
    mut guest: Guest<'_>,
    map: u32,
    name: u32,
    name_length: u32,
    value: u32,
    value_length: u32,
) -> Answer {
    let (name, value) = (
        bytes(&guest, name, name_length)?,
        bytes(&guest, value, value_length)?,
    );
    let arguments = format!("{} {}: {}", map_name(map), show(&name), show(&value));
    effect(&mut guest, "add_header_map_value", &arguments, |host| {
        header_map(host, map)?.add(&name, &value);
        Ok(())
    })
}

fn replace_header(
    mut guest: Guest<'_>,
    map: u32,
    name: u32,
    name_length: u32,
    value: u32,
    value_length: u32,
) -> Answer {
    let (name, value) = (
        bytes(&guest, name, name_length)?,
        bytes(&guest, value, value_length)?,
    );
    let arguments = format!("{} {}: {}", map_name(map), show(&name), show(&value));
    effect(&mut guest, "replace_header_map_value", &arguments, |host| {
        header_map(host, map)?.replace(&name, &value);
        Ok(())
    })
}

fn get_property(
    mut guest: Guest<'_>,
    start: u32,
    length: u32,
    value: u32,
    value_length: u32,
) -> Answer {
    let wanted = bytes(&guest, start, length)?;
    data(
        &mut guest,
        "get_property",
        &path(&wanted),
        (value, value_length),
        |host| {
            let Some(stream) = host.stream() else {
                return unexpected("a property read in a root context kills a worker of Kong");
            };
            match stream.properties.get(&wanted) {
                None => unexpected("the script has no such property"),
                Some(None) => Err(Denied::Status(status::NOT_FOUND)),
                Some(Some(value)) => Ok(value.clone()),
            }
        },
    )
}

fn set_property(
    mut guest: Guest<'_>,
    start: u32,
    length: u32,
    value: u32,
    value_length: u32,
) -> Answer {
    let name = path(&bytes(&guest, start, length)?);
    let value = show(&bytes(&guest, value, value_length)?);
    effect(
        &mut guest,
        "set_property",
        &format!("{name} = {value}"),
        |host| {
            if host.process.borrow().dialect() == Dialect::Kong {
                return Err(Denied::Status(status::BAD_ARGUMENT));
            }
            stream(host)?.set.insert(name.clone(), value.clone());
            Ok(())
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

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
fn send_local_response(
    mut guest: Guest<'_>,
    status: u32,
    details: u32,
    details_length: u32,
    body: u32,
    body_length: u32,
    headers: u32,
    headers_length: u32,
    grpc_status: i32,
) -> Answer {
    let details = show(&bytes(&guest, details, details_length)?);
    let body = show(&bytes(&guest, body, body_length)?);
    let headers = bytes(&guest, headers, headers_length)?;
    let parsed = HeaderMap::parse(&headers);
    let shown: Vec<_> = parsed.iter().flat_map(|map| &map.0).map(line).collect();
    let grpc = if grpc_status < 0 {
        String::new()
    } else {
        format!(" grpc-status {grpc_status}")
    };
    let arguments = format!("{status} {details}{grpc}{}\n    | {body}", shown.concat());
    effect(&mut guest, "send_local_response", &arguments, |host| {
        let Some(headers) = parsed else {
            return unexpected("the headers are no header map");
        };
        let stream = stream(host)?;
        if stream.phase != Phase::Request || stream.reply.is_some() {
            return unexpected("one reply, in the request phase");
        }
        stream.response = headers.clone();
        stream
            .response
            .0
            .insert(0, (b":status".to_vec(), status.to_string().into_bytes()));
        stream.reply = Some(Reply {
            status,
            details,
            headers,
            body,
            grpc_status,
        });
        Ok(())
    })
}

fn define_metric(mut guest: Guest<'_>, kind: u32, name: u32, length: u32, id: u32) -> Answer {
    let name = show(&bytes(&guest, name, length)?);
    let (kind, shown) = match kind {
        0 => (Some(Kind::Counter), "counter"),
        1 => (Some(Kind::Gauge), "gauge"),
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
    let defined = guest.data().process.borrow().metrics.defined(id);
    let name = defined
        .as_ref()
        .map_or_else(|| format!("#{id}"), |(_, name)| name.clone());
    effect(
        &mut guest,
        "increment_metric",
        &format!("{name} {offset:+}"),
        |host| {
            let mut process = host.process.borrow_mut();
            match defined {
                None => unexpected("no such metric"),
                Some((Kind::Gauge, _)) if process.dialect() == Dialect::Kong => {
                    unexpected("incrementing a gauge traps on Kong")
                }
                Some(_) => Ok(process.metrics.add(&name, offset)),
            }
        },
    )
}

fn record_metric(mut guest: Guest<'_>, id: u32, value: u64) -> Answer {
    let defined = guest.data().process.borrow().metrics.defined(id);
    let name = defined
        .as_ref()
        .map_or_else(|| format!("#{id}"), |(_, name)| name.clone());
    effect(
        &mut guest,
        "record_metric",
        &format!("{name} = {value}"),
        |host| match defined {
            Some((Kind::Gauge, _)) => {
                let value = value.try_into().unwrap();
                Ok(host.process.borrow_mut().metrics.set(&name, value))
            }
            _ => unexpected("no such gauge"),
        },
    )
}

fn stream(host: &mut Host) -> Result<&mut Stream, Denied> {
    host.stream()
        .map_or_else(|| unexpected("there is no stream"), Ok)
}

/// The map, where the hosts let it be reached: the request's in its phase only.
fn header_map(host: &mut Host, map: u32) -> Result<&mut HeaderMap, Denied> {
    let stream = stream(host)?;
    match (map, stream.phase) {
        (0, Phase::Request) => Ok(&mut stream.request),
        (2, Phase::Response) => Ok(&mut stream.response),
        (_, phase) => unexpected(format!("not in phase {phase:?}")),
    }
}

fn map_name(map: u32) -> &'static str {
    match map {
        0 => "request",
        2 => "response",
        _ => "?",
    }
}

fn line((name, value): &(Vec<u8>, Vec<u8>)) -> String {
    format!("\n    {}: {}", show(name), show(value))
}
