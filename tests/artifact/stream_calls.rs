//! The imports from `env` that are about the stream whose callback is running: headers, properties, replies.

use wasmi::Linker;
use wasmi::errors::LinkerError;

use crate::boundary::{Answer, Denied, Guest, bytes, data, effect, path, unexpected};
use crate::header_map::{HeaderMap, show};
use crate::host::{Flow, Host, Phase, Reply, Stream};
use crate::shared_data::Dialect;
use crate::status;

/// Headers of the answer to a call out.
const CALL_ANSWER: u32 = 6;

/// All of them.
pub fn link(linker: &mut Linker<Host>) -> Result<(), LinkerError> {
    linker
        .func_wrap("env", "proxy_get_header_map_pairs", get_pairs)?
        .func_wrap("env", "proxy_get_header_map_value", get_header)?
        .func_wrap(
            "env",
            "proxy_add_header_map_value",
            change_header("add_header_map_value", HeaderMap::add),
        )?
        .func_wrap(
            "env",
            "proxy_replace_header_map_value",
            change_header("replace_header_map_value", HeaderMap::replace),
        )?
        .func_wrap("env", "proxy_get_property", get_property)?
        .func_wrap("env", "proxy_set_property", set_property)?
        .func_wrap("env", "proxy_send_local_response", send_local_response)?
        .func_wrap("env", "proxy_continue_stream", continue_stream)?
        .func_wrap("env", "proxy_set_effective_context", set_effective_context)?;
    Ok(())
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

/// The import `proxy_<call>`, which changes a header map by a name and a value.
fn change_header(
    call: &'static str,
    change: fn(&mut HeaderMap, &[u8], &[u8]),
) -> impl Fn(Guest<'_>, u32, u32, u32, u32, u32) -> Answer {
    move |mut guest, map, name, name_length, value, value_length| {
        let name = bytes(&guest, name, name_length)?;
        let value = bytes(&guest, value, value_length)?;
        let arguments = format!("{} {}: {}", map_name(map), show(&name), show(&value));
        effect(&mut guest, call, &arguments, |host| {
            change(header_map(host, map)?, &name, &value);
            Ok(())
        })
    }
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
        if stream.flow == Flow::Resumed {
            return unexpected("the request was let go on");
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

fn stream(host: &mut Host) -> Result<&mut Stream, Denied> {
    host.stream()
        .map_or_else(|| unexpected("there is no stream"), Ok)
}

fn continue_stream(mut guest: Guest<'_>, direction: u32) -> Answer {
    let name = match direction {
        0 => "request",
        _ => "?",
    };
    effect(&mut guest, "continue_stream", name, |host| {
        let is_kong = host.dialect() == Dialect::Kong;
        let stream = stream(host)?;
        if is_kong && stream.flow == Flow::Paused {
            // It goes on when its last call is answered, and not before.
            return Ok(());
        }
        if direction != 0 || stream.flow != Flow::Paused || stream.reply.is_some() {
            return unexpected("only a request that waits goes on, once");
        }
        stream.flow = Flow::Resumed;
        Ok(())
    })
}

/// As Envoy does it; on Kong it does nothing, and what follows is done to another stream.
fn set_effective_context(mut guest: Guest<'_>, context: u32) -> Answer {
    let is_root = guest.data().context == context;
    let name = if is_root { "root" } else { "stream" };
    let arguments = format!("{name} {context}");
    let answer = effect(&mut guest, "set_effective_context", &arguments, |host| {
        if host.process.borrow().dialect() == Dialect::Kong {
            return unexpected("no context of Kong is effective but that which runs");
        }
        if !host.contexts.contains(&context) {
            return Err(Denied::Status(status::BAD_ARGUMENT));
        }
        host.effective = Some(context);
        Ok(())
    })?;
    let host = guest.data_mut();
    host.effective_kept |= answer != status::OK && is_root;
    Ok(answer)
}

/// The map, where the hosts let it be reached: the request's in its phase only.
fn header_map(host: &mut Host, map: u32) -> Result<&mut HeaderMap, Denied> {
    if map == CALL_ANSWER {
        let answer = host.http_calls.answer.as_mut();
        let headers = answer.and_then(|answer| answer.headers.as_mut());
        return headers.ok_or(Denied::Status(status::BAD_ARGUMENT));
    }
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
        CALL_ANSWER => "answer",
        _ => "?",
    }
}

pub fn line((name, value): &(Vec<u8>, Vec<u8>)) -> String {
    format!("\n    {}: {}", show(name), show(value))
}
