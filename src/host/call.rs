//! Every hostcall, as a function that returns a `Result` and cannot panic.
//!
//! A data-returning call costs the host about 10,000 instructions whatever its size, any other one to
//! four thousand: that is why the names tell them apart (`read_*` returns data).

use super::abi;
use crate::numbers::{BAD_ARGUMENT, CAS_MISMATCH, NOT_FOUND, OK, REQUEST_STREAM};
pub use crate::numbers::{Buffer, Kind, Level, Map};
use crate::units::Nanos;

/// What a host answers when it does not do as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// There is no such header, property or key.
    NotFound,
    /// It knows nothing of what was named: a context that is gone, a cluster that it does not have.
    BadArgument,
    /// The value was changed since it was read.
    CasMismatch,
    /// Any other status, as the host gave it.
    Status(i32),
}

impl HostError {
    /// The status as the host gave it.
    pub const fn status(self) -> i32 {
        match self {
            Self::NotFound => NOT_FOUND,
            Self::BadArgument => BAD_ARGUMENT,
            Self::CasMismatch => CAS_MISMATCH,
            Self::Status(status) => status,
        }
    }
}

/// Outcome of one hostcall.
pub type Outcome<T> = Result<T, HostError>;

fn check(status: i32) -> Outcome<()> {
    match status {
        OK => Ok(()),
        NOT_FOUND => Err(HostError::NotFound),
        BAD_ARGUMENT => Err(HostError::BadArgument),
        CAS_MISMATCH => Err(HostError::CasMismatch),
        other => Err(HostError::Status(other)),
    }
}

/// Whether a map of so many fields can be read. Kong's host takes the first hundred with four of its own among them, asks
/// for a block as if it were one, and writes the others beyond its end.
pub const fn is_readable(fields: usize) -> bool {
    const MOST: usize = 96;
    !cfg!(feature = "kong") || fields <= MOST
}

/// A clock of the host.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Clock {
    /// Time since 1970-01-01T00:00:00Z; may step.
    Realtime = 0,
    /// Time since a zero that all VMs of the proxy share.
    Monotonic = 1,
}

/// Memory that the host asked us for and filled.
///
/// The host allocates through [`proxy_on_memory_allocate`] and hands the block over to whoever made the call.
struct Filled {
    start: *mut u8,
    len: usize,
}

impl Filled {
    const fn empty() -> Self {
        Self {
            start: core::ptr::null_mut(),
            len: 0,
        }
    }

    fn into_vec(self) -> Vec<u8> {
        if self.start.is_null() || self.len == 0 {
            return Vec::new();
        }
        // SAFETY: a non-null pointer that the host hands back is the one that
        // `proxy_on_memory_allocate(len)` gave it during this call: a boxed slice of exactly that
        // length, forgotten there, filled by the host, and handed over only once.
        unsafe { Vec::from_raw_parts(self.start, self.len, self.len) }
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(len: usize) -> *mut u8 {
    let mut block = core::mem::ManuallyDrop::new(Box::<[u8]>::new_uninit_slice(len));
    block.as_mut_ptr().cast()
}

/// Writes one line to the proxy's log. There is nothing to do about a log that fails.
pub fn log(level: Level, line: &str) {
    // SAFETY: pointer and length of one live string.
    let _ = unsafe { abi::proxy_log(level as u32, line.as_ptr(), line.len()) };
}

/// Asks for `on_tick` every `period_ms` milliseconds.
pub fn set_tick_period(period_ms: u32) -> Outcome<()> {
    // SAFETY: no pointers.
    check(unsafe { abi::proxy_set_tick_period_milliseconds(period_ms) })
}

/// The first `len` bytes of a buffer.
pub fn read_buffer(buffer: Buffer, len: usize) -> Outcome<Vec<u8>> {
    let mut out = Filled::empty();
    // SAFETY: the two out-pointers live through the call.
    check(unsafe {
        abi::proxy_get_buffer_bytes(buffer as u32, 0, len, &mut out.start, &mut out.len)
    })?;
    Ok(out.into_vec())
}

/// All headers of a map, serialised: see [`crate::facts::HeaderMap`].
pub fn read_header_map(map: Map) -> Outcome<Vec<u8>> {
    let mut out = Filled::empty();
    // SAFETY: the two out-pointers live through the call.
    check(unsafe { abi::proxy_get_header_map_pairs(map as u32, &mut out.start, &mut out.len) })?;
    Ok(out.into_vec())
}

/// The first value of a header; a miss costs a fifth of a hit.
pub fn read_header(map: Map, name: &str) -> Outcome<Vec<u8>> {
    let mut out = Filled::empty();
    // SAFETY: the name and the two out-pointers live through the call.
    check(unsafe {
        abi::proxy_get_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            &mut out.start,
            &mut out.len,
        )
    })?;
    Ok(out.into_vec())
}

/// Appends a header, beside others of its name.
pub fn add_header(map: Map, name: &str, value: &[u8]) -> Outcome<()> {
    // SAFETY: name and value live through the call.
    check(unsafe {
        abi::proxy_add_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Sets a header, in place of all others of its name.
pub fn replace_header(map: Map, name: &str, value: &[u8]) -> Outcome<()> {
    // SAFETY: name and value live through the call.
    check(unsafe {
        abi::proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// A property; `path` is its segments joined with NUL.
pub fn read_property(path: &[u8]) -> Outcome<Vec<u8>> {
    let mut out = Filled::empty();
    // SAFETY: the path and the two out-pointers live through the call.
    check(unsafe {
        abi::proxy_get_property(path.as_ptr(), path.len(), &mut out.start, &mut out.len)
    })?;
    Ok(out.into_vec())
}

/// Sets a property; Envoy shows one of a single segment as filter state `wasm.<segment>`.
pub fn set_property(path: &[u8], value: &[u8]) -> Outcome<()> {
    // SAFETY: path and value live through the call.
    check(unsafe {
        abi::proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len())
    })
}

/// A value of the shared data and the number that a compare-and-swap needs.
pub fn read_shared_data(key: &[u8]) -> Outcome<(Vec<u8>, u32)> {
    let mut out = Filled::empty();
    let mut cas = 0;
    // SAFETY: the key and the three out-pointers live through the call.
    check(unsafe {
        abi::proxy_get_shared_data(
            key.as_ptr(),
            key.len(),
            &mut out.start,
            &mut out.len,
            &mut cas,
        )
    })?;
    Ok((out.into_vec(), cas))
}

/// Compare-and-swap; what a `cas` of 0 means differs between hosts.
pub fn set_shared_data(key: &[u8], value: &[u8], cas: u32) -> Outcome<()> {
    // SAFETY: key and value live through the call.
    check(unsafe {
        abi::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)
    })
}

/// Answers the request from here. `headers` is serialised; `grpc_status` is negative for none.
pub fn send_local_response(
    status: u16,
    details: &[u8],
    body: &[u8],
    headers: &[u8],
    grpc_status: i32,
) -> Outcome<()> {
    // SAFETY: all four slices live through the call.
    check(unsafe {
        abi::proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc_status,
        )
    })
}

/// Begins a call to `upstream` and gives its number; the answer comes to `on_http_call_response` of the context that
/// is effective now. The host counts a time-out in milliseconds, of which 0 would be none.
pub fn http_call(upstream: &str, headers: &[u8], body: &[u8], timeout: Nanos) -> Outcome<u32> {
    let timeout_ms = u32::try_from(timeout.0.div_ceil(Nanos::MILLISECOND.0)).unwrap_or(u32::MAX);
    // Serialised like headers: none.
    const NO_TRAILERS: [u8; 4] = [0; 4];
    // Kong's host counts from 0.
    const NONE: u32 = u32::MAX;
    let mut token = NONE;
    // SAFETY: the four slices and the out-pointer live through the call.
    check(unsafe {
        abi::proxy_http_call(
            upstream.as_ptr(),
            upstream.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            NO_TRAILERS.as_ptr(),
            NO_TRAILERS.len(),
            timeout_ms.max(1),
            &mut token,
        )
    })?;
    match token {
        NONE => Err(HostError::Status(OK)),
        token => Ok(token),
    }
}

/// Makes a context the one that calls are about; fails when its stream is gone.
pub fn set_effective_context(context: u32) -> Outcome<()> {
    // SAFETY: no pointers.
    check(unsafe { abi::proxy_set_effective_context(context) })
}

/// Lets the request of the effective context go on.
pub fn continue_request() -> Outcome<()> {
    // SAFETY: no pointers.
    check(unsafe { abi::proxy_continue_stream(REQUEST_STREAM) })
}

/// A queue whose messages wake the context that registered it, by `on_queue_ready`.
pub fn register_queue(name: &str) -> Outcome<u32> {
    let mut queue = 0;
    // SAFETY: the name and the out-pointer live through the call.
    check(unsafe { abi::proxy_register_shared_queue(name.as_ptr(), name.len(), &mut queue) })?;
    Ok(queue)
}

/// Puts an empty message into a queue.
pub fn enqueue(queue: u32) -> Outcome<()> {
    // SAFETY: the empty slice lives through the call.
    check(unsafe { abi::proxy_enqueue_shared_queue(queue, [].as_ptr(), 0) })
}

/// Takes a message out of a queue; an error when there is none.
pub fn dequeue(queue: u32) -> Outcome<()> {
    let mut out = Filled::empty();
    // SAFETY: the two out-pointers live through the call.
    check(unsafe { abi::proxy_dequeue_shared_queue(queue, &mut out.start, &mut out.len) })?;
    drop(out.into_vec());
    Ok(())
}

/// Defines a metric. Each call makes a new id for the same metric: once per VM and name.
pub fn define_metric(kind: Kind, name: &str) -> Outcome<u32> {
    let mut id = 0;
    // SAFETY: the name and the out-pointer live through the call.
    check(unsafe { abi::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) })?;
    Ok(id)
}

/// Adds to a counter.
pub fn increment_metric(id: u32, offset: i64) -> Outcome<()> {
    // SAFETY: no pointers.
    check(unsafe { abi::proxy_increment_metric(id, offset) })
}

/// Sets a gauge.
pub fn record_metric(id: u32, value: u64) -> Outcome<()> {
    // SAFETY: no pointers.
    check(unsafe { abi::proxy_record_metric(id, value) })
}

/// Nanoseconds of a clock of the host.
///
/// The raw call: `std::time::Instant` hides the number, and its zero differs between VMs.
pub fn clock(clock: Clock) -> Outcome<u64> {
    let mut time = 0;
    // SAFETY: the out-pointer lives through the call.
    check(unsafe { abi::clock_time_get(clock as u32, 1, &mut time) })?;
    Ok(time)
}

/// Random bytes of the host.
pub fn random(bytes: &mut [u8]) -> Outcome<()> {
    // What WASI does not list as an error has no number.
    let status = |error: getrandom::Error| error.raw_os_error().unwrap_or(-1);
    getrandom::fill(bytes).map_err(|error| HostError::Status(status(error)))
}
