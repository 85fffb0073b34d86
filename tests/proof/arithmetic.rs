//! The arithmetic of limits against exact models, for any numbers, times and clocks.

mod buckets;
mod changes;
mod extremes;
mod model;
mod windows;
