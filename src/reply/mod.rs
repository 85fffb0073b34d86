//! What the client sees.

pub mod template;
