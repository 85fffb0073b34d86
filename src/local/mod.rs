//! Limits that one proxy keeps by itself.

pub mod allowance;
pub mod calendar;
pub mod cell;
pub mod gcra;
pub mod limit;
pub mod set;
pub mod store;
pub mod table;
pub mod transaction;
pub mod window;
