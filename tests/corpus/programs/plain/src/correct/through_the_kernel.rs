//! Correct for all that programs rely on: who reads a byte from a pipe or a socket comes after its
//! writer, although the language's model does not speak of files.

use std::io::{Read, Write, pipe};
use std::os::unix::net::UnixStream;
use std::thread;

use shared::Shared;

static DATA: [Shared<u64>; 2] = [const { Shared::new(0) }; 2];

pub fn main() {
    let (mut reader, mut writer) = pipe().unwrap();
    let (mut near, mut far) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            // SAFETY: nobody reads it before the byte.
            unsafe { *DATA[0].get() = 1 };
            writer.write_all(&[1]).unwrap();
            near.read_exact(&mut [0]).unwrap();
            // SAFETY: the byte says that it is written.
            assert_eq!(unsafe { *DATA[1].get() }, 2);
        });
        scope.spawn(move || {
            reader.read_exact(&mut [0]).unwrap();
            // SAFETY: the byte says that it is written.
            assert_eq!(unsafe { *DATA[0].get() }, 1);
            // SAFETY: nobody reads it before the byte.
            unsafe { *DATA[1].get() = 2 };
            far.write_all(&[1]).unwrap();
        });
    });
}
