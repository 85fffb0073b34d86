//! The path of a request: its normal form, its segments, and templates over them.

/// A path template such as `/users/{id}/orders/{order}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<[u8]>),
    Capture,
}
