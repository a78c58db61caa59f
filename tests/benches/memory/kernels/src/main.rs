//! The measured programs: `kernels <name> <scale>` runs one and prints what it took of this process,
//! `cpu <microseconds> peak <KiB> result <anything>`. Built three ways by the benchmark.

mod compute;
mod data;
mod scaling;
mod synchronize;

use std::process::ExitCode;
use std::{env, fs, mem};

/// Threads of a kernel.
const THREADS: usize = 2;

/// Takes how much it is to do; gives something that depends on all that it did.
type Kernel = fn(usize) -> u64;

const KERNELS: &[(&str, Kernel)] = &[
    ("stream", compute::stream),
    ("matmul", compute::matmul),
    ("sort", compute::sort),
    ("grid", compute::grid),
    ("rayon", compute::rayon_reduction),
    ("strings", data::strings),
    ("churn", data::churn),
    ("tree", data::tree),
    ("map", synchronize::map),
    ("mutex", synchronize::mutex),
    ("ping_pong", synchronize::ping_pong),
    ("pipeline", synchronize::pipeline),
    ("queue", synchronize::queue),
    ("split", scaling::split),
    ("live", scaling::live),
    ("turns", scaling::turns),
    ("accesses", scaling::accesses),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let named = |name: &str| KERNELS.iter().find(|(known, _)| *known == name);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["executable"] => println!("executable {}", env::current_exe().expect("it is known").display()),
        [name, scale] => {
            let (Some((_, kernel)), Ok(scale)) = (named(name), scale.parse()) else {
                return ExitCode::FAILURE;
            };
            let result = kernel(scale);
            println!("cpu {} peak {} result {result}", cpu_microseconds(), peak_kibibytes());
        }
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

/// User and system time of this process so far, all threads.
fn cpu_microseconds() -> i64 {
    // SAFETY: all-zero bytes are a valid rusage, which the call only writes to.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    [usage.ru_utime, usage.ru_stime].iter().map(|time| time.tv_sec * 1_000_000 + time.tv_usec).sum()
}

/// Most memory that was resident at once. Not `ru_maxrss`, which remembers what the process was
/// before it became this program.
fn peak_kibibytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Marsaglia's xorshift: the same numbers in every build.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
