//! `envc trust`: what a checkout may do with what is its user's.

use std::path::{Path, PathBuf};

use super::shared::selection_of;
use crate::{
    host::{
        clock::SystemClock, error::CommandError, exit_code::ExitCode, git, interrupt::Interrupt,
    },
    shell::{
        app::{App, block_on},
        args::{TargetArgs, TrustArgs, TrustVerb},
        events::{Event, TrustItem},
    },
    workspace::{
        choice::OnNewId,
        dirs::StateDir,
        project::SpecFile,
        registry::Location,
        session::Session,
        trust::{self, Item, Need, Told, TrustRecord, Wants},
    },
};

pub(super) fn run(app: &App, args: &TrustArgs) -> Result<ExitCode, CommandError> {
    match &args.verb {
        None => of_spec(app, &args.target, args.print),
        Some(TrustVerb::Ls) => ls(app),
        Some(TrustVerb::Revoke { clone }) => revoke(app, clone.as_deref()),
    }
}

/// Shows what the spec asks for, and asks whether it is approved.
fn of_spec(app: &App, target: &TargetArgs, print: bool) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
    let selection = selection_of(target);
    let session = Session::open(&app.ui, &app.env, file, &selection, OnNewId::Mint)?
        .ok_or_else(|| CommandError::failed("BUG: no ID was minted"))?;
    let wants = Wants::of(&session);
    let mut open = trust::open(&session, &wants)?;
    if !print && !wants.items.is_empty() {
        if open.is_empty() {
            trust::approve(&session, &wants)?;
        } else {
            block_on(async { trust::settle(&session, Need::All, &Interrupt::listen()).await })??;
            open.clear();
        }
    }
    let items = wants.items.iter().map(|item| told(item, !open.contains(item)));
    let handed_on =
        wants.told.iter().map(|Told { credential, to }| TrustItem::HandOn { credential, to });
    let digest = wants.digest();
    app.ui.event(&Event::Trust { digest: &digest, items: items.chain(handed_on).collect() });
    let mut lines: Vec<String> =
        wants.told.iter().map(|it| format!("{:<12}  {}", "told", it.line())).collect();
    if wants.items.is_empty() {
        lines.push("environment.kdl asks for nothing that is to be approved".to_owned());
        app.ui.result(&lines.join("\n"));
        return Ok(ExitCode::Done);
    }
    for item in &wants.items {
        let state = if open.contains(item) { "not approved" } else { "approved" };
        lines.push(format!("{state:<12}  {}", item.line()));
    }
    lines.push(format!("{:<12}  {digest}", "digest"));
    app.ui.result(&lines.join("\n"));
    Ok(ExitCode::Done)
}

fn told(item: &Item, approved: bool) -> TrustItem<'_> {
    match item {
        Item::Send { credential, to } => TrustItem::Send { credential, to, approved },
        Item::Run { name, command } => TrustItem::Run { name, command, approved },
    }
}

/// Everything that is approved on this machine.
fn ls(app: &App) -> Result<ExitCode, CommandError> {
    let record = TrustRecord::new(&StateDir::open(&app.env, &app.cwd)?);
    let mut lines = Vec::new();
    for (clone, approved) in record.all()?.iter().filter(|(_, it)| !it.items.is_empty()) {
        let shown = clone.display().to_string();
        let items = approved.items.iter().map(|item| told(item, true)).collect();
        app.ui.event(&Event::Trusted { clone: &shown, since_s: approved.at_s, items });
        lines.push(shown);
        lines.extend(approved.items.iter().map(|item| format!("  {}", item.line())));
    }
    if lines.is_empty() {
        app.ui.say("nothing is approved on this machine");
    } else {
        app.ui.result(&lines.join("\n"));
    }
    Ok(ExitCode::Done)
}

/// Takes back what is approved for a clone.
fn revoke(app: &App, clone: Option<&Path>) -> Result<ExitCode, CommandError> {
    let record = TrustRecord::new(&StateDir::open(&app.env, &app.cwd)?);
    let key = match clone {
        // As `ls` shows it, also when it is gone; else a folder of it.
        Some(clone) if record.all()?.contains_key(clone) => clone.to_owned(),
        Some(clone) => clone_of(app, &app.cwd.join(clone)),
        None => match SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env) {
            Ok(file) => clone_of(app, &file.root),
            Err(_) => clone_of(app, &app.cwd),
        },
    };
    let was_there = record.revoke(&key, SystemClock::new(&app.env).unix_s())?;
    let shown = key.display().to_string();
    app.ui.event(&Event::Revoked { clone: &shown, was_approved: was_there });
    app.ui.outcome(&if was_there {
        format!("nothing is approved for {shown} any more")
    } else {
        format!("nothing was approved for {shown}")
    });
    Ok(ExitCode::Done)
}

/// The path by which the clone of a folder is known.
fn clone_of(app: &App, folder: &Path) -> PathBuf {
    let git = git::look(folder, &app.env);
    let repository = git.repository.as_ref();
    trust::key_of(&Location {
        root: folder.to_owned(),
        spec: None,
        top: repository.map_or_else(|| folder.to_owned(), |it| it.toplevel.clone()),
        git_dir: repository.map(|it| it.git_dir.clone()),
        common_dir: repository.map(|it| it.common_dir.clone()),
    })
}
