//! Any bytes behind a sound header: an error or a prefix, never a panic, and never more events than
//! there is room for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use snag_trace::ProcessTrace;
use snag_trace::layout::{CHUNK_SIZE, HEADER_SIZE, MAGIC, RECORD_SIZE, VERSION, header};

fuzz_target!(|bytes: &[u8]| {
    let _ = ProcessTrace::decode(bytes);
    let mut file = vec![0; HEADER_SIZE];
    file[header::MAGIC..][..8].copy_from_slice(&MAGIC);
    file[header::VERSION..][..4].copy_from_slice(&VERSION.to_le_bytes());
    file[header::CHUNK_SIZE..][..4].copy_from_slice(&(CHUNK_SIZE as u32).to_le_bytes());
    file.extend_from_slice(bytes);
    let trace = ProcessTrace::decode(&file).expect("the header is sound");
    assert!(trace.events.len() <= bytes.len() / RECORD_SIZE);
    assert!(trace.events.is_sorted_by_key(|event| event.seq));
});
