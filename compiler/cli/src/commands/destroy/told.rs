//! What a destroy says: before it asks, of what it leaves, and in its last line.

use std::collections::BTreeSet;

use envc_core::{Address, KindId, counted};
use envc_kinds::kind;
use envc_plan::{Action, Lookalike, Observation};
use envc_spec::Identity;

use super::{Destroy, rounds::Round, unknown};
use crate::{
    commands::shared::{Told, not_approved, say_summary, show_drafted, show_plan},
    host::{error::CommandError, exit_code::ExitCode, interrupt::Interrupt},
    operate::{
        Refusals,
        engine::{Drafted, Engine, Loaded, checked},
    },
    outputs::{files::Removal, local, out_dir},
    shell::events::{Destroyed, Event},
};

impl Destroy<'_> {
    /// Asks before anything is deleted, on every cloud, once it is said what goes and what stays. Where
    /// nothing is deleted, nobody is asked.
    pub(super) async fn approve(
        &self,
        engine: &Engine<'_, '_>,
        first: &Round,
        stop: &Interrupt,
    ) -> Result<(), CommandError> {
        let session = &self.session;
        let plan = first.plan.plan();
        let deletes = plan.changes.iter().any(|change| change.action == Action::Delete);
        let asks = deletes && !self.args.change.yes;
        if asks || !self.keep.is_empty() || session.ui.is_verbose() {
            show_plan(session.ui, plan, false)?;
        } else {
            say_summary(session.ui, plan)?;
        }
        self.tell_what_stays(engine, &first.unproven, &first.unlisted);
        let question = format!("Delete all of `{}` for good?", session.target.id);
        let does = format!("deletes all of `{}` for good", session.target.id);
        let approved = !asks || session.ui.confirm(stop, &question, &does).await?;
        if approved { Ok(()) } else { Err(not_approved()) }
    }

    /// Says what a destroy would do. Nothing is changed: neither in the account, nor in the folder, nor
    /// in what is recorded.
    pub(super) async fn tell_plan(
        &self,
        engine: &Engine<'_, '_>,
        loaded: Loaded,
        observation: &Observation,
        tells_edge: bool,
    ) -> Result<ExitCode, CommandError> {
        let session = &self.session;
        let mut refusals = Refusals::default();
        let request = self.request(observation);
        let drafted = engine.draft(&loaded, &request, &mut refusals).await?;
        let Drafted { plan, is_whole } = drafted;
        let unproven = engine.unproven(&loaded, &request, &plan);
        let is_over = refusals.is_empty() && plan.steps.is_empty() && loaded.state.is_none();
        if is_over && !unproven.is_empty() {
            refusals.add(self.nothing_proves(engine, &unproven, 0));
        } else if is_over && !self.left_something() {
            return self.nothing_there(engine, observation);
        }
        if refusals.is_empty() {
            refusals.note(self.refuse_protected())?;
        }
        let plan = if refusals.is_empty() { checked(plan)?.plan().clone() } else { plan };
        let is_whole = is_whole && refusals.is_empty();
        show_drafted(session.ui, &plan, if is_whole { Told::Whole } else { Told::Draft })?;
        refusals.tell(session.ui, "destroy");
        let stays = if is_over { &[][..] } else { &unproven };
        self.tell_what_stays(engine, stays, &observation.unlisted);
        if refusals.is_empty() {
            self.tell_files();
        }
        if tells_edge {
            let kept = if self.keep.is_empty() { "it is gone" } else { "what is kept of it" };
            session.ui.result(&format!("The edge Worker's registry will be told: {kept}."));
        }
        if engine.holds_claim() {
            self.tell_claim();
        }
        Ok(ExitCode::Done)
    }

    /// The files that go: those that envc wrote, and wrangler's local copies.
    fn tell_files(&self) {
        let session = &self.session;
        let mut remove = Vec::new();
        for (key, record) in self.own_files() {
            let path = out_dir::shown(session, &key);
            match out_dir::would_remove_recorded(session, &key, &record) {
                Removal::Removed => remove.push(path),
                Removal::Absent => {}
                stays @ (Removal::Kept | Removal::Unreached) => {
                    let why = stays.why_it_stays().unwrap_or_default();
                    session.ui.warn(&format!("{path} {why}, so it will stay"));
                }
            }
        }
        if !remove.is_empty() {
            session.ui.result(&format!("Files to remove: {}", remove.join(", ")));
        }
        let copies = local::would_forget(session, &self.keep);
        for (address, files) in &copies {
            let files = files.join(", ");
            session.ui.result(&format!("wrangler's local copy of {address} to remove: {files}"));
        }
        remove.extend(copies.into_values().flatten());
        if !remove.is_empty() {
            session.ui.event(&Event::Files { write: &[], remove: &remove });
        }
    }

    /// What a destroy will leave, before anybody is asked: what nothing proves to be of this
    /// environment, and what was not looked at.
    fn tell_what_stays(
        &self,
        engine: &Engine<'_, '_>,
        unproven: &[Lookalike],
        unlisted: &BTreeSet<KindId>,
    ) {
        if !unlisted.is_empty() {
            self.session.ui.warn(&format!(
                "not looked for, since the token may not list them or their zone is not known: {}",
                nouns(unlisted)
            ));
        }
        if !unproven.is_empty() {
            let whose = self.whose(engine).map(|it| format!("; {it}")).unwrap_or_default();
            self.session.ui.warn(&format!(
                "nothing proves that these are this environment's, so they will stay, and the destroy \
                 will fail: {}{whose}",
                names_of(unproven)
            ));
        }
    }

    /// Why nothing here proves whose something is: whose it may be.
    fn whose(&self, engine: &Engine<'_, '_>) -> Option<String> {
        let session = &self.session;
        let id = &session.target.id;
        if session.needs_claim() {
            let name = &session.workspace.project.name;
            return (!engine.holds_claim())
                .then(|| format!("nobody claimed the project `{name}` in this account"));
        }
        if engine.is_registered() {
            return None;
        }
        Some(match session.target.head.identity {
            Identity::Branch { unique: true, .. } => format!(
                "`{id}` was not made by this user on this machine: whoever made it destroys all of it"
            ),
            _ => format!("`{id}` is an ID that others may have, too, and no record of it is here"),
        })
    }

    /// The error of a destroy that leaves what has its names, for want of a proof: that nothing is left
    /// would not be true.
    pub(super) fn nothing_proves(
        &self,
        engine: &Engine<'_, '_>,
        unproven: &[Lookalike],
        deleted: usize,
    ) -> CommandError {
        let session = &self.session;
        let addresses: BTreeSet<&Address> = unproven.iter().map(|one| &one.address).collect();
        let done = match deleted {
            0 => "nothing was deleted".to_owned(),
            some => format!("{} of it deleted", counted(some, "resource")),
        };
        let mut error = CommandError::failed(format!(
            "nothing proves that what is named as `{}` is this environment's; {done}",
            session.target.id
        ))
        .because_text(names_of(unproven))
        .code("envc::cli::unproven");
        if let Some(whose) = self.whose(engine) {
            error = error.because_text(whose);
        }
        if session.needs_claim() && !engine.holds_claim() {
            error = error.hint(format!(
                "if it is, and the project `{}` is of this repository alone, claim it: envc state \
                 claim; then destroy again",
                session.workspace.project.name
            ));
        } else {
            error = error.hint("run the command on the machine that made it");
        }
        error
            .hint(format!(
                "or say that it is: {}",
                session.command_with("destroy", "adopt", addresses)
            ))
            .hint("if it is not, `--keep ADDRESS` leaves it there")
    }

    /// Invariant: of a protected type nothing goes, whatever there is of it: neither resources, nor
    /// files, nor the record.
    pub(super) fn refuse_protected(&self) -> Result<(), CommandError> {
        if !self.session.environment.protect {
            return Ok(());
        }
        let head = &self.session.target.head.name;
        Err(CommandError::failed(format!(
            "`{}` is protected, so nothing of it is destroyed; nothing was changed",
            self.session.target.id
        ))
        .hint(format!("remove `protect` from the environment `{head}` on purpose, then destroy it"))
        .code("envc::plan::protected"))
    }

    /// The account has nothing of the environment, or all that it has is kept; others may.
    pub(super) fn nothing_there(
        &self,
        engine: &Engine<'_, '_>,
        observation: &Observation,
    ) -> Result<ExitCode, CommandError> {
        let session = &self.session;
        let id = &session.target.id;
        let kept = engine.found(observation, &self.keep);
        if !kept.is_empty() {
            session.ui.event(&Event::Destroyed(Destroyed { deleted: 0, run: None }));
            let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
            session.ui.outcome(&format!(
                "Nothing to destroy: all that was found of `{id}` is kept: {}.",
                kept.join(", ")
            ));
            return Ok(ExitCode::Done);
        }
        let unlisted = &observation.unlisted;
        let why = match (engine.left_alone(), unlisted.is_empty()) {
            (0, true) => format!("the account has nothing of `{id}`"),
            (0, false) => {
                let nouns = nouns(unlisted);
                format!("what was listed has nothing of `{id}`; not looked for: {nouns}")
            }
            _ => format!("what is named as `{id}` is another's"),
        };
        unknown(session.ui, self.args, &why, &self.elsewhere()?)
    }

    /// The last line.
    pub(super) fn tell(
        &self,
        deleted: usize,
        left_alone: usize,
        released: usize,
        requests: u64,
        unlisted: &BTreeSet<KindId>,
    ) {
        let given_back = match released {
            0 => String::new(),
            some => format!(", {} given back", counted(some, "preview ID")),
        };
        let left = match (self.keep.len(), left_alone) {
            (0, 0) if unlisted.is_empty() => "none left".to_owned(),
            (0, 0) => "none left of what was listed".to_owned(),
            (kept, 0) => format!("{kept} kept"),
            (0, alone) => format!("{alone} left alone"),
            (kept, alone) => format!("{kept} kept, {alone} left alone"),
        };
        // What was not looked at is not called gone.
        let open = if unlisted.is_empty() {
            String::new()
        } else {
            format!("; not looked for: {}", nouns(unlisted))
        };
        self.session.ui.outcome(&format!(
            "Destroyed `{}`: {} deleted, {left}{given_back}{open}; {}.",
            self.session.target.id,
            counted(deleted, "resource"),
            counted(requests, "request")
        ));
    }

    /// The claim is the project's: other environments may need it.
    pub(super) fn tell_claim(&self) {
        self.session.ui.say(&format!(
            "the claim of the project `{}` stays in the account for its other environments; \
             `envc state claim --release` takes it away",
            self.session.workspace.project.name
        ));
    }
}

fn nouns(kinds: &BTreeSet<KindId>) -> String {
    let nouns: Vec<&str> = kinds.iter().map(|id| kind(*id).noun()).collect();
    nouns.join(", ")
}

/// Each with its address and its name.
fn names_of(unproven: &[Lookalike]) -> String {
    let names: Vec<String> =
        unproven.iter().map(|one| format!("{} `{}`", one.address, one.name)).collect();
    names.join(", ")
}
