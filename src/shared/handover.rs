//! How an operator's wish that another node writes gets to the thread that speaks with the nodes. A
//! leaf between the server's parts: HTTP asks, that thread answers. Decides nothing itself. Next:
//! `cluster::role`.

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

/// Asks that may wait; more are refused.
const ASKS_MAX: usize = 1;

/// The name of the node that writes on, or why this one does.
pub type HandedOver = Result<String, String>;

/// One ask.
#[derive(Debug)]
pub struct HandoverAsk {
    /// The name of the copy that is to write on; none for any that is in sync.
    pub to: Option<String>,
    /// Where what came of it is told. Whoever asked may have gone.
    pub answer: oneshot::Sender<HandedOver>,
}

/// Why an ask was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// Another one waits.
    Busy,
    /// Nobody takes asks any more.
    Ended,
}

/// Where a handover is asked for.
#[derive(Debug, Clone)]
pub struct Handover(Sender<HandoverAsk>);

impl Handover {
    /// The asks come out at the other end.
    #[must_use]
    pub fn new() -> (Self, Receiver<HandoverAsk>) {
        let (asks, asked) = channel(ASKS_MAX);
        (Self(asks), asked)
    }

    /// Asks for a handover; the receiver hears what came of it.
    ///
    /// # Errors
    /// When another one waits, or nobody takes it.
    pub fn ask(&self, to: Option<String>) -> Result<oneshot::Receiver<HandedOver>, Unanswered> {
        let (answer, answered) = oneshot::channel();
        match self.0.try_send(HandoverAsk { to, answer }) {
            Ok(()) => Ok(answered),
            Err(TrySendError::Full(_)) => Err(Unanswered::Busy),
            Err(TrySendError::Closed(_)) => Err(Unanswered::Ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ask_waits_and_is_answered() {
        let (handover, mut asked) = Handover::new();
        let mut first = handover.ask(Some("n2".to_owned())).expect("there is room");
        assert_eq!(handover.ask(None).err(), Some(Unanswered::Busy));
        let ask = asked.try_recv().expect("it waits");
        assert_eq!(ask.to.as_deref(), Some("n2"));
        ask.answer.send(Ok("n2".to_owned())).expect("it is awaited");
        assert_eq!(first.try_recv(), Ok(Ok("n2".to_owned())));
        drop(asked);
        assert_eq!(handover.ask(None).err(), Some(Unanswered::Ended));
    }
}
