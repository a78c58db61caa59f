//! Compiles the C in between.

fn main() {
    println!("cargo::rerun-if-changed=src/between.c");
    cc::Build::new().file("src/between.c").compile("between");
}
