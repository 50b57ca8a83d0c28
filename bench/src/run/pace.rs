//! Waiting until an instant, to some ten microseconds and without burning a core.
//!
//! The runtime's own timers tick once a millisecond, which is longer than most answers take, so
//! this is a kernel timer behind a file descriptor. What it misses is measured by `drive`.

use crate::error::{BenchError, io_error};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Arming the timer takes about this long: shorter waits look at the clock again.
const SHORTEST: Duration = Duration::from_micros(20);

/// A timer of one waiter.
#[derive(Debug)]
pub(crate) struct Pacer {
    timer: AsyncFd<OwnedFd>,
}

impl Pacer {
    #[expect(
        deprecated,
        reason = "unsound for types whose descriptor may change; an OwnedFd's never does"
    )]
    pub(crate) fn new() -> Result<Self, BenchError> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).map_err(Into::into);
        let timer = timer.and_then(AsyncFd::new).map_err(io_error("make a timer"))?;
        Ok(Self { timer })
    }

    /// Waits about this long; others run meanwhile.
    pub(crate) async fn wait(&self, wait: Duration) -> Result<(), BenchError> {
        if wait < SHORTEST {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        let once = Timespec { tv_sec: seconds, tv_nsec: i64::from(wait.subsec_nanos()) };
        let times = Itimerspec { it_interval: never, it_value: once };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &times)
            .map_err(|cause| io_error("set a timer")(cause.into()))?;
        loop {
            let ready = self.timer.readable().await;
            let mut ready = ready.map_err(io_error("wait for a timer"))?;
            let mut expirations = [0_u8; 8];
            let read = ready.try_io(|timer| {
                rustix::io::read(timer.get_ref(), &mut expirations).map_err(Into::into)
            });
            match read {
                Ok(read) => return read.map(drop).map_err(io_error("read a timer")),
                // Armed anew since it was last ready.
                Err(_) => continue,
            }
        }
    }
}
