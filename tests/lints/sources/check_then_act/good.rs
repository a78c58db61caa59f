//! One guard, one operation, or the question again.

use std::collections::HashMap;
use std::sync::Mutex;

struct Cache {
    pages: Mutex<HashMap<u32, String>>,
    waiting: Mutex<Vec<u32>>,
    done: Mutex<Vec<u32>>,
}

impl Cache {
    fn load(&self, page: u32) {
        let mut pages = self.pages.lock().unwrap();
        if !pages.contains_key(&page) {
            pages.insert(page, page.to_string());
        }
    }

    fn load_slowly(&self, page: u32) {
        if !self.pages.lock().unwrap().contains_key(&page) {
            let text = page.to_string();
            let mut pages = self.pages.lock().unwrap();
            if !pages.contains_key(&page) {
                pages.insert(page, text);
            }
        }
    }

    fn next(&self) -> Option<u32> {
        self.waiting.lock().unwrap().pop()
    }

    fn finish(&self, job: u32) {
        if !self.waiting.lock().unwrap().is_empty() {
            self.done.lock().unwrap().push(job);
        }
    }
}
