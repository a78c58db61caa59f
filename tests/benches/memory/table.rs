//! What was measured, as text.

use crate::measure::{Cost, Measured};

/// One line per kernel, and the geometric means.
pub fn kernels(rows: &[(&str, Measured)], rounds: usize) {
    println!("CPU time (user and system) and peak memory, least of {rounds} rounds; ratios");
    println!(
        "{:<12}{:>9}{:>10}{:>10}{:>10}{:>9}{:>10}{:>10}{:>10}",
        "kernel", "plain", "TSan", "snag", "snag", "plain", "TSan", "snag", "snag"
    );
    println!(
        "{:<12}{:>9}{:>10}{:>10}{:>10}{:>9}{:>10}{:>10}{:>10}",
        "", "ms", "/plain", "/plain", "/TSan", "MiB", "MiB", "MiB", "/TSan"
    );
    for (name, measured) in rows {
        let [plain, sanitized, recorded] = *measured;
        println!(
            "{name:<12}{:>9}{:>10}{:>10}{:>10}{:>9}{:>10}{:>10}{:>10}",
            number(plain.map(|cost| cost.cpu)),
            number(ratio(sanitized, plain, |cost| cost.cpu)),
            number(ratio(recorded, plain, |cost| cost.cpu)),
            number(ratio(recorded, sanitized, |cost| cost.cpu)),
            number(plain.map(|cost| cost.peak)),
            number(sanitized.map(|cost| cost.peak)),
            number(recorded.map(|cost| cost.peak)),
            number(ratio(recorded, sanitized, |cost| cost.peak)),
        );
    }
    let mean = |of: &dyn Fn(&Measured) -> Option<f64>| number(geometric_mean(rows, of));
    println!(
        "{:<12}{:>9}{:>10}{:>10}{:>10}{:>9}{:>10}{:>10}{:>10}",
        "geomean",
        "",
        mean(&|[plain, sanitized, _]| ratio(*sanitized, *plain, |cost| cost.cpu)),
        mean(&|[plain, _, recorded]| ratio(*recorded, *plain, |cost| cost.cpu)),
        mean(&|[_, sanitized, recorded]| ratio(*recorded, *sanitized, |cost| cost.cpu)),
        "",
        "",
        "",
        mean(&|[_, sanitized, recorded]| ratio(*recorded, *sanitized, |cost| cost.peak)),
    );
}

/// One line per scale: cost per unit, which is flat where growth is linear.
pub fn series(name: &str, unit: &str, rows: &[(usize, Measured)]) {
    println!("\n{name}: {unit}");
    println!(
        "{:>9}{:>12}{:>12}{:>12}{:>16}{:>10}{:>10}",
        "", "plain ms", "TSan ms", "snag ms", "snag µs/unit", "TSan MiB", "snag MiB"
    );
    for (scale, [plain, sanitized, recorded]) in rows {
        println!(
            "{scale:>9}{:>12}{:>12}{:>12}{:>16}{:>10}{:>10}",
            number(plain.map(|cost| cost.cpu)),
            number(sanitized.map(|cost| cost.cpu)),
            number(recorded.map(|cost| cost.cpu)),
            number(recorded.map(|cost| cost.cpu * 1000.0 / *scale as f64)),
            number(sanitized.map(|cost| cost.peak)),
            number(recorded.map(|cost| cost.peak)),
        );
    }
}

fn ratio(one: Option<Cost>, other: Option<Cost>, of: impl Fn(Cost) -> f64) -> Option<f64> {
    Some(of(one?) / of(other?))
}

/// Of the rows that have a value.
fn geometric_mean(rows: &[(&str, Measured)], of: &dyn Fn(&Measured) -> Option<f64>) -> Option<f64> {
    let logarithms: Vec<f64> = rows.iter().filter_map(|(_, measured)| of(measured)).map(f64::ln).collect();
    let sum: f64 = logarithms.iter().sum();
    (!logarithms.is_empty()).then(|| (sum / logarithms.len() as f64).exp())
}

/// Three digits or more; a dash where there is nothing.
fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value < 100.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.0}"),
    }
}
