//! A command on a terminal of its own: what a person sees and types.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
};

/// A command that says nothing for so long hangs.
const HANGS_AFTER: Duration = Duration::from_mins(1);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(2);

/// A command that was started on a terminal of its own, which is its controlling terminal. Dropping it
/// kills the command.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: Option<File>,
    screen: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts a command; `typed` is in the terminal's buffer before it begins.
    pub fn start(command: &Command, typed: &str) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags).expect("the system has terminals");
        grantpt(&ours).expect("a terminal can be granted");
        unlockpt(&ours).expect("a terminal can be unlocked");
        let theirs = ioctl_tiocgptpeer(&ours, flags).expect("a terminal has another end");
        let mut keyboard = File::from(ours);
        keyboard.write_all(typed.as_bytes()).expect("a terminal takes what is typed");
        // A session of its own, so that Ctrl-C and a closed window reach this process alone.
        let mut on_terminal = Command::new("setsid");
        on_terminal.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                on_terminal.env(name, value);
            }
        }
        if let Some(folder) = command.get_current_dir() {
            on_terminal.current_dir(folder);
        }
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().expect("a file can be shared"));
        let child = on_terminal
            .stdin(end(&theirs))
            .stdout(end(&theirs))
            .stderr(end(&theirs))
            .spawn()
            .expect("setsid can be started");
        drop(on_terminal);
        drop(theirs);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(AtomicBool::new(false));
        let window = keyboard.try_clone().expect("a file can be shared");
        let (shown, over) = (Arc::clone(&screen), Arc::clone(&closed));
        let reader = thread::spawn(move || read(window, &shown, &over));
        Self { child, keyboard: Some(keyboard), screen, closed, reader: Some(reader) }
    }

    /// What stands on the screen.
    pub fn screen(&self) -> String {
        let bytes = self.screen.lock().expect("the reader does not panic");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until a text stands on the screen.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        while !self.screen().contains(text) {
            assert!(begun.elapsed() < HANGS_AFTER, "no `{text}` in: {}", self.screen());
            thread::sleep(LOOK);
        }
    }

    /// Types; `\x03` is Ctrl-C and `\x04` the end of the input.
    pub fn press(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().expect("the terminal is open");
        keyboard.write_all(keys.as_bytes()).expect("a terminal takes what is typed");
    }

    /// Asks the process to end: SIGTERM.
    pub fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("the process runs");
    }

    /// Closes the window.
    pub fn close(&mut self) {
        self.keyboard = None;
        self.closed.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
    }

    /// Waits for the end: the exit code, none where a signal ended it, and what stood on the screen.
    #[track_caller]
    pub fn end(mut self) -> (Option<i32>, String) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            assert!(begun.elapsed() < HANGS_AFTER, "it hangs: {}", self.screen());
            thread::sleep(LOOK);
        };
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        (status.code(), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads what is shown until nobody writes any more, or the window is closed.
fn read(mut window: File, screen: &Mutex<Vec<u8>>, closed: &AtomicBool) {
    rustix::fs::fcntl_setfl(&window, OFlags::NONBLOCK).expect("a terminal can be set");
    let mut bytes = [0; 4096];
    while !closed.load(Ordering::Relaxed) {
        let fd = window.as_fd();
        let wait = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
        let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&wait)).unwrap_or(0);
        if ready == 0 {
            continue;
        }
        match window.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => {
                let mut screen = screen.lock().expect("nobody panics with it");
                screen.extend_from_slice(bytes.get(..count).unwrap_or_default());
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // The other end is closed.
            Err(_) => return,
        }
    }
}
