//! Two locks in two orders, one of them through a call.

use std::sync::Mutex;

static USERS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

pub fn add(user: u32) {
    let mut users = USERS.lock().unwrap(); //~ lock_order_inversion
    users.push(user);
    GROUPS.lock().unwrap().push(user); //~ lock_order_inversion
}

fn count() -> usize {
    USERS.lock().unwrap().len()
}

pub fn clean() {
    let mut groups = GROUPS.lock().unwrap(); //~ lock_order_inversion
    groups.truncate(count());
}
