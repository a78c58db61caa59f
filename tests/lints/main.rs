//! `cargo snag lint` on small sources: each rule finds what is marked and nothing else; formats, configuration,
//! baselines and fixes from end to end.

mod configuration;
mod formats;
mod project;
mod rules;
