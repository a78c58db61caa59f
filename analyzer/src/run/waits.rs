//! What the threads of a sleeping process wait for, and which processes could end that: the kernel's
//! view of a standstill.
//!
//! Invariant: whoever could end a wait is among its wakers, or the wait is not known ([`Everyone::waits`]
//! gives nothing). So processes that all sleep, and whose wakers are all among them, sleep for ever:
//! nothing of them can change while none of them runs.
//!
//! Known misses: sockets other than connected Unix ones, terminals, files, signals and whatever else may be ended by somebody who is not
//! to be seen; waits with a limit in time; a descriptor that is on its way through a socket.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use crate::run::kernel::{self, KernelThread};
use crate::run::meta::{Awaited, KernelWait, Waker};
use crate::run::sockets;

/// A file that may be open in several processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileId {
    /// Device and inode.
    Inode(u64, u64),
    /// An event descriptor, by its number.
    Event(u64),
}

/// A descriptor of a process.
#[derive(Clone, Copy, Debug)]
struct Open {
    pid: u32,
    descriptor: u32,
    file: FileId,
    reads: bool,
    writes: bool,
}

/// All processes at one moment, as far as they are asked for.
#[derive(Debug, Default)]
pub struct Everyone {
    opens: OnceCell<Vec<Open>>,
    /// Of connected Unix sockets, the other end.
    peers: OnceCell<BTreeMap<u64, u64>>,
    parents: OnceCell<BTreeMap<u32, u32>>,
    maps: OnceCell<Vec<(u32, Vec<Mapping>)>>,
}

/// A shared mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapping {
    start: u64,
    end: u64,
    /// Device and inode, as the kernel writes them.
    file: (String, u64),
}

/// `cmd` of `fcntl` for a lock of an open file description that waits.
const F_OFD_SETLKW: u64 = 38;
/// What a futex is waited for with; the flags are masked out.
const FUTEX_OPERATION: u64 = 0x7f;
const FUTEX_WAITS: [u64; 2] = [0, 9];
const FUTEX_PRIVATE: u64 = 128;
/// More descriptors are not looked at in one call of `poll`.
const MOST_POLLED: u64 = 256;

impl Everyone {
    /// What each of these threads, all of one process, waits for. Nothing if one of them waits for
    /// something that may come from elsewhere or with time.
    #[must_use]
    pub fn waits(&self, pid: u32, threads: &[KernelThread]) -> Option<Vec<KernelWait>> {
        let waits: Option<Vec<Vec<KernelWait>>> =
            threads.iter().map(|thread| self.waits_of(pid, thread.id)).collect();
        waits.map(|waits| waits.concat())
    }

    /// What one thread waits for: several things for one that polls.
    fn waits_of(&self, pid: u32, thread: u32) -> Option<Vec<KernelWait>> {
        let (number, arguments) = kernel::system_call(pid, thread)?;
        let descriptor = u32::try_from(arguments[0]).ok();
        let wait = |awaited, descriptor, wakers: Vec<Waker>| {
            (!wakers.is_empty()).then_some(vec![KernelWait { thread, awaited, descriptor, wakers }])
        };
        match number {
            libc::SYS_futex => wait(Awaited::Futex, None, self.futex_wakers(pid, arguments)?),
            libc::SYS_read | libc::SYS_readv | libc::SYS_recvfrom | libc::SYS_recvmsg => {
                wait(Awaited::Input, descriptor, self.input_wakers(pid, descriptor?)?)
            }
            libc::SYS_write | libc::SYS_writev | libc::SYS_sendto | libc::SYS_sendmsg => {
                wait(Awaited::Output, descriptor, self.output_wakers(pid, descriptor?)?)
            }
            libc::SYS_wait4 => {
                let child = u32::try_from(arguments[0].cast_signed() as i32).ok().filter(|&child| child > 0);
                wait(Awaited::Child, None, self.children(pid, child))
            }
            libc::SYS_waitid => {
                let is_one = arguments[0] == u64::from(libc::P_PID);
                let child = is_one.then(|| u32::try_from(arguments[1]).ok()).flatten();
                wait(Awaited::Child, None, self.children(pid, child))
            }
            libc::SYS_flock => wait(Awaited::FileLock, descriptor, self.all_who_have(pid, descriptor?)?),
            libc::SYS_fcntl if [libc::F_SETLKW as u64, F_OFD_SETLKW].contains(&arguments[1]) => {
                wait(Awaited::FileLock, descriptor, self.all_who_have(pid, descriptor?)?)
            }
            libc::SYS_poll if arguments[2] as i32 == -1 => self.polled(pid, thread, arguments),
            libc::SYS_ppoll if arguments[2] == 0 => self.polled(pid, thread, arguments),
            _ => None,
        }
    }

    fn futex_wakers(&self, pid: u32, arguments: [u64; 6]) -> Option<Vec<Waker>> {
        let own = || Some(vec![Waker { pid, descriptor: None }]);
        let waits = FUTEX_WAITS.contains(&(arguments[1] & FUTEX_OPERATION)) && arguments[3] == 0;
        if !waits {
            return None;
        }
        if arguments[1] & FUTEX_PRIVATE != 0 {
            return own();
        }
        let maps = self.maps.get_or_init(|| {
            kernel::all_processes().into_iter().map(|pid| (pid, shared_mappings(pid))).collect()
        });
        let (_, mapped) = maps.iter().find(|(other, _)| *other == pid)?;
        let Some(mapping) = mapped.iter().find(|map| (map.start..map.end).contains(&arguments[0])) else {
            return own();
        };
        let maps_it = |maps: &[Mapping]| maps.iter().any(|map| map.file == mapping.file);
        let wakers = maps.iter().filter(|(_, maps)| maps_it(maps));
        Some(wakers.map(|&(pid, _)| Waker { pid, descriptor: None }).collect())
    }

    fn opens(&self) -> &[Open] {
        self.opens.get_or_init(|| kernel::all_processes().into_iter().flat_map(opens_of).collect())
    }

    /// Who can put bytes into what this descriptor reads, or end them: nothing if it is no pipe, no
    /// connected socket and no event descriptor.
    fn input_wakers(&self, pid: u32, descriptor: u32) -> Option<Vec<Waker>> {
        if let Some(wakers) = self.socket_wakers(pid, descriptor) {
            return Some(wakers);
        }
        let file = one_way(pid, descriptor)?;
        Some(self.wakers(|open| open.file == file && open.writes))
    }

    /// Who can make room in what this descriptor writes to, or end it.
    fn output_wakers(&self, pid: u32, descriptor: u32) -> Option<Vec<Waker>> {
        if let Some(wakers) = self.socket_wakers(pid, descriptor) {
            return Some(wakers);
        }
        let file = one_way(pid, descriptor)?;
        Some(self.wakers(|open| open.file == file && open.reads))
    }

    /// Who has an end of this connection open: each of them could shut it down. Nothing if it is no Unix
    /// socket that is connected, or waits for it end with time.
    fn socket_wakers(&self, pid: u32, descriptor: u32) -> Option<Vec<Waker>> {
        let metadata = fs::metadata(format!("/proc/{pid}/fd/{descriptor}")).ok()?;
        if metadata.mode() & libc::S_IFMT != libc::S_IFSOCK {
            return None;
        }
        let peer = *self.peers.get_or_init(sockets::peers).get(&metadata.ino())?;
        let ends = [metadata.ino(), peer].map(|inode| FileId::Inode(metadata.dev(), inode));
        (!sockets::has_time_limit(pid, descriptor)).then(|| self.wakers(|open| ends.contains(&open.file)))
    }

    /// Who has the file open, and so may lock it.
    fn all_who_have(&self, pid: u32, descriptor: u32) -> Option<Vec<Waker>> {
        let file = file_of(pid, descriptor)?;
        Some(self.wakers(|open| open.file == file))
    }

    fn wakers(&self, is_one: impl Fn(&Open) -> bool) -> Vec<Waker> {
        let opens = self.opens().iter().filter(|open| is_one(open));
        opens.map(|open| Waker { pid: open.pid, descriptor: Some(open.descriptor) }).collect()
    }

    /// The children of a process, or the one that is asked for.
    fn children(&self, pid: u32, only: Option<u32>) -> Vec<Waker> {
        let parents = self.parents.get_or_init(|| {
            let all = kernel::all_processes().into_iter();
            all.filter_map(|pid| Some((pid, kernel::parent(pid)?))).collect()
        });
        let own = parents.iter().filter(|&(_, &parent)| parent == pid).map(|(&child, _)| child);
        let own = own.filter(|child| only.is_none_or(|only| only == *child));
        own.map(|pid| Waker { pid, descriptor: None }).collect()
    }

    /// What a thread polls for, read from its memory.
    fn polled(&self, pid: u32, thread: u32, arguments: [u64; 6]) -> Option<Vec<KernelWait>> {
        const ENTRY: usize = 8;
        let count = arguments[1];
        if count == 0 || count > MOST_POLLED {
            return None;
        }
        let mut entries = vec![0_u8; usize::try_from(count).ok()? * ENTRY];
        let memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
        memory.read_exact_at(&mut entries, arguments[0]).ok()?;
        let mut waits = Vec::new();
        for entry in entries.chunks_exact(ENTRY) {
            let descriptor = i32::from_ne_bytes(entry[..4].try_into().ok()?);
            let events = i16::from_ne_bytes(entry[4..6].try_into().ok()?);
            let Ok(descriptor) = u32::try_from(descriptor) else { continue };
            let mut add = |awaited, wakers| {
                waits.push(KernelWait { thread, awaited, descriptor: Some(descriptor), wakers });
            };
            // The end of the other side is told unasked.
            if events & libc::POLLIN != 0 || events & libc::POLLOUT == 0 {
                add(Awaited::Input, self.input_wakers(pid, descriptor)?);
            }
            if events & libc::POLLOUT != 0 {
                add(Awaited::Output, self.output_wakers(pid, descriptor)?);
            }
        }
        (!waits.is_empty()).then_some(waits)
    }
}

/// The file, if each of its ends is either written or read: a pipe, or an event descriptor.
fn one_way(pid: u32, descriptor: u32) -> Option<FileId> {
    let metadata = fs::metadata(format!("/proc/{pid}/fd/{descriptor}")).ok()?;
    let is_pipe = metadata.mode() & libc::S_IFMT == libc::S_IFIFO;
    let file = file_of(pid, descriptor)?;
    (is_pipe || matches!(file, FileId::Event(_))).then_some(file)
}

fn file_of(pid: u32, descriptor: u32) -> Option<FileId> {
    let path = format!("/proc/{pid}/fd/{descriptor}");
    let metadata = fs::metadata(&path).ok()?;
    if metadata.mode() & libc::S_IFMT != 0 {
        return Some(FileId::Inode(metadata.dev(), metadata.ino()));
    }
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")).ok()?;
    let event = info.lines().find_map(|line| line.strip_prefix("eventfd-id:"));
    event.and_then(|number| number.trim().parse().ok()).map(FileId::Event)
}

/// What a process has open and can be waited for.
fn opens_of(pid: u32) -> Vec<Open> {
    const OWNER_READS: u32 = 0o400;
    const OWNER_WRITES: u32 = 0o200;
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let open = |entry: fs::DirEntry| {
        let descriptor = entry.file_name().to_str()?.parse().ok()?;
        let file = file_of(pid, descriptor)?;
        let mode = fs::symlink_metadata(entry.path()).ok()?.mode();
        Some(Open { pid, descriptor, file, reads: mode & OWNER_READS != 0, writes: mode & OWNER_WRITES != 0 })
    };
    entries.filter_map(open).collect()
}

fn shared_mappings(pid: u32) -> Vec<Mapping> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    maps.lines().filter_map(parse_mapping).collect()
}

/// A line of `maps`, if the mapping is shared: `55d0c000-55d0d000 rw-s 00000000 00:01 1031 /dev/zero`.
fn parse_mapping(line: &str) -> Option<Mapping> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) = (number(start)?, number(end)?);
    let is_shared = words.next()?.ends_with('s');
    let (device, inode) = (words.nth(1)?.to_owned(), words.next()?.parse().ok()?);
    is_shared.then_some(Mapping { start, end, file: (device, inode) })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Asks until the process's threads sleep in a wait that is known.
    fn waits_soon(pid: u32) -> Vec<KernelWait> {
        (0..500)
            .find_map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                Everyone::default().waits(pid, &kernel::threads(pid)?)
            })
            .expect("it waits soon")
    }

    fn cat() -> Child {
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn who_reads_a_pipe_waits_for_all_who_can_write_to_it() {
        let mut cat = cat();
        let waits = waits_soon(cat.id());
        let [wait] = &waits[..] else { panic!("{waits:?}") };
        assert_eq!((wait.awaited, wait.descriptor), (Awaited::Input, Some(0)));
        // Another test's child may have been forked with it.
        assert!(wait.wakers.iter().any(|waker| waker.pid == std::process::id()));
        drop(cat.stdin.take());
        cat.wait().unwrap();
    }

    #[test]
    fn who_writes_to_a_full_pipe_waits_for_its_readers() {
        let mut cat = cat();
        let mut input = cat.stdin.take().unwrap();
        let fill = std::thread::spawn(move || input.write_all(&vec![0; 1 << 20]));
        let waits = loop {
            let waits = waits_soon(cat.id());
            if waits[0].awaited == Awaited::Output {
                break waits;
            }
        };
        assert_eq!(waits[0].descriptor, Some(1));
        assert!(waits[0].wakers.iter().any(|waker| waker.pid == std::process::id()));
        cat.kill().unwrap();
        cat.wait().unwrap();
        assert!(fill.join().unwrap().is_err());
    }

    #[test]
    fn who_reads_a_socket_waits_for_all_who_have_an_end_of_it() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let theirs = Stdio::from(std::os::fd::OwnedFd::from(theirs));
        let mut cat = Command::new("cat").stdin(theirs).stdout(Stdio::null()).spawn().unwrap();
        if sockets::peers().is_empty() {
            eprintln!("the kernel does not tell");
        } else {
            let waits = waits_soon(cat.id());
            assert_eq!((waits[0].awaited, waits[0].descriptor), (Awaited::Input, Some(0)));
            let pids = [cat.id(), std::process::id()];
            assert!(pids.iter().all(|pid| waits[0].wakers.iter().any(|waker| waker.pid == *pid)));
        }
        drop(ours);
        cat.wait().unwrap();
    }

    #[test]
    fn a_shell_waits_for_its_child_and_a_sleep_for_nobody() {
        let mut shell = Command::new("sh").args(["-c", "sleep 60; true"]).spawn().unwrap();
        let waits = waits_soon(shell.id());
        assert_eq!((waits[0].awaited, waits[0].wakers.len()), (Awaited::Child, 1));
        let sleep = waits[0].wakers[0].pid;
        assert_eq!(Everyone::default().waits(sleep, &kernel::threads(sleep).unwrap()), None);
        assert!(kernel::ProcessHandle::open(sleep).unwrap().kill());
        shell.wait().unwrap();
    }

    #[test]
    fn only_shared_mappings_are_shared() {
        let line = "1000-2000 rw-s 00000000 00:01 1031                       /dev/zero (deleted)";
        let mapping = Mapping { start: 0x1000, end: 0x2000, file: ("00:01".to_owned(), 1031) };
        assert_eq!(parse_mapping(line), Some(mapping));
        assert_eq!(parse_mapping("1000-2000 rw-p 00000000 00:00 0"), None);
        assert_eq!(parse_mapping("nonsense"), None);
    }
}
