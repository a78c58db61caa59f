//! Steps of a witness that are accesses to memory.

use super::Case;
use crate::finding::Step;
use crate::model::execution::ThreadId;
use crate::model::memory::Access;

impl Case<'_> {
    /// Adds an access to the witness.
    pub fn step_access(&mut self, access: &Access, action: String) {
        let place = self.place_of(access);
        let thread = self.index_of(ThreadId(access.thread));
        self.witness.push(Step { thread, action, place });
    }
}
