//! Body of `Condvar::notify_all` in `parking_lot` up to 0.12.

{
    let mut notify = self.__snag_tag.notify(true, ::core::panic::Location::caller());
    let mut woken = 0;
    if !self.state.load(Ordering::Relaxed).is_null() {
        unsafe {
            parking_lot_core::unpark_filter(
                self as *const _ as usize,
                |token| {
                    woken += 1;
                    notify.wake(token.0);
                    parking_lot_core::FilterOp::Unpark
                },
                |_| {
                    self.state.store(ptr::null_mut(), Ordering::Relaxed);
                    TOKEN_NORMAL
                },
            );
        }
    }
    notify.finish();
    woken
}
