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

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, SeekFrom, Write as _};

    use snag_trace::encode::{first_word, second_word};
    use snag_trace::layout::{MAGIC, VERSION, header};
    use snag_trace::{Flags, Mode};

    use super::*;

    /// A trace file under construction.
    struct Written(tempfile::NamedTempFile);

    impl Written {
        fn with_chunks(chunks: u64) -> Written {
            let mut head = vec![0; HEADER_SIZE];
            head[header::MAGIC..][..8].copy_from_slice(&MAGIC);
            head[header::VERSION..][..4].copy_from_slice(&VERSION.to_le_bytes());
            head[header::CHUNK_SIZE..][..4].copy_from_slice(&(CHUNK_SIZE as u32).to_le_bytes());
            head[header::CHUNKS..][..8].copy_from_slice(&chunks.to_le_bytes());
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&head).unwrap();
            file.as_file().set_len(HEADER_SIZE as u64 + chunks * CHUNK_SIZE as u64).unwrap();
            Written(file)
        }

        /// Puts records (sequence number, and for an owner the thread) from the given one on.
        fn put(&mut self, chunk: usize, from: usize, records: &[(u64, Option<u32>)]) {
            self.0.seek(SeekFrom::Start(position(chunk, from * RECORD_SIZE))).unwrap();
            for &(seq, owner) in records {
                let kind = if owner.is_some() { Kind::Owner } else { Kind::Read };
                let words =
                    [first_word(seq, kind, Mode::None, Flags::NONE), second_word(owner.unwrap_or(7), 0), 0];
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                self.0.write_all(&bytes).unwrap();
            }
        }
    }

    /// Thread and sequence number of each new record that is not an owner's.
    fn read_on(tail: &mut Tail) -> Result<Vec<(u32, u64)>, Lost> {
        let mut seen = Vec::new();
        tail.read_on(|record| {
            if record.event.kind != Kind::Owner {
                seen.push((record.event.thread, record.event.seq));
            }
        })?;
        Ok(seen)
    }

    #[test]
    fn a_thread_that_goes_on_in_an_earlier_chunk_keeps_its_order() {
        let mut written = Written::with_chunks(2);
        // Thread 1 ends; thread 2, which began in the second chunk, takes the rest of the first.
        written.put(0, 0, &[(1, Some(1)), (2, None), (9, Some(2)), (10, None)]);
        written.put(1, 0, &[(3, Some(2)), (4, None), (8, None)]);
        let mut tail = Tail::open(written.0.path()).unwrap();
        assert_eq!(read_on(&mut tail).unwrap(), [(1, 2), (2, 4), (2, 8), (2, 10)]);
    }

    #[test]
    fn what_was_read_is_not_read_again() {
        let mut written = Written::with_chunks(1);
        written.put(0, 0, &[(1, Some(1)), (2, None)]);
        let mut tail = Tail::open(written.0.path()).unwrap();
        assert_eq!(read_on(&mut tail).unwrap(), [(1, 2)]);
        assert_eq!(read_on(&mut tail).unwrap(), []);
        written.put(0, 2, &[(3, None), (4, Some(2)), (5, None)]);
        assert_eq!(read_on(&mut tail).unwrap(), [(1, 3), (2, 5)]);
        assert_eq!(read_on(&mut tail.rewound().unwrap()).unwrap().len(), 3);
    }

    #[test]
    fn a_recording_that_stopped_or_is_damaged_is_lost() {
        let mut written = Written::with_chunks(1);
        written.put(0, 0, &[(1, None)]);
        assert_eq!(read_on(&mut Tail::open(written.0.path()).unwrap()), Err(Lost::Damaged));
        written.0.seek(SeekFrom::Start(header::STATE as u64)).unwrap();
        written.0.write_all(&[1]).unwrap();
        assert_eq!(read_on(&mut Tail::open(written.0.path()).unwrap()), Err(Lost::Stopped));
    }
}
