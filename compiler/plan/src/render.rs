//! A plan as people read it, and as a program does. Pure.
//!
//! Every sign stands beside a word, so nothing is lost without colour. Whatever is told by the account, by
//! a state or by the file of a saved plan is shown with its control characters spelled out; what a variable
//! of the process says, and what is secret, by its name alone.

mod values;
mod veil;

use std::{collections::BTreeSet, fmt::Write as _};

use envc_core::{Marker, RepositoryDigest, Sealed, counted};
use serde_json::Value as Json;
use similar::{ChangeTag, TextDiff};

use self::values::{
    is_wide, is_write_only, names_of, sealed_change, shown_address, shown_json, shown_text,
};
pub use self::veil::plan_json;
use crate::{
    migrations::Risk,
    model::{Action, Change, Counts, FieldChange, Goal, Plan},
    state::StateKey,
    work::Work,
};

/// What to put before and after coloured text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// What comes into being.
    pub create: &'static str,
    /// What changes in place.
    pub update: &'static str,
    /// What is lost.
    pub delete: &'static str,
    /// Notes.
    pub dim: &'static str,
    /// Headings and the summary.
    pub bold: &'static str,
    /// Ends any of them.
    pub reset: &'static str,
}

impl Palette {
    /// No colour.
    pub const fn plain() -> Self {
        Self { create: "", update: "", delete: "", dim: "", bold: "", reset: "" }
    }

    /// The terminal's own green, yellow and red (ECMA-48 SGR codes).
    pub const fn ansi() -> Self {
        Self {
            create: "\u{1b}[32m",
            update: "\u{1b}[33m",
            delete: "\u{1b}[31m",
            dim: "\u{1b}[2m",
            bold: "\u{1b}[1m",
            reset: "\u{1b}[0m",
        }
    }

    fn of(&self, action: Action) -> &'static str {
        match action {
            Action::Create => self.create,
            Action::Adopt | Action::Update => self.update,
            Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst | Action::Delete => self.delete,
            Action::Forget | Action::Wait | Action::Keep => self.dim,
        }
    }
}

/// How much to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RenderOptions {
    /// Resources that stay as they are get a line too, and new ones all of their fields.
    pub verbose: bool,
}

/// The plan for people; ends in a line break. An empty plan is "No changes."
pub fn render_plan(plan: &Plan, palette: &Palette, options: RenderOptions) -> String {
    let mut text = render_changes(plan, palette, options);
    text.push_str(&render_summary(plan, palette));
    text.push('\n');
    text
}

/// A whole plan that will not be run, since something besides it is refused; ends in a line break.
pub fn render_refused(plan: &Plan, palette: &Palette, options: RenderOptions) -> String {
    if !plan.is_empty() || !plan.unknown().is_empty() {
        return render_plan(plan, palette, options);
    }
    let mut text = render_changes(plan, palette, options);
    let Palette { bold, reset, .. } = *palette;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{bold}No changes can be made.{reset}");
    text
}

/// A plan that is refused, as far as it can be told; ends in a line break.
pub fn render_draft(plan: &Plan, palette: &Palette, options: RenderOptions) -> String {
    let Palette { bold, reset, .. } = *palette;
    let mut text = render_changes(plan, palette, options);
    let changes = changes_in_words(&plan.counts());
    let summary = if plan.is_empty() {
        "What would change cannot be told.".to_owned()
    } else {
        format!("As far as it can be told: {changes}.")
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{bold}{summary}{reset}");
    text
}

fn render_changes(plan: &Plan, palette: &Palette, options: RenderOptions) -> String {
    let plan = &*veil::veiled(plan);
    let StateKey { project, env, .. } = &plan.basis.key;
    let (text, verbose) = (String::new(), options.verbose);
    let repository = RepositoryDigest::of(&plan.basis.repository);
    let mut page = Page { text, palette, verbose, project, env, repository };
    let shown = |change: &&Change| options.verbose || change.action != Action::Keep;
    page.drift(plan);
    let told = page.leases(plan);
    let changes: Vec<&Change> = plan.changes.iter().filter(shown).collect();
    for change in &changes {
        page.change(change);
    }
    let told = page.releases(plan) || told;
    if told || !changes.is_empty() {
        page.text.push('\n');
    }
    page.migrations(plan);
    if !plan.notes.is_empty() {
        for note in &plan.notes {
            page.line(0, format_args!("note: {}", shown_text(note)));
        }
        page.text.push('\n');
    }
    page.unknown(plan);
    page.text
}

struct Page<'a> {
    text: String,
    palette: &'a Palette,
    verbose: bool,
    project: &'a str,
    env: &'a str,
    repository: RepositoryDigest,
}

impl Page<'_> {
    fn line(&mut self, indent: usize, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{:indent$}{text}", "");
    }

    fn heading(&mut self, text: &str) {
        let Palette { bold, reset, .. } = *self.palette;
        self.line(0, format_args!("{bold}{text}{reset}"));
    }

    fn change(&mut self, change: &Change) {
        let (colour, reset) = (self.palette.of(change.action), self.palette.reset);
        let (sign, word) = sign(change.action);
        let mut marks = String::new();
        for (mark, set) in [(" (existing)", change.existing), (" (protected)", change.protect)] {
            marks.push_str(if set { mark } else { "" });
        }
        let Change { name, reason, .. } = change;
        let (address, name) = (shown_address(&change.address), shown_text(name));
        let terse = is_new(change.action) && !self.verbose;
        let fields = if terse { self.terse_fields(change) } else { String::new() };
        self.line(0, format_args!("{colour}{sign} {word}{reset} {address}  {name}{marks}{fields}"));
        // That something stays as it is needs no reason.
        if !reason.is_empty() && (change.action != Action::Keep || change.existing) {
            let dim = self.palette.dim;
            self.line(6, format_args!("{dim}{}{reset}", shown_text(reason)));
        }
        for lost in &change.loses {
            let (delete, reset) = (self.palette.delete, self.palette.reset);
            self.line(6, format_args!("{delete}loses {}{reset}", shown_text(lost)));
        }
        for field in change.fields.iter().filter(|_| !terse) {
            if let Some(told) = sealed_change(change, field) {
                self.line(6, format_args!("{}: {told}", shown_text(&field.field)));
            } else {
                self.field(field, is_new(change.action));
            }
        }
    }

    /// Preview IDs to lease; true when there is one.
    fn leases(&mut self, plan: &Plan) -> bool {
        let Palette { create, dim, reset, .. } = *self.palette;
        let mut any = false;
        for step in &plan.steps {
            let Work::Lease(work) = &step.work else { continue };
            any = true;
            let (names, pool) = (shown_text(&work.names.join(", ")), shown_text(&work.pool));
            self.line(0, format_args!("{create}+ lease{reset} {names}  from pool {pool}"));
            if let Some(was) = &work.was {
                self.line(6, format_args!("{dim}{} is not held any more{reset}", shown_text(was)));
            }
        }
        any
    }

    /// Preview IDs to give back; true when there is one.
    fn releases(&mut self, plan: &Plan) -> bool {
        let Palette { delete, reset, .. } = *self.palette;
        let mut any = false;
        for step in &plan.steps {
            let Work::Release(work) = &step.work else { continue };
            any = true;
            let what = work.names.iter().chain(&work.id).filter(|text| !text.is_empty());
            let what = what.map(|text| shown_text(text)).collect::<Vec<_>>();
            let (what, pool) = (what.join("  "), shown_text(&work.pool));
            self.line(0, format_args!("{delete}- release{reset} {what}  to pool {pool}"));
        }
        any
    }

    /// True for the marker that every resource of the environment has, without other words.
    fn is_marker(&self, change: &Change, text: &str) -> bool {
        let Self { project, env, repository, .. } = *self;
        let marker = Marker { project, env, label: change.address.name(), repository };
        !text.contains(' ') && marker.begins(text)
    }

    /// The short fields of something new as the spec writes them, without those that the name
    /// says already.
    fn terse_fields(&self, change: &Change) -> String {
        let (mut text, mut parts) = (String::new(), BTreeSet::new());
        for FieldChange { field, after, .. } in &change.fields {
            if let Some(sealed) = after.as_ref().and_then(Sealed::from_json) {
                // Many parts of one text are said once.
                let field = if sealed.part.is_empty() { field } else { "from" };
                parts.insert(format!("  {}={}", shown_text(field), shown_text(&sealed.name)));
                continue;
            }
            let digested = is_write_only(change, field);
            let Some(after) = after.as_ref().filter(|it| digested || !is_wide(it)) else {
                continue;
            };
            let said = match after {
                Json::String(after) => {
                    self.is_marker(change, after)
                        || change.name.split(' ').any(|word| word == after)
                }
                Json::Array(items) => items.is_empty(),
                Json::Object(items) => items.is_empty(),
                Json::Null | Json::Bool(_) | Json::Number(_) => false,
            };
            if said {
                continue;
            }
            let value = if digested {
                shown_text(&names_of(after).join(","))
            } else {
                shown_json(after, false)
            };
            // Writing to a String cannot fail.
            let _ = write!(text, "  {}={value}", shown_text(field));
        }
        text.extend(parts);
        text
    }

    fn field(&mut self, change: &FieldChange, new: bool) {
        let FieldChange { field, before, after, forces_replace } = change;
        let field = shown_text(field);
        let forces = if *forces_replace { "  # forces replace" } else { "" };
        let known_later = "(known after apply)".to_owned();
        let one = |value: &Json| shown_json(value, false);
        match (before, after) {
            (Some(before), Some(after)) if is_wide(before) || is_wide(after) => {
                self.line(6, format_args!("{field}:{forces}"));
                self.difference(before, after);
            }
            (None, Some(after)) if new && is_wide(after) => {
                self.line(6, format_args!("{field}:{forces}"));
                for line in shown_json(after, true).lines() {
                    self.line(8, format_args!("{line}"));
                }
            }
            (None, after) if new => {
                let after = after.as_ref().map_or(known_later, one);
                self.line(6, format_args!("{field}: {after}{forces}"));
            }
            (before, after) => {
                let before = before.as_ref().map_or_else(|| "(not known)".to_owned(), one);
                let after = after.as_ref().map_or(known_later, one);
                self.line(6, format_args!("{field}: {before} → {after}{forces}"));
            }
        }
    }

    /// The lines in which two long values differ, each with one of its neighbours.
    fn difference(&mut self, before: &Json, after: &Json) {
        let (before, after) = (shown_json(before, true), shown_json(after, true));
        let diff = TextDiff::from_lines(before.as_str(), after.as_str());
        for (index, group) in diff.grouped_ops(1).iter().enumerate() {
            if index > 0 {
                self.line(8, format_args!("…"));
            }
            for line in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let (sign, colour) = match line.tag() {
                    ChangeTag::Equal => (' ', ""),
                    ChangeTag::Delete => ('-', self.palette.delete),
                    ChangeTag::Insert => ('+', self.palette.create),
                };
                let reset = if colour.is_empty() { "" } else { self.palette.reset };
                let text = line.value().trim_end_matches('\n');
                self.line(8, format_args!("{colour}{sign} {text}{reset}"));
            }
        }
    }

    fn drift(&mut self, plan: &Plan) {
        let mut drifted = plan.changes.iter().filter(|change| !change.drift.is_empty()).peekable();
        if drifted.peek().is_none() {
            return;
        }
        self.heading("Changed outside envc since the last apply:");
        for change in drifted {
            let (address, name) = (shown_address(&change.address), shown_text(&change.name));
            self.line(2, format_args!("{address}  {name}"));
            for field in &change.drift {
                let name = shown_text(&field.field);
                if let Some(told) = sealed_change(change, field) {
                    self.line(6, format_args!("{name}: {told}"));
                    continue;
                }
                // Drift has no "after apply": a missing value was removed.
                let one = |value: &Option<Json>| {
                    value
                        .as_ref()
                        .map_or_else(|| "(nothing)".to_owned(), |it| shown_json(it, false))
                };
                let (before, after) = (one(&field.before), one(&field.after));
                self.line(6, format_args!("{name}: {before} → {after}"));
            }
        }
        self.text.push('\n');
    }

    /// Says which changes the plan cannot tell, because a variable or a secret is not known.
    fn unknown(&mut self, plan: &Plan) {
        let there = plan.changes.iter().filter(|change| change.action != Action::Create);
        let mut any = false;
        for change in there.filter(|change| !change.unknown.is_empty()) {
            any = true;
            let names = shown_text(&change.unknown.join(", "));
            let is = if change.unknown.len() == 1 { "is" } else { "are" };
            self.line(
                0,
                format_args!(
                    "whether {} changed cannot be told: {names} {is} not known here",
                    shown_address(&change.address)
                ),
            );
        }
        if any {
            self.text.push('\n');
        }
    }

    /// What a statement of a migration does, and what to write instead.
    fn risk(&mut self, risk: &Risk) {
        let Palette { delete, dim, reset, .. } = *self.palette;
        let Risk { line, what, help, loses, .. } = risk;
        let colour = if *loses { delete } else { "" };
        self.line(10, format_args!("{colour}line {line}: {}{reset}", shown_text(what)));
        self.line(10, format_args!("{dim}{}{reset}", shown_text(help)));
    }

    fn migrations(&mut self, plan: &Plan) {
        let mut any = false;
        for step in &plan.steps {
            let Work::Migrate { address, files, fresh, reset, seed } = &step.work else {
                continue;
            };
            if !any {
                self.heading("Migrations to run:");
            }
            any = true;
            let first = if *reset { "  # all that it holds is deleted first" } else { "" };
            self.line(2, format_args!("{}{first}", shown_address(address)));
            for file in files {
                self.line(6, format_args!("{}", shown_text(&file.name)));
                let risks = plan.migrations.get(address).into_iter().flat_map(|it| &it.risks);
                for risk in risks.filter(|risk| risk.file == file.name) {
                    self.risk(risk);
                }
            }
            if let Some(seed) = seed {
                let when = if *fresh { "" } else { ", unless the database had tables before" };
                self.line(6, format_args!("seed {}{when}", shown_text(&seed.name)));
            }
        }
        if any {
            self.text.push('\n');
        }
    }
}

/// The last line of a plan alone: "Plan: 9 to create; 4 migrations; 14 requests."
pub fn render_summary(plan: &Plan, palette: &Palette) -> String {
    format!("{}{}{}", palette.bold, summary(plan), palette.reset)
}

/// The sign and the word of an action.
fn sign(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::Create => ("+", "create"),
        Action::Adopt => (">", "adopt"),
        Action::Update => ("~", "update"),
        Action::ReplaceCreateFirst => ("±", "replace (the new one first)"),
        Action::ReplaceDeleteFirst => ("±", "replace (the old one goes first)"),
        Action::Delete => ("-", "delete"),
        Action::Forget => ("<", "forget"),
        Action::Wait => ("…", "wait"),
        Action::Keep => ("=", "keep"),
    }
}

fn is_new(action: Action) -> bool {
    match action {
        Action::Create => true,
        Action::Adopt
        | Action::Update
        | Action::ReplaceCreateFirst
        | Action::ReplaceDeleteFirst
        | Action::Delete
        | Action::Forget
        | Action::Wait
        | Action::Keep => false,
    }
}

fn pending_of(count: usize) -> String {
    counted(count, "pending migration")
}

/// "9 to create, 1 to update"
fn changes_in_words(counts: &Counts) -> String {
    let Counts { create, adopt, update, replace, delete, forget, wait, keep, .. } = *counts;
    let kinds_of = [
        (create, "to create"),
        (adopt, "to adopt"),
        (update, "to update"),
        (replace, "to replace"),
        (delete, "to delete"),
        (forget, "to forget"),
        (wait, "waiting to be deleted"),
        (keep, "unchanged"),
    ];
    let some = kinds_of.iter().filter(|(count, _)| *count > 0);
    let changes: Vec<String> = some.map(|(count, what)| format!("{count} {what}")).collect();
    changes.join(", ")
}

/// "Plan: 9 to create, 1 to update; 4 migrations; 14 requests."
fn summary(plan: &Plan) -> String {
    let counts = plan.counts();
    let Counts { migrate, pending, lease, release, requests, .. } = counts;
    let unknown = plan.unknown();
    if plan.is_empty() && !unknown.is_empty() {
        let is = if unknown.len() == 1 { "is" } else { "are" };
        let names: Vec<&str> = unknown.into_iter().collect();
        let names = shown_text(&names.join(", "));
        return format!("No changes that can be told: {names} {is} not known here.");
    }
    if plan.is_empty() && (pending > 0 || counts.wait > 0) {
        let left =
            (pending > 0).then(|| format!("{} that apply does not run", pending_of(pending)));
        let waits = if counts.wait == 1 { "waits" } else { "wait" };
        let waiting = counted(counts.wait, "resource");
        let waiting = (counts.wait > 0).then(|| format!("{waiting} that {waits} to be deleted"));
        let beside: Vec<String> = left.into_iter().chain(waiting).collect();
        return format!("No changes, and {}.", beside.join(", and "));
    }
    if plan.is_empty() {
        return match plan.basis.goal {
            Goal::Apply => "No changes.".to_owned(),
            Goal::Destroy => "No changes. There is nothing to destroy.".to_owned(),
        };
    }
    let mut parts = vec![changes_in_words(&counts)];
    parts.extend((lease > 0).then(|| counted(lease, "lease")));
    parts.extend((migrate > 0).then(|| counted(migrate, "migration")));
    parts.extend((pending > 0).then(|| format!("{} left alone", pending_of(pending))));
    parts.extend((release > 0).then(|| counted(release, "release")));
    parts.push(counted(requests, "request"));
    parts.retain(|part| !part.is_empty());
    format!("Plan: {}.", parts.join("; "))
}

#[cfg(test)]
mod tests;
