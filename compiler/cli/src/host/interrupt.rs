//! Ctrl-C: the first one asks to stop, the second one stops.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::watch;

use crate::host::{error::CommandError, exit_code::ExitCode};

/// Tells whether the user asked to stop. Clones tell the same.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<bool>,
    flag: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens from now on, until the process ends; needs a tokio runtime.
    ///
    /// The first signal is told through [`Self::asked`]; calls in flight may finish. The second one
    /// ends the process at once with exit 130: what was begun stands among the recorded intents.
    pub(crate) fn listen() -> Self {
        let (sender, asked) = watch::channel(false);
        let flag = Arc::new(AtomicBool::new(false));
        let raised = Arc::clone(&flag);
        // Before anything else: a Ctrl-C that comes while the task below has not begun counts.
        let mut signals = signals();
        tokio::spawn(async move {
            next(&mut signals).await;
            raised.store(true, Ordering::Relaxed);
            sender.send_replace(true);
            next(&mut signals).await;
            leave();
        });
        Self { asked, flag }
    }

    /// Done as soon as the user asked to stop; never, if nobody does.
    pub(crate) async fn asked(&self) {
        let mut asked = self.asked.clone();
        // The sender lives as long as the listening task; without it nobody can ask any more.
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// True once the user asked to stop.
    pub(crate) fn is_asked(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// The flag that rises when the user asks to stop, for those who look now and then.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// The flag of what the user's Ctrl-C does not stop: short things said in leaving.
    pub(crate) fn never() -> &'static AtomicBool {
        static NEVER: AtomicBool = AtomicBool::new(false);
        &NEVER
    }
}

#[expect(clippy::exit, reason = "the second Ctrl-C ends the process, whatever it is doing")]
fn leave() -> ! {
    std::process::exit(i32::from(ExitCode::Interrupted.number()))
}

#[cfg(unix)]
type Signals = Vec<tokio::signal::unix::Signal>;
#[cfg(windows)]
type Signals = Vec<tokio::signal::windows::CtrlC>;

/// Ctrl-C, and a polite request of the system to end: caught from now on. Where they cannot be caught
/// nobody can ask.
fn signals() -> Signals {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect()
    }
    #[cfg(windows)]
    {
        tokio::signal::windows::ctrl_c().into_iter().collect()
    }
}

/// Waits for the next of them.
async fn next(signals: &mut Signals) {
    if signals.is_empty() {
        std::future::pending::<()>().await;
    }
    let asked = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    let _which = futures::future::select_all(asked).await;
}

/// The error of a command that the user stopped.
pub(crate) fn interrupted() -> CommandError {
    CommandError::new(ExitCode::Interrupted, "interrupted")
        .hint("run the command again: it carries on where it stopped")
}

/// The same at a question, before anything was done.
pub(crate) fn interrupted_at_question() -> CommandError {
    CommandError::new(ExitCode::Interrupted, "interrupted at the question; nothing was changed")
}
