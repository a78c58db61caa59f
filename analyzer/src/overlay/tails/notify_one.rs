//! Body of `Condvar::notify_one` in `parking_lot` up to 0.12.

{
    let mut notify = self.__snag_tag.notify(false, ::core::panic::Location::caller());
    let mut woken = false;
    if !self.state.load(Ordering::Relaxed).is_null() {
        unsafe {
            parking_lot_core::unpark_filter(
                self as *const _ as usize,
                |token| {
                    if woken {
                        return parking_lot_core::FilterOp::Stop;
                    }
                    woken = true;
                    notify.wake(token.0);
                    parking_lot_core::FilterOp::Unpark
                },
                |result| {
                    if !result.have_more_threads {
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
