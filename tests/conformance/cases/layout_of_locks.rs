//! Size and alignment of locks, condvars and onces.

use std::sync::{Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock};

macro_rules! tell {
    ($($name:ty),* $(,)?) => {$(
        println!("{}: {} {}", stringify!($name), size_of::<$name>(), align_of::<$name>());
    )*};
}

pub fn main() {
    tell![
        Mutex<u8>,
        Mutex<u32>,
        Mutex<u64>,
        Mutex<[u8; 3]>,
        Mutex<()>,
        Mutex<String>,
        RwLock<u8>,
        RwLock<u32>,
        RwLock<u64>,
        RwLock<[u8; 3]>,
        RwLock<()>,
        RwLock<String>,
        OnceLock<u8>,
        OnceLock<u32>,
        OnceLock<u64>,
        OnceLock<[u8; 3]>,
        OnceLock<()>,
        OnceLock<String>,
        LazyLock<u8>,
        LazyLock<u32>,
        LazyLock<u64>,
        LazyLock<[u8; 3]>,
        LazyLock<()>,
        LazyLock<String>,
        Option<Mutex<u8>>,
        Option<Mutex<u32>>,
        Option<Mutex<u64>>,
        Option<Mutex<[u8; 3]>>,
        Option<Mutex<()>>,
        Option<Mutex<String>>,
        Option<RwLock<u8>>,
        Option<RwLock<u32>>,
        Option<RwLock<u64>>,
        Option<RwLock<[u8; 3]>>,
        Option<RwLock<()>>,
        Option<RwLock<String>>,
        Condvar,
        Once,
        Barrier,
        Box<Mutex<dyn Send>>,
    ];
}
