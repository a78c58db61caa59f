//! `std::sync::mpsc`: handles of traced channels. The errors are the real std's.

pub use real_std::sync::mpsc::*;

use crate::place::here;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use real_std::sync::{Arc, mpsc as real};
#[cfg(snag_nightly)]
use real_std::time::Instant;
use snag_runtime::sync::channel::{Channel, Nothing, Patience, Refused};

/// The shape of a channel. Std's handles carry it too, which makes them two words.
#[derive(Clone, Copy)]
enum Flavor {
    Bounded,
    Unbounded,
}

/// The receiving end of a channel; see the real `std::sync::mpsc::Receiver`.
pub struct Receiver<T> {
    #[expect(dead_code, reason = "a receiver is as large as std's")]
    flavor: Flavor,
    channel: Arc<Channel<T>>,
    /// For its auto traits and variance.
    real: PhantomData<real::Receiver<T>>,
}

/// The messages of a channel, each waited for.
#[derive(Debug)]
pub struct Iter<'a, T: 'a> {
    rx: &'a Receiver<T>,
}

/// The messages that are in a channel.
#[derive(Debug)]
pub struct TryIter<'a, T: 'a> {
    rx: &'a Receiver<T>,
}

/// The messages of a channel, each waited for, with the receiver.
#[derive(Debug)]
pub struct IntoIter<T> {
    rx: Receiver<T>,
}

/// A sending end of an unbounded channel; see the real `std::sync::mpsc::Sender`.
pub struct Sender<T> {
    flavor: Flavor,
    channel: Arc<Channel<T>>,
    /// For its auto traits and variance.
    real: PhantomData<real::Sender<T>>,
}

/// A sending end of a bounded channel; see the real `std::sync::mpsc::SyncSender`.
pub struct SyncSender<T> {
    flavor: Flavor,
    channel: Arc<Channel<T>>,
    /// For its auto traits and variance.
    real: PhantomData<real::SyncSender<T>>,
}

/// An unbounded channel.
#[must_use]
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (flavor, channel) = (Flavor::Unbounded, Arc::new(Channel::new(None)));
    let sender = Sender { flavor, channel: channel.clone(), real: PhantomData };
    (sender, Receiver { flavor, channel, real: PhantomData })
}

/// A channel in which `bound` messages have room; none if 0, then each is handed over.
#[must_use]
#[track_caller]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let (flavor, channel) = (Flavor::Bounded, Arc::new(Channel::new(Some(bound))));
    let sender = SyncSender { flavor, channel: channel.clone(), real: PhantomData };
    (sender, Receiver { flavor, channel, real: PhantomData })
}

impl<T> Sender<T> {
    /// Sends; never waits.
    ///
    /// # Errors
    /// If the receiver is gone.
    #[track_caller]
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        self.channel.send(t, true, here()).map_err(|refused| SendError(refused.into_inner()))
    }

    /// Whether the receiver is gone.
    #[cfg(all(snag_nightly, snag_since = "1.96"))]
    pub fn is_disconnected(&self) -> bool {
        self.channel.is_disconnected()
    }
}

impl<T> SyncSender<T> {
    /// Sends, waiting for room.
    ///
    /// # Errors
    /// If the receiver is gone.
    #[track_caller]
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        self.channel.send(t, true, here()).map_err(|refused| SendError(refused.into_inner()))
    }

    /// Sends if that needs no wait.
    ///
    /// # Errors
    /// If there is no room, or the receiver is gone.
    #[track_caller]
    pub fn try_send(&self, t: T) -> Result<(), TrySendError<T>> {
        self.channel.send(t, false, here()).map_err(|refused| match refused {
            Refused::Full(t) => TrySendError::Full(t),
            Refused::Disconnected(t) => TrySendError::Disconnected(t),
        })
    }
}

impl<T> Receiver<T> {
    /// Takes a message if there is one.
    ///
    /// # Errors
    /// If there is none, or never will be.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.channel.receive(Patience::None, here()).map_err(|nothing| match nothing {
            Nothing::Empty => TryRecvError::Empty,
            Nothing::Disconnected => TryRecvError::Disconnected,
        })
    }

    /// Takes a message, waiting for it.
    ///
    /// # Errors
    /// If there never will be one.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.channel.receive(Patience::Endless, here()).map_err(|_| RecvError)
    }

    /// Takes a message, waiting for it, but only for so long.
    ///
    /// # Errors
    /// If there is none in time, or never will be.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.channel.receive(Patience::Time(timeout), here()).map_err(|nothing| match nothing {
            Nothing::Empty => RecvTimeoutError::Timeout,
            Nothing::Disconnected => RecvTimeoutError::Disconnected,
        })
    }

    /// Takes a message, waiting for it, but only until then.
    ///
    /// # Errors
    /// If there is none in time, or never will be.
    #[cfg(snag_nightly)]
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether all senders are gone.
    #[cfg(all(snag_nightly, snag_since = "1.96"))]
    pub fn is_disconnected(&self) -> bool {
        self.channel.is_disconnected()
    }

    /// The messages, each waited for.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { rx: self }
    }

    /// The messages that are there.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { rx: self }
    }
}

impl<T> Clone for Sender<T> {
    #[track_caller]
    fn clone(&self) -> Sender<T> {
        self.channel.add_sender(here());
        Sender { flavor: self.flavor, channel: self.channel.clone(), real: PhantomData }
    }
}

impl<T> Clone for SyncSender<T> {
    #[track_caller]
    fn clone(&self) -> SyncSender<T> {
        self.channel.add_sender(here());
        SyncSender { flavor: self.flavor, channel: self.channel.clone(), real: PhantomData }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.channel.remove_sender(None);
    }
}

impl<T> Drop for SyncSender<T> {
    fn drop(&mut self) {
        self.channel.remove_sender(None);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.remove_receiver(None);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.rx.recv().ok()
    }
}

impl<'a, T> Iterator for TryIter<'a, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.rx.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.rx.recv().ok()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { rx: self }
    }
}
