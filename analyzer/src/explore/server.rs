//! A process that serves: it is told what to execute, and says how that ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};
use std::{fs, io};

use snag_trace::control::{Action, EXPLORE_ENV, Ending, PARAMETERS, Segment, Step, Strategy, flags};
use snag_trace::layout::RUN_ENV;

use crate::explore::control::{ControlFile, Test};

/// How long an execution may make no step before it is ended, in real time.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an execution may take in all, in real time.
const LONGEST: Duration = Duration::from_secs(30);
/// How much of a processor it must have had after that time, if it does not wait in the kernel: on a busy
/// machine it may not have had its turn.
const TURN: Duration = Duration::from_secs(1);
/// How long a process may take until it serves.
const START: Duration = Duration::from_secs(30);

/// A binary, and how to run it.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: std::path::PathBuf,
    /// What it is given, if it has no harness.
    pub arguments: Vec<OsString>,
    /// It has no harness: its `main` is explored.
    pub is_program: bool,
}

/// What to execute.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The test's position.
    pub test: u32,
    /// How threads are chosen.
    pub strategy: Strategy,
    /// What decides the rest.
    pub seed: u64,
    /// Number of the first execution.
    pub first: u64,
    /// How many, at most.
    pub count: u64,
    /// For the strategy.
    pub parameters: &'a [u64],
    /// The plan, for strategies that follow one.
    pub plan: &'a [Segment],
}

/// How the last of some executions ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Number of it.
    pub number: u64,
    /// How.
    pub ending: Ending,
    /// What `waitpid` gave.
    pub status: u32,
    /// Same for those that ended alike.
    pub fingerprint: u64,
    /// Threads.
    pub tasks: u32,
    /// Threads that had not ended.
    pub left: u32,
    /// Points.
    pub steps: u64,
    /// Points with a choice.
    pub choices: u64,
    /// Threads that were left although they could have gone on.
    pub preemptions: u64,
    /// What the panic said, or why it ended.
    pub message: String,
    /// Where a replay could not go on.
    pub diverged_at: u32,
    /// Executions of the test so far that were given up, since what would have followed was tried before.
    pub redundant: u64,
    /// Whether a bound has excluded schedules so far.
    pub bounded: bool,
}

/// An execution in a process of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// How it ended.
    pub executed: Executed,
    /// The process.
    pub process: u32,
    /// Its schedule.
    pub log: Vec<Segment>,
    /// What each thread did, if that was to be told.
    pub steps: Vec<Step>,
    /// The places in the source that the steps name.
    pub places: BTreeMap<u64, (String, u32, u32)>,
    /// How far the executable was moved from the addresses in its file.
    pub load_base: u64,
}

/// Limits of an execution, and the rest that is the same for all.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Most points.
    pub max_steps: u64,
    /// Of `control::flags`.
    pub flags: u32,
    /// When the clocks begin, in nanoseconds since 1970.
    pub epoch: u64,
    /// The processor to keep to, from 1; 0 for all.
    pub processor: u32,
}

/// A serving process.
#[derive(Debug)]
pub struct Server {
    control: ControlFile,
    child: Child,
    tests: Vec<Test>,
}

impl Server {
    /// Starts one, and waits until it serves.
    ///
    /// # Errors
    /// If it cannot be started, or does not serve.
    pub fn start(program: &Program, settings: Settings) -> io::Result<Server> {
        let control = prepared(program, settings)?;
        let mut command = command(program, &control);
        command.env_remove(RUN_ENV).stdin(Stdio::null());
        let child = command.spawn()?;
        let mut server = Server { control, child, tests: Vec::new() };
        let began = Instant::now();
        while server.control.ready.load(Acquire) == 0 {
            ControlFile::sleep_on(&server.control.ready, 0, Duration::from_millis(20));
            if let Some(status) = server.child.try_wait()? {
                return Err(io::Error::other(format!("it ended ({status}) before any test")));
            }
            if began.elapsed() > START {
                return Err(io::Error::other("it does not begin to run tests"));
            }
        }
        server.tests = server.control.tests();
        Ok(server)
    }

    /// The tests of its harness.
    #[must_use]
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// What was done in the last execution.
    #[must_use]
    pub fn log(&self) -> Vec<Segment> {
        self.control.log()
    }

    /// Executes, until one execution does not pass or all did.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn execute(&mut self, order: &Order<'_>) -> io::Result<Executed> {
        let control = &self.control;
        put(control, order);
        let number = control.go.load(Relaxed) + 1;
        control.action.store(Action::Execute as u32, Release);
        control.go.store(number, Release);
        ControlFile::wake(&control.go);
        let mut watch = Watch::new(control);
        loop {
            let done = control.done.load(Acquire);
            if done == number {
                return Ok(executed(control));
            }
            ControlFile::sleep_on(&control.done, done, Duration::from_millis(200));
            watch.look(control);
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the process that runs the tests ended ({status})")));
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and its children end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Executes once, in a process of its own that is recorded into the folder `run`, and shows what it
/// prints if it is to be shown.
///
/// # Errors
/// If it cannot be started.
pub fn record(
    program: &Program,
    settings: Settings,
    order: &Order<'_>,
    run: Option<&Path>,
) -> io::Result<Recorded> {
    let settings = Settings { flags: settings.flags | flags::SINGLE, ..settings };
    let control = prepared(program, settings)?;
    put(&control, order);
    let mut command = command(program, &control);
    command.stdin(Stdio::null());
    match run {
        Some(run) => command.env(RUN_ENV, run),
        None => command.env_remove(RUN_ENV),
    };
    if settings.flags & flags::OUTPUT == 0 {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    let mut child = command.spawn()?;
    control.child.store(child.id(), Release);
    let mut watch = Watch::new(&control);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
        watch.look(&control);
    };
    let mut done = executed(&control);
    done.status = std::os::unix::process::ExitStatusExt::into_raw(status).cast_unsigned();
    if done.ending == Ending::None {
        done.ending = match (status.code(), program.is_program) {
            (None, _) => Ending::Killed,
            (Some(_), false) => Ending::Exited,
            (Some(0), true) if control.races.load(Acquire) > 0 => Ending::Race,
            (Some(0), true) => Ending::Passed,
            (Some(_), true) => Ending::Failed,
        };
    }
    Ok(Recorded {
        executed: done,
        process: child.id(),
        log: control.log(),
        steps: control.steps(),
        places: if settings.flags & flags::TELL == 0 { BTreeMap::new() } else { control.places() },
        load_base: control.load_base.load(Acquire),
    })
}

/// Executes once under a debugger, which stops where the execution fails; the terminal is the debugger's.
///
/// # Errors
/// If there is no debugger, or it cannot be started.
pub fn debug(program: &Program, settings: Settings, order: &Order<'_>) -> io::Result<()> {
    let settings = Settings {
        flags: settings.flags | flags::SINGLE | flags::STOP | flags::OUTPUT,
        processor: 0,
        ..settings
    };
    let control = prepared(program, settings)?;
    put(&control, order);
    let chosen = std::env::var_os(DEBUGGER_ENV).filter(|name| !name.is_empty());
    let known = chosen.map_or_else(|| DEBUGGERS.map(OsString::from).to_vec(), |name| vec![name]);
    for name in known {
        // Threads have the names that the program gave them; all but one wait for their turn.
        let arguments: &[&str] = if name.to_string_lossy().contains("lldb") {
            &["-o", "run", "--"]
        } else {
            &["-q", "-ex", "set breakpoint pending on", "-ex", "run", "--args"]
        };
        let mut debugger = Command::new(&name);
        debugger.args(arguments).arg(&program.path).args(&program.arguments);
        environment(&mut debugger, &control);
        match debugger.env_remove(RUN_ENV).status() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other.map(drop),
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("there is none of {}", DEBUGGERS.join(", "))))
}

/// Environment variable that names the debugger to use.
pub const DEBUGGER_ENV: &str = "SNAG_DEBUGGER";
/// Debuggers, the best first.
const DEBUGGERS: [&str; 4] = ["rust-gdb", "gdb", "rust-lldb", "lldb"];

fn environment(command: &mut Command, control: &ControlFile) {
    // A backtrace takes thousands of points, and says no more than the place does.
    command.env(EXPLORE_ENV, control.path()).env("RUST_BACKTRACE", "0");
}

/// A control file for this program.
fn prepared(program: &Program, settings: Settings) -> io::Result<ControlFile> {
    let control = ControlFile::create()?;
    let kind = if program.is_program { flags::PROGRAM } else { 0 };
    control.flags.store(settings.flags | kind, Relaxed);
    control.max_steps.store(settings.max_steps, Relaxed);
    control.epoch.store(settings.epoch, Relaxed);
    control.processor.store(settings.processor, Relaxed);
    Ok(control)
}

fn put(control: &ControlFile, order: &Order<'_>) {
    control.test.store(order.test, Relaxed);
    control.strategy.store(order.strategy as u32, Relaxed);
    control.seed.store(order.seed, Relaxed);
    control.first.store(order.first, Relaxed);
    control.count.store(order.count, Relaxed);
    let given = order.parameters.iter().copied().chain(std::iter::repeat(0)).take(PARAMETERS);
    for (place, parameter) in control.parameters.iter().zip(given) {
        place.store(parameter, Relaxed);
    }
    control.set_plan(order.plan);
}

fn command(program: &Program, control: &ControlFile) -> Command {
    let mut command = Command::new(&program.path);
    command.args(&program.arguments);
    environment(&mut command, control);
    // SAFETY: the call changes nothing but where the program will be loaded: at the same addresses each
    // time.
    unsafe {
        command.pre_exec(|| {
            libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
            Ok(())
        });
    }
    command
}

fn executed(control: &ControlFile) -> Executed {
    Executed {
        number: control.execution.load(Acquire),
        ending: Ending::from_number(control.ending.load(Acquire)).unwrap_or(Ending::None),
        status: control.status.load(Acquire),
        fingerprint: control.fingerprint.load(Acquire),
        tasks: control.tasks.load(Acquire),
        left: control.left.load(Acquire),
        steps: control.steps.load(Acquire),
        choices: control.choices.load(Acquire),
        preemptions: control.preemptions.load(Acquire),
        message: control.message(),
        diverged_at: control.diverged_at.load(Acquire),
        redundant: control.redundant.load(Acquire),
        bounded: control.bounded.load(Acquire) != 0,
    }
}

/// Ends executions that no longer move in real time: something waits in the kernel.
struct Watch {
    execution: u64,
    steps: u64,
    since: Instant,
    began: Instant,
    /// What it had had of a processor when patience came to its end.
    spent: Option<Duration>,
}

impl Watch {
    fn new(control: &ControlFile) -> Watch {
        let (execution, now) = (control.execution.load(Acquire), Instant::now());
        Watch { execution, steps: 0, since: now, began: now, spent: None }
    }

    fn look(&mut self, control: &ControlFile) {
        let execution = control.execution.load(Acquire);
        let steps = control.steps.load(Acquire);
        if execution != self.execution {
            (self.execution, self.began) = (execution, Instant::now());
        }
        let is_slow = self.began.elapsed() > LONGEST;
        if steps != self.steps && !is_slow {
            (self.steps, self.since, self.spent) = (steps, Instant::now(), None);
            return;
        }
        let child = control.child.load(Acquire);
        if child == 0 || (self.since.elapsed() < PATIENCE && !is_slow) {
            return;
        }
        let calls = calls_of(child);
        let what = if calls.iter().all(|call| call == "futex") && !calls.is_empty() {
            "all of its threads wait for each other".to_owned()
        } else if calls.iter().any(|call| call == RUNS) {
            let spent = spent_by(child);
            if !is_slow && spent < *self.spent.get_or_insert(spent) + TURN {
                return;
            }
            "it runs without a pause".to_owned()
        } else {
            let calls: Vec<&str> = calls.iter().map(String::as_str).filter(|call| *call != "futex").collect();
            format!("waits in {}", calls.join(", "))
        };
        control.ending.store(Ending::Hung as u32, Release);
        let slow = if is_slow {
            format!("one execution takes more than {} s; ", LONGEST.as_secs())
        } else {
            String::new()
        };
        control.set_message(&format!("\n{slow}{what}"));
        self.began = Instant::now();
        // SAFETY: the process is a child of the serving one, which waits for it.
        unsafe { libc::kill(child.cast_signed(), libc::SIGKILL) };
        self.since = Instant::now();
    }
}

/// Of a thread that is in no system call.
const RUNS: &str = "no system call";

/// The system calls that the threads of a process are in, each once.
fn calls_of(process: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let mut calls: Vec<String> = tasks.filter_map(|task| call_of(&task.path())).collect();
    calls.sort();
    calls.dedup();
    calls
}

/// What a process has had of a processor.
fn spent_by(process: u32) -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which may have anything in it: `utime` and `stime` are the 12th and 13th.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK * ticks
}

fn call_of(task: &Path) -> Option<String> {
    /// The calls in which programs wait for others, with their numbers.
    const CALLS: [(&str, &str); 14] = [
        ("0", "read"),
        ("1", "write"),
        ("7", "poll"),
        ("23", "select"),
        ("43", "accept"),
        ("288", "accept4"),
        ("45", "recvfrom"),
        ("47", "recvmsg"),
        ("42", "connect"),
        ("61", "wait4"),
        ("247", "waitid"),
        ("232", "epoll_wait"),
        ("281", "epoll_pwait"),
        ("202", "futex"),
    ];
    let text = fs::read_to_string(task.join("syscall")).ok()?;
    let number = text.split_whitespace().next()?;
    // The second is that of one that waits for memory.
    if number == "running" || number == "-1" {
        return Some(RUNS.to_owned());
    }
    let known = CALLS.iter().find(|(known, _)| *known == number);
    Some(known.map_or_else(|| format!("system call {number}"), |(_, name)| (*name).to_owned()))
}
