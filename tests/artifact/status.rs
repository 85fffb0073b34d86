//! The statuses of the ABI that the model answers with.

pub const OK: i32 = 0;
pub const NOT_FOUND: i32 = 1;
pub const BAD_ARGUMENT: i32 = 2;
pub const EMPTY: i32 = 7;
pub const CAS_MISMATCH: i32 = 8;

/// As it is written in a trace.
pub fn name(status: i32) -> String {
    match status {
        OK => "ok".to_owned(),
        NOT_FOUND => "not found".to_owned(),
        BAD_ARGUMENT => "bad argument".to_owned(),
        EMPTY => "empty".to_owned(),
        CAS_MISMATCH => "cas mismatch".to_owned(),
        other => format!("status {other}"),
    }
}
