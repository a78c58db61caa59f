//! Send, Sync, Unpin and unwind safety of channel handles and iterators.

use std::cell::Cell;
use std::marker::{PhantomData, PhantomPinned};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::MutexGuard;
use std::sync::mpsc::{IntoIter, Iter, Receiver, Sender, SyncSender, TryIter};

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
        Sender<u8>,
        Sender<Neither>,
        Sender<SendOnly>,
        Sender<SyncOnly>,
        Sender<&'static mut u8>,
        Sender<PhantomPinned>,
        SyncSender<u8>,
        SyncSender<Neither>,
        SyncSender<SendOnly>,
        SyncSender<SyncOnly>,
        SyncSender<&'static mut u8>,
        SyncSender<PhantomPinned>,
        Receiver<u8>,
        Receiver<Neither>,
        Receiver<SendOnly>,
        Receiver<SyncOnly>,
        Receiver<&'static mut u8>,
        Receiver<PhantomPinned>,
        Iter<'static, u8>,
        Iter<'static, Neither>,
        Iter<'static, SendOnly>,
        Iter<'static, SyncOnly>,
        Iter<'static, &'static mut u8>,
        Iter<'static, PhantomPinned>,
        TryIter<'static, u8>,
        TryIter<'static, Neither>,
        TryIter<'static, SendOnly>,
        TryIter<'static, SyncOnly>,
        TryIter<'static, &'static mut u8>,
        TryIter<'static, PhantomPinned>,
        IntoIter<u8>,
        IntoIter<Neither>,
        IntoIter<SendOnly>,
        IntoIter<SyncOnly>,
        IntoIter<&'static mut u8>,
        IntoIter<PhantomPinned>,
    ];
}
