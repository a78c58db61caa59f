//! A given schedule: segment after segment.
//!
//! A replay follows it to the letter. Elsewhere a segment whose thread cannot run is left out, one whose
//! thread must wait ends, and after the last one threads run in turn: so that a part of a schedule is a
//! schedule as well.

use snag_trace::control::How;

use super::{Answer, Choice, Planned};

#[derive(Debug)]
#[repr(C)]
pub(super) struct Plan {
    /// The segment.
    at: usize,
    /// How often its thread was chosen.
    passed: u32,
}

impl Plan {
    pub(super) fn begin(&mut self) {
        *self = Plan { at: 0, passed: 0 };
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// How many stores older than the newest the one is that the thread's atomic reads now.
    #[cfg(snag_memory)]
    pub(super) fn way(&mut self, task: usize, planned: Planned<'_>) -> usize {
        let is_done = planned(self.at).is_some_and(|segment| self.passed >= segment.steps);
        let next = planned(self.at + 1).filter(|_| is_done);
        let Some(next) = next.filter(|next| next.how == How::Older && usize::from(next.task) == task) else {
            return 0;
        };
        self.at += 1;
        self.passed = next.steps.max(1);
        next.steps as usize
    }

    pub(super) fn choose(&mut self, choice: &Choice<'_>, planned: Planned<'_>, strictly: bool) -> Answer {
        loop {
            let Some(segment) = planned(self.at) else {
                return if strictly { Answer::Diverged } else { Answer::Run(choice.in_turn()) };
            };
            if segment.how == How::Older && self.passed == 0 {
                if strictly {
                    return Answer::Diverged;
                }
                self.at += 1;
                continue;
            }
            if self.passed < segment.steps {
                let how = if self.passed == 0 { segment.how } else { How::Run };
                if let Some(position) = choice.position(usize::from(segment.task), how) {
                    self.passed += 1;
                    return Answer::Run(position);
                }
                if strictly {
                    return Answer::Diverged;
                }
            }
            self.at += 1;
            self.passed = 0;
        }
    }
}
