//! The beginning: the planes are mapped, and the main thread is followed if the process is recorded.

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::{heap, kernel, layout, lifetime, sample, variable};
use crate::recorder;

const UNKNOWN: u8 = 0;
const STARTING: u8 = 1;
const READY: u8 = 2;
const INERT: u8 = 3;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
static DISTRUSTED: AtomicBool = AtomicBool::new(false);

const NO_ROOM: &str = "snag: the memory layer cannot reserve its address space (48 TiB), which a limit \
                       such as `ulimit -v` forbids; help: --no-memory\n";

/// Whether the planes are there.
pub(super) fn is_ready() -> bool {
    STATE.load(Ordering::Acquire) == READY
}

/// Maps the planes, once. Called before any instrumented code: by the constructor of each instrumented
/// object.
pub(super) fn start() {
    if STATE.compare_exchange(UNKNOWN, STARTING, Ordering::AcqRel, Ordering::Acquire).is_err() {
        return;
    }
    let mapped = kernel::map_at(layout::SHADOW, layout::SHADOW_SIZE)
        && kernel::map_at(layout::SYNC, layout::SYNC_SIZE)
        && variable::start();
    if !mapped {
        kernel::say(NO_ROOM);
        #[cfg(snag_memory)]
        super::inert::disarm();
    }
    sample::start();
    STATE.store(if mapped { READY } else { INERT }, Ordering::Release);
    if mapped && recorder::on() {
        lifetime::begin_main(recorder::current_thread());
        heap::start();
    }
}

/// Something that would have ordered accesses was lost: nothing is believed any more.
pub(super) fn distrust() {
    DISTRUSTED.store(true, Ordering::Relaxed);
}

/// Whether what the clocks say is to be believed.
pub(super) fn is_trusted() -> bool {
    !DISTRUSTED.load(Ordering::Relaxed)
}

/// Called by the constructor of each object that the `tsan` pass has instrumented.
#[cfg(snag_memory)]
#[unsafe(no_mangle)]
extern "C" fn __tsan_init() {
    start();
}

/// For objects without such a constructor.
#[cfg(snag_memory)]
#[used]
#[unsafe(link_section = ".init_array.00098")]
static AT_LOAD: extern "C" fn() = __tsan_init;
