//! How what a thread looked at bears on what it wrote afterwards, as the source says it.
//!
//! Invariant: [`Flow::Unknown`] is no statement. Every other value was read off the source, and nothing
//! that a detector takes for proof follows from `Unknown`.

/// How one value is computed from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// It is that value.
    Same,
    /// Another value would have given another result: `x + 1`, `!x`.
    Distinct,
    /// It is that value or something greater: `x.max(e)`.
    Max,
    /// It is that value or something less: `x.min(e)`.
    Min,
    /// That value with more bits set: `x | e`.
    SetBits,
    /// That value with fewer bits set: `x & e`.
    ClearBits,
    /// In some other way, so that another value may have given the same result.
    Other,
}

/// What a value is compared with before something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// Whether it is less than what is then written.
    Max,
    /// Whether it is greater than what is then written.
    Min,
    /// Something else.
    Other,
}

/// How a look at something bears on a later write to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// The source does not tell.
    #[default]
    Unknown,
    /// In no way.
    None,
    /// What is written is computed from what was seen.
    Computed {
        /// How.
        step: Step,
        /// Whether the code goes straight from the look to the write: no branch, no way out between.
        always: bool,
        /// Whether what was there before the write is lost (`=`) and not worked on (`+=`, `insert`).
        overwrites: bool,
    },
    /// Whether anything is written depends on what was seen.
    Guarded {
        /// On what about it.
        test: Test,
        /// Whether it is looked at again afterwards, so that what was lost may be made good.
        again: bool,
        /// As above.
        overwrites: bool,
    },
}
