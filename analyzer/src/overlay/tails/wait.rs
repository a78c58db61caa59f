//! Body of `Condvar::wait_until_internal` in `parking_lot` up to 0.12: the wait tells its waiter's
//! address as park token.

{
    let __snag_place = ::core::panic::Location::caller();
    let raw: &RawMutex = mutex;
    let waiter = crate::lock_api::__snag::Waiter::new();
    let raw_address = raw as *const RawMutex as *mut RawMutex;
    let mut bad_mutex = false;
    self.__snag_tag.wait_begin(mutex.tag(), timeout.is_some(), __snag_place);
    let result: ParkResult = unsafe {
        parking_lot_core::park(
            self as *const _ as usize,
            || {
                let state = self.state.load(Ordering::Relaxed);
                if state.is_null() {
                    self.state.store(raw_address, Ordering::Relaxed);
                } else if state != raw_address {
                    bad_mutex = true;
                    return false;
                }
                self.__snag_tag.enter();
                true
            },
            || unsafe { raw.unlock() },
            |_, was_last_thread| {
                self.__snag_tag.leave();
                if was_last_thread {
                    self.state.store(ptr::null_mut(), Ordering::Relaxed);
                }
            },
            parking_lot_core::ParkToken(waiter.token()),
            timeout,
        )
    };
    self.__snag_tag.wait_end(&waiter, !result.is_unparked(), __snag_place);
    if bad_mutex {
        mutex.acquired_at(__snag_place);
        panic!("attempted to use a condition variable with more than one mutex");
    }
    mutex.lock_at(__snag_place);
    WaitTimeoutResult(!result.is_unparked())
}
