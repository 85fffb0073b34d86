//! The proxy's shared data as the store that the core knows.

use super::call::{self, HostError};
use crate::local::store::{Fault, SharedData, Swap};

/// The shared data of this VM's `vm_id`, or of Kong's zone.
#[derive(Clone, Copy, Debug)]
pub struct Shared;

impl SharedData for Shared {
    fn get(&mut self, key: &[u8]) -> Result<Option<(Vec<u8>, u32)>, Fault> {
        match call::read_shared_data(key) {
            Ok(found) => Ok(Some(found)),
            Err(HostError::NotFound) => Ok(None),
            Err(error) => Err(Fault::Host(error.status())),
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Swap, Fault> {
        match call::set_shared_data(key, value, cas) {
            Ok(()) => Ok(Swap::Done),
            Err(HostError::CasMismatch) => Ok(Swap::Lost),
            Err(error) => Err(Fault::Host(error.status())),
        }
    }
}
