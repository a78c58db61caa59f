//! Send, Sync, Unpin and unwind safety of `Mutex` and its guard.

use std::cell::Cell;
use std::marker::{PhantomData, PhantomPinned};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Mutex;
use std::sync::MutexGuard;

/// Answers whether a type has a trait: an inherent constant wins over a trait's.
struct Probe<T: ?Sized>(PhantomData<T>);

trait Without {
    const SEND: bool = false;
    const SYNC: bool = false;
    const UNPIN: bool = false;
    const UNWIND_SAFE: bool = false;
    const REF_UNWIND_SAFE: bool = false;
}

impl<T: ?Sized> Without for Probe<T> {}

impl<T: ?Sized + Send> Probe<T> {
    const SEND: bool = true;
}

impl<T: ?Sized + Sync> Probe<T> {
    const SYNC: bool = true;
}

impl<T: ?Sized + Unpin> Probe<T> {
    const UNPIN: bool = true;
}

impl<T: ?Sized + UnwindSafe> Probe<T> {
    const UNWIND_SAFE: bool = true;
}

impl<T: ?Sized + RefUnwindSafe> Probe<T> {
    const REF_UNWIND_SAFE: bool = true;
}

macro_rules! tell {
    ($($name:ty),* $(,)?) => {$(
        println!(
            "{}: {} {} {} {} {}",
            stringify!($name),
            Probe::<$name>::SEND,
            Probe::<$name>::SYNC,
            Probe::<$name>::UNPIN,
            Probe::<$name>::UNWIND_SAFE,
            Probe::<$name>::REF_UNWIND_SAFE,
        );
    )*};
}

type Neither = *const u8;
type SendOnly = Cell<u8>;
type SyncOnly = MutexGuard<'static, u8>;

pub fn main() {
    tell![
        Mutex<u8>,
        Mutex<Neither>,
        Mutex<SendOnly>,
        Mutex<SyncOnly>,
        Mutex<&'static mut u8>,
        Mutex<PhantomPinned>,
        MutexGuard<'static, u8>,
        MutexGuard<'static, Neither>,
        MutexGuard<'static, SendOnly>,
        MutexGuard<'static, SyncOnly>,
        MutexGuard<'static, &'static mut u8>,
        MutexGuard<'static, PhantomPinned>,
        Mutex<[u8]>,
        Mutex<dyn Send>,
        MutexGuard<'static, dyn Sync>,
    ];
}
