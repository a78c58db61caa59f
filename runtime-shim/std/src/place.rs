//! Where the user's call is.

use core::panic::Location;
use snag_runtime::recorder::Place;

/// The place of the caller of the `#[track_caller]` function that calls this.
#[inline]
#[track_caller]
pub(crate) const fn here() -> Option<Place> {
    Some(Location::caller())
}
