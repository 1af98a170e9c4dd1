//! `envc fmt`: the layout of specs. Each file is dealt with whatever came of the others.

use std::path::{Path, PathBuf};

use envc_core::printable;
use envc_syntax::FormatError;
use similar::TextDiff;

use envc_report::render::Style;

use crate::{
    host::{error::CommandError, exit_code::ExitCode, fsio, spot::Spot},
    shell::{app::App, args::FmtArgs, events::Event, ui::Ui},
    workspace::project::SpecFile,
};

/// Lines around a change in a diff.
const DIFF_CONTEXT_LINES: usize = 3;
/// What stands for standard input on the command line.
const STDIN: &str = "-";

pub(super) fn run(app: &App, args: &FmtArgs) -> Result<ExitCode, CommandError> {
    let FmtArgs { files, check } = args;
    if files.len() > 1 && files.iter().any(|path| path == Path::new(STDIN)) {
        return Err(CommandError::usage("`-` is standard input, and stands alone")
            .hint("format the files with a command of their own"));
    }
    let chdir = app.common.chdir.as_deref();
    let specs: Vec<_> = if files.is_empty() {
        vec![SpecFile::find(&app.cwd, chdir, &app.env)]
    } else {
        let folder = chdir.map_or_else(|| app.cwd.clone(), |chdir| app.cwd.join(chdir));
        files.iter().map(|path| open(path, &folder, app)).collect()
    };
    let mut exits = Vec::new();
    let mut changed = Vec::new();
    for spec in specs {
        let done = spec.and_then(|file| {
            let differs = one(&app.ui, &file, *check)?;
            Ok(differs.then_some(file.name))
        });
        match done {
            Ok(name) => changed.extend(name),
            Err(error) => {
                app.ui.error(&error);
                exits.push(error.exit);
            }
        }
    }
    if *check && !changed.is_empty() {
        let error = not_formatted(&changed, chdir, files);
        app.ui.error(&error);
        exits.push(error.exit);
    }
    // A wrong spec tells more than a failure, and has the higher number.
    Ok(exits.into_iter().max_by_key(|exit| exit.number()).unwrap_or(ExitCode::Done))
}

fn open(path: &Path, folder: &Path, app: &App) -> Result<SpecFile, CommandError> {
    if path == Path::new(STDIN) {
        return SpecFile::from_input(&app.cwd);
    }
    SpecFile::named(&folder.join(path), &app.cwd, &app.env)
}

/// Formats one; true when its layout was another.
fn one(ui: &Ui, file: &SpecFile, check: bool) -> Result<bool, CommandError> {
    let formatted = envc_syntax::format(&file.text).map_err(|error| match error {
        FormatError::Wrong(found) => file.refuse(ui, found),
        FormatError::Bug(what) => bug(&file.name, &what),
    })?;
    let changed = formatted != file.text;
    let (mut written, mut diff, mut text) = (false, None, None);
    match &file.path {
        _ if check => {
            let differs = if changed { difference(file, &formatted) } else { String::new() };
            if changed {
                ui.result_painted(&coloured(&printable(&differs), ui.out_style()));
            }
            diff = Some(differs);
        }
        None => {
            ui.verbatim(&formatted);
            text = Some(formatted.as_str());
        }
        Some(path) if changed => {
            write(file, path, &formatted)?;
            ui.say(&format!("formatted {}", file.name));
            written = true;
        }
        Some(_) => ui.say(&format!("{} is formatted already", file.name)),
    }
    let (file, diff) = (file.name.as_str(), diff.as_deref());
    ui.event(&Event::Formatted { file, changed, written, diff, text });
    Ok(changed)
}

/// Writes a spec in its place: where it was read from, and not where a link leads that came since.
fn write(file: &SpecFile, path: &Path, text: &str) -> Result<(), CommandError> {
    let below = path.strip_prefix(&file.top).unwrap_or(path);
    let spot = Spot::make(&file.top, &below.to_string_lossy())?;
    let mode = spot.mode().unwrap_or(fsio::PUBLIC);
    Ok(spot.write(&fsio::temporary_name(), text.as_bytes(), mode, true)?)
}

fn difference(file: &SpecFile, formatted: &str) -> String {
    TextDiff::from_lines(file.text.as_str(), formatted)
        .unified_diff()
        .context_radius(DIFF_CONTEXT_LINES)
        .header(&file.name, &format!("{} (formatted)", file.name))
        .to_string()
}

fn coloured(diff: &str, style: Style) -> String {
    if !style.color {
        return diff.to_owned();
    }
    let line = |line: &str| {
        let color = match line.as_bytes().first() {
            Some(b'-') => anstyle::AnsiColor::Red,
            Some(b'+') => anstyle::AnsiColor::Green,
            Some(b'@') => anstyle::AnsiColor::Cyan,
            _ => return format!("{line}\n"),
        };
        let color = anstyle::Style::new().fg_color(Some(color.into()));
        format!("{color}{line}{color:#}\n")
    };
    diff.lines().map(line).collect()
}

fn not_formatted(names: &[String], chdir: Option<&Path>, given: &[PathBuf]) -> CommandError {
    let message = match names {
        [name] => format!("{name} is not formatted"),
        _ => format!("{} files are not formatted", names.len()),
    };
    let mut command = vec!["envc fmt".to_owned()];
    command.extend(chdir.map(|chdir| format!("-C {}", chdir.display())));
    command.extend(given.iter().map(|path| path.display().to_string()));
    CommandError::failed(message)
        .hint(format!("run: {}", command.join(" ")))
        .code("envc::cli::not_formatted")
}

fn bug(name: &str, what: &str) -> CommandError {
    CommandError::failed(format!("BUG: formatting would change what {name} says: {what}"))
        .hint("nothing was written; please report it, with the file")
        .code("envc::cli::fmt_bug")
}
