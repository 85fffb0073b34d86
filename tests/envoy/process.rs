//! What the tests start beside Envoy.

use std::fs;
use std::process::{Child, Command};

use crate::proxy::until;

/// A process, which is killed when this is dropped.
pub struct Process(Child);

impl Process {
    /// Starts what the Makefile installs.
    pub fn start(command: &mut Command, name: &str) -> Self {
        let started = command.spawn();
        let missing = |error| panic!("{name}: {error}: run `make test`, which installs it");
        Self(started.unwrap_or_else(missing))
    }

    /// Stops it where it is, until it is told to `CONT`.
    pub async fn stop(&self) {
        self.signal("STOP");
        // A signal has been sent before it has been obeyed.
        let state = format!("/proc/{}/stat", self.0.id());
        until("a process to stop", async || {
            let state = fs::read_to_string(&state).unwrap();
            state.rsplit(") ").next()?.starts_with('T').then_some(())
        })
        .await;
    }

    pub fn signal(&self, name: &str) {
        let number = self.0.id().to_string();
        let kill = Command::new("kill").args(["-s", name, &number]).status();
        assert!(kill.unwrap().success());
    }

    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has already ended. One that is stopped would outlive a gentler signal.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until there is an answer; `None` when one of these processes ends first.
pub async fn until_ready<T, const N: usize>(
    processes: [&mut Process; N],
    name: &str,
    mut ready: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let mut processes = processes.map(|process| &mut process.0);
    until(name, async || {
        let mut processes = processes.iter_mut();
        match processes.any(|process| process.try_wait().unwrap().is_some()) {
            true => Some(None),
            false => ready().await.map(Some),
        }
    })
    .await
}
