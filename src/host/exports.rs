//! What the host calls. Everything else in the module is removed from its exports.

use std::sync::Mutex;

use super::logger;
use super::notes::Notes;
use super::plugin::Plugin;
use super::root::{self, Resumed, Root, Settlement, Verdict};
use crate::numbers::{CONTINUE, PAUSE};
use crate::refusals::Refusals;
use crate::reply::headers::ResponseHeaders;

/// What one VM holds. Every plugin of one identity shares it; each has a root of its own, and so have the
/// configurations before and after a reload while the former drains.
struct Vm {
    contexts: Contexts,
    notes: Notes,
    refusals: Refusals,
}

enum Context {
    /// A plugin.
    Root(Box<Plugin>),
    /// A request, the root it belongs to, and what its response will say.
    Stream {
        root: u32,
        shown: Option<Box<ResponseHeaders>>,
    },
}

static VM: Mutex<Vm> = Mutex::new(Vm {
    contexts: Contexts(Vec::new()),
    notes: Notes::new(),
    refusals: Refusals::new(),
});

/// Contexts in the order of their numbers. The host counts them up, so a new one goes to the end.
///
/// A map by hash would spare a request among ten thousand others some moving of memory, and be 5 KB of module.
struct Contexts(Vec<(u32, Context)>);

impl Contexts {
    fn place(&self, number: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |(number, _)| *number)
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Context> {
        let place = self.place(number).ok()?;
        self.0.get_mut(place).map(|(_, context)| context)
    }

    fn insert(&mut self, number: u32, context: Context) {
        match self.place(number) {
            Ok(place) => {
                if let Some((_, known)) = self.0.get_mut(place) {
                    *known = context;
                }
            }
            Err(place) => self.0.insert(place, (number, context)),
        }
    }

    fn show_all(&mut self, resumed: Vec<Resumed>) {
        for Resumed { stream, headers } in resumed {
            self.show(stream, headers);
        }
    }

    /// Keeps what the response of a stream is to say.
    fn show(&mut self, stream: u32, headers: ResponseHeaders) {
        if let Some(Context::Stream { shown, .. }) = self.get_mut(stream) {
            *shown = Some(Box::new(headers));
        }
    }

    fn plugin(&mut self, root: u32) -> Option<&mut Plugin> {
        match self.get_mut(root)? {
            Context::Root(plugin) => Some(plugin),
            Context::Stream { .. } => None,
        }
    }

    /// Tells a plugin that one of its streams waits no more.
    fn gone(&mut self, root: u32, stream: u32) {
        if let Some(plugin) = self.plugin(root) {
            plugin.on_gone(stream);
        }
    }

    fn remove(&mut self, number: u32) -> Option<Context> {
        let place = self.place(number).ok()?;
        Some(self.0.remove(place).1)
    }
}

/// Runs `act` on the VM's state; a callback inside another one, which no host makes, does nothing.
fn with_vm<T>(otherwise: T, act: impl FnOnce(&mut Vm) -> T) -> T {
    match VM.try_lock() {
        Ok(mut vm) => act(&mut vm),
        Err(_) => otherwise,
    }
}

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
    logger::install();
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    with_vm((), |vm| {
        let new = match root {
            0 => Context::Root(Box::default()),
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
        let configured = match vm.contexts.plugin(root) {
            Some(plugin) => plugin.configure(root, len, &mut vm.refusals, &mut vm.notes),
            // A host that configures what it did not create.
            None => {
                let mut plugin = Box::<Plugin>::default();
                let configured = plugin.configure(root, len, &mut vm.refusals, &mut vm.notes);
                vm.contexts.insert(root, Context::Root(plugin));
                configured
            }
        };
        match configured {
            Some(resumed) => {
                vm.contexts.show_all(resumed);
                1
            }
            None => 0,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    with_root(root, Root::on_tick);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_queue_ready(root: u32, _queue: u32) {
    with_root(root, Root::on_queue_ready);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root: u32,
    call: u32,
    fields: usize,
    body_len: usize,
    _trailers: usize,
) {
    with_root(root, |root, settlement, notes| {
        root.on_reply(call, fields, body_len, settlement, notes);
    });
}

/// Runs `act` on the configurations of a plugin, and keeps what the responses of the requests that it resumed are to say.
fn with_root(root: u32, act: impl FnMut(&mut Root, &mut Settlement<'_>, &mut Notes)) {
    with_vm((), |vm| {
        if let Some(plugin) = vm.contexts.plugin(root) {
            let resumed = plugin.on_all(&mut vm.refusals, &mut vm.notes, act);
            vm.contexts.show_all(resumed);
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, fields: usize, _end: u32) -> u32 {
    with_vm(CONTINUE, |vm| {
        let Some(Context::Stream { root, .. }) = vm.contexts.get_mut(context) else {
            return CONTINUE;
        };
        let root = *root;
        let Some(root) = vm.contexts.plugin(root).and_then(Plugin::serving) else {
            return CONTINUE;
        };
        match root.on_request(context, fields, &mut vm.refusals, &mut vm.notes) {
            Verdict::Pass(None) => CONTINUE,
            Verdict::Pass(Some(headers)) => {
                vm.contexts.show(context, headers);
                CONTINUE
            }
            Verdict::Answered | Verdict::Parked => PAUSE,
        }
    })
}

/// Runs for our own replies too, where there is nothing left to show, and for those that the proxy gave to a request
/// that waits.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _headers: usize, _end: u32) -> u32 {
    with_vm((), |vm| {
        let Some(Context::Stream { root, shown }) = vm.contexts.get_mut(context) else {
            return;
        };
        let root = *root;
        match shown.take() {
            Some(headers) => root::show(*headers),
            None => vm.contexts.gone(root, context),
        }
    });
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with_vm((), |vm| {
        match vm.contexts.remove(context) {
            Some(Context::Root(plugin)) => {
                plugin.close(&mut vm.notes);
                // It may have been the last whose ticks did.
                vm.notes.metrics.hand_over();
            }
            Some(Context::Stream { root, .. }) => vm.contexts.gone(root, context),
            None => {}
        }
    });
}
