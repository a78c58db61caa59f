//! Runs each test that often under shuttle's random scheduler; prints seconds.

#[cfg(feature = "shuttle")]
fn main() {
    let iterations = std::env::args().nth(1).and_then(|text| text.parse().ok()).expect("a number");
    for (name, test) in subjects::ALL {
        let begun = std::time::Instant::now();
        shuttle::check_random(test, iterations);
        println!("{name} {}", begun.elapsed().as_secs_f64());
    }
}

#[cfg(not(feature = "shuttle"))]
fn main() {}
