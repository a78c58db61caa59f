//! Added to `parking_lot` 0.13's implementation of `RawCondvar`.

unsafe fn __snag_wait(
    &self,
    tag: &lock_api::__snag::CondvarTag,
    place: lock_api::__snag::Place,
    mutex: &lock_api::__snag::Traced<RawMutex>,
    _: &mut crate::GuardMarker,
) {
    self.__snag_wait_until_internal(tag, place, mutex, None);
}
fn __snag_notify_one(&self, tag: &lock_api::__snag::CondvarTag, place: lock_api::__snag::Place) -> bool {
    self.__snag_notify(tag, place, false) != 0
}
fn __snag_notify_all(&self, tag: &lock_api::__snag::CondvarTag, place: lock_api::__snag::Place) -> usize {
    self.__snag_notify(tag, place, true)
}
