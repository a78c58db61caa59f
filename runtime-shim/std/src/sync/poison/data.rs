//! What is the same of both locks that own data.

/// For `$lock`, which has fields `poison` and `data`, and guards by `$shared` and `$exclusive`: what needs no
/// guard, or one for a moment.
macro_rules! owner {
    ($lock:ident, $shared:ident, $exclusive:ident) => {
        impl<T: ?Sized> $lock<T> {
            /// Whether a holder that could write has panicked.
            #[inline]
            pub fn is_poisoned(&self) -> bool {
                self.poison.get()
            }

            /// Forgets that such a holder has panicked.
            #[inline]
            pub fn clear_poison(&self) {
                self.poison.clear();
            }

            /// The data.
            ///
            /// # Errors
            /// If a holder that could write has panicked.
            pub fn into_inner(self) -> LockResult<T>
            where
                T: Sized,
            {
                let poisoned = self.poison.wrap(());
                let data = self.data.into_inner();
                super::map(poisoned, |()| data)
            }

            /// The data, which nobody else can reach.
            ///
            /// # Errors
            /// If a holder that could write has panicked.
            pub fn get_mut(&mut self) -> LockResult<&mut T> {
                let poisoned = self.poison.wrap(());
                let data = self.data.get_mut();
                super::map(poisoned, |()| data)
            }
        }

        /// What only nightly has.
        #[cfg(snag_nightly)]
        impl<T> $lock<T> {
            /// A clone of the data.
            ///
            /// # Errors
            /// If it is poisoned.
            #[track_caller]
            pub fn get_cloned(&self) -> Result<T, real::PoisonError<()>>
            where
                T: Clone,
            {
                match self.$shared() {
                    Ok(guard) => Ok((*guard).clone()),
                    Err(_) => Err(real::PoisonError::new(())),
                }
            }

            /// Writes the data.
            ///
            /// # Errors
            /// If it is poisoned, with the value.
            #[track_caller]
            pub fn set(&self, value: T) -> Result<(), real::PoisonError<T>> {
                // What was there is dropped with the lock free.
                self.replace(value).map(drop)
            }

            /// Writes the data and gives what was there.
            ///
            /// # Errors
            /// If it is poisoned, with the value.
            #[track_caller]
            pub fn replace(&self, value: T) -> LockResult<T> {
                match self.$exclusive() {
                    Ok(mut guard) => Ok(core::mem::replace(&mut *guard, value)),
                    Err(_) => Err(real::PoisonError::new(value)),
                }
            }
        }

        #[cfg(snag_nightly)]
        impl<T: ?Sized> $lock<T> {
            /// Where the data is.
            pub const fn data_ptr(&self) -> *mut T {
                self.data.get()
            }
        }

        impl<T> From<T> for $lock<T> {
            #[track_caller]
            fn from(t: T) -> Self {
                $lock::new(t)
            }
        }

        impl<T: Default> Default for $lock<T> {
            #[track_caller]
            fn default() -> $lock<T> {
                $lock::new(Default::default())
            }
        }
    };
}

pub(super) use owner;
