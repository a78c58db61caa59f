//! Litmus tests, as plain tests over std, at every ordering. Each execution adds a line with what it saw to
//! the file that `LITMUS` names: the test's name and the values.

#![cfg(test)]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;
use std::thread;

static X: AtomicUsize = AtomicUsize::new(0);
static Y: AtomicUsize = AtomicUsize::new(0);

fn saw(values: &[usize]) {
    let file = std::env::var("LITMUS").expect("LITMUS names a file");
    let digits: String = values.iter().map(ToString::to_string).collect();
    let name = thread::current().name().unwrap_or("").replace("::", " ");
    let line = format!("{name} {digits}\n");
    let mut file =
        OpenOptions::new().append(true).create(true).open(file).expect("a file that can be written");
    file.write_all(line.as_bytes()).expect("there is room");
}

/// Runs both at the same time.
fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().expect("it does not panic"), other)
    })
}

/// A test for each store and load ordering: `$test!(name, store, load)`.
macro_rules! at_every_ordering {
    ($test:ident) => {
        mod $test {
            use super::*;

            at_every_ordering! { $test: relaxed_relaxed Relaxed Relaxed, relaxed_acquire Relaxed Acquire,
                relaxed_seqcst Relaxed SeqCst, release_relaxed Release Relaxed, release_acquire Release Acquire,
                release_seqcst Release SeqCst, seqcst_relaxed SeqCst Relaxed, seqcst_acquire SeqCst Acquire,
                seqcst_seqcst SeqCst SeqCst }
        }
    };
    ($test:ident ignored: $($name:ident $store:ident $load:ident),*) => {
        $(
            #[test]
            #[ignore = "as the others, and takes thousands of executions"]
            fn $name() {
                super::$test($store, $load);
            }
        )*
    };
    ($test:ident: $($name:ident $store:ident $load:ident),*) => {
        $(
            #[test]
            fn $name() {
                super::$test($store, $load);
            }
        )*
    };
}

at_every_ordering!(store_buffering);
at_every_ordering!(message_passing);
at_every_ordering!(load_buffering);
at_every_ordering!(two_plus_two);
at_every_ordering!(causality);

mod independent_reads {
    use super::*;

    #[test]
    fn relaxed_relaxed() {
        independent_reads(Relaxed, Relaxed);
    }

    #[test]
    fn release_acquire() {
        independent_reads(Release, Acquire);
    }

    #[test]
    fn seqcst_seqcst() {
        independent_reads(SeqCst, SeqCst);
    }

    at_every_ordering! { independent_reads ignored: relaxed_acquire Relaxed Acquire,
    relaxed_seqcst Relaxed SeqCst, release_relaxed Release Relaxed, release_seqcst Release SeqCst,
    seqcst_relaxed SeqCst Relaxed, seqcst_acquire SeqCst Acquire }
}

fn store_buffering(store: Ordering, load: Ordering) {
    let one = || {
        X.store(1, store);
        Y.load(load)
    };
    let other = || {
        Y.store(1, store);
        X.load(load)
    };
    let (one, other) = both(one, other);
    saw(&[one, other]);
}

fn message_passing(store: Ordering, load: Ordering) {
    let send = || {
        X.store(1, Relaxed);
        Y.store(1, store);
    };
    let ((), (flag, data)) = both(send, || (Y.load(load), X.load(Relaxed)));
    saw(&[flag, data]);
}

fn load_buffering(store: Ordering, load: Ordering) {
    let one = || {
        let seen = X.load(load);
        Y.store(1, store);
        seen
    };
    let other = || {
        let seen = Y.load(load);
        X.store(1, store);
        seen
    };
    let (one, other) = both(one, other);
    saw(&[one, other]);
}

/// Two threads store to both, in opposite orders; what is left in the end.
fn two_plus_two(store: Ordering, load: Ordering) {
    let one = || {
        X.store(1, store);
        Y.store(2, store);
    };
    let other = || {
        Y.store(1, store);
        X.store(2, store);
    };
    both(one, other);
    saw(&[X.load(load), Y.load(load)]);
}

/// Write-to-read causality: the second thread hands on what it has seen of the first.
fn causality(store: Ordering, load: Ordering) {
    let (second, third) = thread::scope(|scope| {
        scope.spawn(|| X.store(1, Relaxed));
        let second = scope.spawn(|| {
            let seen = X.load(Relaxed);
            Y.store(1, store);
            seen
        });
        let third = (Y.load(load), X.load(Relaxed));
        (second.join().expect("it does not panic"), third)
    });
    saw(&[second, third.0, third.1]);
}

/// Independent reads of independent writes.
fn independent_reads(store: Ordering, load: Ordering) {
    let (one, other) = thread::scope(|scope| {
        scope.spawn(|| X.store(1, store));
        scope.spawn(|| Y.store(1, store));
        let one = scope.spawn(|| [X.load(load), Y.load(load)]);
        let other = [Y.load(load), X.load(load)];
        (one.join().expect("it does not panic"), other)
    });
    saw(&[one, other].concat());
}

/// With fences between.
mod fenced {
    use super::*;

    fn store_buffering(order: Ordering) {
        let one = || {
            X.store(1, Relaxed);
            fence(order);
            Y.load(Relaxed)
        };
        let other = || {
            Y.store(1, Relaxed);
            fence(order);
            X.load(Relaxed)
        };
        let (one, other) = both(one, other);
        saw(&[one, other]);
    }

    #[test]
    fn store_buffering_acqrel() {
        store_buffering(AcqRel);
    }

    #[test]
    fn store_buffering_seqcst() {
        store_buffering(SeqCst);
    }

    fn message_passing(before: Ordering, after: Ordering) {
        let send = || {
            X.store(1, Relaxed);
            fence(before);
            Y.store(1, Relaxed);
        };
        let receive = || {
            let flag = Y.load(Relaxed);
            fence(after);
            (flag, X.load(Relaxed))
        };
        let ((), (flag, data)) = both(send, receive);
        saw(&[flag, data]);
    }

    #[test]
    fn message_passing_release_acquire() {
        message_passing(Release, Acquire);
    }

    #[test]
    fn message_passing_acquire_acquire() {
        message_passing(Acquire, Acquire);
    }

    #[test]
    fn message_passing_release_release() {
        message_passing(Release, Release);
    }
}

mod coherence {
    use super::*;

    #[test]
    fn of_two_reads() {
        let write = || {
            X.store(1, Relaxed);
            X.store(2, Relaxed);
        };
        let ((), seen) = both(write, || [X.load(Relaxed), X.load(Relaxed)]);
        saw(&seen);
    }

    /// Two threads agree on the order of two writes that nothing orders.
    #[test]
    fn of_two_writers() {
        let one = || {
            X.store(1, Relaxed);
            [X.load(Relaxed), X.load(Relaxed)]
        };
        let other = || {
            X.store(2, Relaxed);
            [X.load(Relaxed), X.load(Relaxed)]
        };
        let (one, other) = both(one, other);
        saw(&[one, other].concat());
    }

    #[test]
    fn of_a_write_and_a_read() {
        let other = || X.store(2, Relaxed);
        let own = || {
            X.store(1, Relaxed);
            X.load(Relaxed)
        };
        let ((), seen) = both(other, own);
        saw(&[seen]);
    }
}

mod release_sequence {
    use super::*;

    /// What a third thread knows that acquires what the second has made of what the first released.
    fn of(second: impl FnOnce() + Send) {
        let seen = thread::scope(|scope| {
            scope.spawn(|| {
                X.store(1, Relaxed);
                Y.store(1, Release);
            });
            scope.spawn(second);
            (Y.load(Acquire), X.load(Relaxed))
        });
        saw(&[seen.0, seen.1]);
    }

    #[test]
    fn goes_on_in_an_update() {
        of(|| {
            Y.fetch_add(1, Relaxed);
        });
    }

    #[test]
    fn ends_in_a_store() {
        of(|| {
            if Y.load(Relaxed) == 1 {
                Y.store(2, Relaxed);
            }
        });
    }
}

mod exchange {
    use super::*;

    #[test]
    fn succeeds_once() {
        let exchange = || usize::from(X.compare_exchange(0, 1, Relaxed, Relaxed).is_ok());
        let (one, other) = both(exchange, exchange);
        saw(&[one, other]);
    }

    #[test]
    fn adds_up() {
        let add = || X.fetch_add(1, Relaxed);
        let (one, other) = both(add, add);
        saw(&[one, other, X.load(Relaxed)]);
    }
}
