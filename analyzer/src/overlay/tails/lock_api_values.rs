//! Added to the root of `lock_api` 0.5: the traced lock, over raw locks that give their holder a
//! value.

/// Added by snag: what records the operations on a raw lock.
#[doc(hidden)]
#[allow(warnings, clippy::all, clippy::pedantic)]
pub mod __snag {
    extern crate std as facade;

    pub use self::facade::__snag::{CondvarTag, OnceCall, Place, Waiter, once_pass};
    use self::facade::__snag::{Flags, LockTag, Mode, ObjectKind};
    use core::panic::Location;

    const MUTEX: ObjectKind = ObjectKind::LockApiMutex;
    const RWLOCK: ObjectKind = ObjectKind::LockApiRwLock;

    /// A raw lock and what is known of it. `raw` comes first: the lock keeps its address.
    #[repr(C)]
    pub struct Traced<R> {
        raw: R,
        tag: LockTag,
    }

    impl<R> Traced<R> {
        #[inline]
        #[track_caller]
        pub const fn new(raw: R) -> Self {
            Traced { raw, tag: LockTag::new() }
        }

        #[inline]
        #[track_caller]
        pub const fn with_unseen_writes(raw: R) -> Self {
            Traced { raw, tag: LockTag::with_unseen_writes() }
        }

        #[inline]
        pub fn tag(&self) -> &LockTag {
            &self.tag
        }

        #[inline]
        pub fn expose(&self) -> &R {
            self.tag.expose();
            &self.raw
        }

        #[inline]
        pub fn into_raw(self) -> R {
            self.raw
        }

        #[inline]
        pub fn expose_data(&self) {
            self.tag.expose_data();
        }

        #[inline]
        #[track_caller]
        pub fn read(&self) {
            self.tag.read(Location::caller());
        }

        #[inline]
        #[track_caller]
        pub fn write(&self) {
            self.tag.write(Location::caller());
        }
    }

    impl<R> core::ops::Deref for Traced<R> {
        type Target = R;
        #[inline]
        fn deref(&self) -> &R {
            &self.raw
        }
    }

    macro_rules! operations {
        ($bound:path, $kind:ident:
            $(acquire $mode:ident $lock:ident $lock_at:ident by $attempt:ident -> $guard:ident;)*
            $(try $try_mode:ident $try_lock:ident $try_lock_at:ident -> $try_guard:ident;)*
            $(timed $timed_mode:ident $timed:ident $timed_at:ident($timeout:ident) by $timed_attempt:ident -> $timed_guard:ident;)*
            $(release $release_mode:ident $unlock:ident($release_guard:ident);)*
            $(bump $bump_mode:ident $bump:ident($bump_guard:ident);)*
            $(weaken $from:ident to $to:ident $weaken:ident $weaken_at:ident($from_guard:ident) -> $to_guard:ident;)*
        ) => {
            impl<R: $bound> Traced<R> {
                $(
                    #[inline]
                    #[track_caller]
                    pub fn $lock(&self) -> R::$guard {
                        self.$lock_at(Location::caller())
                    }

                    #[inline]
                    pub fn $lock_at(&self, place: Place) -> R::$guard {
                        let (attempt, wait) = (|| self.raw.$attempt(), || self.raw.$lock());
                        // A raw lock whose readers never wait for waiting writers says so by its name.
                        if let (Mode::Shared, true) = (Mode::$mode, Self::is_recursive()) {
                            return self.tag.acquire_recursive($kind, place, attempt, wait);
                        }
                        self.tag.acquire($kind, Mode::$mode, place, attempt, wait)
                    }
                )*
                $(
                    #[inline]
                    #[track_caller]
                    pub fn $try_lock(&self) -> Option<R::$try_guard> {
                        self.$try_lock_at(Location::caller())
                    }

                    #[inline]
                    pub fn $try_lock_at(&self, place: Place) -> Option<R::$try_guard> {
                        self.tag.try_acquire($kind, Mode::$try_mode, place, || self.raw.$try_lock())
                    }
                )*
                $(
                    #[inline]
                    #[track_caller]
                    pub fn $timed(&self, timeout: R::$timeout) -> Option<R::$timed_guard> {
                        self.$timed_at(Location::caller(), timeout)
                    }

                    #[inline]
                    pub fn $timed_at(&self, place: Place, timeout: R::$timeout) -> Option<R::$timed_guard> {
                        let (attempt, wait) = (|| self.raw.$timed_attempt(), || self.raw.$timed(timeout));
                        self.tag.acquire_timed($kind, Mode::$timed_mode, place, attempt, wait)
                    }
                )*
                $(
                    #[inline]
                    pub unsafe fn $unlock(&self, guard: R::$release_guard) {
                        self.tag.release(Mode::$release_mode, || unsafe { self.raw.$unlock(guard) });
                    }
                )*
                $(
                    #[inline]
                    #[track_caller]
                    pub unsafe fn $bump(&self, guard: &mut R::$bump_guard) {
                        let effect = || unsafe { self.raw.$bump(guard) };
                        self.tag.bump($kind, Mode::$bump_mode, Location::caller(), effect);
                    }
                )*
                $(
                    #[inline]
                    #[track_caller]
                    pub unsafe fn $weaken(&self, guard: R::$from_guard) -> R::$to_guard {
                        unsafe { self.$weaken_at(Location::caller(), guard) }
                    }

                    #[inline]
                    pub unsafe fn $weaken_at(&self, place: Place, guard: R::$from_guard) -> R::$to_guard {
                        let effect = || unsafe { self.raw.$weaken(guard) };
                        self.tag.weaken(Mode::$from, Mode::$to, place, effect)
                    }
                )*
            }
        };
    }

    impl<R> Traced<R> {
        #[inline]
        fn is_recursive() -> bool {
            let name = core::any::type_name::<R>();
            name.ends_with("Recursive") || name.ends_with("RawRwLock<true>")
        }
    }

    impl<R: crate::RawMutex> Traced<R> {
        pub fn acquired_at(&self, place: Place) {
            self.tag.acquired(MUTEX, Mode::Exclusive, Flags::NONE, place);
        }
    }

    operations!(crate::RawMutex, MUTEX:
        acquire Exclusive lock lock_at by try_lock -> Guard;
        try Exclusive try_lock try_lock_at -> Guard;
        release Exclusive unlock(Guard);
    );
    operations!(crate::RawMutexFair, MUTEX:
        release Exclusive unlock_fair(Guard);
        bump Exclusive bump(Guard);
    );
    operations!(crate::RawMutexTimed, MUTEX:
        timed Exclusive try_lock_for try_lock_for_at(Duration) by try_lock -> Guard;
        timed Exclusive try_lock_until try_lock_until_at(Instant) by try_lock -> Guard;
    );
    operations!(crate::RawRwLock, RWLOCK:
        acquire Shared lock_shared lock_shared_at by try_lock_shared -> SharedGuard;
        acquire Exclusive lock_exclusive lock_exclusive_at by try_lock_exclusive -> ExclusiveGuard;
        try Shared try_lock_shared try_lock_shared_at -> SharedGuard;
        try Exclusive try_lock_exclusive try_lock_exclusive_at -> ExclusiveGuard;
        release Shared unlock_shared(SharedGuard);
        release Exclusive unlock_exclusive(ExclusiveGuard);
    );
    operations!(crate::RawRwLockFair, RWLOCK:
        release Shared unlock_shared_fair(SharedGuard);
        release Exclusive unlock_exclusive_fair(ExclusiveGuard);
        bump Shared bump_shared(SharedGuard);
        bump Exclusive bump_exclusive(ExclusiveGuard);
    );
    operations!(crate::RawRwLockTimed, RWLOCK:
        timed Shared try_lock_shared_for try_lock_shared_for_at(Duration) by try_lock_shared -> SharedGuard;
        timed Shared try_lock_shared_until try_lock_shared_until_at(Instant) by try_lock_shared -> SharedGuard;
        timed Exclusive try_lock_exclusive_for try_lock_exclusive_for_at(Duration) by try_lock_exclusive -> ExclusiveGuard;
        timed Exclusive try_lock_exclusive_until try_lock_exclusive_until_at(Instant) by try_lock_exclusive -> ExclusiveGuard;
    );
    operations!(crate::RawRwLockUpgrade, RWLOCK:
        acquire Upgradable lock_upgradable lock_upgradable_at by try_lock_upgradable -> UpgradableGuard;
        try Upgradable try_lock_upgradable try_lock_upgradable_at -> UpgradableGuard;
        release Upgradable unlock_upgradable(UpgradableGuard);
    );
    operations!(crate::RawRwLockUpgradeFair, RWLOCK:
        release Upgradable unlock_upgradable_fair(UpgradableGuard);
        bump Upgradable bump_upgradable(UpgradableGuard);
    );
    operations!(crate::RawRwLockUpgradeTimed, RWLOCK:
        timed Upgradable try_lock_upgradable_for try_lock_upgradable_for_at(Duration) by try_lock_upgradable -> UpgradableGuard;
        timed Upgradable try_lock_upgradable_until try_lock_upgradable_until_at(Instant) by try_lock_upgradable -> UpgradableGuard;
    );
    operations!(crate::RawRwLockDowngrade, RWLOCK:
        weaken Exclusive to Shared downgrade downgrade_at(ExclusiveGuard) -> SharedGuard;
    );
    operations!(crate::RawRwLockUpgradeDowngrade, RWLOCK:
        weaken Upgradable to Shared downgrade_upgradable downgrade_upgradable_at(UpgradableGuard) -> SharedGuard;
        weaken Exclusive to Upgradable downgrade_to_upgradable downgrade_to_upgradable_at(ExclusiveGuard) -> UpgradableGuard;
    );

    impl<R: crate::RawRwLockUpgrade> Traced<R> {
        #[inline]
        #[track_caller]
        pub unsafe fn upgrade(&self, guard: R::UpgradableGuard) -> R::ExclusiveGuard {
            let attempt = |guard| unsafe { self.raw.try_upgrade(guard) };
            let wait = |guard| unsafe { self.raw.upgrade(guard) };
            self.tag.upgrade(RWLOCK, Location::caller(), guard, attempt, wait)
        }

        #[inline]
        #[track_caller]
        pub unsafe fn try_upgrade(&self, guard: R::UpgradableGuard) -> Result<R::ExclusiveGuard, R::UpgradableGuard> {
            let attempt = || unsafe { self.raw.try_upgrade(guard) };
            self.tag.try_upgrade(RWLOCK, false, Location::caller(), attempt)
        }
    }

    impl<R: crate::RawRwLockUpgradeTimed> Traced<R> {
        #[inline]
        #[track_caller]
        pub unsafe fn try_upgrade_for(
            &self,
            guard: R::UpgradableGuard,
            timeout: R::Duration,
        ) -> Result<R::ExclusiveGuard, R::UpgradableGuard> {
            let attempt = || unsafe { self.raw.try_upgrade_for(guard, timeout) };
            self.tag.try_upgrade(RWLOCK, true, Location::caller(), attempt)
        }

        #[inline]
        #[track_caller]
        pub unsafe fn try_upgrade_until(
            &self,
            guard: R::UpgradableGuard,
            timeout: R::Instant,
        ) -> Result<R::ExclusiveGuard, R::UpgradableGuard> {
            let attempt = || unsafe { self.raw.try_upgrade_until(guard, timeout) };
            self.tag.try_upgrade(RWLOCK, true, Location::caller(), attempt)
        }
    }
}
