//! Desired graph, diff, plan, its checker, state and files to write. Pure: the same inputs give
//! the same bytes.
//!
//! Way in: [`Questions::of`] says what to observe, [`plan_apply`] and [`plan_destroy`] make the
//! plan, [`check`] proves it sound and gives the only thing that exec takes.

#![forbid(unsafe_code)]

mod check;
pub mod codes;
mod context;
mod dag;
mod diff;
mod dotenv;
mod files;
mod folder;
mod foreign;
mod graph;
mod hosts;
mod inspect;
mod jsonc;
mod keep;
mod kept;
mod known;
mod leases;
mod lookalikes;
mod migrations;
mod model;
mod observe;
mod order;
mod outside;
mod ownership;
mod planner;
mod render;
mod risks;
mod state;
mod template;
mod unlisted;
mod verb;
mod work;
mod wrangler;

pub use check::{CheckedPlan, Unsound, check, needs_approval};
pub use dag::Dag;
pub use diff::{Refusal, taken_over};
pub use dotenv::{Unquotable, dotenv_text};
pub use files::{
    FileError, FileInputs, GeneratedFile, TemplatePlace, WRITTEN_BY, needed_parts, render_files,
    template_paths, variable_files, wrangler_path,
};
pub use folder::{Folder, JOURNAL, Oddity, look_into};
pub use inspect::{ODD_BRANCH, Template, inspect, inspect_scripts, is_run};
pub use keep::keep_with_needs;
pub use leases::{LeaseValues, holder, recorded_values, values as lease_values};
pub use lookalikes::{Lookalike, lookalikes, named};
pub use migrations::{Migrate, MigrationFile, Risk, Standing, sort_migrations};
pub use model::{Action, Basis, Change, Counts, FieldChange, Goal, PLAN_FORMAT, Plan, Record};
pub use observe::{
    LeaseSeen, Live, Observation, Questions, Reach, Seen, markers_to_read, parents_to_read,
};
pub use outside::{Unusable, needed_inputs, settle};
pub use ownership::Ownership;
pub use planner::{Asked, PlanInputs, Refused, plan_apply, plan_destroy};
pub use render::{
    Palette, RenderOptions, plan_json, render_draft, render_plan, render_refused, render_summary,
};
pub use risks::{LossyFile, doubts, lossy_files};
pub use state::{
    AppliedMigration, Grant, Intent, IntentAction, Ledger, Recorded, RecordedLease, STATE_SCHEMA,
    Seed, State, StateError, StateKey, WayBack,
};
pub use unlisted::{Unlisted, unlisted};
pub use verb::{Subject, Verb};
pub use work::{
    BatchWork, DeleteTarget, LeaseWork, MigrationRef, Operation, ReleaseWork, Step, Target, Work,
};
pub use wrangler::{Built, LocalEntry, built_of, local_entries, redirect_of};
