//! Which of the usual traits each type has, for plain and for bare contents.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::marker::PhantomData;
use std::ops::DerefMut;
use std::sync::mpsc::{IntoIter, Iter, Receiver, Sender, SyncSender, TryIter};
use std::sync::*;
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle, Thread, ThreadId};

struct Probe<T: ?Sized>(PhantomData<T>);

trait Without {
    const DEBUG: bool = false;
    const DISPLAY: bool = false;
    const DEFAULT: bool = false;
    const CLONE: bool = false;
    const COPY: bool = false;
    const EQ: bool = false;
    const HASH: bool = false;
    const FROM: bool = false;
    const DEREF_MUT: bool = false;
    const ITERATOR: bool = false;
}

impl<T: ?Sized> Without for Probe<T> {}

macro_rules! probe {
    ($($constant:ident: $bound:path),* $(,)?) => {$(
        impl<T: $bound> Probe<T> {
            const $constant: bool = true;
        }
    )*};
}

probe![
    DEBUG: Debug,
    DISPLAY: Display,
    DEFAULT: Default,
    CLONE: Clone,
    COPY: Copy,
    EQ: Eq,
    HASH: Hash,
    FROM: From<u8>,
    DEREF_MUT: DerefMut,
    ITERATOR: Iterator,
];

struct Bare;

macro_rules! tell {
    ($($name:ty),* $(,)?) => {$(
        println!(
            "{}: {} {} {} {} {} {} {} {} {} {}",
            stringify!($name),
            Probe::<$name>::DEBUG,
            Probe::<$name>::DISPLAY,
            Probe::<$name>::DEFAULT,
            Probe::<$name>::CLONE,
            Probe::<$name>::COPY,
            Probe::<$name>::EQ,
            Probe::<$name>::HASH,
            Probe::<$name>::FROM,
            Probe::<$name>::DEREF_MUT,
            Probe::<$name>::ITERATOR,
        );
    )*};
}

pub fn main() {
    tell![
        Mutex<u8>,
        MutexGuard<'static, u8>,
        RwLock<u8>,
        RwLockReadGuard<'static, u8>,
        RwLockWriteGuard<'static, u8>,
        OnceLock<u8>,
        LazyLock<u8>,
        Sender<u8>,
        SyncSender<u8>,
        Receiver<u8>,
        Iter<'static, u8>,
        TryIter<'static, u8>,
        IntoIter<u8>,
        JoinHandle<u8>,
        ScopedJoinHandle<'static, u8>,
        Mutex<Bare>,
        MutexGuard<'static, Bare>,
        RwLock<Bare>,
        RwLockReadGuard<'static, Bare>,
        RwLockWriteGuard<'static, Bare>,
        OnceLock<Bare>,
        LazyLock<Bare>,
        Sender<Bare>,
        SyncSender<Bare>,
        Receiver<Bare>,
        Iter<'static, Bare>,
        TryIter<'static, Bare>,
        IntoIter<Bare>,
        JoinHandle<Bare>,
        ScopedJoinHandle<'static, Bare>,
        Mutex<String>,
        MutexGuard<'static, String>,
        RwLock<String>,
        RwLockReadGuard<'static, String>,
        RwLockWriteGuard<'static, String>,
        OnceLock<String>,
        LazyLock<String>,
        Sender<String>,
        SyncSender<String>,
        Receiver<String>,
        Iter<'static, String>,
        TryIter<'static, String>,
        IntoIter<String>,
        JoinHandle<String>,
        ScopedJoinHandle<'static, String>,
        Condvar,
        Once,
        Barrier,
        BarrierWaitResult,
        WaitTimeoutResult,
        Builder,
        Thread,
        ThreadId,
        Scope<'static, 'static>,
    ];
}
