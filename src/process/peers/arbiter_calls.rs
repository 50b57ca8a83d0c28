//! Calls to the arbiter: one at a time, in the order in which they were asked for.
//!
//! Owns the calls that wait, which are few: a read that is asked for while one waits or is under way
//! is the same read, and so is a change that is asked for again. Never retries: the rules of roles
//! ask again. Next: `cluster::arbiter`.

use crate::cluster::arbiter::{Arbiter, ArbiterError, Swapped, Versioned};
use crate::cluster::register::{OperationId, Register, Version};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What the arbiter is asked for.
#[derive(Debug)]
pub(super) enum Call {
    /// The register.
    Read,
    /// Another register in place of the one at this version.
    Swap {
        /// What it must hold.
        version: Version,
        /// What it shall hold.
        proposal: Box<Register>,
    },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Reply {
    /// Of a read.
    Read(Result<Option<Versioned>, ArbiterError>),
    /// Of a change.
    Swapped(OperationId, Result<Swapped, ArbiterError>),
}

/// Of two calls for the same, the second is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Read,
    Swap(OperationId),
}

impl Call {
    fn subject(&self) -> Subject {
        match self {
            Self::Read => Subject::Read,
            Self::Swap { proposal, .. } => Subject::Swap(proposal.operation),
        }
    }
}

type Ongoing = (Subject, Pin<Box<dyn Future<Output = Reply>>>);

/// The calls of one process.
pub(super) struct ArbiterCalls<A> {
    arbiter: Arc<A>,
    waiting: VecDeque<Call>,
    under_way: Option<Ongoing>,
}

impl<A: Arbiter + Send + Sync + 'static> ArbiterCalls<A> {
    pub(super) fn to(arbiter: A) -> Self {
        Self { arbiter: Arc::new(arbiter), waiting: VecDeque::new(), under_way: None }
    }

    /// Has it called once those before are over.
    pub(super) fn ask(&mut self, call: Call) {
        let subject = call.subject();
        let is_same = self.under_way.as_ref().is_some_and(|(own, _)| *own == subject);
        if !is_same && self.waiting.iter().all(|waiting| waiting.subject() != subject) {
            self.waiting.push_back(call);
        }
    }

    /// The next reply; never, where nothing is asked for. Nothing is lost where the caller waits
    /// for something else meanwhile.
    pub(super) async fn reply(&mut self) -> Reply {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Reply> {
        if self.under_way.is_none() {
            self.under_way = self.waiting.pop_front().map(|call| {
                let arbiter = self.arbiter.clone();
                (call.subject(), Box::pin(carry_out(arbiter, call)) as Pin<Box<_>>)
            });
        }
        let Some((_, work)) = &mut self.under_way else { return Poll::Pending };
        let reply = work.as_mut().poll(context);
        if reply.is_ready() {
            self.under_way = None;
        }
        reply
    }
}

async fn carry_out<A: Arbiter>(arbiter: Arc<A>, call: Call) -> Reply {
    match call {
        Call::Read => Reply::Read(arbiter.read().await),
        Call::Swap { version, proposal } => {
            Reply::Swapped(proposal.operation, arbiter.swap(Some(version), &proposal).await)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::node::Name;
    use crate::cluster::register::ClusterId;
    use std::sync::Mutex;
    use tokio::sync::Semaphore;

    /// Says what it was asked for, and answers when it is let.
    struct Patient {
        log: Arc<Mutex<Vec<String>>>,
        may_answer: Arc<Semaphore>,
    }

    impl Patient {
        async fn hear(&self, what: String) {
            self.log.lock().unwrap().push(what);
            self.may_answer.acquire().await.unwrap().forget();
        }
    }

    impl Arbiter for Patient {
        async fn read(&self) -> Result<Option<Versioned>, ArbiterError> {
            self.hear("read".to_owned()).await;
            Ok(None)
        }

        async fn swap(
            &self,
            expected: Option<Version>,
            proposal: &Register,
        ) -> Result<Swapped, ArbiterError> {
            self.hear(format!("swap {:?} {}", expected, proposal.operation.number)).await;
            Ok(Swapped::Done(9))
        }
    }

    fn swap(number: u64) -> Call {
        let node = Name::parse("n1").unwrap();
        Call::Swap {
            version: 7,
            proposal: Box::new(Register {
                cluster: ClusterId([1; 16]),
                journal: "00".to_owned(),
                epoch: 1,
                writer: node.clone(),
                in_sync: vec![node],
                operation: OperationId { process: 1, number },
                urls: [].into(),
                forced: None,
            }),
        }
    }

    #[test]
    fn calls_go_one_at_a_time_and_the_same_goes_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (log, may_answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let asked = Patient { log: log.clone(), may_answer: may_answer.clone() };
        let mut calls = ArbiterCalls::to(asked);
        runtime.block_on(async {
            for call in [Call::Read, swap(1), Call::Read, swap(1), swap(2)] {
                calls.ask(call);
            }
            // Whoever waits may give up and come again.
            for _ in 0..3 {
                tokio::select! {
                    biased;
                    reply = calls.reply() => panic!("it was not let: {reply:?}"),
                    () = std::future::ready(()) => {}
                }
            }
            // Under way, it is the same; once it is over, another.
            calls.ask(Call::Read);
            may_answer.add_permits(4);
            assert!(matches!(calls.reply().await, Reply::Read(Ok(None))));
            calls.ask(Call::Read);
            for number in [1, 2] {
                let reply = calls.reply().await;
                let Reply::Swapped(operation, Ok(Swapped::Done(9))) = reply else {
                    panic!("{reply:?}")
                };
                assert_eq!(operation.number, number);
            }
            assert!(matches!(calls.reply().await, Reply::Read(Ok(None))));
        });
        let asked = ["read", "swap Some(7) 1", "swap Some(7) 2", "read"];
        assert_eq!(*log.lock().unwrap(), asked);
    }
}
