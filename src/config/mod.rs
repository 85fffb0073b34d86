//! From the bytes that an operator wrote to a [`crate::plan::Plan`], or every error at once.

pub mod json;
