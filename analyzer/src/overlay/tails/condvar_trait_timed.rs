//! Added to the trait `RawCondvarTimed` of `lock_api` 0.5, as to `RawCondvar`.

#[doc(hidden)]
#[inline]
unsafe fn __snag_wait_until(
    &self,
    tag: &crate::__snag::CondvarTag,
    place: crate::__snag::Place,
    mutex: &crate::__snag::Traced<Self::RawMutex>,
    guard: &mut <Self::RawMutex as RawMutex>::Guard,
    timeout: &<Self::RawMutex as RawMutexTimed>::Instant,
) -> bool {
    tag.unseen_wait(mutex.tag(), true, place, || unsafe { self.wait_until(mutex, guard, timeout) })
}
#[doc(hidden)]
#[inline]
unsafe fn __snag_wait_for(
    &self,
    tag: &crate::__snag::CondvarTag,
    place: crate::__snag::Place,
    mutex: &crate::__snag::Traced<Self::RawMutex>,
    guard: &mut <Self::RawMutex as RawMutex>::Guard,
    timeout: &<Self::RawMutex as RawMutexTimed>::Duration,
) -> bool {
    tag.unseen_wait(mutex.tag(), true, place, || unsafe { self.wait_for(mutex, guard, timeout) })
}
