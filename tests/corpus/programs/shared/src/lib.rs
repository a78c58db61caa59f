//! What the programs of the corpus have in common: memory that the compiler does not guard, and the
//! choice of the program by name.

use std::cell::UnsafeCell;
use std::process::ExitCode;
use std::{env, thread};

/// A value that every thread can reach, guarded by nothing.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Shared<T>(UnsafeCell<T>);

// SAFETY: not by itself: whoever accesses the value must see to it, and the racy programs do not.
unsafe impl<T> Sync for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Shared<T> {}

impl<T> Shared<T> {
    /// A value.
    pub const fn new(value: T) -> Shared<T> {
        Shared(UnsafeCell::new(value))
    }

    /// Where it is.
    pub const fn get(&self) -> *mut T {
        self.0.get()
    }
}

/// A pointer that may go to another thread.
#[derive(Debug)]
pub struct Pointer<T>(pub *mut T);

// SAFETY: as for `Shared`.
unsafe impl<T> Send for Pointer<T> {}
// SAFETY: as for `Shared`.
unsafe impl<T> Sync for Pointer<T> {}

impl<T> Clone for Pointer<T> {
    fn clone(&self) -> Pointer<T> {
        *self
    }
}

impl<T> Copy for Pointer<T> {}

impl<T> Pointer<T> {
    /// The pointer.
    pub fn get(self) -> *mut T {
        self.0
    }
}

/// Waits, and synchronizes with nothing but what the condition does.
pub fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

/// A program and its name.
pub type Program = (&'static str, fn());

/// Runs the program that the first argument names. `list` prints all names, `executable` the path of
/// this file, `all` runs every program in turn.
pub fn choose(programs: &[&[Program]]) -> ExitCode {
    let wanted = env::args().nth(1).unwrap_or_default();
    let mut programs = programs.iter().copied().flatten();
    match wanted.as_str() {
        "executable" => println!("executable {}", env::current_exe().expect("it is known").display()),
        "list" => programs.for_each(|(name, _)| println!("{name}")),
        _ => match programs.find(|(name, _)| *name == wanted) {
            Some((_, main)) => main(),
            None => {
                eprintln!("no program is called {wanted:?}: try `list`");
                return ExitCode::FAILURE;
            }
        },
    }
    ExitCode::SUCCESS
}
