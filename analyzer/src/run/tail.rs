//! Reading a trace file while its process writes it.
//!
//! A thread goes on in a later chunk when one is full, or in the rest of an earlier one that another
//! thread left behind an `Owner` record. Such segments, taken in the order of their first sequence
//! numbers, keep the order of each thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use snag_trace::Kind;
use snag_trace::ProcessTrace;
use snag_trace::decode::{ChunkCursor, Record, Step};
use snag_trace::layout::{CHUNK_SIZE, HEADER_SIZE, MAX_SEQ, RECORD_SIZE};

/// A trace file, and how far it has been read.
#[derive(Debug)]
pub struct Tail {
    file: File,
    cursors: Vec<ChunkCursor>,
    buffer: Vec<u8>,
}

/// Why a trace cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Its header is not there yet, or the file could not be read.
    Unreadable,
    /// Recording stopped early, so that what happens now is not known.
    Stopped,
    /// Bytes that no recorder writes.
    Damaged,
}

impl Tail {
    /// Opens a trace file, at its beginning.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Tail> {
        Ok(Tail { file: File::open(path)?, cursors: Vec::new(), buffer: vec![0; CHUNK_SIZE] })
    }

    /// Another reader of the same file, at its beginning.
    ///
    /// # Errors
    /// If the system has no more descriptors.
    pub fn rewound(&self) -> io::Result<Tail> {
        Ok(Tail { file: self.file.try_clone()?, cursors: Vec::new(), buffer: vec![0; CHUNK_SIZE] })
    }

    /// Calls `each` for all records that came since the last call. Records of one thread come in
    /// their order.
    ///
    /// # Errors
    /// If what the file says cannot be relied upon.
    pub fn read_on(&mut self, mut each: impl FnMut(Record<'_>)) -> Result<(), Lost> {
        let mut header = [0; HEADER_SIZE];
        self.file.read_exact_at(&mut header, 0).map_err(|_| Lost::Unreadable)?;
        let known = ProcessTrace::decode_header(&header).map_err(|_| Lost::Unreadable)?;
        if known.state != 0 {
            return Err(Lost::Stopped);
        }
        let len = self.file.metadata().map_err(|_| Lost::Unreadable)?.len();
        let there = len.saturating_sub(HEADER_SIZE as u64) / CHUNK_SIZE as u64;
        let chunks = there.min(ProcessTrace::chunk_count(&header));
        self.cursors.resize(usize::try_from(chunks).map_err(|_| Lost::Damaged)?, ChunkCursor::default());
        let mut segments: BinaryHeap<Reverse<(u64, usize)>> =
            (0..self.cursors.len()).filter_map(|chunk| Some(Reverse((self.peek(chunk)?, chunk)))).collect();
        while let Some(Reverse((_, chunk))) = segments.pop() {
            if let Some(seq) = self.read_segment(chunk, &mut each)? {
                segments.push(Reverse((seq, chunk)));
            }
        }
        Ok(())
    }

    /// The sequence number of the chunk's next record, nothing if it has none (yet).
    fn peek(&self, chunk: usize) -> Option<u64> {
        let offset = self.cursors[chunk].offset;
        if offset + RECORD_SIZE > CHUNK_SIZE {
            return None;
        }
        let mut word = [0; 8];
        self.file.read_exact_at(&mut word, position(chunk, offset)).ok()?;
        let word = u64::from_le_bytes(word);
        (word != 0).then_some(word & MAX_SEQ)
    }

    /// Reads the rest of a chunk, up to where it changes hands; gives the sequence number there.
    fn read_segment(&mut self, chunk: usize, each: &mut impl FnMut(Record<'_>)) -> Result<Option<u64>, Lost> {
        let cursor = &mut self.cursors[chunk];
        let start = cursor.offset;
        let unread = &mut self.buffer[start..];
        self.file.read_exact_at(unread, position(chunk, start)).map_err(|_| Lost::Unreadable)?;
        loop {
            let before = *cursor;
            match cursor.step(&self.buffer) {
                Step::Record(record) if record.event.kind == Kind::Owner && before.offset > start => {
                    *cursor = before;
                    return Ok(Some(record.event.seq));
                }
                Step::Record(record) => each(record),
                Step::End => return Ok(None),
                Step::Damaged(_) => return Err(Lost::Damaged),
            }
        }
    }
}

fn position(chunk: usize, offset: usize) -> u64 {
    (HEADER_SIZE + chunk * CHUNK_SIZE + offset) as u64
}
