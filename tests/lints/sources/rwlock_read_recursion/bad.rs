//! A read lock taken by a reader.

use std::sync::RwLock;

struct Settings {
    values: RwLock<Vec<u32>>,
}

impl Settings {
    fn first(&self) -> Option<u32> {
        self.values.read().unwrap().first().copied()
    }

    fn describe(&self) -> String {
        let values = self.values.read().unwrap();
        format!("{} {:?}", values.len(), self.first()) //~ rwlock_read_recursion
    }

    fn set(&self, values: Vec<u32>) {
        *self.values.write().unwrap() = values;
    }
}
