//! What happened: one thread, one object, one place in the source.
//!
//! Events are semantic, not per type: a `Mutex`, a `pthread_mutex_t` and a `parking_lot` lock all
//! `Acquire` and `Release`; what they are is said once, by their [`ObjectKind`].

/// Declares a field-less enum with a checked conversion from its wire value.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident : $repr:ty { $($(#[$variant_meta:meta])* $variant:ident = $value:expr),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr($repr)]
        pub enum $name { $($(#[$variant_meta])* $variant = $value),* }

        impl $name {
            /// Every value, in wire order.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The value with this wire number, if there is one.
            #[must_use]
            pub const fn from_wire(value: $repr) -> Option<$name> {
                match value {
                    $(x if x == $name::$variant as $repr => Some($name::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

wire_enum! {
    /// The kind of an event. `arg` and `object` of [`Event`] mean what each variant says.
    ///
    /// *Seq rule:* an event that lets others go on (`Release`, `Send`, `Unpark`, `NotifyOne`…)
    /// takes its sequence number before its effect, and one that goes on because of others
    /// (`Acquire`, `Receive`, `WaitEnd`, `Join`…) after it, so that the order of sequence numbers
    /// is a legal execution of the program.
    Kind: u8 {
        /// First record of a chunk, and wherever a chunk changes hands: `object` is the thread
        /// whose events follow.
        Owner = 1,
        /// Long: what the process is. See [`crate::encode::process_info`].
        ProcessInfo = 2,
        /// Long: defines the source location `object`. See [`crate::encode::site_def`].
        SiteDef = 3,
        /// Long: the first event of a thread; `site` is where it was spawned, if known.
        /// See [`crate::encode::thread_start`].
        ThreadStart = 4,
        /// Long: the thread has this name from now on.
        ThreadName = 5,
        /// Long: first use of an object. See [`crate::encode::object_new`]. `site` is the place
        /// of that use.
        ObjectNew = 6,
        /// The object ends here (`pthread_mutex_destroy`, the last handle of a channel): nobody
        /// holds it or waits for it any more, and what still comes of it does not count.
        ObjectEnd = 7,
        /// Long: defines the source location `object` by addresses of code, for callers that are
        /// not Rust. See [`crate::encode::code_stack`].
        CodeSite = 8,
        /// Long: object `object` lies where other processes may see it, or is the kernel's: who it is to
        /// all of them. See [`crate::process::shared`]. Follows its `ObjectNew`.
        ObjectShared = 9,

        /// Starts thread `arg`.
        Spawn = 10,
        /// The thread's code has ended (its thread-local destructors included).
        /// [`Flags::PANICKING`] if by a panic.
        ThreadEnd = 11,
        /// Thread `arg` was joined: everything that it did happened before.
        Join = 12,
        /// The process began a normal exit (`main` returned or `exit` was called); `arg` is 0, or 1 for
        /// `_exit`, which runs no handlers.
        Exit = 13,

        /// The thread could not go on at once and now blocks on `object` in `mode`
        /// ([`Flags::TIMED`] if it will give up by itself). For [`Mode::Join`] `arg` is the
        /// thread waited for.
        Request = 20,
        /// The lock `object` (or one permit of it) is held in `mode`. [`Flags::TRY`] if taken by
        /// an operation that never waits, [`Flags::TIMED`] if by one that gives up.
        Acquire = 21,
        /// About to give up `object`, held in `mode`.
        Release = 22,
        /// A request ended without success: time-out, or a failed `try_` ([`Flags::TRY`], then
        /// without a `Request` before it). Without an object it is a pause (`yield_now`,
        /// `spin_loop`), of which only two in a row are recorded.
        GiveUp = 23,
        /// A held lock changes its mode to `mode` without being free between (downgrade, upgrade).
        Convert = 24,

        /// Begins to wait on condvar `object`; `arg` is the lock given up meanwhile, whose
        /// `Release` follows. [`Flags::TIMED`] if it will give up by itself.
        WaitBegin = 30,
        /// The wait on condvar `object` is over; the lock's `Acquire` follows. `arg` is the
        /// sequence number of the notify that ended it, 0 if unknown, and [`Flags::TIMED_OUT`] if
        /// none did.
        WaitEnd = 31,
        /// Wakes one waiter of condvar `object`; `arg` is how many waited at that moment.
        NotifyOne = 32,
        /// Wakes all waiters of condvar `object`; `arg` is how many waited at that moment.
        NotifyAll = 33,

        /// Puts message `arg` (numbered from 1 within the channel) into channel `object`.
        Send = 40,
        /// Took message `arg` from channel `object`.
        Receive = 41,
        /// One more sending handle of channel `object`; `arg` is their number afterwards.
        SenderNew = 42,
        /// One sending handle less; `arg` is their number afterwards, 0 closes the channel.
        SenderEnd = 43,
        /// The receiver of channel `object` is gone.
        ReceiverEnd = 44,
        /// Found channel `object` closed: receiving (mode `Receive`) or sending (mode `Send`).
        Disconnected = 45,
        /// A channel operation that does not wait, or that gave up, found it empty or full.
        ChannelGiveUp = 46,

        /// This thread runs the initialiser of once `object`.
        OnceBegin = 50,
        /// The initialiser has ended; [`Flags::PANICKING`] if by a panic (the once is poisoned).
        OnceEnd = 51,
        /// Found once `object` complete: its initialiser happened before. Recorded at least for
        /// the first time per thread and once.
        OncePass = 52,

        /// Arrives at barrier `object` in generation `arg`.
        BarrierArrive = 60,
        /// Leaves barrier `object` in generation `arg`.
        BarrierLeave = 61,

        /// A park of this thread is over; [`Flags::TIMED_OUT`] if no token ended it. Blocking
        /// before it is a `Request` of mode `Park`.
        ParkEnd = 70,
        /// Gives thread `arg` its park token.
        Unpark = 71,

        /// First read since its acquisition of what lock `object` protects.
        Read = 80,
        /// First write since its acquisition of what lock `object` protects.
        Write = 81,

        /// Read, with an ordering that synchronizes, what another thread wrote with one: all events up
        /// to number `arg`, the last of that thread before it wrote, happened before this one.
        /// Recorded only where that says something new. `object` is 0.
        SynchronizesWith = 82,
        /// As `SynchronizesWith`, but nothing synchronizes: the value alone was read from there.
        ReadsFrom = 83,
        /// Long: two accesses that nothing orders. See [`crate::memory::conflict`].
        DataRace = 84,
        /// Long: a sample of two conflicting accesses that something orders.
        /// See [`crate::memory::conflict`].
        Conflict = 85,
        /// Long: a load and a store of the same atomic. See [`crate::memory::update`].
        AtomicUpdate = 86,
        /// Long: how much the memory layer saw and forgot; the last one of a process counts.
        /// See [`crate::memory::counts`].
        MemoryCounts = 87,
        /// A plain read, where every access is recorded: `arg` is its address (48 bits) and its size
        /// in bytes above.
        MemoryRead = 88,
        /// A plain write, as `MemoryRead`.
        MemoryWrite = 89,

        /// Long: about to make a child process. See [`crate::process::birth`].
        Fork = 90,
        /// The process image is about to be replaced.
        Exec = 91,
        /// In the parent: the thread's last `Fork` made child process `arg`; 0 if it failed.
        Forked = 92,
        /// In a forked child, before anything else that it does: `arg` is the sequence number of its
        /// parent's `Fork`, 0 if there was none.
        ProcessStart = 93,
        /// Waited for child process `arg`, which had ended: everything that it did happened before.
        /// Waiting before it is a `Request` of mode `Process`.
        Reaped = 94,
        /// About to send signal `arg >> 32` to process `arg & 0xffff_ffff` (0 if to several).
        Signal = 95,
        /// A handler of signal `arg` begins: whoever sent that before it to this process came before.
        SignalHandled = 96,
        /// In a forked child, for the first time: something that is not async-signal-safe and has no kind of
        /// its own. `arg` says what, see [`Act`].
        ForkedAct = 97,

        /// About to put up to `arg` bytes into stream `object`: a pipe, a socket, an event descriptor.
        /// Waiting for room before it is a `Request` of mode `Room`.
        StreamWrite = 100,
        /// The thread's last `StreamWrite` has put `arg` bytes in; 0 if it failed.
        StreamWritten = 101,
        /// Took `arg` bytes out of stream `object`. Without `arg` it found the stream's end: all its
        /// writers have closed it. Waiting before it is a `Request` of mode `Data`.
        StreamRead = 102,
        /// About to close a descriptor of stream `object`; `mode` says what it was good for:
        /// `Room` for writing, `Data` for reading, `None` for both. Others of it may be open.
        StreamClose = 103,
        /// What is put into socket `object` comes out at socket `arg`, and the other way round.
        StreamPeer = 104,
        /// Lets others go on by an operation that has no kind of its own on `object`; without one, by
        /// any way through the kernel.
        Give = 105,
        /// Goes on because of others, as `Give`.
        Learn = 106,

        /// Long: an access to memory that processes share, which is `object`.
        /// See [`crate::memory::shared_access`]. [`Flags::TRY`] if it was repeated, with the same value,
        /// until the thread's next event.
        SharedAccess = 110,
        /// A fence of ordering `arg` ([`crate::memory::Ordering`]), in a process that shares memory.
        Fence = 111,
    }
}

wire_enum! {
    /// What a forked child does that is not async-signal-safe, see [`Kind::ForkedAct`].
    Act: u8 {
        /// Allocates memory.
        Allocates = 1,
        /// Writes to standard output or standard error, which is unsafe if std's or C's buffers do.
        Prints = 2,
        /// Reads or changes the environment.
        UsesEnvironment = 3,
    }
}

wire_enum! {
    /// How an object is held, or what a blocked thread waits for.
    Mode: u8 {
        /// Nothing of the kind.
        None = 0,
        /// One holder.
        Exclusive = 1,
        /// Any number of holders, none exclusive.
        Shared = 2,
        /// One holder that may become exclusive, beside shared ones (`lock_api`).
        Upgradable = 3,
        /// One of a semaphore's permits: may be released by another thread.
        Permit = 4,
        /// A notify.
        Wait = 5,
        /// Room in a channel, or its receiver.
        Send = 6,
        /// A message, or the last sender's end.
        Receive = 7,
        /// The end of a thread.
        Join = 8,
        /// The other participants.
        Barrier = 9,
        /// The initialiser that another thread runs.
        Once = 10,
        /// A park token.
        Park = 11,
        /// The passing of time.
        Sleep = 12,
        /// The end of child process `arg`, or with 0 of any child.
        Process = 13,
        /// Bytes in a stream, or its end.
        Data = 14,
        /// Room in a stream.
        Room = 15,
    }
}

wire_enum! {
    /// What an object is.
    ObjectKind: u8 {
        /// `std::sync::Mutex`.
        Mutex = 1,
        /// `std::sync::RwLock`.
        RwLock = 2,
        /// `std::sync::Condvar`.
        Condvar = 3,
        /// `std::sync::Once`, `OnceLock` or `LazyLock`.
        Once = 4,
        /// `std::sync::Barrier`.
        Barrier = 5,
        /// A channel of `std::sync::mpsc`.
        Channel = 6,
        /// `std::sync::ReentrantLock`.
        ReentrantLock = 7,
        /// A mutex of `lock_api` (`parking_lot`, `spin`…).
        LockApiMutex = 8,
        /// A reader-writer lock of `lock_api`.
        LockApiRwLock = 9,
        /// `parking_lot::Condvar`.
        ParkingLotCondvar = 10,
        /// `pthread_mutex_t`.
        PthreadMutex = 11,
        /// `pthread_rwlock_t`.
        PthreadRwLock = 12,
        /// `pthread_cond_t`.
        PthreadCondvar = 13,
        /// `sem_t`.
        Semaphore = 14,
        /// `pthread_barrier_t`.
        PthreadBarrier = 15,
        /// `pthread_spinlock_t`.
        PthreadSpinLock = 16,
        /// A pipe or a FIFO, both ends.
        Pipe = 17,
        /// One end of a connection. All whose other end is not known are one object.
        Socket = 18,
        /// An `eventfd`. All of them are one object.
        EventDescriptor = 19,
        /// A file, as `flock` locks it.
        FileLock = 20,
        /// A range of a file, as `fcntl` and `lockf` lock it.
        RecordLock = 21,
        /// Memory that processes may share: a file's, or an anonymous mapping's.
        SharedMemory = 22,
    }
}

/// Qualifications of an event, a set of four bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// No qualification.
    pub const NONE: Flags = Flags(0);
    /// The operation gives up by itself after a time.
    pub const TIMED: Flags = Flags(1);
    /// The operation never waits.
    pub const TRY: Flags = Flags(2);
    /// It did give up.
    pub const TIMED_OUT: Flags = Flags(4);
    /// During, or because of, a panic.
    pub const PANICKING: Flags = Flags(8);

    /// Whether all of `other`'s bits are set.
    #[must_use]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// These flags if `condition`, else none.
    #[must_use]
    pub const fn when(self, condition: bool) -> Flags {
        if condition { self } else { Flags::NONE }
    }
}

/// One event of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the run's total order, from the shared clock page; from 1, unique per run.
    pub seq: u64,
    /// The thread, numbered from 1 per process.
    pub thread: u32,
    /// What happened.
    pub kind: Kind,
    /// How, or waiting for what.
    pub mode: Mode,
    /// Qualifications.
    pub flags: Flags,
    /// The object, numbered from 1 per process; 0 if there is none.
    pub object: u32,
    /// The source location, numbered from 1 per process; 0 if it is not known.
    pub site: u32,
    /// What [`Kind`] says.
    pub arg: u64,
}
