//! Added to `parking_lot` 0.13's implementation of `RawCondvarTimed`.

unsafe fn __snag_wait_until(
    &self,
    tag: &lock_api::__snag::CondvarTag,
    place: lock_api::__snag::Place,
    mutex: &lock_api::__snag::Traced<RawMutex>,
    _: &mut crate::GuardMarker,
    timeout: &Instant,
) -> bool {
    self.__snag_wait_until_internal(tag, place, mutex, Some(*timeout))
}
unsafe fn __snag_wait_for(
    &self,
    tag: &lock_api::__snag::CondvarTag,
    place: lock_api::__snag::Place,
    mutex: &lock_api::__snag::Traced<RawMutex>,
    _: &mut crate::GuardMarker,
    timeout: &Duration,
) -> bool {
    self.__snag_wait_until_internal(tag, place, mutex, util::to_deadline(*timeout))
}
