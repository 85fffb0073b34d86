//! The boundary between module and host: bytes out of linear memory and into it, and the one order in
//! which every call is judged: the script first, then the model, then the trace.

use wasmi::{Caller, Error};

use crate::header_map::show;
use crate::host::{Fault, Host, outcome};
use crate::status;

/// The module, calling.
pub type Guest<'a> = Caller<'a, Host>;

/// What the module gets back. An error stops the test: the module did what no test expects of it.
pub type Answer = Result<i32, Error>;

/// Why a call is not done.
pub enum Denied {
    /// The host says no.
    Status(i32),
    /// No correct module makes this call.
    Unexpected(String),
}

impl From<i32> for Denied {
    fn from(code: i32) -> Self {
        Self::Status(code)
    }
}

/// `Unexpected`, from a formatted reason.
pub fn unexpected<T>(reason: impl Into<String>) -> Result<T, Denied> {
    Err(Denied::Unexpected(reason.into()))
}

/// The bytes that a pointer and a length mean.
pub fn bytes(guest: &Guest<'_>, start: u32, length: u32) -> Result<Vec<u8>, Error> {
    let memory = guest.data().memory.unwrap();
    let (start, length) = (start.try_into().unwrap(), usize::try_from(length).unwrap());
    let all = memory.data(guest);
    all.get(start..start + length)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| Error::new(format!("{length} bytes at {start} are outside of memory")))
}

pub fn write(guest: &mut Guest<'_>, at: u32, bytes: &[u8]) -> Result<(), Error> {
    let memory = guest.data().memory.unwrap();
    memory
        .write(guest, at.try_into().unwrap(), bytes)
        .map_err(|error| Error::new(format!("{} bytes at {at}: {error}", bytes.len())))
}

/// A call that answers with a status alone.
pub fn effect(
    guest: &mut Guest<'_>,
    name: &'static str,
    arguments: &str,
    act: impl FnOnce(&mut Host) -> Result<(), Denied>,
) -> Answer {
    let host = guest.data_mut();
    let result = match host.script.next(name) {
        None | Some(Fault::Status(status::OK)) => act(host),
        Some(Fault::Status(code)) => Err(Denied::Status(code)),
        Some(Fault::Bytes(_)) => unexpected("bytes are scripted for a call that returns none"),
    };
    settle(guest, name, arguments, result.map(|()| String::new()))
}

/// A call that answers with bytes at an address that the module gave, such as a clock.
pub fn fill(
    guest: &mut Guest<'_>,
    name: &'static str,
    arguments: &str,
    at: u32,
    produce: impl FnOnce(&mut Host) -> Result<Vec<u8>, Denied>,
) -> Answer {
    let host = guest.data_mut();
    let result = match host.script.next(name) {
        None | Some(Fault::Status(status::OK)) => produce(host),
        Some(Fault::Status(code)) => Err(Denied::Status(code)),
        Some(Fault::Bytes(bytes)) => Ok(bytes),
    };
    if let Ok(bytes) = &result {
        write(guest, at, bytes)?;
    }
    settle(guest, name, arguments, result.map(|_| String::new()))
}

/// A call that answers with bytes of any length, for which the host asks the module for memory.
pub fn data(
    guest: &mut Guest<'_>,
    name: &'static str,
    arguments: &str,
    out: (u32, u32),
    produce: impl FnOnce(&mut Host) -> Result<Vec<u8>, Denied>,
) -> Answer {
    let host = guest.data_mut();
    let result = match host.script.next(name) {
        None => produce(host),
        Some(Fault::Status(status::OK)) => Ok(Vec::new()),
        Some(Fault::Status(code)) => Err(Denied::Status(code)),
        Some(Fault::Bytes(bytes)) => Ok(bytes),
    };
    if let Ok(bytes) = &result {
        hand_over(guest, out, bytes)?;
    }
    settle(
        guest,
        name,
        arguments,
        result.map(|bytes| format!(" -> {} B", bytes.len())),
    )
}

/// Allocates in the module and copies; for no bytes the hosts allocate nothing and answer with null.
fn hand_over(guest: &mut Guest<'_>, out: (u32, u32), bytes: &[u8]) -> Result<(), Error> {
    let length = u32::try_from(bytes.len()).unwrap();
    let start = if bytes.is_empty() {
        0
    } else {
        guest.data_mut().allocations += 1;
        let allocate = guest.data().allocate.unwrap();
        let start = allocate.call(&mut *guest, length)?;
        write(guest, start, bytes)?;
        start
    };
    write(guest, out.0, &start.to_le_bytes())?;
    write(guest, out.1, &length.to_le_bytes())
}

fn settle(
    guest: &mut Guest<'_>,
    name: &'static str,
    arguments: &str,
    result: Result<String, Denied>,
) -> Answer {
    let space = if arguments.is_empty() { "" } else { " " };
    let line = format!("{name}{space}{arguments}");
    let (code, result) = match result {
        Ok(text) => (status::OK, Ok(text)),
        Err(Denied::Status(code)) => (code, Err(code)),
        Err(Denied::Unexpected(reason)) => return Err(Error::new(format!("{line}: {reason}"))),
    };
    guest.data_mut().trace.push(line + &outcome(result));
    Ok(code)
}

/// A shared-data key: its readable beginning when the rest is binary, since the rest is a hash.
pub fn key(key: &[u8]) -> String {
    if key.iter().all(u8::is_ascii_graphic) {
        return show(key);
    }
    format!("{}…", show(key.get(..2).unwrap_or(key)))
}

/// The path of a property, its segments joined with dots.
pub fn path(path: &[u8]) -> String {
    show(path).replace("\\x00", ".")
}
