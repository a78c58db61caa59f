//! Added to `parking_lot`'s once: records around the original `call_once_slow`, which has another
//! name then.

#[allow(warnings)]
impl Once {
    #[cold]
    #[track_caller]
    fn call_once_slow(&self, ignore_poison: bool, f: &mut dyn FnMut(OnceState)) {
        let place = ::core::panic::Location::caller();
        let call = crate::lock_api::__snag::OnceCall::begin(self as *const _ as usize, place);
        self.__snag_call_once_slow(ignore_poison, &mut |state| {
            let running = call.run();
            f(state);
            drop(running);
        });
    }
}
