//! Depth-first search: every schedule once, one after the other.
//!
//! The way that was taken is a row of choices, each the position that was chosen and how many there were.
//! The next execution takes the same way up to the last choice that has another position left.

use super::Choice;

/// Most choices of one execution.
const MOST: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Turn {
    chosen: u16,
    of: u16,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct Dfs {
    /// How many of the turns are to be taken as before.
    planned: usize,
    /// How many were taken.
    taken: usize,
    turns: [Turn; MOST],
}

impl Dfs {
    pub(super) fn begin(&mut self) {
        self.taken = 0;
    }

    pub(super) fn reset(&mut self) {
        self.planned = 0;
    }

    /// Whoever runs goes on at first, then the others in order of birth.
    pub(super) fn choose(&mut self, choice: &Choice<'_>) -> usize {
        let of = choice.candidates.len();
        let Some(turn) = self.turns.get_mut(self.taken) else { return choice.in_turn() };
        if self.taken >= self.planned {
            *turn = Turn { chosen: 0, of: of as u16 };
        }
        self.taken += 1;
        let first = choice.in_turn();
        match usize::from(turn.chosen) {
            0 => first,
            other if other <= first => (other - 1).min(of - 1),
            other => other.min(of - 1),
        }
    }

    /// Goes on to the next way; false if there is none.
    pub(super) fn advance(&mut self) -> bool {
        let mut end = self.taken;
        while end > 0 {
            let turn = &mut self.turns[end - 1];
            if turn.chosen + 1 < turn.of {
                turn.chosen += 1;
                self.planned = end;
                return true;
            }
            end -= 1;
        }
        self.planned = 0;
        false
    }
}
