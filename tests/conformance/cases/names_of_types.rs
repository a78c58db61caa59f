//! `type_name` shows the path of definition.

use std::sync::*;
use std::thread;

macro_rules! tell {
    ($($name:ty),* $(,)?) => {$( println!("{}", std::any::type_name::<$name>()); )*};
}

pub fn main() {
    tell![
        Mutex<u8>,
        MutexGuard<'static, u8>,
        RwLock<u8>,
        RwLockReadGuard<'static, u8>,
        RwLockWriteGuard<'static, u8>,
        Condvar,
        WaitTimeoutResult,
        Once,
        OnceState,
        OnceLock<u8>,
        LazyLock<u8>,
        Barrier,
        BarrierWaitResult,
        PoisonError<u8>,
        TryLockError<u8>,
        mpsc::Sender<u8>,
        mpsc::SyncSender<u8>,
        mpsc::Receiver<u8>,
        mpsc::Iter<'static, u8>,
        mpsc::TryIter<'static, u8>,
        mpsc::IntoIter<u8>,
        mpsc::SendError<u8>,
        thread::Thread,
        thread::ThreadId,
        thread::Builder,
        thread::JoinHandle<u8>,
        thread::Scope<'static, 'static>,
        thread::ScopedJoinHandle<'static, u8>,
        Arc<Mutex<u8>>,
    ];
}
