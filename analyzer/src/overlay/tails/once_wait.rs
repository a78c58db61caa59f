//! Added to `parking_lot` 0.13's once: records around the original `wait_slow`, which has another
//! name then.

#[allow(warnings)]
impl Once {
    #[cold]
    #[track_caller]
    fn wait_slow(&self, ignore_poison: bool) {
        let place = ::core::panic::Location::caller();
        let call = crate::lock_api::__snag::OnceCall::begin(self as *const _ as usize, place);
        self.__snag_wait_slow(ignore_poison);
        drop(call);
    }
}
