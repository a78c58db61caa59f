//! What holds for every trace: what was encoded is what is decoded, what is left of a cut file is a
//! prefix of the execution, and no bytes whatever make the decoder panic.

use proptest::collection::vec;
use proptest::prelude::*;
use snag_trace::decode::{ChunkCursor, Step};
use snag_trace::encode::{Payload, first_word, object_new, second_word, site_def, thread_start};
use snag_trace::layout::{
    CHUNK_SIZE, HEADER_SIZE, MAGIC, MAX_PAYLOAD, MAX_SEQ, RECORD_SIZE, VERSION, header, state,
};
use snag_trace::{Event, Flags, Kind, Mode, ObjectKind, ProcessTrace};

/// A recorder for one thread at a time, that keeps the rules of the real one.
struct Writer {
    bytes: Vec<u8>,
    seq: u64,
    /// Chunk and offset within it, per thread.
    places: Vec<Option<(usize, usize)>>,
    /// Rests of chunks that ended threads left.
    pool: Vec<(usize, usize)>,
    /// What was written, in order.
    events: Vec<Event>,
}

impl Writer {
    fn new() -> Writer {
        let mut bytes = vec![0; HEADER_SIZE];
        bytes[..8].copy_from_slice(&MAGIC);
        let mut writer = Writer { bytes, seq: 0, places: Vec::new(), pool: Vec::new(), events: Vec::new() };
        writer.header(header::VERSION, &VERSION.to_le_bytes());
        writer.header(header::CHUNK_SIZE, &(CHUNK_SIZE as u32).to_le_bytes());
        writer.header(header::PID, &77_u32.to_le_bytes());
        writer
    }

    fn header(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn chunks(&self) -> usize {
        (self.bytes.len() - HEADER_SIZE) / CHUNK_SIZE
    }

    fn place(&mut self, thread: u32, len: usize) -> (usize, usize) {
        let index = thread as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, None);
        }
        if let Some((chunk, offset)) = self.places[index].filter(|(_, offset)| offset + len <= CHUNK_SIZE) {
            return (chunk, offset);
        }
        let (chunk, offset) = self.pool.pop().unwrap_or_else(|| {
            let chunk = self.chunks();
            self.bytes.resize(self.bytes.len() + CHUNK_SIZE, 0);
            let chunks = (chunk as u64 + 1).to_le_bytes();
            self.header(header::CHUNKS, &chunks);
            self.header(header::EXTENDED, &chunks);
            (chunk, 0)
        });
        self.places[index] = Some((chunk, offset));
        self.put((chunk, offset), thread, Kind::Owner, Mode::None, Flags::NONE, thread, 0, 0, &[]);
        (chunk, offset + RECORD_SIZE)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a record, in their order")]
    fn put(
        &mut self,
        (chunk, offset): (usize, usize),
        thread: u32,
        kind: Kind,
        mode: Mode,
        flags: Flags,
        object: u32,
        site: u32,
        arg: u64,
        payload: &[u8],
    ) -> Event {
        self.seq += 1;
        let at = HEADER_SIZE + chunk * CHUNK_SIZE + offset;
        let arg = if payload.is_empty() { arg } else { payload.len() as u64 };
        let words = [first_word(self.seq, kind, mode, flags), second_word(object, site), arg];
        for (index, word) in words.iter().enumerate() {
            self.bytes[at + 8 * index..][..8].copy_from_slice(&word.to_le_bytes());
        }
        self.bytes[at + RECORD_SIZE..][..payload.len()].copy_from_slice(payload);
        let end = offset + RECORD_SIZE + payload.len().next_multiple_of(8);
        self.places[thread as usize] = Some((chunk, end));
        Event { seq: self.seq, thread, kind, mode, flags, object, site, arg }
    }

    /// Writes one event of `thread` as the test wants it.
    fn event(&mut self, thread: u32, step: &StepPlan) {
        let payload = match step.kind {
            Kind::ThreadStart => thread_start(1000 + thread, 0, &step.name),
            Kind::SiteDef => site_def(3, 4, &step.name),
            Kind::ObjectNew => object_new(ObjectKind::Mutex, 5, 6),
            _ => Payload::default(),
        };
        let payload = payload.as_slice();
        let place = self.place(thread, RECORD_SIZE + payload.len().next_multiple_of(8));
        let event = self.put(
            place,
            thread,
            step.kind,
            step.mode,
            step.flags,
            step.object,
            step.site,
            step.arg,
            payload,
        );
        if !matches!(step.kind, Kind::SiteDef | Kind::ObjectNew) {
            self.events.push(event);
        }
        if step.kind == Kind::ThreadEnd {
            let (chunk, end) = self.places[thread as usize].take().expect("it has just written there");
            if end + MAX_PAYLOAD + 4 * RECORD_SIZE <= CHUNK_SIZE {
                self.pool.push((chunk, end));
            }
        }
    }
}

/// What a thread does next.
#[derive(Clone, Debug)]
struct StepPlan {
    kind: Kind,
    mode: Mode,
    flags: Flags,
    object: u32,
    site: u32,
    arg: u64,
    name: Vec<u8>,
}

fn step() -> impl Strategy<Value = StepPlan> {
    let kind = prop_oneof![
        8 => prop::sample::select(vec![Kind::Acquire, Kind::Release, Kind::Send, Kind::WaitEnd, Kind::Unpark]),
        2 => prop::sample::select(vec![Kind::ThreadStart, Kind::SiteDef, Kind::ObjectNew]),
        1 => Just(Kind::ThreadEnd),
    ];
    let numbers = (1..9_u32, 0..9_u32, 0..99_u64);
    (kind, prop::sample::select(Mode::ALL), 0..16_u8, numbers, 0..4000_usize).prop_map(
        |(kind, mode, flags, (object, site, arg), len)| StepPlan {
            kind,
            mode,
            flags: Flags(flags),
            object,
            site,
            arg,
            name: vec![b'n'; len],
        },
    )
}

fn run() -> impl Strategy<Value = Vec<(u32, StepPlan)>> {
    vec((1..6_u32, step()), 0..300)
}

fn written(run: &[(u32, StepPlan)]) -> Writer {
    let mut writer = Writer::new();
    for (thread, step) in run {
        writer.event(*thread, step);
    }
    writer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_was_encoded_is_what_is_decoded(run in run()) {
        let writer = written(&run);
        let trace = ProcessTrace::decode(&writer.bytes).expect("the header is whole");
        prop_assert_eq!(trace.pid, 77);
        prop_assert_eq!(&trace.damage, &[]);
        prop_assert_eq!(&trace.events, &writer.events);
    }

    #[test]
    fn what_is_left_of_a_cut_file_is_a_prefix(run in run(), cut in 0.0..1.0_f64) {
        let writer = written(&run);
        let rest = writer.bytes.len() - HEADER_SIZE;
        let cut = HEADER_SIZE + (rest as f64 * cut) as usize;
        let trace = ProcessTrace::decode(&writer.bytes[..cut]).expect("the header is whole");
        prop_assert!(trace.events.len() <= writer.events.len());
        prop_assert_eq!(&trace.events[..], &writer.events[..trace.events.len()]);
        prop_assert!(trace.events.len() == writer.events.len() || !trace.damage.is_empty());
    }

    #[test]
    fn after_a_stop_only_what_came_before_it_is_kept(run in run(), stop in 1..200_u64) {
        let mut writer = written(&run);
        writer.header(header::STATE, &state::DISK_FULL.to_le_bytes());
        writer.header(header::STOP_SEQ, &stop.to_le_bytes());
        let trace = ProcessTrace::decode(&writer.bytes).expect("the header is whole");
        let kept: Vec<_> = writer.events.iter().copied().filter(|event| event.seq <= stop).collect();
        prop_assert_eq!(trace.events, kept);
    }

    #[test]
    fn overwritten_bytes_do_no_harm(
        run in run(),
        places in vec((any::<prop::sample::Index>(), any::<u8>()), 1..50),
    ) {
        let mut bytes = written(&run).bytes;
        for (place, value) in places {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(trace) = ProcessTrace::decode(&bytes) {
            prop_assert!(trace.events.is_sorted_by_key(|event| event.seq));
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(noise in vec(any::<u8>(), 0..CHUNK_SIZE), as_chunk in any::<bool>()) {
        let mut bytes = if as_chunk { written(&[]).bytes } else { Vec::new() };
        bytes.extend(&noise);
        let _ = ProcessTrace::decode(&bytes);
        let mut cursor = ChunkCursor::default();
        while let Step::Record(record) = cursor.step(&noise) {
            prop_assert!(record.event.seq <= MAX_SEQ);
        }
        prop_assert!(cursor.offset <= noise.len() + 8);
    }
}
