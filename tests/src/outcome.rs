//! Running a command to its end, with a limit in time.
//!
//! Invariant: no process of the command's group outlives the call, not even one that hangs, which is
//! what the programs under test are about.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a command ended, and what it wrote.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its status.
    pub status: ExitStatus,
    /// All that it wrote to its standard output.
    pub stdout: String,
    /// All that it wrote to its standard error.
    pub stderr: String,
    /// Whether it was killed because the time was up.
    pub timed_out: bool,
}

impl Outcome {
    /// Its exit code, or 128 and the signal that killed it, as a shell would say.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or_default())
    }
}

/// Runs `command` in a process group of its own; kills the whole group after `limit`.
///
/// # Errors
/// If it cannot be started.
pub fn run_for(command: &mut Command, limit: Duration) -> io::Result<Outcome> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let end = Instant::now() + limit;
    let mut timed_out = false;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > end {
            timed_out = true;
            break kill_group(&mut child)?;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let text = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
    Ok(Outcome { status, stdout: text(stdout), stderr: text(stderr), timed_out })
}

/// Kills a child and all that it started, and waits for it.
fn kill_group(child: &mut std::process::Child) -> io::Result<ExitStatus> {
    let group = i32::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: no memory is touched; the group is the child's own, and the child is not yet reaped, so
    // the number cannot have gone to somebody else.
    unsafe { libc::kill(-group, libc::SIGKILL) };
    child.wait()
}

/// Reads a pipe to its end, aside.
fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_killed_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo here; sleep 600 & sleep 600"]);
        let outcome = run_for(&mut command, Duration::from_millis(300)).expect("there is a shell");
        assert!(outcome.timed_out);
        assert_eq!((outcome.code(), outcome.stdout.as_str()), (128 + 9, "here\n"));
    }

    #[test]
    fn an_exit_code_and_both_streams_arrive() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 7"]);
        let outcome = run_for(&mut command, Duration::from_secs(60)).expect("there is a shell");
        assert_eq!((outcome.code(), outcome.timed_out), (7, false));
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("out\n", "err\n"));
    }
}
