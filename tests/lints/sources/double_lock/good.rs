//! Locks that are free again, or others.

use std::sync::{Mutex, RwLock};

struct Bank {
    accounts: Mutex<Vec<u64>>,
    rates: RwLock<Vec<f64>>,
    next: Option<Box<Bank>>,
}

fn count(accounts: &[u64]) -> usize {
    accounts.len()
}

impl Bank {
    fn sum(&self) -> u64 {
        self.accounts.lock().unwrap().iter().sum()
    }

    fn dropped(&self) -> u64 {
        let accounts = self.accounts.lock().unwrap();
        println!("{}", accounts.len());
        drop(accounts);
        self.sum()
    }

    fn in_a_block(&self) -> u64 {
        let count = {
            let accounts = self.accounts.lock().unwrap();
            accounts.len() as u64
        };
        count + self.sum()
    }

    fn temporary(&self) -> u64 {
        let count = self.accounts.lock().unwrap().len() as u64;
        count + self.sum()
    }

    fn condition(&self) {
        if self.accounts.lock().unwrap().is_empty() {
            self.accounts.lock().unwrap().shrink_to_fit();
        }
        while self.accounts.lock().unwrap().len() < 3 {
            self.accounts.lock().unwrap().resize(3, 0);
        }
    }

    fn before_else(&self) {
        // Edition 2024 ends the temporary before `else`.
        if let Some(first) = self.accounts.lock().unwrap().first() {
            println!("{first}");
        } else {
            self.accounts.lock().unwrap().shrink_to_fit();
        }
    }

    fn early(&self, empty: bool) -> u64 {
        let accounts = self.accounts.lock().unwrap();
        if empty {
            drop(accounts);
            return self.sum();
        }
        accounts.len() as u64
    }

    fn one_of_two(&self, which: bool) -> u64 {
        let accounts = self.accounts.lock().unwrap();
        if which {
            drop(accounts);
        } else {
            println!("{}", accounts.len());
            drop(accounts);
        }
        self.sum()
    }

    fn moved(&self) -> u64 {
        let accounts = self.accounts.lock().unwrap();
        consume(accounts);
        self.sum()
    }

    fn another_object(&self) -> u64 {
        let accounts = self.accounts.lock().unwrap();
        let next = self.next.as_ref().map_or(0, |next| next.sum());
        accounts.len() as u64 + next
    }

    fn tried(&self) -> bool {
        let _accounts = self.accounts.lock().unwrap();
        self.accounts.try_lock().is_ok()
    }

    fn when_it_was_not_got(&self) -> u64 {
        match self.accounts.try_lock() {
            Ok(accounts) => accounts.len() as u64,
            Err(_) => self.sum(),
        }
    }

    fn later(&self) -> Box<dyn Fn() -> u64 + '_> {
        let _accounts = self.accounts.lock().unwrap();
        Box::new(move || self.sum())
    }

    fn read_twice_apart(&self) -> usize {
        let first = self.rates.read().unwrap().len();
        first + self.rates.read().unwrap().len()
    }

    fn both(&self) -> usize {
        let accounts = self.accounts.lock().unwrap();
        self.rates.write().unwrap().push(1.0);
        count(&accounts)
    }

    fn in_an_option(&self) -> u64 {
        let mut held = Some(self.accounts.lock().unwrap());
        drop(held.take());
        self.sum()
    }

    fn shadowed_in_a_loop(&self) {
        for _ in 0..3 {
            let accounts = self.accounts.lock().unwrap();
            println!("{}", accounts.len());
        }
        println!("{}", self.sum());
    }

    fn of_two_arms(&self, first: bool) -> usize {
        match first {
            true => self.accounts.lock().unwrap().len(),
            false => self.accounts.lock().unwrap().capacity(),
        }
    }
}

struct Shared {
    state: tokio::sync::Mutex<u32>,
}

impl Shared {
    async fn lock(&self) -> tokio::sync::MutexGuard<'_, u32> {
        self.state.lock().await
    }

    async fn add(&self) {
        *self.lock().await += 1;
        let state = self.lock().await;
        println!("{state}");
    }
}

fn consume(guard: std::sync::MutexGuard<'_, Vec<u64>>) {
    println!("{}", guard.len());
}

fn of_elements(all: &[Mutex<u64>]) -> u64 {
    let first = all[0].lock().unwrap();
    let second = all[1].lock().unwrap();
    *first + *second
}
