//! The process that serves: it waits for the analyzer's commands, and forks a child for each execution,
//! so that each begins in the very same state of the process.
//!
//! Invariants:
//! * Between two executions the serving process changes nothing of its own memory that a child could
//!   notice; what the scheduler learns lies in memory that all share.
//! * It never outlives the analyzer.

use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use snag_trace::control::{
    self, Action, Control, EXPLORE_ENV, Ending, MAGIC, MAX_TASKS, NAMES, PARAMETERS, SEGMENTS, SIZE, STEPS,
    Segment, Step, Strategy, VERSION, flags as bits,
};

use super::random::mix;
use super::strategy::{Operation, Strategies, is_interesting};
use super::{image, kernel};

unsafe extern "C" {
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn close(descriptor: c_int) -> c_int;
    fn dup2(from: c_int, to: c_int) -> c_int;
    fn mmap(at: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
    fn getenv(name: *const c_char) -> *const c_char;
    fn fork() -> c_int;
    fn pthread_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> c_int;
}

static CONTROL: AtomicPtr<Control> = AtomicPtr::new(null_mut());
static SHARED: AtomicPtr<Shared> = AtomicPtr::new(null_mut());
/// The process forks for an execution, not for the program.
static FORKS: AtomicBool = AtomicBool::new(false);

/// What the serving process and those that it forks share, besides the control file.
#[repr(C)]
struct Shared {
    strategies: Strategies,
    tally: Tally,
}

/// What each task did.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Tally {
    operations: [AtomicU32; MAX_TASKS],
    interesting: [AtomicU32; MAX_TASKS],
    parents: [AtomicU32; MAX_TASKS],
}

impl Tally {
    pub(super) fn born(&self, task: usize, parent: usize) {
        self.operations[task].store(1, Ordering::Relaxed);
        self.interesting[task].store(0, Ordering::Relaxed);
        self.parents[task].store(parent as u32, Ordering::Relaxed);
    }

    pub(super) fn made(&self, task: usize, operation: &Operation) {
        let add = |count: &AtomicU32| {
            count.store(count.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        };
        add(&self.operations[task]);
        if !strategies().has_profile() && is_interesting(operation, &parameters()) {
            add(&self.interesting[task]);
        }
    }
}

fn control() -> &'static Control {
    // SAFETY: mapped for ever before anything is controlled, and all of its fields are atomic.
    unsafe { &*CONTROL.load(Ordering::Acquire) }
}

fn shared() -> *mut Shared {
    SHARED.load(Ordering::Acquire)
}

/// The strategies, for who holds the baton, or for the serving process while no execution is under way.
pub(super) fn strategies() -> &'static mut Strategies {
    // SAFETY: mapped for ever, and one at a time touches it: see above.
    unsafe { &mut (*shared()).strategies }
}

pub(super) fn tally() -> &'static Tally {
    // SAFETY: mapped for ever, and atomic.
    unsafe { &(*shared()).tally }
}

pub(super) fn flags() -> u32 {
    control().flags.load(Ordering::Relaxed)
}

pub(super) fn max_steps() -> u64 {
    control().max_steps.load(Ordering::Relaxed)
}

pub(super) fn epoch() -> u64 {
    control().epoch.load(Ordering::Relaxed)
}

fn parameters() -> [u64; PARAMETERS] {
    control().parameters.each_ref().map(|parameter| parameter.load(Ordering::Relaxed))
}

fn word(first: fn(*mut Control) -> *mut AtomicU64, at: usize) -> &'static AtomicU64 {
    // SAFETY: `at` is below the number of segments, and the file is mapped as a whole, for ever.
    unsafe { &*first(CONTROL.load(Ordering::Acquire)).add(at.min(SEGMENTS - 1)) }
}

/// A segment of the plan.
pub(super) fn planned(at: usize) -> Option<Segment> {
    let is_there = at < SEGMENTS && (at as u64) < control().planned.load(Ordering::Relaxed);
    is_there.then(|| Segment::from_word(word(control::plan, at).load(Ordering::Relaxed)))
}

pub(super) fn has_room(at: usize) -> bool {
    at < SEGMENTS
}

pub(super) fn logged(at: usize) -> Segment {
    Segment::from_word(word(control::log, at).load(Ordering::Relaxed))
}

pub(super) fn log(at: usize, segment: Segment) {
    word(control::log, at).store(segment.to_word(), Ordering::Relaxed);
    // A signal may end the execution before it says anything.
    control().logged.store(at as u64 + 1, Ordering::Relaxed);
}

/// Tells step number `at`, as long as there is room, and where that is.
pub(super) fn tell(at: usize, step: Step) {
    if at < STEPS {
        // SAFETY: within the file, and only who holds the baton writes to it.
        unsafe { control::steps(CONTROL.load(Ordering::Acquire)).add(at).write(step) };
        control().told.store(at as u64 + 1, Ordering::Release);
        places::tell(step.place as usize);
    }
}

/// Changes a step that was told.
#[cfg(snag_memory)]
pub(super) fn amend(at: usize, change: impl FnOnce(&mut Step)) {
    if at < STEPS {
        // SAFETY: as in `tell`.
        change(unsafe { &mut *control::steps(CONTROL.load(Ordering::Acquire)).add(at) });
    }
}

/// The places in the source that steps name: each is put down once.
mod places {
    use super::*;

    const MOST: usize = 4096;
    static KNOWN: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
    static USED: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn tell(place: usize) {
        if place & 1 == 1 || place == 0 || !is_new(place) {
            return;
        }
        // SAFETY: the address of a place in the source, which lives for ever.
        let location =
            unsafe { &*core::ptr::with_exposed_provenance::<core::panic::Location<'static>>(place >> 1) };
        let (file, at) = (location.file(), USED.load(Ordering::Relaxed));
        let end = at + 24 + file.len().next_multiple_of(8);
        // What comes after the last place is zeros.
        if end + 8 > NAMES {
            return;
        }
        let lines = u64::from(location.line()) | u64::from(location.column()) << 32;
        // SAFETY: there is room for it, and only who holds the baton writes to it.
        unsafe {
            let first = control::names(CONTROL.load(Ordering::Acquire)).add(at);
            let words = first.cast::<u64>();
            words.write(place as u64);
            words.add(1).write(lines);
            words.add(2).write(file.len() as u64);
            core::ptr::copy_nonoverlapping(file.as_ptr(), first.add(24), file.len());
        }
        USED.store(end, Ordering::Relaxed);
    }

    fn is_new(place: usize) -> bool {
        for step in 0..MOST {
            let known = &KNOWN[(mix(place as u64) as usize + step) % MOST];
            match known.load(Ordering::Relaxed) {
                0 => {
                    known.store(place, Ordering::Relaxed);
                    return true;
                }
                there if there == place => return false,
                _ => {}
            }
        }
        false
    }
}

/// What there is to say of an execution.
pub(super) struct Account {
    pub(super) tasks: usize,
    pub(super) left: usize,
    pub(super) steps: u64,
    pub(super) choices: u64,
    pub(super) preemptions: u64,
    pub(super) races: u32,
}

pub(super) fn report(account: &Account) {
    let control = control();
    control.tasks.store(account.tasks as u32, Ordering::Relaxed);
    control.left.store(account.left as u32, Ordering::Relaxed);
    control.steps.store(account.steps, Ordering::Relaxed);
    control.choices.store(account.choices, Ordering::Relaxed);
    control.preemptions.store(account.preemptions, Ordering::Relaxed);
    control.races.store(account.races, Ordering::Relaxed);
    control.diverged_at.store(strategies().planned_at() as u32, Ordering::Relaxed);
}

/// So that the analyzer sees that the execution moves.
pub(super) fn note_step(steps: u64) {
    control().steps.store(steps, Ordering::Relaxed);
}

pub(super) fn set_fingerprint(fingerprint: u64) {
    control().fingerprint.store(fingerprint, Ordering::Relaxed);
}

/// Ends the execution, and the process with it.
pub(super) fn end(ending: Ending, fingerprint: u64) -> ! {
    set_fingerprint(if ending == Ending::Passed { 0 } else { mix(fingerprint).max(1) });
    control().ending.store(ending as u32, Ordering::Release);
    super::ON.store(false, Ordering::Release);
    let flags = flags();
    if flags & bits::SINGLE != 0 {
        if flags & bits::STOP != 0 && ending != Ending::Passed {
            kernel::stop();
        }
        let is_whole = matches!(ending, Ending::Passed | Ending::Failed | Ending::Race);
        crate::recorder::execution_ends(is_whole);
    }
    kernel::exit(usize::from(ending != Ending::Passed))
}

/// Where a debugger is to stop, a thread that has no name yet has the one that reports give it.
pub(crate) fn name_thread(number: u32) {
    if flags() & bits::STOP == 0 {
        return;
    }
    let digits = Decimal::new(number.into());
    let mut name = *b"thread-\0\0\0\0\0\0\0\0";
    for (to, from) in name[7..].iter_mut().zip(digits.as_str().bytes()) {
        *to = from;
    }
    kernel::set_name(&name);
}

/// Says something of how the execution ends: parts, one after the other.
pub(crate) fn say(parts: &[&str]) {
    append(0, parts);
}

/// As [`say`], behind the first bytes of what was said before.
fn append(first: usize, parts: &[&str]) {
    let control = control();
    let bytes = parts.iter().flat_map(|part| part.bytes());
    let mut len = first.min(control.message.len());
    for (place, byte) in control.message[len..].iter().zip(bytes) {
        place.store(byte, Ordering::Relaxed);
        len += 1;
    }
    control.message_len.store(len as u32, Ordering::Release);
}

/// What was said, spread over a number.
pub(super) fn said() -> u64 {
    let control = control();
    let len = control.message_len.load(Ordering::Acquire) as usize;
    control.message[..len].iter().fold(5, |sum, byte| mix(sum ^ u64::from(byte.load(Ordering::Relaxed))))
}

/// Whether the process that forks is the serving one: its child is an execution.
pub(crate) fn forks() -> bool {
    FORKS.load(Ordering::Acquire)
}

extern "C" fn before_fork() {
    if !forks() {
        super::forking(0);
    }
}

/// Whether this process serves `cargo snag explore`. The first call, before `main`, finds out.
pub(crate) fn is_serving() -> bool {
    !CONTROL.load(Ordering::Acquire).is_null()
}

/// Maps the control file that the environment names.
pub(crate) fn start() {
    const O_RDWR: c_int = 2;
    const O_CLOEXEC: c_int = 0o2_000_000;
    const READ_WRITE: c_int = 3;
    const MAP_SHARED: c_int = 1;
    const MAP_ANONYMOUS: c_int = 0x20;
    const MAP_NORESERVE: c_int = 0x4000;
    let mut name = [0_u8; 32];
    name[..EXPLORE_ENV.len()].copy_from_slice(EXPLORE_ENV.as_bytes());
    // SAFETY: the name ends with NUL.
    let path = unsafe { getenv(name.as_ptr().cast()) };
    if path.is_null() || is_serving() {
        return;
    }
    // SAFETY: libc's functions with valid arguments; both mappings are at addresses of the kernel's choice.
    unsafe {
        let file = open(path, O_RDWR | O_CLOEXEC);
        if file < 0 {
            return;
        }
        let mapped = mmap(null_mut(), SIZE, READ_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
        close(file);
        let anonymous = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
        let own = mmap(null_mut(), size_of::<Shared>(), READ_WRITE, anonymous, -1, 0);
        if mapped.addr() == usize::MAX || own.addr() == usize::MAX {
            return;
        }
        let found = &*mapped.cast::<Control>();
        if found.magic.load(Ordering::Acquire) != MAGIC || found.version.load(Ordering::Acquire) != VERSION {
            return;
        }
        let owner =
            found.owner.compare_exchange(0, kernel::process_id(), Ordering::AcqRel, Ordering::Acquire);
        if owner.is_err() {
            return;
        }
        SHARED.store(own.cast(), Ordering::Release);
        CONTROL.store(mapped.cast(), Ordering::Release);
        control().load_base.store(crate::recorder::load_base() as u64, Ordering::Release);
        image::use_one_arena();
        choose_processor();
        pthread_atfork(Some(before_fork), None, None);
    }
}

/// Before `main`: a program without a harness serves from here. Comes back in a child that is to execute
/// it, and where nothing is explored.
pub(crate) fn serve_program() {
    if is_serving() && flags() & bits::PROGRAM != 0 {
        watch_panics();
        wait_for_work(|| 0);
        super::begin();
    }
}

/// In a harness: serves, if this process does, after putting down the names of the tests. Comes back with
/// the number of the test that is to be executed.
pub(crate) fn serve_tests(names: impl Iterator<Item = (u8, &'static str)>) -> Option<usize> {
    if !is_serving() || flags() & bits::PROGRAM != 0 {
        return None;
    }
    let first = control::names(CONTROL.load(Ordering::Acquire));
    let mut at = 0;
    for (flags, name) in names {
        if at + name.len() + 3 > NAMES {
            break;
        }
        // SAFETY: there is room for it, and one byte more, which is 0.
        unsafe {
            first.add(at).write(flags | control::TEST);
            core::ptr::copy_nonoverlapping(name.as_ptr(), first.add(at + 1), name.len());
            first.add(at + 1 + name.len()).write(0);
        }
        at += name.len() + 2;
    }
    watch_panics();
    Some(wait_for_work(|| control().test.load(Ordering::Acquire) as usize))
}

/// Notes what each panic says, then does what was done before.
fn watch_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        note_panic(panic.payload(), panic.location());
        before(panic);
    }));
}

/// The first panic is most likely the cause of those that follow; the last one is added to it.
fn note_panic(payload: &dyn core::any::Any, location: Option<&core::panic::Location<'_>>) {
    static FIRST: AtomicUsize = AtomicUsize::new(0);
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("");
    let first = FIRST.load(Ordering::Relaxed);
    match location {
        Some(location) if first == 0 => say_at(location, text),
        None if first == 0 => say(&["", "\n", text]),
        Some(location) => {
            let line = Decimal::new(location.line().into());
            append(first, &["\nlater, at ", location.file(), ":", line.as_str(), ": ", text]);
        }
        None => append(first, &["\nlater: ", text]),
    }
    if first == 0 {
        FIRST.store(control().message_len.load(Ordering::Relaxed) as usize, Ordering::Relaxed);
    }
}

/// Says something of a place.
fn say_at(location: &core::panic::Location<'_>, text: &str) {
    let (line, column) = (Decimal::new(location.line().into()), Decimal::new(location.column().into()));
    say(&[location.file(), ":", line.as_str(), ":", column.as_str(), "\n", text]);
}

/// Says where something happened, as an operation has it.
pub(super) fn say_where(place: usize) {
    let address = place >> 1;
    if place == 0 {
        return;
    }
    if place & 1 == 0 {
        // SAFETY: the address of a place in the source, which lives for ever.
        let location =
            unsafe { &*core::ptr::with_exposed_provenance::<core::panic::Location<'static>>(address) };
        return say_at(location, "");
    }
    let base = crate::recorder::load_base() as u64;
    let [first, second, third, fourth] = super::callers();
    let code =
        [address as u64, first, second, third, fourth].map(|code| Decimal::new(code.saturating_sub(base)));
    let [a, b, c, d, e] = code.each_ref().map(Decimal::as_str);
    say(&["code:", a, ",", b, ",", c, ",", d, ",", e, "\n"]);
}

/// A number as text.
struct Decimal([u8; 20], usize);

impl Decimal {
    fn new(mut number: u64) -> Decimal {
        let mut decimal = Decimal([b'0'; 20], 20);
        while number > 0 || decimal.1 == 20 {
            decimal.1 -= 1;
            decimal.0[decimal.1] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        decimal
    }

    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0[self.1..]).unwrap_or("0")
    }
}

/// Serves, and comes back where there is something to execute.
fn wait_for_work<R>(wanted: impl Fn() -> R) -> R {
    let control = control();
    if flags() & bits::SINGLE != 0 {
        if flags() & bits::TELL != 0 {
            // The places of steps take the room of the names.
            // SAFETY: the area lies within the file.
            unsafe { control::names(CONTROL.load(Ordering::Acquire)).write_bytes(0, NAMES) };
        }
        begin_execution(control.first.load(Ordering::Acquire));
        return wanted();
    }
    kernel::die_with_parent();
    image::share_code();
    control.ready.store(1, Ordering::Release);
    kernel::rouse(&control.ready, true);
    if flags() & bits::OUTPUT == 0 {
        hide_output();
    }
    let mut done = 0;
    loop {
        let go = control.go.load(Ordering::Acquire);
        if go == done {
            kernel::sleep_on(&control.go, go, true);
            continue;
        }
        match Action::from_number(control.action.load(Ordering::Acquire)) {
            Some(Action::Execute) => {
                if execute() {
                    kernel::die_with_parent();
                    return wanted();
                }
            }
            _ => kernel::exit(0),
        }
        done = go;
        control.done.store(go, Ordering::Release);
        kernel::rouse(&control.done, true);
    }
}

/// What is printed goes nowhere, and there is nothing to read.
fn hide_output() {
    const O_RDWR: c_int = 2;
    // SAFETY: libc's functions with valid arguments.
    unsafe {
        let nowhere = open(c"/dev/null".as_ptr(), O_RDWR);
        if nowhere >= 0 {
            for descriptor in 0..=2 {
                dup2(nowhere, descriptor);
            }
            if nowhere > 2 {
                close(nowhere);
            }
        }
    }
}

/// Does what is asked for; true in the child that is to execute a test.
fn execute() -> bool {
    let control = control();
    let first = control.first.load(Ordering::Acquire);
    if first == 0 {
        strategies().reset();
        control.redundant.store(0, Ordering::Relaxed);
    }
    for number in first..first.saturating_add(control.count.load(Ordering::Acquire)) {
        let strategy = Strategy::from_number(control.strategy.load(Ordering::Acquire));
        if matches!(strategy, Some(Strategy::Dfs | Strategy::Exhaustive)) && strategies().is_exhausted() {
            control.ending.store(Ending::Exhausted as u32, Ordering::Release);
            return false;
        }
        begin_execution(number);
        FORKS.store(true, Ordering::Release);
        // SAFETY: this process has one thread.
        let child = unsafe { fork() };
        FORKS.store(false, Ordering::Release);
        if child == 0 {
            return true;
        }
        if child < 0 {
            say(&["the process cannot be forked"]);
            control.ending.store(Ending::Hung as u32, Ordering::Release);
            return false;
        }
        control.child.store(child.cast_unsigned(), Ordering::Release);
        let status = kernel::await_child(child.cast_unsigned());
        control.child.store(0, Ordering::Release);
        let ending = judge(status);
        control.status.store(status, Ordering::Release);
        control.ending.store(ending as u32, Ordering::Release);
        let tally = tally();
        let more = strategies().end(
            control.tasks.load(Ordering::Relaxed) as usize,
            control.choices.load(Ordering::Relaxed),
            |task| {
                (
                    tally.operations[task].load(Ordering::Relaxed),
                    tally.interesting[task].load(Ordering::Relaxed),
                    tally.parents[task].load(Ordering::Relaxed) as u16,
                )
            },
        );
        control.bounded.store(u32::from(strategies().is_bounded()), Ordering::Relaxed);
        if ending == Ending::Redundant {
            control.redundant.fetch_add(1, Ordering::Relaxed);
        } else if ending != Ending::Passed {
            return false;
        }
        if !more {
            control.ending.store(Ending::Exhausted as u32, Ordering::Release);
            return false;
        }
    }
    false
}

/// Sets everything up for execution `number`.
fn begin_execution(number: u64) {
    let control = control();
    control.execution.store(number, Ordering::Release);
    control.ending.store(Ending::None as u32, Ordering::Release);
    for word in [&control.fingerprint, &control.logged, &control.steps, &control.choices] {
        word.store(0, Ordering::Relaxed);
    }
    for word in [&control.races, &control.left, &control.tasks, &control.message_len, &control.status] {
        word.store(0, Ordering::Relaxed);
    }
    let strategy = Strategy::from_number(control.strategy.load(Ordering::Acquire));
    let seed = control.seed.load(Ordering::Acquire);
    strategies().begin(strategy.unwrap_or(Strategy::Sequential), seed, number, parameters());
}

static PROCESSORS: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// The processors that the process could use before it kept to one.
pub(crate) fn processors() -> [u64; 16] {
    PROCESSORS.each_ref().map(|word| word.load(Ordering::Relaxed))
}

/// Keeps to the processor that the analyzer names: threads of which only one runs need no more.
fn choose_processor() {
    for (word, known) in PROCESSORS.iter().zip(kernel::processors()) {
        word.store(known, Ordering::Relaxed);
    }
    let wanted = control().processor.load(Ordering::Relaxed);
    if wanted != 0 {
        kernel::stay_on(wanted - 1);
    }
}

/// What a child's end means, which may have said so itself.
fn judge(status: u32) -> Ending {
    let control = control();
    let said = Ending::from_number(control.ending.load(Ordering::Acquire)).unwrap_or(Ending::None);
    if said != Ending::None {
        return said;
    }
    if status & 0x7f != 0 {
        set_fingerprint(mix(u64::from(status & 0x7f)));
        return Ending::Killed;
    }
    if flags() & bits::PROGRAM == 0 {
        set_fingerprint(mix(u64::from(status) + 1000));
        return Ending::Exited;
    }
    if status != 0 {
        set_fingerprint(mix(self::said() ^ u64::from(status)));
        return Ending::Failed;
    }
    if control.races.load(Ordering::Relaxed) > 0 { Ending::Race } else { Ending::Passed }
}
