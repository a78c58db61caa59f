//! A question and a change on its answer, each under a lock of its own.

use std::collections::HashMap;
use std::sync::Mutex;

struct Cache {
    pages: Mutex<HashMap<u32, String>>,
    waiting: Mutex<Vec<u32>>,
}

impl Cache {
    fn load(&self, page: u32) {
        if !self.pages.lock().unwrap().contains_key(&page) {
            self.pages.lock().unwrap().insert(page, page.to_string()); //~ check_then_act
        }
    }

    fn next(&self) -> Option<u32> {
        if !self.waiting.lock().unwrap().is_empty() {
            return Some(self.waiting.lock().unwrap().pop().unwrap()); //~ check_then_act
        }
        None
    }
}
