//! Size and alignment of channel and thread handles.

use std::sync::mpsc::{IntoIter, Iter, Receiver, Sender, SyncSender, TryIter};
use std::sync::{BarrierWaitResult, WaitTimeoutResult};
use std::thread::{Builder, JoinHandle, ScopedJoinHandle, Thread, ThreadId};

macro_rules! tell {
    ($($name:ty),* $(,)?) => {$(
        println!("{}: {} {}", stringify!($name), size_of::<$name>(), align_of::<$name>());
    )*};
}

pub fn main() {
    tell![
        Sender<u64>,
        SyncSender<u64>,
        Receiver<u64>,
        Option<Sender<u64>>,
        Option<Receiver<u64>>,
        Iter<'static, u64>,
        TryIter<'static, u64>,
        IntoIter<u64>,
        JoinHandle<u64>,
        Option<JoinHandle<u64>>,
        ScopedJoinHandle<'static, u64>,
        Thread,
        Option<Thread>,
        ThreadId,
        Option<ThreadId>,
        Builder,
        BarrierWaitResult,
        WaitTimeoutResult,
    ];
}
