//! Traits of `std::os` that the real std implements for types that are ours.

use crate::thread::JoinHandle;
use real_std::os::unix::thread::{JoinHandleExt, RawPthread};

impl<T> JoinHandleExt for JoinHandle<T> {
    fn as_pthread_t(&self) -> RawPthread {
        self.inner().as_pthread_t()
    }

    fn into_pthread_t(self) -> RawPthread {
        self.into_inner().into_pthread_t()
    }
}
