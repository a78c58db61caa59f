//! What a program is built for: with or without the memory layer.

/// How programs are built, and which shim is under them. All can be in the cache, and in a target
/// folder, at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The facade alone: what is seen are operations of std.
    Native,
    /// As [`Mode::Native`], for programs that are linked with libc statically: there is no other
    /// definition of C's functions behind ours, so they are left alone.
    Static,
    /// Every access to memory is seen as well: `std` and all crates are instrumented.
    Memory,
    /// As [`Mode::Memory`], with threads that run one at a time, as a scheduler says.
    Explore,
    /// As [`Mode::Explore`], without the memory layer.
    ExploreNative,
}

impl Mode {
    const ALL: [Mode; 5] = [Mode::Native, Mode::Static, Mode::Memory, Mode::Explore, Mode::ExploreNative];

    /// Its name, in the names of folders.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Native => "native",
            Mode::Static => "static",
            Mode::Memory => "memory",
            Mode::Explore => "explore",
            Mode::ExploreNative => "explore_native",
        }
    }

    /// Whether accesses to memory are instrumented.
    #[must_use]
    pub const fn has_memory(self) -> bool {
        matches!(self, Mode::Memory | Mode::Explore)
    }

    /// Whether a scheduler says who runs.
    #[must_use]
    pub const fn is_explored(self) -> bool {
        matches!(self, Mode::Explore | Mode::ExploreNative)
    }

    /// The same without the memory layer.
    #[must_use]
    pub const fn without_memory(self) -> Mode {
        match self {
            Mode::Memory => Mode::Native,
            Mode::Explore => Mode::ExploreNative,
            other => other,
        }
    }

    /// The mode with a name of which this is the beginning, up to a `-`.
    #[must_use]
    pub fn of_key(key: &str) -> Mode {
        let name = key.split('-').next();
        Mode::ALL.into_iter().find(|mode| name == Some(mode.name())).unwrap_or(Mode::Native)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shims_key_says_its_mode() {
        for mode in Mode::ALL {
            assert_eq!(Mode::of_key(&format!("{}-00ff", mode.name())), mode);
        }
    }
}
