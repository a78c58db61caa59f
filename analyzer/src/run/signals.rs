//! Signals while a program runs: snag outlives them, so that it can say what it saw.
//!
//! A terminal sends its signals to the whole group of processes, so those (and only those) have
//! reached the program already; any other is passed on. The handlers are real ones: a signal that is
//! *ignored* would stay so in the program.

use std::sync::atomic::{AtomicI32, Ordering};

/// Process to pass signals on to, 0 if there is none.
static CHILD: AtomicI32 = AtomicI32::new(0);

const SIGNALS: [libc::c_int; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// While this lives, signals that would end snag go to the child instead.
#[derive(Debug)]
pub struct Forwarding {
    before: Vec<(libc::c_int, libc::sigaction)>,
}

impl Forwarding {
    /// Starts to keep signals away from snag.
    #[must_use]
    pub fn begin() -> Forwarding {
        let before = SIGNALS.iter().filter_map(|&signal| Some((signal, install(signal)?))).collect();
        Forwarding { before }
    }

    /// The child to pass signals on to.
    pub fn send_to(&self, child: u32) {
        CHILD.store(i32::try_from(child).unwrap_or(0), Ordering::SeqCst);
    }

    /// There is no such child any more; to be called before its number may be given away.
    pub fn child_is_gone(&self) {
        CHILD.store(0, Ordering::SeqCst);
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        CHILD.store(0, Ordering::SeqCst);
        for (signal, action) in &self.before {
            // SAFETY: the action is one that sigaction gave out for this signal.
            unsafe { libc::sigaction(*signal, action, std::ptr::null_mut()) };
        }
    }
}

/// Installs the handler; gives what was there, or nothing if the signal is ignored: then it stays
/// so (`nohup`), and the program inherits that.
fn install(signal: libc::c_int) -> Option<libc::sigaction> {
    // SAFETY: all-zero bytes are a valid sigaction.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only asks, into a valid place.
    unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut before) };
    if before.sa_sigaction == libc::SIG_IGN {
        return None;
    }
    // SAFETY: as above.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = pass_on;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: the handler has the signature that SA_SIGINFO asks for and calls only what is
    // async-signal-safe.
    let result = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    (result == 0).then_some(before)
}

extern "C" fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let child = CHILD.load(Ordering::SeqCst);
    // SAFETY: with SA_SIGINFO the kernel gives a valid siginfo.
    let from_terminal = unsafe { (*info).si_code } == libc::SI_KERNEL;
    if child > 0 && !from_terminal {
        // SAFETY: no memory is involved; the child has not been reaped, see `child_is_gone`.
        unsafe { libc::kill(child, signal) };
    }
}
