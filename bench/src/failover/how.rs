//! The ways in which a writer is lost. Next: `conductor`.

/// How the writer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum How {
    /// SIGKILL: its sockets close
    Kill,
    /// SIGSTOP for five seconds: nothing is heard of it, and then it is back
    Stop,
    /// It is asked to hand over
    Handover,
    /// SIGKILL, and etcd's leader with it
    EtcdLeader,
}
