//! How programs get the memory layer: on by default, off by a flag, and not there, with a warning, where
//! it cannot be. What it finds is the business of tests/corpus.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use snag_tests::outcome::Outcome;

use crate::project::{kept, outcome, program, snag_in, target};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What a run says where there is no memory layer.
const WARNING: &str = "warning: data races are not looked for, as with `--no-memory`: ";

/// A package of one's own, below a folder that goes away, built below that.
struct Package {
    folder: tempfile::TempDir,
}

impl Package {
    fn new(manifest: &str, files: &[(&str, &str)]) -> Package {
        let package = Package { folder: tempfile::tempdir().unwrap() };
        package.write("Cargo.toml", manifest);
        for (file, text) in files {
            package.write(file, text);
        }
        package
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn snag(&self, arguments: &[&str]) -> Command {
        let mut command = snag_in(self.folder.path(), arguments);
        command.env("CARGO_TARGET_DIR", self.path("target"));
        command
    }

    /// A run that ends well, without a warning and without a finding.
    fn runs(&self, arguments: &[&str]) -> Outcome {
        self.runs_as(&mut self.snag(arguments))
    }

    fn runs_as(&self, command: &mut Command) -> Outcome {
        let outcome = outcome(command);
        assert_eq!(outcome.code(), 0, "{outcome:?}");
        assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("no findings"), "{}", outcome.stderr);
        outcome
    }

    fn executable(&self, mode: &str, name: &str) -> PathBuf {
        self.path("target/snag").join(mode).join(TARGET).join(name)
    }
}

/// A manifest without dependencies.
fn manifest(rest: &str) -> String {
    format!("[package]\nname = \"one\"\nedition = \"2024\"\n{rest}\n[workspace]\n")
}

/// Two threads that share what a lock protects, in every way that an access may look like.
const LOCKED: &str = r#"
    use std::sync::Mutex;
    static SHARED: Mutex<Vec<(u8, u128)>> = Mutex::new(Vec::new());
    fn main() {
        std::thread::scope(|scope| {
            for number in 0..2 {
                scope.spawn(move || SHARED.lock().unwrap().push((number, 1 << number)));
            }
        });
        println!("{}", SHARED.lock().unwrap().len());
    }
"#;

/// Whether the executable calls what the pass makes it call.
fn is_instrumented(executable: &Path) -> bool {
    let bytes = fs::read(executable).unwrap_or_else(|error| panic!("{}: {error}", executable.display()));
    let name = b"__tsan_func_entry";
    bytes.windows(name.len()).any(|window| window == name)
}

#[test]
fn memory_is_instrumented_unless_it_is_asked_not_to_be() {
    let with = kept(&[]);
    let text = fs::read_to_string(with.folder.join("run.json")).unwrap();
    let meta: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(meta["memory"], true, "{meta}");
    let without = outcome(&mut snag_in(&program(), ["run", "--quiet", "--no-memory"]));
    assert_eq!(without.code(), 0, "{without:?}");
    let executable = |mode: &str| target().join("snag").join(mode).join(TARGET).join("debug/program");
    assert!(is_instrumented(&executable("memory")));
    assert!(!is_instrumented(&executable("native")));
}

#[test]
fn neither_a_second_run_nor_another_mode_in_between_builds_anything() {
    let package = Package::new(&manifest(""), &[("src/main.rs", LOCKED)]);
    for arguments in [["run"].as_slice(), &["run", "--no-memory"]] {
        assert!(package.runs(arguments).stderr.contains("Compiling one"));
    }
    for arguments in [["run"].as_slice(), &["run", "--no-memory"], &["run"], &["run", "--record-all"]] {
        let again = package.runs(arguments);
        assert!(!again.stderr.contains("Compiling"), "{}", again.stderr);
        assert!(!again.stderr.contains("Preparing"), "{}", again.stderr);
    }
}

#[test]
fn recording_everything_needs_the_memory_layer() {
    let refused = outcome(&mut snag_in(&program(), ["run", "--no-memory", "--record-all"]));
    assert_eq!(refused.code(), 2, "{refused:?}");
}

#[test]
fn settings_that_would_hide_accesses_give_way_and_the_others_stay() {
    let profile = "[profile.release]\nlto = \"fat\"\nstrip = true\ndebug = 0\npanic = \"abort\"\n\
                   codegen-units = 1\n[profile.dev]\nlto = \"thin\"\nopt-level = 1\nincremental = true\n";
    let main = format!(
        "#![allow(unexpected_cfgs)]\n{LOCKED}\n#[cfg(not(from_user))]\ncompile_error!(\"a flag is missing\");"
    );
    let package = Package::new(&manifest(profile), &[("src/main.rs", &main)]);
    let flags = "--cfg from_user -Ctarget-cpu=native -Cpasses=instcombine \
                 -Cllvm-args=-tsan-distinguish-volatile=0 -Clinker-plugin-lto";
    for arguments in [["run"].as_slice(), &["run", "--release"]] {
        package.runs_as(package.snag(arguments).env("RUSTFLAGS", flags));
    }
    let released = package.executable("memory", "release/one");
    assert!(is_instrumented(&released));
    // Functions have names and places: the user's own settings would have left neither.
    let bytes = fs::read(released).unwrap();
    assert!(
        [&b".debug_info"[..], b".symtab"]
            .iter()
            .all(|name| bytes.windows(name.len()).any(|part| part == *name))
    );
}

#[test]
fn doctests_are_instrumented() {
    let library = "//! ```\n//! let executable = std::fs::read(\"/proc/self/exe\").unwrap();\n\
                   //! let name: Vec<u8> = \"__tsan_func\".bytes().chain(*b\"_entry\").collect();\n\
                   //! assert!(executable.windows(name.len()).any(|part| part == name));\n//! ```\n";
    let package = Package::new(&manifest(""), &[("src/lib.rs", library)]);
    package.runs(&["test", "--doc"]);
}

#[test]
fn the_unit_tests_of_a_crate_without_std_have_the_memory_layer() {
    let library = "#![no_std]\npub struct Count(pub [u8; 3]);\n#[cfg(test)]\nmod tests {\n    #[test]\n    \
                   fn counts() {\n        let mut count = super::Count([0; 3]);\n        count.0[1] += 1;\n        \
                   assert_eq!(count.0, [0, 1, 0]);\n    }\n}\n";
    let package = Package::new(&manifest(""), &[("src/lib.rs", library)]);
    let outcome = package.runs(&["test", "--lib"]);
    assert!(outcome.stdout.contains("tests::counts ... ok"), "{outcome:?}");
}

#[test]
fn code_in_c_links_and_is_left_alone() {
    let script = r##"
        use std::process::Command;
        fn main() {
            let out = std::env::var("OUT_DIR").unwrap();
            let run = |command: &mut Command| assert!(command.current_dir(&out).status().unwrap().success());
            std::fs::write(format!("{out}/c.c"), "#include <stdlib.h>\n#include <string.h>\n\
                char *copy(const char *s) { char *c = malloc(strlen(s) + 1); strcpy(c, s); return c; }").unwrap();
            run(Command::new("cc").args(["-c", "-O1", "c.c"]));
            run(Command::new("ar").args(["crs", "libc_code.a", "c.o"]));
            println!("cargo::rustc-link-search={out}\ncargo::rustc-link-lib=static=c_code");
        }
    "##;
    let main = r#"
        use std::ffi::{CStr, c_char, c_void};
        unsafe extern "C" { fn copy(s: *const c_char) -> *mut c_char; fn free(p: *mut c_void); }
        fn main() {
            let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| unsafe {
                let copied = copy(c"text".as_ptr());
                assert_eq!(CStr::from_ptr(copied), c"text");
                free(copied.cast());
            })).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    "#;
    let package = Package::new(&manifest(""), &[("build.rs", script), ("src/main.rs", main)]);
    package.runs(&["run"]);
    package.runs(&["run", "--release"]);
}

#[test]
fn an_allocator_of_the_programs_own_is_seen_through() {
    // Memory that one thread gave back is another's: nothing but the allocator says so.
    let main = r#"
        use std::alloc::{GlobalAlloc, Layout, System};
        use std::sync::atomic::{AtomicUsize, Ordering};
        struct Reusing;
        static FREE: [AtomicUsize; 8] = [const { AtomicUsize::new(0) }; 8];
        static REUSED: AtomicUsize = AtomicUsize::new(0);
        unsafe impl GlobalAlloc for Reusing {
            unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
                if layout.size() == 96 {
                    for slot in &FREE {
                        let block = slot.swap(0, Ordering::Relaxed);
                        if block != 0 {
                            REUSED.fetch_add(1, Ordering::Relaxed);
                            return block as *mut u8;
                        }
                    }
                }
                unsafe { System.alloc(layout) }
            }
            unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
                if layout.size() == 96 {
                    for slot in &FREE {
                        let taken = slot.compare_exchange(0, block as usize, Ordering::Relaxed, Ordering::Relaxed);
                        if taken.is_ok() {
                            return;
                        }
                    }
                }
                unsafe { System.dealloc(block, layout) }
            }
        }
        #[global_allocator]
        static ALLOCATOR: Reusing = Reusing;
        fn main() {
            let threads: Vec<_> = (0..4u64).map(|seed| std::thread::spawn(move || {
                for round in 0..100 {
                    let mut block = Box::new([seed; 12]);
                    block[round % 12] += 1;
                    std::hint::black_box(block);
                }
            })).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert!(REUSED.load(Ordering::Relaxed) > 0);
        }
    "#;
    let package = Package::new(&manifest(""), &[("src/main.rs", main)]);
    package.runs(&["run"]);
    package.runs(&["run", "--release"]);
}

/// What is loaded: it keeps to its locks and its turns.
const PLUGIN: &str = r#"
        use std::sync::{Mutex, atomic::{AtomicU64, Ordering}};
        static LOCKED: Mutex<Vec<u64>> = Mutex::new(Vec::new());
        static mut PLAIN: u64 = 0;
        static TURN: AtomicU64 = AtomicU64::new(0);
        #[unsafe(no_mangle)]
        pub extern "C" fn push(number: u64) -> usize {
            let mut numbers = LOCKED.lock().unwrap();
            numbers.push(number);
            numbers.len()
        }
        #[unsafe(no_mangle)]
        pub extern "C" fn take_turn(turn: u64) {
            while TURN.load(Ordering::Acquire) != turn {
                std::thread::yield_now();
            }
            unsafe { PLAIN += 1 };
            TURN.store(turn + 1, Ordering::Release);
        }
    "#;

/// What loads it.
const HOST: &str = r#"
        use std::ffi::{CString, c_char, c_int, c_void};
        unsafe extern "C" {
            fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
            fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
        }
        fn main() {
            let here = std::env::current_exe().unwrap();
            let path = here.parent().unwrap().join("deps/libplugin.so");
            let path = CString::new(path.to_str().unwrap()).unwrap();
            let (push, take_turn): (extern "C" fn(u64) -> usize, extern "C" fn(u64)) = unsafe {
                let library = dlopen(path.as_ptr(), 2);
                assert!(!library.is_null());
                let find = |name: &std::ffi::CStr| dlsym(library, name.as_ptr());
                (std::mem::transmute(find(c"push")), std::mem::transmute(find(c"take_turn")))
            };
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    scope.spawn(move || {
                        for number in 0..50 {
                            push(number);
                        }
                        take_turn(thread);
                    });
                }
            });
            assert_eq!(push(0), 201);
        }
    "#;

#[test]
fn a_plugin_that_is_loaded_uses_the_programs_memory_layer() {
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"plugin\", \"host\"]\n";
    let library =
        "[package]\nname = \"plugin\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n";
    let host =
        "[package]\nname = \"host\"\nedition = \"2024\"\n[dependencies]\nplugin.path = \"../plugin\"\n";
    let files = [
        ("plugin/Cargo.toml", library),
        ("plugin/src/lib.rs", PLUGIN),
        ("host/Cargo.toml", host),
        ("host/src/main.rs", HOST),
    ];
    let package = Package::new(workspace, &files);
    for arguments in [["run"].as_slice(), &["run", "--release"]] {
        let run = package.runs(arguments);
        assert!(run.stderr.contains("5 threads, 1 process"), "{}", run.stderr);
    }
}

#[test]
fn a_program_that_is_linked_statically_runs_without_the_memory_layer() {
    let package = Package::new(&manifest(""), &[("src/main.rs", LOCKED)]);
    let mut command = package.snag(&["run"]);
    let run = outcome(command.env("RUSTFLAGS", "-Ctarget-feature=+crt-static"));
    assert_eq!(run.code(), 0, "{run:?}");
    assert!(
        run.stderr.contains(&format!("{WARNING}the program is to be linked with libc statically")),
        "{run:?}"
    );
    let unasked =
        package.snag(&["run", "--no-memory"]).env("RUSTFLAGS", "-Ctarget-feature=+crt-static").output();
    assert!(!String::from_utf8_lossy(&unasked.unwrap().stderr).contains("warning"));
}

/// A folder of links to everything in `from`, but for what `left_out` names.
fn linked(from: &Path, to: &Path, left_out: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != left_out {
            symlink(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn a_toolchain_without_its_own_linker_is_used_without_the_memory_layer() {
    let answer = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    let toolchain = PathBuf::from(String::from_utf8(answer.stdout).unwrap().trim());
    let package = Package::new(&manifest(""), &[("src/main.rs", LOCKED)]);
    let fake = package.path("toolchain");
    let inside = format!("lib/rustlib/{TARGET}");
    linked(&toolchain, &fake, "lib");
    linked(&toolchain.join("lib"), &fake.join("lib"), "rustlib");
    linked(&toolchain.join("lib/rustlib"), &fake.join("lib/rustlib"), TARGET);
    linked(&toolchain.join(&inside), &fake.join(&inside), "bin");
    linked(&toolchain.join(&inside).join("bin"), &fake.join(&inside).join("bin"), "rust-lld");
    // A rustc finds its toolchain by its own real path, which links lead away from.
    let rustc = format!(
        "#!/bin/sh\ncase \" $* \" in *--sysroot*) exec {0} \"$@\";; *) exec {0} --sysroot {1} \"$@\";; esac\n",
        toolchain.join("bin/rustc").display(),
        fake.display()
    );
    package.write("rustc", &rustc);
    fs::set_permissions(package.path("rustc"), fs::Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        let mut command = package.snag(&["run"]);
        command.env("RUSTC", package.path("rustc")).env("SNAG_CACHE_DIR", package.path("cache"));
        let run = outcome(&mut command);
        assert_eq!(run.code(), 0, "{run:?}");
        assert!(run.stderr.contains(&format!("{WARNING}this toolchain has no ")), "{}", run.stderr);
        assert_eq!(run.stderr.matches("warning").count(), 1, "{}", run.stderr);
    }
    assert!(!is_instrumented(&package.executable("native", "debug/one")));
}
