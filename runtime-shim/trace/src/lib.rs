//! The vocabulary between a recorded program and the analyzer: events, file layout and codec.
//!
//! A run is a folder with one *clock page* (`clock`) that all of its processes share and one
//! append-only *trace file* per process. [`layout`] says where things stand in those files,
//! [`event`] what an event means, [`encode`] how the recorder packs one and [`decode`] how a
//! reader gets it back.
//!
//! Invariants:
//! * This crate depends on nothing and never judges what it carries.
//! * The format is versioned ([`layout::VERSION`]); another version is an error, not a guess.
//! * Decoding hostile bytes gives an error or a note of damage, and never a panic.
//! * A record is committed by the store of its first word, so that a file is readable up to the
//!   last whole event of every thread, whatever killed the process.

pub mod control;
pub mod decode;
pub mod encode;
#[macro_use]
pub mod event;
pub mod layout;
pub mod memory;
pub mod process;

pub use decode::{Damage, ObjectInfo, ProcessTrace, Site, ThreadInfo, TraceError};
pub use event::{Act, Event, Flags, Kind, Mode, ObjectKind};
