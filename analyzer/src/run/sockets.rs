//! Which two Unix sockets are connected, as the kernel says (`sock_diag`).
//!
//! Invariant: only sockets that hand on in order, and to one other, are told: streams and sequenced packets.
//! Where the kernel does not answer, none is.
//!
//! Source: sock_diag(7).

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use crate::run::kernel::ProcessHandle;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const UDIAG_SHOW_PEER: u32 = 4;
const UNIX_DIAG_PEER: u16 = 2;
const HEADER: usize = 16;
const MESSAGE: usize = 16;
const ATTRIBUTE: usize = 4;

/// Connected sockets, by inode: the inode of the other end.
#[must_use]
pub fn peers() -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    let Some(socket) = ask() else { return found };
    let mut buffer = vec![0_u8; 1 << 16];
    loop {
        // SAFETY: the buffer is valid for writes of its length.
        let got = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let Ok(got) = usize::try_from(got) else { return found };
        if got == 0 || !take_all(&buffer[..got], &mut found) {
            return found;
        }
    }
}

/// A socket on which the kernel is about to tell of all Unix sockets.
fn ask() -> Option<OwnedFd> {
    // SAFETY: the call takes three integers.
    let socket = unsafe {
        libc::socket(libc::AF_NETLINK, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, libc::NETLINK_SOCK_DIAG)
    };
    if socket < 0 {
        return None;
    }
    // SAFETY: the kernel has just given this descriptor to us.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut request = Vec::with_capacity(HEADER + 24);
    request.extend(40_u32.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    request.extend([0; 8]);
    request.extend([libc::AF_UNIX as u8, 0, 0, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(UDIAG_SHOW_PEER.to_ne_bytes());
    request.extend(u64::MAX.to_ne_bytes());
    // SAFETY: the request is valid for reads of its length.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    (usize::try_from(sent) == Ok(request.len())).then_some(socket)
}

/// Takes in messages; false behind the last.
fn take_all(mut bytes: &[u8], found: &mut BTreeMap<u64, u64>) -> bool {
    while let Some(len) = number(bytes, 0, 4).and_then(|len| usize::try_from(len).ok()) {
        if len < HEADER || len > bytes.len() || number(bytes, 4, 2) != Some(SOCK_DIAG_BY_FAMILY.into()) {
            return false;
        }
        found.extend(connection(&bytes[HEADER..len]));
        bytes = &bytes[len.next_multiple_of(4).min(bytes.len())..];
    }
    true
}

/// The inodes of a socket and of its other end.
fn connection(message: &[u8]) -> Option<(u64, u64)> {
    let kind = i32::from(*message.get(1)?);
    let inode = number(message, 4, 4)?;
    let mut attributes = message.get(MESSAGE..)?;
    while let (Some(len), Some(what)) = (number(attributes, 0, 2), number(attributes, 2, 2)) {
        let len = usize::try_from(len).ok().filter(|len| *len >= ATTRIBUTE)?;
        if what == u64::from(UNIX_DIAG_PEER) {
            let is_told = matches!(kind, libc::SOCK_STREAM | libc::SOCK_SEQPACKET);
            return number(attributes, ATTRIBUTE, 4).filter(|_| is_told).map(|peer| (inode, peer));
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
    None
}

/// The number in `len` bytes at `at`.
fn number(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    let mut word = [0; 8];
    word[..len].copy_from_slice(bytes.get(at..at + len)?);
    Some(u64::from_ne_bytes(word))
}

/// Whether waits for this socket of another process may be limited in time. Yes if that cannot be told.
#[must_use]
pub fn has_time_limit(pid: u32, descriptor: u32) -> bool {
    let Some(copy) = ProcessHandle::open(pid).and_then(|process| process.descriptor(descriptor)) else {
        return true;
    };
    [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO].iter().any(|&option| {
        let mut limit = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let mut len = size_of_val(&limit) as libc::socklen_t;
        // SAFETY: the place is valid for writes of the length that is said.
        let result = unsafe {
            libc::getsockopt(
                copy.as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw mut limit).cast(),
                &raw mut len,
            )
        };
        result != 0 || limit.tv_sec != 0 || limit.tv_usec != 0
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::net::{UnixDatagram, UnixStream};
    use std::time::Duration;

    use super::*;

    fn inode(descriptor: i32) -> u64 {
        fs::metadata(format!("/proc/self/fd/{descriptor}")).unwrap().ino()
    }

    #[test]
    fn a_pair_of_sockets_know_each_other_and_datagrams_are_left_out() {
        let (one, other) = UnixStream::pair().unwrap();
        let (loose, _loose) = UnixDatagram::pair().unwrap();
        let peers = peers();
        let inodes = [one.as_raw_fd(), other.as_raw_fd(), loose.as_raw_fd()].map(inode);
        if peers.is_empty() {
            eprintln!("the kernel does not tell");
            return;
        }
        assert_eq!((peers[&inodes[0]], peers[&inodes[1]]), (inodes[1], inodes[0]));
        assert!(!peers.contains_key(&inodes[2]));
    }

    #[test]
    fn a_limit_in_time_is_seen() {
        let (one, _other) = UnixStream::pair().unwrap();
        let number = u32::try_from(one.as_raw_fd()).unwrap();
        assert!(!has_time_limit(std::process::id(), number));
        one.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        assert!(has_time_limit(std::process::id(), number));
        assert!(has_time_limit(u32::MAX, number));
    }

    #[test]
    fn bytes_that_are_no_messages_tell_nothing() {
        let mut found = BTreeMap::new();
        for bytes in
            [&[][..], &[1, 2, 3], &[0; 16], &[255; 64], &[16, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
        {
            take_all(bytes, &mut found);
            assert!(connection(bytes).is_none());
        }
        assert!(found.is_empty());
    }
}
