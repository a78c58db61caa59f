//! Runs each test under shuttle's random scheduler, as often as is asked for, or under loom; prints how many
//! executions that were, and seconds.

#[cfg(feature = "shuttle")]
fn main() {
    let executions = std::env::args().nth(1).and_then(|text| text.parse().ok()).expect("a number");
    for (name, test) in subjects::ALL {
        let begun = std::time::Instant::now();
        shuttle::check_random(test, executions);
        println!("{name} {executions} {}", begun.elapsed().as_secs_f64());
    }
}

#[cfg(feature = "loom")]
fn main() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    for (name, test) in subjects::ALL {
        let begun = std::time::Instant::now();
        let executions = std::sync::Arc::new(AtomicUsize::new(0));
        let count = executions.clone();
        loom::model(move || {
            count.fetch_add(1, Ordering::Relaxed);
            test();
        });
        println!("{name} {} {}", executions.load(Ordering::Relaxed), begun.elapsed().as_secs_f64());
    }
}

#[cfg(not(any(feature = "shuttle", feature = "loom")))]
fn main() {}
