//! What the user sees: results on standard output, talk on standard error; with `--json` events as
//! lines of JSON on standard output.
//!
//! Colour is used on a terminal alone, and nothing is lost without it. A closed pipe ends the
//! writing, not the work.
//!
//! Invariant: what came from a checkout, an API or another user steers no terminal. Every text goes through
//! [`printable`] here, but for those that are painted: their painters do it, before they add colours.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write},
    sync::{Mutex, PoisonError},
};

use envc_core::{printable, steers_a_terminal};
use envc_report::render::Style;

use crate::{
    host::{
        env::ProcessEnv,
        error::CommandError,
        interrupt::{Interrupt, interrupted_at_question},
        terminal,
    },
    shell::events::Event,
};

/// What the command line says about output.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UiOptions {
    /// `--json`
    pub(crate) json: bool,
    /// `--quiet`
    pub(crate) quiet: bool,
    /// How often `--verbose` is given.
    pub(crate) verbose: u8,
    /// `--no-color`
    pub(crate) no_color: bool,
}

/// The output of one run, shared by reference. Every call writes whole lines.
pub(crate) struct Ui {
    options: UiOptions,
    out: Mutex<Sink>,
    err: Mutex<Sink>,
    out_style: Style,
    err_style: Style,
    /// Progress may move the cursor of standard error.
    live: bool,
    /// Somebody can be asked.
    interactive: bool,
    /// The environment that was said to be worked on, and the line that said it.
    heading: Mutex<(String, String)>,
}

/// What became of the line that says what is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heading {
    /// It was said.
    New,
    /// It was said before.
    Known,
    /// Another one was said of the same environment.
    Other,
}

/// One of the two outputs.
struct Sink {
    writer: Box<dyn Write + Send>,
    /// What `writer` writes to, where that changes what goes through it.
    below: Option<Box<dyn Write + Send>>,
    /// The first error; nothing is written after it.
    failed: Option<io::Error>,
}

impl Ui {
    /// On the process's own streams.
    pub(crate) fn new(options: UiOptions, env: &ProcessEnv) -> Self {
        let style = |terminal: bool| {
            let terminal = terminal && !env.term_dumb;
            Style { terminal, color: terminal && !env.no_color && !options.no_color && !env.ci }
        };
        let (out, err) = (io::stdout(), io::stderr());
        let (out_style, err_style) = (style(out.is_terminal()), style(err.is_terminal()));
        let silent = env.ci || options.json;
        Self {
            options,
            live: err_style.terminal && !silent && !options.quiet,
            interactive: io::stdin().is_terminal() && err.is_terminal() && !silent,
            // On old Windows consoles the escapes become calls.
            out: Mutex::new(Sink {
                below: Some(Box::new(io::stdout())),
                ..Sink::new(anstream::AutoStream::new(out, choice(out_style)))
            }),
            err: Mutex::new(Sink::new(anstream::AutoStream::new(err, choice(err_style)))),
            out_style,
            err_style,
            heading: Mutex::default(),
        }
    }

    /// On other streams, without a terminal: for tests.
    #[cfg(test)]
    pub(crate) fn with_writers(
        options: UiOptions,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
    ) -> Self {
        Self {
            options,
            out: Mutex::new(Sink::new(out)),
            err: Mutex::new(Sink::new(err)),
            out_style: Style::default(),
            err_style: Style::default(),
            live: false,
            interactive: false,
            heading: Mutex::default(),
        }
    }

    /// True with `--json`.
    pub(crate) fn is_json(&self) -> bool {
        self.options.json
    }

    /// True with `--verbose`.
    pub(crate) fn is_verbose(&self) -> bool {
        self.options.verbose > 0
    }

    /// How pictures on standard output are drawn.
    pub(crate) fn out_style(&self) -> Style {
        self.out_style
    }

    /// How pictures on standard error are drawn.
    pub(crate) fn err_style(&self) -> Style {
        self.err_style
    }

    /// The result of the command, to standard output. Not with `--json`: there it is an event.
    pub(crate) fn result(&self, text: &str) {
        self.result_painted(&printable(text));
    }

    /// The same of a text with colours, whose painter made all that is not its own printable.
    pub(crate) fn result_painted(&self, text: &str) {
        if !self.options.json {
            write_lines(&self.out, text);
        }
    }

    /// What became of what was done, to standard output, unless `--quiet`: nobody asked for it, and the
    /// exit code says as much. What a command is there to tell is a [`Ui::result`].
    pub(crate) fn outcome(&self, text: &str) {
        if !self.options.quiet {
            self.result(text);
        }
    }

    /// A text that is the result, to standard output, to the byte: nothing is added at its end, and
    /// nothing is taken out as a control character. Not with `--json`: there it is an event.
    pub(crate) fn verbatim(&self, text: &str) {
        if !self.options.json {
            let mut sink = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            sink.write_as_is(text.as_bytes());
        }
    }

    /// An event, to standard output, with `--json` alone.
    pub(crate) fn event(&self, event: &Event<'_>) {
        if !self.options.json {
            return;
        }
        match event.to_line() {
            Ok(line) => write_lines(&self.out, &escaped(&line)),
            // The work goes on, and no reader takes an event without its fields for a whole one.
            Err(error) => self.warn(&format!("BUG: an event cannot be written as JSON: {error}")),
        }
    }

    /// Talk, to standard error.
    pub(crate) fn say(&self, text: &str) {
        self.say_painted(&printable(text));
    }

    /// The same of a text with colours, whose painter made all that is not its own printable.
    pub(crate) fn say_painted(&self, text: &str) {
        if !self.options.quiet && !self.options.json {
            write_lines(&self.err, text);
        }
    }

    /// Says what is worked on, once in a run for an environment, however often the command begins
    /// anew.
    pub(crate) fn say_heading(&self, id: &str, line: &str) -> Heading {
        let mut said = self.heading.lock().unwrap_or_else(PoisonError::into_inner);
        if said.0 == id {
            return if said.1 == line { Heading::Known } else { Heading::Other };
        }
        *said = (id.to_owned(), line.to_owned());
        self.say(line);
        Heading::New
    }

    /// Talk for those who asked for it with `--verbose`.
    pub(crate) fn detail(&self, text: &str) {
        if self.options.verbose > 0 && !self.options.json {
            write_lines(&self.err, &printable(text));
        }
    }

    /// Something that the user should know, also with `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        if self.options.json {
            self.event(&Event::Warning(text.into()));
            return;
        }
        let text = printable(text);
        let yellow = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Yellow.into()));
        let line = if self.err_style.color {
            format!("{yellow}warning:{yellow:#} {text}")
        } else {
            format!("warning: {text}")
        };
        write_lines(&self.err, &line);
    }

    /// Something that failed and did not matter to the result, also with `--quiet`.
    pub(crate) fn caution(&self, error: &CommandError) {
        if self.options.json {
            self.event(&Event::Warning(error.into()));
        } else if self.err_style.color {
            write_lines(&self.err, &error.printable().to_colored_warning());
        } else {
            write_lines(&self.err, &error.printable().to_warning());
        }
    }

    /// Pictures of diagnostics, to standard error, also with `--quiet`: their painter made all that is not
    /// its own printable.
    pub(crate) fn show_painted(&self, text: &str) {
        if !self.options.json {
            write_lines(&self.err, text);
        }
    }

    /// Something that a question needs, to standard error, also with `--quiet`.
    pub(crate) fn show(&self, text: &str) {
        let text = &printable(text);
        if !self.options.json {
            write_lines(&self.err, text);
        }
    }

    /// Why the command failed.
    pub(crate) fn error(&self, error: &CommandError) {
        if self.options.json {
            self.event(&Event::Error(error.into()));
        } else if self.err_style.color {
            write_lines(&self.err, &error.printable().to_colored_text());
        } else {
            write_lines(&self.err, &error.printable().to_text());
        }
    }

    /// True where somebody can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        self.interactive
    }

    /// True where a bar may move on standard error.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Asks a yes-or-no question; the end of the input is a no. Without a terminal it is an error that
    /// says what the command `does` ("deletes data of kv.x") and to pass `--yes`.
    ///
    /// Invariants: what was typed before the question stood there is no answer to it; who asks to stop
    /// while it stands there stops at once, and nothing is changed.
    pub(crate) async fn confirm(
        &self,
        stop: &Interrupt,
        question: &str,
        does: &str,
    ) -> Result<bool, CommandError> {
        if !self.interactive {
            return Err(CommandError::failed(format!(
                "not approved: this {does}, and there is no terminal to ask on; nothing was changed"
            ))
            .hint("if that is what you want, pass --yes")
            .code("envc::cli::not_approved"));
        }
        // Before it is asked: who reads a question by a program may answer in no time.
        terminal::forget_typed();
        if let Ok(mut sink) = self.err.lock() {
            sink.write(format!("{} [y/N] ", printable(question)).as_bytes());
        }
        let answer = terminal::line(stop).await;
        if !matches!(&answer, Some(Ok(line)) if line.ends_with('\n')) {
            // The cursor stands behind the question still.
            write_lines(&self.err, "");
        }
        let answer = answer.ok_or_else(interrupted_at_question)?;
        let answer = answer
            .map_err(|error| CommandError::failed("no answer could be read").because(&error))?;
        Ok(is_yes(&answer))
    }

    /// Flushes, and tells whether the result could be written. A closed pipe is no failure: the
    /// reader had enough.
    pub(crate) fn finish(&self) -> Result<(), CommandError> {
        let mut sink = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        sink.flush();
        match sink.failed.as_ref() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CommandError::failed("the result cannot be written to standard output")
                    .because(error))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Ui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ui").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Sink {
    fn new(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Box::new(writer), below: None, failed: None }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.writer.write_all(bytes).err();
            self.flush();
        }
    }

    /// Every write above is flushed, so that this one comes after it.
    fn write_as_is(&mut self, bytes: &[u8]) {
        let Some(below) = &mut self.below else { return self.write(bytes) };
        if self.failed.is_none() {
            self.failed = below.write_all(bytes).and_then(|()| below.flush()).err();
        }
    }

    fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.writer.flush().err();
        }
    }
}

/// A line of JSON whose texts hold no character that steers a terminal: JSON itself asks for less. Outside
/// of its texts it has none.
fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for char in line.chars() {
        if steers_a_terminal(char) {
            let mut units = [0; 2];
            out.extend(char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(char);
        }
    }
    out
}

fn choice(style: Style) -> anstream::ColorChoice {
    if style.color { anstream::ColorChoice::AlwaysAnsi } else { anstream::ColorChoice::Never }
}

fn write_lines(sink: &Mutex<Sink>, text: &str) {
    let mut line = text.to_owned();
    if !line.ends_with('\n') {
        line.push('\n');
    }
    sink.lock().unwrap_or_else(PoisonError::into_inner).write(line.as_bytes());
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use serde_json::Value as Json;

    use super::*;

    /// A writer whose content can be read back.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Shared {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(crate) fn ui(options: UiOptions) -> (Ui, Shared, Shared) {
        let (out, err) = (Shared::default(), Shared::default());
        (Ui::with_writers(options, out.clone(), err.clone()), out, err)
    }

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn everything(ui: &Ui) {
        ui.result("result");
        ui.outcome("done");
        ui.event(&Event::MigratedAll { steps: 1 });
        ui.say("talk");
        ui.detail("detail");
        ui.warn("careful");
        ui.caution(&CommandError::failed("not told").hint("tell"));
        ui.error(&CommandError::failed("no"));
    }

    #[test]
    fn results_and_talk_go_apart() {
        let (terminal, out, err) = ui(UiOptions::default());
        everything(&terminal);
        assert_eq!(out.text(), "result\ndone\n");
        assert_eq!(
            err.text(),
            "talk\nwarning: careful\nwarning: not told\nhint: tell\nerror: no\n"
        );
        let (quiet, out, err) = ui(UiOptions { quiet: true, ..UiOptions::default() });
        everything(&quiet);
        assert_eq!(out.text(), "result\n");
        assert!(err.text().starts_with("warning: careful\nwarning: not told\n"));
        let (verbose, _, err) = ui(UiOptions { verbose: 1, ..UiOptions::default() });
        everything(&verbose);
        assert!(err.text().contains("detail\n"));
    }

    #[test]
    fn with_json_standard_output_holds_events_alone() {
        let (json, out, err) = ui(UiOptions { json: true, ..UiOptions::default() });
        everything(&json);
        assert_eq!(err.text(), "");
        let lines: Vec<Json> =
            out.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
        assert_eq!(events, ["migrated_all", "warning", "warning", "error"]);
        assert!(lines.iter().all(|line| line["v"] == 1));
        assert_eq!(lines[0]["steps"], 1);
    }

    #[test]
    fn a_closed_pipe_is_no_failure_and_a_full_disk_is() {
        for (kind, fails) in
            [(io::ErrorKind::BrokenPipe, false), (io::ErrorKind::StorageFull, true)]
        {
            let ui = Ui::with_writers(UiOptions::default(), Broken(kind), Broken(kind));
            everything(&ui);
            assert_eq!(ui.finish().is_err(), fails, "{kind:?}");
        }
    }

    #[tokio::test]
    async fn without_a_terminal_a_question_is_an_error_that_says_what_to_pass() {
        let (ui, _, _) = ui(UiOptions::default());
        let error =
            ui.confirm(&Interrupt::listen(), "Delete d1.web?", "deletes d1.web").await.unwrap_err();
        assert_eq!(error.exit.number(), 1);
        assert!(error.to_text().contains("--yes"));
        for (answer, yes) in [("y\n", true), ("Yes\n", true), ("\n", false), ("yep\n", false)] {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
    }
}
