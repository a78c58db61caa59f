//! Added to `parking_lot` 0.13's raw condvar: waiting and waking that know each other.

#[allow(warnings)]
impl RawCondvar {
    fn __snag_wait_until_internal(
        &self,
        tag: &lock_api::__snag::CondvarTag,
        place: lock_api::__snag::Place,
        mutex: &lock_api::__snag::Traced<RawMutex>,
        timeout: Option<Instant>,
    ) -> bool {
        let raw: &RawMutex = mutex;
        let waiter = lock_api::__snag::Waiter::new();
        let raw_address = ptr::from_ref(raw).cast_mut();
        tag.wait_begin(mutex.tag(), timeout.is_some(), place);
        unsafe { deadlock::release_resource(ptr::from_ref(raw).addr()) };
        let result: ParkResult = unsafe {
            parking_lot_core::park(
                ptr::from_ref(self).addr(),
                || {
                    let state = self.state.load(Ordering::Relaxed);
                    if state.is_null() {
                        self.state.store(raw_address, Ordering::Relaxed);
                    } else if state != raw_address {
                        return false;
                    }
                    tag.enter();
                    true
                },
                || unsafe { raw.unlock_inner() },
                |_, was_last_thread| {
                    tag.leave();
                    if was_last_thread {
                        self.state.store(ptr::null_mut(), Ordering::Relaxed);
                    }
                },
                parking_lot_core::ParkToken(waiter.token()),
                timeout,
            )
        };
        tag.wait_end(&waiter, !result.is_unparked(), place);
        if result == ParkResult::Invalid {
            unsafe { deadlock::acquire_resource(ptr::from_ref(raw).addr()) };
            mutex.acquired_at(place);
            panic!("attempted to use a condition variable with more than one mutex");
        }
        core::mem::forget(mutex.lock_at(place));
        !result.is_unparked()
    }

    fn __snag_notify(
        &self,
        tag: &lock_api::__snag::CondvarTag,
        place: lock_api::__snag::Place,
        all: bool,
    ) -> usize {
        let mut notify = tag.notify(all, place);
        let mut woken = 0;
        if !self.state.load(Ordering::Relaxed).is_null() {
            unsafe {
                parking_lot_core::unpark_filter(
                    ptr::from_ref(self).addr(),
                    |token| {
                        if woken > 0 && !all {
                            return parking_lot_core::FilterOp::Stop;
                        }
                        woken += 1;
                        notify.wake(token.0);
                        parking_lot_core::FilterOp::Unpark
                    },
                    |result| {
                        if all || !result.have_more_threads {
                            self.state.store(ptr::null_mut(), Ordering::Relaxed);
                        }
                        TOKEN_NORMAL
                    },
                );
            }
        }
        notify.finish();
        woken
    }
}
