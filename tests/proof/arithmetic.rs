//! The arithmetic of limits against exact models, for any numbers, times and clocks.

mod buckets;
mod extremes;
mod model;
mod windows;
