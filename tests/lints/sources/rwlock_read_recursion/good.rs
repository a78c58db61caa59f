//! One read guard at a time, and a lock that nobody ever writes to.

use std::sync::RwLock;

struct Settings {
    values: RwLock<Vec<u32>>,
    names: RwLock<Vec<String>>,
}

impl Settings {
    fn first(&self) -> Option<u32> {
        self.values.read().unwrap().first().copied()
    }

    fn describe(&self) -> String {
        let count = self.values.read().unwrap().len();
        format!("{count} {:?}", self.first())
    }

    fn set(&self, values: Vec<u32>) {
        *self.values.write().unwrap() = values;
    }

    fn constant(&self) -> usize {
        let names = self.names.read().unwrap();
        names.len() + self.names.read().unwrap().len()
    }
}
