//! The imports from `wasi_snapshot_preview1`: the clock and the randomness that the module asks for,
//! and what Rust's standard library brings along.

use wasmi::errors::LinkerError;
use wasmi::{Error, Linker};

use crate::boundary::{Answer, Guest, bytes, fill, unexpected, write};
use crate::header_map::show;
use crate::host::Host;

const MODULE: &str = "wasi_snapshot_preview1";

/// Everything that the module may import from WASI.
pub fn link(linker: &mut Linker<Host>) -> Result<(), LinkerError> {
    linker
        .func_wrap(MODULE, "clock_time_get", clock_time_get)?
        .func_wrap(MODULE, "random_get", random_get)?
        .func_wrap(MODULE, "environ_sizes_get", environ_sizes_get)?
        .func_wrap(MODULE, "environ_get", environ_get)?
        .func_wrap(MODULE, "fd_write", fd_write)?
        .func_wrap(MODULE, "proc_exit", proc_exit)?;
    Ok(())
}

fn clock_time_get(mut guest: Guest<'_>, clock: u32, _precision: u64, time: u32) -> Answer {
    let name = match clock {
        0 => "realtime",
        1 => "monotonic",
        _ => "?",
    };
    fill(&mut guest, "clock", name, time, |host| {
        let process = host.process.borrow();
        match clock {
            0 => Ok(process.realtime.to_le_bytes().to_vec()),
            1 => Ok(process.monotonic.to_le_bytes().to_vec()),
            _ => unexpected("the hosts have no such clock"),
        }
    })
}

fn random_get(mut guest: Guest<'_>, start: u32, length: u32) -> Answer {
    fill(
        &mut guest,
        "random",
        &format!("{length} B"),
        start,
        |host| {
            Ok(host
                .process
                .borrow_mut()
                .random
                .bytes(usize::try_from(length).unwrap()))
        },
    )
}

/// `NAME=value` and a NUL each.
fn environment(guest: &Guest<'_>) -> Vec<Vec<u8>> {
    let process = guest.data().process.borrow();
    let pair = |(name, value): &(String, String)| format!("{name}={value}\0").into_bytes();
    process.environment.iter().map(pair).collect()
}

fn environ_sizes_get(mut guest: Guest<'_>, count: u32, size: u32) -> Answer {
    let environment = environment(&guest);
    let total = u32::try_from(environment.concat().len()).unwrap();
    write(&mut guest, size, &total.to_le_bytes())?;
    fill(&mut guest, "environ_sizes", "", count, |_| {
        Ok(u32::try_from(environment.len())
            .unwrap()
            .to_le_bytes()
            .to_vec())
    })
}

fn environ_get(mut guest: Guest<'_>, pointers: u32, buffer: u32) -> Answer {
    let environment = environment(&guest);
    let mut at = buffer;
    let mut starts = Vec::new();
    for pair in &environment {
        starts.extend(at.to_le_bytes());
        at += u32::try_from(pair.len()).unwrap();
    }
    write(&mut guest, pointers, &starts)?;
    fill(&mut guest, "environ", "", buffer, |_| {
        Ok(environment.concat())
    })
}

/// Only a panic writes: Rust's message is worth more than the trap that follows.
fn fd_write(guest: Guest<'_>, _fd: u32, vectors: u32, count: u32, _written: u32) -> Answer {
    let mut text = Vec::new();
    for index in 0..count {
        let vector = bytes(&guest, vectors + 8 * index, 8)?;
        let number = |at: usize| u32::from_le_bytes(vector[at..at + 4].try_into().unwrap());
        text.extend(bytes(&guest, number(0), number(4))?);
    }
    Err(Error::new(format!("the module wrote: {}", show(&text))))
}

fn proc_exit(_: Guest<'_>, code: u32) -> Result<(), Error> {
    Err(Error::new(format!("the module exited with {code}")))
}
