//! Run folders: making one, launching a program into it, watching it, reading it back.

pub mod meta;
