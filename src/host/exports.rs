//! What the host calls. Everything else in the module is removed from its exports.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::meter::Registry;
use super::root::{self, Root, Verdict};
use crate::log::Told;
use crate::reply::headers::ResponseHeaders;

/// What one VM holds. Every plugin of one identity shares it; each has a root of its own, and so have the
/// configurations before and after a reload while the former drains.
#[derive(Default)]
struct Vm {
    roots: BTreeMap<u32, Option<Root>>,
    streams: BTreeMap<u32, Stream>,
    metrics: Registry,
    told: Told,
}

struct Stream {
    root: u32,
    /// What its response will say.
    shown: Option<ResponseHeaders>,
}

thread_local! {
    static VM: RefCell<Vm> = RefCell::default();
}

/// Runs `act` on the VM's state; a callback inside another one, which no host makes, does nothing.
fn with_vm<T>(otherwise: T, act: impl FnOnce(&mut Vm) -> T) -> T {
    VM.with(|vm| match vm.try_borrow_mut() {
        Ok(mut vm) => act(&mut vm),
        Err(_) => otherwise,
    })
}

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    with_vm((), |vm| {
        if root == 0 {
            vm.roots.insert(context, None);
        } else {
            vm.streams.insert(context, Stream { root, shown: None });
        }
    });
}

/// Runs in the canary VM first: answering false there is how a bad configuration is refused, while the proxy
/// keeps the one it has.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, len: usize) -> u32 {
    with_vm(0, |vm| {
        match Root::configure(len, &mut vm.metrics, &mut vm.told) {
            Some(configured) => {
                vm.roots.insert(root, Some(configured));
                1
            }
            None => 0,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    with_vm((), |vm| {
        if let Some(Some(root)) = vm.roots.get_mut(&root) {
            root.on_tick(&mut vm.told);
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _headers: usize, _end: u32) -> u32 {
    with_vm(CONTINUE, |vm| {
        let Some(stream) = vm.streams.get_mut(&context) else {
            return CONTINUE;
        };
        let Some(Some(root)) = vm.roots.get_mut(&stream.root) else {
            return CONTINUE;
        };
        match root.on_request(&mut vm.told) {
            Verdict::Pass(shown) => {
                stream.shown = shown;
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
        let Some(stream) = vm.streams.get_mut(&context) else {
            return;
        };
        if let Some(headers) = stream.shown.take() {
            root::show(headers);
        }
    });
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with_vm((), |vm| {
        if vm.streams.remove(&context).is_none() {
            vm.roots.remove(&context);
        }
    });
}
