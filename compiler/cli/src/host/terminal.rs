//! The terminal on which a person answers.

use std::io;

use tokio::sync::oneshot;

use crate::host::interrupt::Interrupt;

/// Forgets what was typed and not read. On other systems than Unix it stays.
pub(crate) fn forget_typed() {
    #[cfg(unix)]
    {
        use rustix::termios::{QueueSelector, tcflush};
        // Where it cannot be done there is no terminal, and nobody typed anything.
        let _done = tcflush(io::stdin(), QueueSelector::IFlush);
    }
}

/// A line of standard input, empty at its end; none as soon as the user asks to stop.
pub(crate) async fn line(stop: &Interrupt) -> Option<io::Result<String>> {
    let (sender, line) = oneshot::channel();
    // Nothing can take a read back, so it has a thread that nobody waits for: it ends with the process.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        drop(sender.send(read.map(|_| line)));
    });
    tokio::select! {
        biased;
        () = stop.asked() => None,
        line = line => Some(line.unwrap_or_else(|error| Err(io::Error::other(error)))),
    }
}
