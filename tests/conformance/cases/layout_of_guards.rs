//! Size and alignment of guards, and the room that `Option` finds in them.

use std::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

macro_rules! tell {
    ($($name:ty),* $(,)?) => {$(
        println!("{}: {} {}", stringify!($name), size_of::<$name>(), align_of::<$name>());
    )*};
}

pub fn main() {
    tell![
        MutexGuard<'static, u8>,
        MutexGuard<'static, String>,
        MutexGuard<'static, [u8]>,
        MutexGuard<'static, dyn Send>,
        RwLockReadGuard<'static, u8>,
        RwLockReadGuard<'static, String>,
        RwLockReadGuard<'static, [u8]>,
        RwLockReadGuard<'static, dyn Send>,
        RwLockWriteGuard<'static, u8>,
        RwLockWriteGuard<'static, String>,
        RwLockWriteGuard<'static, [u8]>,
        RwLockWriteGuard<'static, dyn Send>,
        Option<MutexGuard<'static, u8>>,
        Option<MutexGuard<'static, String>>,
        Option<MutexGuard<'static, [u8]>>,
        Option<MutexGuard<'static, dyn Send>>,
        Option<RwLockReadGuard<'static, u8>>,
        Option<RwLockReadGuard<'static, String>>,
        Option<RwLockReadGuard<'static, [u8]>>,
        Option<RwLockReadGuard<'static, dyn Send>>,
        Option<RwLockWriteGuard<'static, u8>>,
        Option<RwLockWriteGuard<'static, String>>,
        Option<RwLockWriteGuard<'static, [u8]>>,
        Option<RwLockWriteGuard<'static, dyn Send>>,
    ];
}
