//! The project's own wrangler: finding it, and running it on a local copy.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use envc_core::{Input, Part};
use envc_plan::needed_inputs;
use envc_spec::SecretProvider;

use super::{copies::Copy, state::LocalState};
use crate::{
    host::{
        child::{Ended, Program},
        env::names,
        fsio,
        interrupt::Interrupt,
        programs::Programs,
    },
    workspace::{session::Session, trust},
};

/// How long wrangler may take for one database: with many migrations on a slow disk minutes, and for
/// ever when it asks somebody.
const BOUND: Duration = Duration::from_mins(3);
/// Lines of what wrangler says went wrong.
const LINES_MAX: usize = 3;

/// wrangler, and what it runs with.
#[derive(Debug)]
pub(super) struct Wrangler {
    program: Program,
}

/// Why a copy is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failed {
    /// There is none.
    #[error("wrangler was not found, neither in node_modules nor on the PATH")]
    NotFound,
    /// It may not run.
    #[error("{0}")]
    NotAllowed(String),
    /// It could not be started.
    #[error("wrangler could not be started: {0}")]
    NotStarted(String),
    /// It said no.
    #[error("wrangler failed: {0}")]
    Refused(String),
    /// It migrated, and said no to the seed.
    #[error("{why}")]
    Seed {
        /// The seed.
        path: String,
        /// What it said.
        why: String,
    },
    /// It took too long.
    #[error("wrangler did not end within {0} s, and was ended")]
    TookTooLong(u64),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Wrangler {
    /// The one of the project, seen from a Worker's folder.
    pub(super) fn find(session: &Session<'_>, folder: &Path) -> Result<Self, Failed> {
        let file = in_project(session, folder)
            .or_else(|| Programs::around(folder, session.env).any("wrangler"))
            .ok_or(Failed::NotFound)?;
        trust::may_run(session, trust::LOCAL_MIGRATIONS).map_err(Failed::NotAllowed)?;
        let bound = session.env.test_wrangler_bound_s.map_or(BOUND, Duration::from_secs);
        let program = Program {
            without: withheld(session),
            // It talks to nobody, and asks nobody.
            with: vec![
                ("CI", "true"),
                ("FORCE_COLOR", "0"),
                ("NO_COLOR", "1"),
                ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
                ("WRANGLER_HIDE_BANNER", "true"),
                ("WRANGLER_SEND_ERROR_REPORTS", "false"),
                ("WRANGLER_SEND_METRICS", "false"),
            ],
            ..Program::new(&file, bound)
        };
        Ok(Self { program })
    }

    /// Runs it on a copy: with these words of its own, and a file of SQL where one is to be run.
    pub(super) async fn run(
        &self,
        copy: &Copy,
        state: &LocalState,
        words: &[&str],
        sql: Option<&Path>,
        stop: &Interrupt,
    ) -> Result<(), Failed> {
        let mut program = self.program.clone();
        program.folder = Some(copy.folder.clone());
        program.args.extend(words.iter().map(Into::into));
        program.args.push((&copy.word).into());
        program.args.extend(["--local".into(), "--persist-to".into(), state.path.clone().into()]);
        program.args.extend(["--config".into(), copy.config().into()]);
        if let Some(sql) = sql {
            program.args.extend(["--file".into(), sql.into()]);
        }
        match program.run(Some(stop)).await {
            Ended::Exited { well: true, .. } => Ok(()),
            Ended::Exited { stdout, stderr, .. } => Err(Failed::Refused(mistake(&stdout, &stderr))),
            Ended::TookTooLong => Err(Failed::TookTooLong(program.bound.as_secs())),
            Ended::Interrupted => Err(Failed::Interrupted),
            Ended::NotStarted(error) => Err(Failed::NotStarted(error.to_string())),
        }
    }
}

/// `node_modules/.bin/wrangler` of the folder or of one above it, up to the repository's top; one that
/// lies outside of the repository is none of the project's.
fn in_project(session: &Session<'_>, folder: &Path) -> Option<PathBuf> {
    let top = fsio::canonical(&session.workspace.place().top).ok()?;
    let name = if cfg!(windows) { "wrangler.cmd" } else { "wrangler" };
    let folders = folder.ancestors().take_while(|it| it.starts_with(&top));
    folders.map(|it| it.join("node_modules/.bin").join(name)).find(|file| {
        fsio::is_executable(file) && fsio::canonical(file).is_ok_and(|real| real.starts_with(&top))
    })
}

/// The variables that secrets of the spec are read from: wrangler needs none of them.
fn withheld(session: &Session<'_>) -> BTreeSet<String> {
    let environment = &session.environment;
    let needed = needed_inputs(environment);
    let token = environment.edge.iter().flat_map(|edge| &edge.token.parts);
    let token =
        token.filter_map(|part| if let Part::In(input) = part { Some(input) } else { None });
    let mut all = BTreeSet::from(["CLOUDFLARE_ENV".to_owned()]);
    for input in needed.keys().chain(token) {
        let Input::Secret(name) = input else { continue };
        for provider in &environment.secrets {
            if let SecretProvider::Env { prefix } = provider {
                all.insert(format!("{prefix}{name}"));
            }
        }
    }
    for provider in &environment.secrets {
        if let SecretProvider::Env { prefix } = provider
            && !prefix.is_empty()
        {
            all.extend(session.env.named(prefix));
        }
    }
    for needed in [names::PATH, names::HOME] {
        all.remove(needed);
    }
    all
}

/// What wrangler says went wrong, on one line.
fn mistake(stdout: &str, stderr: &str) -> String {
    let text = anstream::adapter::strip_str(if stderr.trim().is_empty() { stdout } else { stderr });
    let text = text.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let marked = lines.iter().position(|line| line.contains("[ERROR]"));
    let is_said = |line: &&&str| !line.starts_with('🪵') && !line.starts_with("If you think");
    let from = marked.unwrap_or(lines.len().saturating_sub(LINES_MAX));
    let said = lines.iter().skip(from).filter(is_said).take(LINES_MAX);
    let said: Vec<&str> =
        said.map(|line| line.rsplit("[ERROR]").next().unwrap_or(line).trim()).collect();
    if said.is_empty() { "it says nothing".to_owned() } else { said.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_told_on_a_line() {
        let colored = "\u{1b}[31m✘ \u{1b}[41;31m[\u{1b}[41;97mERROR\u{1b}[41;31m]\u{1b}[0m \
                       \u{1b}[1mnear \"CREAT\": syntax error at offset 0: SQLITE_ERROR\u{1b}[0m\n\n\n\
                       🪵  Logs were written to \"/tmp/a.log\"\n";
        assert_eq!(mistake("", colored), "near \"CREAT\": syntax error at offset 0: SQLITE_ERROR");
        assert_eq!(mistake("one\ntwo\n", ""), "one two");
        assert_eq!(mistake("", ""), "it says nothing");
    }
}
