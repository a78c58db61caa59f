//! Added to the trait `RawCondvar` of `lock_api` 0.5: what is recorded of a condvar whose queue is
//! not known.

#[doc(hidden)]
#[inline]
unsafe fn __snag_wait(
    &self,
    tag: &crate::__snag::CondvarTag,
    place: crate::__snag::Place,
    mutex: &crate::__snag::Traced<Self::RawMutex>,
    guard: &mut <Self::RawMutex as RawMutex>::Guard,
) {
    tag.unseen_wait(mutex.tag(), false, place, || {
        unsafe { self.wait(mutex, guard) };
        false
    });
}
#[doc(hidden)]
#[inline]
fn __snag_notify_one(&self, tag: &crate::__snag::CondvarTag, place: crate::__snag::Place) -> bool {
    tag.notify(false, place).finish();
    self.notify_one()
}
#[doc(hidden)]
#[inline]
fn __snag_notify_all(&self, tag: &crate::__snag::CondvarTag, place: crate::__snag::Place) -> usize {
    tag.notify(true, place).finish();
    self.notify_all()
}
