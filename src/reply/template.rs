//! Bodies with placeholders.

/// A body, taken apart at its placeholders once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Box<[u8]>>,
}
