//! What the workers of a proxy have reported of each rule, so that one of them reports it, once.

use crate::local::store::{Dialect, SharedData, Swap, checksum, namespace};
use crate::plan::Plan;

/// Where it is noted that the limiter has no entry for a rule: one key for each place in a plan, so that reloads with
/// other rules do not add any.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notices {
    pub(super) dialect: Dialect,
}

impl Notices {
    /// Whether no worker has reported a rule of this name. Where the shared data cannot tell, nobody has.
    pub(super) fn is_first(&self, data: &mut impl SharedData, plan: &Plan, rule: usize) -> bool {
        let name = plan.rules.get(rule).map(|rule| &*rule.name);
        let name = checksum(name.unwrap_or_default().as_bytes()).to_le_bytes();
        let domain = namespace(&plan.domain, plan.max_keys);
        let place = u32::try_from(rule).unwrap_or(u32::MAX);
        let [d0, d1, d2, d3] = domain.to_le_bytes();
        let [r0, r1, r2, r3] = place.to_le_bytes();
        let key = [b'u', b'1', d0, d1, d2, d3, r0, r1, r2, r3];
        let cas = match data.get(&key) {
            Ok(Some((value, _))) if value == name => return false,
            Ok(Some((_, cas))) => cas,
            Ok(None) => self.dialect.insert(),
            Err(_) => return true,
        };
        data.set(&key, &name, cas) != Ok(Swap::Lost)
    }
}
