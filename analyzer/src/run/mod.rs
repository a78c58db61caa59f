//! Run folders: making one, launching a program into it, watching it, reading it back.

pub mod closed;
pub mod folder;
pub mod kernel;
pub mod launch;
pub mod load;
pub mod meta;
pub mod signals;
pub mod sockets;
pub mod waits;
pub mod watch;
