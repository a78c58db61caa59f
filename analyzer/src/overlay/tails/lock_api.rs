//! Added to the root of `lock_api` 0.4: the traced lock, over raw locks that say by a truth value
//! that they are held.

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
            $(acquire $mode:ident $lock:ident $lock_at:ident by $attempt:ident;)*
            $(try $try_mode:ident $try_lock:ident $try_lock_at:ident;)*
            $(timed $timed_mode:ident $timed:ident $timed_at:ident($timeout:ident) by $timed_attempt:ident;)*
            $(release $release_mode:ident $unlock:ident;)*
            $(bump $bump_mode:ident $bump:ident;)*
        ) => {
            impl<R: $bound> Traced<R> {
                $(
                    #[inline]
                    #[track_caller]
                    pub fn $lock(&self) {
                        self.$lock_at(Location::caller());
                    }

                    #[inline]
                    pub fn $lock_at(&self, place: Place) {
                        let attempt = || self.raw.$attempt().then_some(());
                        self.tag.acquire($kind, Mode::$mode, place, attempt, || self.raw.$lock());
                    }
                )*
                $(
                    #[inline]
                    #[track_caller]
                    pub fn $try_lock(&self) -> bool {
                        self.$try_lock_at(Location::caller())
                    }

                    #[inline]
                    pub fn $try_lock_at(&self, place: Place) -> bool {
                        let attempt = || self.raw.$try_lock().then_some(());
                        self.tag.try_acquire($kind, Mode::$try_mode, place, attempt).is_some()
                    }
                )*
                $(
                    #[inline]
                    #[track_caller]
                    pub fn $timed(&self, timeout: R::$timeout) -> bool {
                        self.$timed_at(Location::caller(), timeout)
                    }

                    #[inline]
                    pub fn $timed_at(&self, place: Place, timeout: R::$timeout) -> bool {
                        let attempt = || self.raw.$timed_attempt().then_some(());
                        let wait = || self.raw.$timed(timeout).then_some(());
                        self.tag.acquire_timed($kind, Mode::$timed_mode, place, attempt, wait).is_some()
                    }
                )*
                $(
                    #[inline]
                    pub unsafe fn $unlock(&self) {
                        self.tag.release(Mode::$release_mode, || unsafe { self.raw.$unlock() });
                    }
                )*
                $(
                    #[inline]
                    #[track_caller]
                    pub unsafe fn $bump(&self) {
                        let effect = || unsafe { self.raw.$bump() };
                        self.tag.bump($kind, Mode::$bump_mode, Location::caller(), effect);
                    }
                )*
            }
        };
    }

    operations!(crate::RawMutex, MUTEX:
        acquire Exclusive lock lock_at by try_lock;
        try Exclusive try_lock try_lock_at;
        release Exclusive unlock;
    );
    impl<R: crate::RawMutex> Traced<R> {
        pub fn acquired_at(&self, place: Place) {
            self.tag.acquired(MUTEX, Mode::Exclusive, Flags::NONE, place);
        }
    }

    operations!(crate::RawMutexFair, MUTEX:
        release Exclusive unlock_fair;
        bump Exclusive bump;
    );
    operations!(crate::RawMutexTimed, MUTEX:
        timed Exclusive try_lock_for try_lock_for_at(Duration) by try_lock;
        timed Exclusive try_lock_until try_lock_until_at(Instant) by try_lock;
    );
    operations!(crate::RawRwLock, RWLOCK:
        acquire Shared lock_shared lock_shared_at by try_lock_shared;
        acquire Exclusive lock_exclusive lock_exclusive_at by try_lock_exclusive;
        try Shared try_lock_shared try_lock_shared_at;
        try Exclusive try_lock_exclusive try_lock_exclusive_at;
        release Shared unlock_shared;
        release Exclusive unlock_exclusive;
    );
    operations!(crate::RawRwLockFair, RWLOCK:
        release Shared unlock_shared_fair;
        release Exclusive unlock_exclusive_fair;
        bump Shared bump_shared;
        bump Exclusive bump_exclusive;
    );
    operations!(crate::RawRwLockTimed, RWLOCK:
        timed Shared try_lock_shared_for try_lock_shared_for_at(Duration) by try_lock_shared;
        timed Shared try_lock_shared_until try_lock_shared_until_at(Instant) by try_lock_shared;
        timed Exclusive try_lock_exclusive_for try_lock_exclusive_for_at(Duration) by try_lock_exclusive;
        timed Exclusive try_lock_exclusive_until try_lock_exclusive_until_at(Instant) by try_lock_exclusive;
    );
    operations!(crate::RawRwLockRecursive, RWLOCK:
        try Shared try_lock_shared_recursive try_lock_shared_recursive_at;
    );
    impl<R: crate::RawRwLockRecursive> Traced<R> {
        #[inline]
        #[track_caller]
        pub fn lock_shared_recursive(&self) {
            let attempt = || self.raw.try_lock_shared_recursive().then_some(());
            let wait = || self.raw.lock_shared_recursive();
            self.tag.acquire_recursive(RWLOCK, Location::caller(), attempt, wait);
        }
    }

    operations!(crate::RawRwLockRecursiveTimed, RWLOCK:
        timed Shared try_lock_shared_recursive_for try_lock_shared_recursive_for_at(Duration) by try_lock_shared_recursive;
        timed Shared try_lock_shared_recursive_until try_lock_shared_recursive_until_at(Instant) by try_lock_shared_recursive;
    );
    operations!(crate::RawRwLockUpgrade, RWLOCK:
        acquire Upgradable lock_upgradable lock_upgradable_at by try_lock_upgradable;
        try Upgradable try_lock_upgradable try_lock_upgradable_at;
        release Upgradable unlock_upgradable;
    );
    operations!(crate::RawRwLockUpgradeFair, RWLOCK:
        release Upgradable unlock_upgradable_fair;
        bump Upgradable bump_upgradable;
    );
    operations!(crate::RawRwLockUpgradeTimed, RWLOCK:
        timed Upgradable try_lock_upgradable_for try_lock_upgradable_for_at(Duration) by try_lock_upgradable;
        timed Upgradable try_lock_upgradable_until try_lock_upgradable_until_at(Instant) by try_lock_upgradable;
    );

    impl<R: crate::RawRwLockDowngrade> Traced<R> {
        #[inline]
        #[track_caller]
        pub unsafe fn downgrade(&self) {
            let effect = || unsafe { self.raw.downgrade() };
            self.tag.weaken(Mode::Exclusive, Mode::Shared, Location::caller(), effect);
        }
    }

    impl<R: crate::RawRwLockUpgradeDowngrade> Traced<R> {
        #[inline]
        #[track_caller]
        pub unsafe fn downgrade_upgradable(&self) {
            let effect = || unsafe { self.raw.downgrade_upgradable() };
            self.tag.weaken(Mode::Upgradable, Mode::Shared, Location::caller(), effect);
        }

        #[inline]
        #[track_caller]
        pub unsafe fn downgrade_to_upgradable(&self) {
            unsafe { self.downgrade_to_upgradable_at(Location::caller()) };
        }

        #[inline]
        pub unsafe fn downgrade_to_upgradable_at(&self, place: Place) {
            let effect = || unsafe { self.raw.downgrade_to_upgradable() };
            self.tag.weaken(Mode::Exclusive, Mode::Upgradable, place, effect);
        }
    }

    impl<R: crate::RawRwLockUpgrade> Traced<R> {
        #[inline]
        #[track_caller]
        pub unsafe fn upgrade(&self) {
            let attempt = |()| if unsafe { self.raw.try_upgrade() } { Ok(()) } else { Err(()) };
            self.tag.upgrade(RWLOCK, Location::caller(), (), attempt, |()| unsafe { self.raw.upgrade() });
        }

        #[inline]
        #[track_caller]
        pub unsafe fn try_upgrade(&self) -> bool {
            let attempt = || unsafe { self.raw.try_upgrade() }.then_some(()).ok_or(());
            self.tag.try_upgrade(RWLOCK, false, Location::caller(), attempt).is_ok()
        }
    }

    impl<R: crate::RawRwLockUpgradeTimed> Traced<R> {
        #[inline]
        #[track_caller]
        pub unsafe fn try_upgrade_for(&self, timeout: R::Duration) -> bool {
            let attempt = || unsafe { self.raw.try_upgrade_for(timeout) }.then_some(()).ok_or(());
            self.tag.try_upgrade(RWLOCK, true, Location::caller(), attempt).is_ok()
        }

        #[inline]
        #[track_caller]
        pub unsafe fn try_upgrade_until(&self, timeout: R::Instant) -> bool {
            let attempt = || unsafe { self.raw.try_upgrade_until(timeout) }.then_some(()).ok_or(());
            self.tag.try_upgrade(RWLOCK, true, Location::caller(), attempt).is_ok()
        }
    }
}
