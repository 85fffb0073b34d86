//! What the host calls. Everything else in the module is removed from its exports.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Mutex;

use super::meter::Registry;
use super::root::{self, Root, Verdict};
use crate::log::Told;
use crate::reply::headers::ResponseHeaders;

/// What one VM holds. Every plugin of one identity shares it; each has a root of its own, and so have the
/// configurations before and after a reload while the former drains.
struct Vm {
    contexts: HashMap<u32, Context, BuildHasherDefault<Spread>>,
    metrics: Registry,
    told: Told,
}

enum Context {
    /// A plugin; `None` until it is configured.
    Root(Option<Box<Root>>),
    /// A request, the root it belongs to, and what its response will say.
    Stream {
        root: u32,
        shown: Option<Box<ResponseHeaders>>,
    },
}

static VM: Mutex<Vm> = Mutex::new(Vm {
    contexts: HashMap::with_hasher(BuildHasherDefault::new()),
    metrics: Registry::new(),
    told: Told::new(),
});

/// Hashes a context's number: the host counts them up, so they need spreading and no secret.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        // Odd, with bits all over: the upper bits pick a group's tag, the lower ones the group.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Runs `act` on the VM's state; a callback inside another one, which no host makes, does nothing.
fn with_vm<T>(otherwise: T, act: impl FnOnce(&mut Vm) -> T) -> T {
    match VM.try_lock() {
        Ok(mut vm) => act(&mut vm),
        Err(_) => otherwise,
    }
}

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

unsafe extern "C" {
    /// Made by the linker. If nothing called it, the linker would wrap every export in a call of its own.
    fn __wasm_call_ctors();
}

/// The host calls it once, before anything else.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: called once, first.
    unsafe { __wasm_call_ctors() }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    with_vm((), |vm| {
        let new = match root {
            0 => Context::Root(None),
            root => Context::Stream { root, shown: None },
        };
        vm.contexts.insert(context, new);
    });
}

/// Runs in the canary VM first: answering false there is how a bad configuration is refused, while the proxy
/// keeps the one it has.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, len: usize) -> u32 {
    with_vm(0, |vm| {
        match Root::configure(len, &mut vm.metrics, &mut vm.told) {
            Some(configured) => {
                vm.contexts
                    .insert(root, Context::Root(Some(Box::new(configured))));
                1
            }
            None => 0,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    with_vm((), |vm| {
        if let Some(Context::Root(Some(root))) = vm.contexts.get_mut(&root) {
            root.on_tick(&mut vm.told);
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _headers: usize, _end: u32) -> u32 {
    with_vm(CONTINUE, |vm| {
        let Some(Context::Stream { root, .. }) = vm.contexts.get(&context) else {
            return CONTINUE;
        };
        let root = *root;
        let Some(Context::Root(Some(root))) = vm.contexts.get_mut(&root) else {
            return CONTINUE;
        };
        match root.on_request(&mut vm.told) {
            Verdict::Pass(None) => CONTINUE,
            Verdict::Pass(Some(headers)) => {
                if let Some(Context::Stream { shown, .. }) = vm.contexts.get_mut(&context) {
                    *shown = Some(Box::new(headers));
                }
                CONTINUE
            }
            Verdict::Answered => PAUSE,
        }
    })
}

/// Runs for our own replies too, where there is nothing left to show.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _headers: usize, _end: u32) -> u32 {
    with_vm((), |vm| {
        if let Some(Context::Stream { shown, .. }) = vm.contexts.get_mut(&context)
            && let Some(headers) = shown.take()
        {
            root::show(*headers);
        }
    });
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with_vm((), |vm| drop(vm.contexts.remove(&context)));
}
