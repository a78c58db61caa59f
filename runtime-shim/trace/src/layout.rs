//! Where things stand in a run folder and in its files. All integers are little-endian.
//!
//! ```text
//! <run>/run.json          what was run, by the analyzer
//! <run>/clock             the clock page: one page, shared by all processes of the run
//! <run>/<pid>.trace       one per process image; `<pid>-<n>.trace` after an exec
//!
//! trace file   = header (HEADER_SIZE bytes), chunk*
//! chunk        = CHUNK_SIZE bytes: Owner record, record*, zeros
//! record       = 3 words, and for long kinds the payload, padded to a whole word
//!   word 0       seq (48 bits) | kind (8) | mode (4) | flags (4); 0 = not yet committed
//!   word 1       object (32) | site (32)
//!   word 2       arg; for long kinds the payload's length in bytes
//! ```

/// Version of everything on this page. Another version is refused.
pub const VERSION: u32 = 3;
/// The first bytes of a trace file.
pub const MAGIC: [u8; 8] = *b"SNAGTRCE";
/// The first bytes of a clock page.
pub const CLOCK_MAGIC: [u8; 8] = *b"SNAGCLCK";
/// Size in bytes of a trace file's header; chunks start here.
pub const HEADER_SIZE: usize = 4096;
/// Size in bytes of a chunk.
pub const CHUNK_SIZE: usize = 64 * 1024;
/// Bytes of a record without payload.
pub const RECORD_SIZE: usize = 24;
/// Longest payload in bytes; longer names are cut.
pub const MAX_PAYLOAD: usize = 4096;
/// Size in bytes of the clock page.
pub const CLOCK_SIZE: usize = 4096;
/// Largest sequence number.
pub const MAX_SEQ: u64 = (1 << 48) - 1;

/// Name of the clock page's file in a run folder.
pub const CLOCK_FILE: &str = "clock";
/// Extension of trace files, without the dot.
pub const TRACE_EXTENSION: &str = "trace";
/// Environment variable that names the run folder, absolute. Without it nothing is recorded.
pub const RUN_ENV: &str = "SNAG_RUN";
/// Environment variable that says what the memory layer records: `all` for every access; else a
/// sample of the conflicting pairs.
pub const MEMORY_ENV: &str = "SNAG_MEMORY";

/// Byte offsets of the header's fields.
pub mod header {
    /// [`super::MAGIC`], 8 bytes.
    pub const MAGIC: usize = 0;
    /// [`super::VERSION`], u32.
    pub const VERSION: usize = 8;
    /// [`super::CHUNK_SIZE`], u32.
    pub const CHUNK_SIZE: usize = 12;
    /// Process id, u32.
    pub const PID: usize = 16;
    /// Parent's process id, u32.
    pub const PARENT_PID: usize = 20;
    /// [`super::state`], u32, atomic.
    pub const STATE: usize = 24;
    /// 1 if the process came from a fork of a recorded one, else 0, u32.
    pub const FORKED: usize = 28;
    /// Number of chunks handed out, u64, atomic. A chunk's bytes may not exist (yet).
    pub const CHUNKS: usize = 32;
    /// The clock when the file was made, u64.
    pub const FIRST_SEQ: usize = 40;
    /// Address at which the executable is loaded, u64; subtract it to get a static's address in
    /// the file.
    pub const LOAD_BASE: usize = 48;
    /// The clock when recording stopped before the process ended, u64, atomic; 0 if it did not.
    /// Later events are not whole and are left out.
    pub const STOP_SEQ: usize = 56;
    /// For how many chunks the file was made long enough, u64, atomic. A shorter file was cut.
    pub const EXTENDED: usize = 64;
}

/// Byte offsets of the clock page's fields.
pub mod clock {
    /// [`super::CLOCK_MAGIC`], 8 bytes.
    pub const MAGIC: usize = 0;
    /// [`super::VERSION`], u32.
    pub const VERSION: usize = 8;
    /// The last sequence number given out, u64, atomic. Alone on its cache line.
    pub const SEQ: usize = 64;
    /// Standard input, output and error of the run's first process, three u64, atomic: who they are, 0 while
    /// nobody has said so.
    pub const STANDARD: usize = 128;
}

/// Bits of the header's state word.
pub mod state {
    /// Recording stopped because no more space could be had.
    pub const DISK_FULL: u32 = 1;
    /// Recording stopped because the file could not be opened again.
    pub const UNREACHABLE: u32 = 2;
    /// Recording stopped because the size limit was reached.
    pub const LIMIT: u32 = 4;
}
