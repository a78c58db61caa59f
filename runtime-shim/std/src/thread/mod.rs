//! `std::thread`: spawning, joining, parking and sleeping are ours, over the real threads; the rest
//! (ids, thread-locals, `panicking`…) is the real one's.

pub use real_std::thread::*;
// Not by the glob alone: the prelude's glob has a `Result` too.
pub use real_std::thread::Result;

pub use self::builder::Builder;
pub use self::current::current;
#[expect(deprecated, reason = "std still has them")]
pub use self::functions::{park, park_timeout, park_timeout_ms, sleep, sleep_ms, spawn, yield_now};
pub use self::join_handle::JoinHandle;
pub use self::scoped::{Scope, ScopedJoinHandle, scope};
pub use self::thread::Thread;

mod builder;
mod current;
mod functions;
mod join_handle;
mod scoped;
#[expect(clippy::module_inception, reason = "std's own module path, which `type_name` shows")]
mod thread;
