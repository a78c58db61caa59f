//! Tests that end in every way that a test can end in.

#[cfg(test)]
mod tests {
    use std::ffi::{c_int, c_void};
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::sync::{Mutex, mpsc};
    use std::thread;
    use std::time::{Duration, Instant};

    unsafe extern "C" {
        fn fork() -> c_int;
        fn _exit(code: c_int) -> !;
        fn pipe(ends: *mut [c_int; 2]) -> c_int;
        fn read(from: c_int, into: *mut c_void, most: usize) -> isize;
    }

    #[test]
    fn aborts() {
        thread::spawn(|| std::process::abort()).join().unwrap();
    }

    #[test]
    fn adds_up() {
        let sum = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| sum.fetch_add(1, Ordering::SeqCst));
            }
        });
        assert_eq!(sum.into_inner(), 3);
    }

    #[test]
    fn asks_another_program() {
        let asked = thread::spawn(|| Command::new("true").status().unwrap().success());
        assert!(asked.join().unwrap());
    }

    #[test]
    fn depends_on_its_process() {
        let count = Mutex::new(0);
        thread::scope(|scope| {
            scope.spawn(|| *count.lock().unwrap() += 1);
        });
        for _ in 0..std::process::id() % 1000 {
            *count.lock().unwrap() += 1;
        }
    }

    #[test]
    fn err_is_returned() -> Result<(), String> {
        thread::spawn(|| ()).join().map_err(|_| "no thread")?;
        Err("no luck".to_owned())
    }

    #[test]
    fn exits() {
        thread::spawn(|| std::process::exit(3)).join().unwrap();
    }

    #[test]
    fn forks() {
        let other = thread::spawn(|| ());
        // SAFETY: the child does nothing but end.
        unsafe {
            if fork() == 0 {
                _exit(0);
            }
        }
        other.join().unwrap();
    }

    #[test]
    fn hands_over() {
        static WORD: AtomicU32 = AtomicU32::new(0);
        thread::spawn(|| WORD.store(1, Ordering::Release)).join().unwrap();
        assert_eq!(WORD.load(Ordering::Acquire), 1);
    }

    #[test]
    #[ignore]
    fn ignored() {
        let sum = AtomicU32::new(0);
        thread::scope(|scope| {
            scope.spawn(|| sum.fetch_add(1, Ordering::SeqCst));
        });
        assert_eq!(sum.into_inner(), 1);
    }

    #[test]
    fn leaks_a_thread() {
        let (sender, receiver) = mpsc::channel::<()>();
        thread::spawn(move || receiver.recv());
        std::mem::forget(sender);
    }

    #[test]
    fn locks_both_ways() {
        let (one, other) = (Mutex::new(0), Mutex::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                let _one = one.lock().unwrap();
                let _other = other.lock().unwrap();
            });
            scope.spawn(|| {
                let _other = other.lock().unwrap();
                let _one = one.lock().unwrap();
            });
        });
    }

    #[test]
    fn loses_an_update() {
        let count = AtomicU32::new(0);
        thread::scope(|scope| {
            for name in ["left", "right"] {
                let increment = || count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, increment).unwrap();
            }
        });
        assert_eq!(count.into_inner(), 2, "an update is lost");
    }

    #[test]
    fn overflows_its_stack() {
        fn deep(count: u64) -> u64 {
            let room = std::hint::black_box([count; 64]);
            if count == 0 { 0 } else { room[3] + deep(count - 1) }
        }
        let small = thread::Builder::new().stack_size(64 << 10);
        small.spawn(|| deep(1_000_000)).unwrap().join().unwrap();
    }

    #[test]
    fn panics_in_a_panic() {
        struct Again;
        impl Drop for Again {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        let panics = thread::spawn(|| {
            let _again = Again;
            panic!("once");
        });
        let _ = panics.join();
    }

    #[test]
    #[should_panic(expected = "as it should")]
    fn panics_as_it_should() {
        let panics = thread::spawn(|| panic!("as it should"));
        std::panic::resume_unwind(panics.join().unwrap_err());
    }

    #[test]
    #[should_panic(expected = "as it should")]
    fn panics_for_another_reason() {
        let panics = thread::spawn(|| panic!("for no reason"));
        std::panic::resume_unwind(panics.join().unwrap_err());
    }

    #[test]
    fn reads_a_pipe_of_nobody() {
        let mut ends = [0; 2];
        // SAFETY: the kernel writes two numbers.
        assert_eq!(unsafe { pipe(&raw mut ends) }, 0);
        let reads = move || {
            let mut byte = 0_u8;
            // SAFETY: the kernel writes at most one byte.
            unsafe { read(ends[0], (&raw mut byte).cast(), 1) }
        };
        thread::spawn(reads).join().unwrap();
    }

    #[test]
    fn receives_in_time() {
        let (sender, receiver) = mpsc::channel();
        let sends = thread::spawn(move || {
            thread::sleep(Duration::from_millis(10));
            sender.send(1).unwrap();
        });
        assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok(1));
        sends.join().unwrap();
    }

    #[test]
    fn sleeps_an_hour() {
        let began = Instant::now();
        thread::spawn(|| thread::sleep(Duration::from_secs(3600))).join().unwrap();
        let took = began.elapsed();
        assert!((3600..3700).contains(&took.as_secs()), "{took:?}");
    }

    #[test]
    fn spins_for_a_while() {
        let is_set = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| while !is_set.load(Ordering::Acquire) {});
            is_set.store(true, Ordering::Release);
        });
    }

    #[test]
    fn spins_for_ever() {
        let is_set = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| while !is_set.load(Ordering::Acquire) {});
        });
    }

    #[test]
    fn starts_a_thousand() {
        let sum = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..1000 {
                scope.spawn(|| sum.fetch_add(1, Ordering::Relaxed));
            }
        });
        assert_eq!(sum.into_inner(), 1000);
    }

    #[test]
    fn starts_no_thread() {
        assert_eq!(1 + 1, 2);
    }

    #[test]
    fn talks_to_itself() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let hears = thread::spawn(move || {
            let mut heard = [0; 3];
            listener.accept().unwrap().0.read_exact(&mut heard).unwrap();
            heard
        });
        TcpStream::connect(address).unwrap().write_all(b"abc").unwrap();
        assert_eq!(&hears.join().unwrap(), b"abc");
    }
}
