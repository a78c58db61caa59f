//! One order, a gate, a lock that is only tried, and one that is free again.

use std::sync::Mutex;

static GATE: Mutex<()> = Mutex::new(());
static USERS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static PLACES: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub fn gated() {
    let _gate = GATE.lock().unwrap();
    let users = USERS.lock().unwrap();
    GROUPS.lock().unwrap().extend(users.iter());
}

pub fn gated_too() {
    let _gate = GATE.lock().unwrap();
    let groups = GROUPS.lock().unwrap();
    USERS.lock().unwrap().extend(groups.iter());
}

pub fn ordered() {
    let names = NAMES.lock().unwrap();
    PLACES.lock().unwrap().extend(names.iter().cloned());
}

pub fn tried() {
    let places = PLACES.lock().unwrap();
    if let Ok(mut names) = NAMES.try_lock() {
        names.extend(places.iter().cloned());
    }
}

pub fn apart() {
    let places = PLACES.lock().unwrap().clone();
    NAMES.lock().unwrap().extend(places);
}
