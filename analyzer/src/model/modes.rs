//! Which ways of holding one lock exclude each other.

use snag_trace::Mode;

/// Whether a lock held in mode `held` keeps another thread from getting it in mode `wanted`.
///
/// A waiting writer that makes a lock refuse readers is not a holder and not in this table.
#[must_use]
pub const fn conflict(held: Mode, wanted: Mode) -> bool {
    match held {
        Mode::Exclusive | Mode::Once => {
            matches!(wanted, Mode::Exclusive | Mode::Shared | Mode::Upgradable | Mode::Once)
        }
        Mode::Shared => matches!(wanted, Mode::Exclusive),
        Mode::Upgradable => matches!(wanted, Mode::Exclusive | Mode::Upgradable),
        _ => false,
    }
}

/// Whether something held in this mode has an owner that others can wait for.
#[must_use]
pub const fn is_lock(mode: Mode) -> bool {
    matches!(mode, Mode::Exclusive | Mode::Shared | Mode::Upgradable)
}

#[cfg(test)]
mod tests {
    use super::conflict;
    use snag_trace::Mode::{Exclusive, Permit, Shared, Upgradable};

    #[test]
    fn readers_exclude_only_writers() {
        assert!(!conflict(Shared, Shared));
        assert!(!conflict(Shared, Upgradable));
        assert!(!conflict(Upgradable, Shared));
        assert!(conflict(Shared, Exclusive));
        assert!(conflict(Exclusive, Shared));
        assert!(conflict(Upgradable, Upgradable));
    }

    #[test]
    fn a_permit_excludes_nobody_by_itself() {
        assert!(!conflict(Permit, Permit));
    }
}
