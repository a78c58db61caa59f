//! Locks taken again by whoever holds them.

use std::sync::{Arc, Mutex, RwLock};

static TOTAL: Mutex<u64> = Mutex::new(0);

struct Bank {
    accounts: Mutex<Vec<u64>>,
    rates: RwLock<Vec<f64>>,
}

impl Bank {
    fn sum(&self) -> u64 {
        self.accounts.lock().unwrap().iter().sum()
    }

    fn report(&self) -> String {
        let accounts = self.accounts.lock().unwrap();
        format!("{} of {}", accounts.len(), self.sum()) //~ double_lock
    }

    fn upgrade(&self) {
        let rates = self.rates.read().unwrap();
        if rates.is_empty() {
            self.rates.write().unwrap().push(1.0); //~ double_lock
        }
    }

    fn guard(&self) -> std::sync::MutexGuard<'_, Vec<u64>> {
        self.accounts.lock().unwrap()
    }

    fn through_a_guard(&self) {
        let first = self.guard();
        let second = self.guard(); //~ double_lock
        drop((first, second));
    }

    fn in_the_arms(&self) {
        match self.accounts.lock().unwrap().first() {
            Some(_) => {}
            None => self.accounts.lock().unwrap().push(1), //~ double_lock
        }
    }

    fn in_a_loop_over_it(&self) {
        for account in self.accounts.lock().unwrap().iter() {
            if *account > self.sum() { //~ double_lock
                println!("rich");
            }
        }
    }

    fn while_it_has_some(&self) {
        while let Some(account) = self.accounts.lock().unwrap().pop() {
            println!("{account} of {}", self.sum()); //~ double_lock
        }
    }

    fn in_a_closure_that_runs_at_once(&self, extra: Option<u64>) {
        let accounts = self.accounts.lock().unwrap();
        extra.map(|extra| extra + self.sum()); //~ double_lock
        drop(accounts);
    }
}

fn add(number: u64) {
    *TOTAL.lock().unwrap() += number;
}

fn add_twice(number: u64) {
    let total = TOTAL.lock().unwrap();
    add(*total + number); //~ double_lock
}

fn of_a_parameter(values: &Mutex<Vec<u8>>) {
    let first = values.lock().unwrap();
    let second = values.lock().unwrap(); //~ double_lock
    println!("{} {}", first.len(), second.len());
}

fn by_an_alias() {
    let values = Arc::new(Mutex::new(1));
    let other = Arc::clone(&values);
    let first = values.lock().unwrap();
    let second = other.lock().unwrap(); //~ double_lock
    println!("{first} {second}");
}

fn assigned() {
    let values = Mutex::new(1);
    let mut guard = values.lock().unwrap();
    *guard += 1;
    guard = values.lock().unwrap(); //~ double_lock
    println!("{guard}");
}
