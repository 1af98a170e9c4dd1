//! Warnings: what compiles, and is most likely not what was meant.
//!
//! A warning is a function over a [`View`] of a spec without mistakes; it never decides whether
//! something compiles. What only the outside knows (the day, files of the project) comes in as
//! [`Facts`]; a warning that lacks its facts is not looked for. `allow` silences.
//!
//! Way in: [`crate::Spec::lint`]. A new warning is a function and a line in the table below.

mod allow;
mod braces;
mod facts;
mod files;
mod hosts;
mod kinds;
mod left_out;
mod reach;
mod scripts;
mod secret_text;
mod stale;
mod types;
mod unused;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Diagnostic, Diagnostics, Span, plural};

use allow::Allows;
pub use facts::{Day, Facts, FolderFacts, FolderOf, Words};
use view::{Found, Warning};
pub(crate) use view::{View, template_of};

/// Looks for one thing.
type Look = for<'v> fn(&'v View<'_>) -> Found<'v>;

macro_rules! lints {
    ($($name:ident $slug:literal $look:path, $summary:literal;)*) => {
        /// The codes of warnings: one table, for the messages, for `allow` and for `--explain`.
        pub mod codes {
            $(#[doc = $summary] pub const $name: &str = concat!("envc::lint::", $slug);)*
            /// Every code with what it says.
            pub const ALL: &[(&str, &str)] = &[$(($name, $summary)),*];
        }
        /// The last parts of the codes.
        pub(crate) const SLUGS: &[&str] = &[$($slug),*];
        const LINTS: &[(&str, Look)] = &[$((codes::$name, $look)),*];
    };
}

lints! {
    UNUSED_RESOURCE "unused_resource" unused::resources, "A resource, a `let`, a `port` or a `lease` is declared, and nothing uses it.";
    UNUSED_SECRET "unused_secret" unused::secrets, "A secret, or the places where secrets come from, are declared, and nothing asks for one.";
    UNUSED_BINDING "unused_binding" left_out::out, "A worker's template leaves out something that the spec gives to the worker.";
    UNPROTECTED_PRODUCTION "unprotected_production" types::unprotected, "A type that looks like production has no `protect`.";
    PR_SHARED "pr_shared" types::shared, "All pull requests would share the one environment of a type.";
    PR_WITHOUT_TTL "pr_without_ttl" types::without_ttl, "A type for pull requests has no `ttl`, so what is forgotten stays.";
    SECRET_IN_TEXT "secret_in_text" secret_text::found, "A text of the spec looks like a secret.";
    SECRET_IN_VARIABLE "secret_in_variable" secret_text::variables, "A variable whose name says that it holds a secret goes to where others can read it.";
    UNQUOTED_IN_SCRIPT "unquoted_in_script" scripts::unquoted, "A file that a shell runs holds a branch's name, or another text from outside, without quotes.";
    EXPANDED_DOLLAR "expanded_dollar" files::expanded, "A value of a dotenv file holds a `$` that some readers expand, and nothing says who reads the file.";
    OUTRANKED_FILE "outranked_file" files::outranked, "Another file is read before one that envc writes, or in its place.";
    DOUBTFUL_REFERENCE "doubtful_reference" braces::doubtful, "A text has the braces of a template or of a shell around a reference.";
    UNPROXIED_TUNNEL_DNS "unproxied_tunnel_dns" kinds::of_kinds, "A DNS record leads to a tunnel and is not `proxied`, so it answers nobody.";
    ROUTE_WITHOUT_RECORD "route_without_record" reach::routes, "No proxied DNS record answers for the host of a route, so it gets no request.";
    HOST_WITHOUT_CERTIFICATE "host_without_certificate" reach::certificates, "A public host lies deeper below the zone than Universal SSL covers.";
    MISSING_MIGRATIONS_FOLDER "missing_migrations_folder" stale::migrations, "The folder of a database's migrations is not there, or holds no .sql file.";
    ODD_MIGRATIONS "odd_migrations" stale::odd, "A folder of migrations holds files that are not taken, or that drizzle's journal does not know.";
    RISKY_MIGRATION "risky_migration" stale::risky, "A migration takes rows of other tables, or D1 refuses it.";
    OUTDATED_COMPATIBILITY_DATE "outdated_compatibility_date" stale::dates, "A worker's compatibility date is more than a year old, or still to come.";
    HOST_OF_OTHER_ZONE "host_of_other_zone" hosts::outside, "A host is written as one of another zone, and the project's zone is put behind it.";
    USELESS_ALLOW "useless_allow" allow::nothing, "An `allow` silences nothing.";
}

/// What depends on values and files of one machine: an `allow` of it may be of use on another one.
const OF_A_MACHINE: [&str; 2] = [codes::EXPANDED_DOLLAR, codes::OUTRANKED_FILE];

/// All warnings of a spec, without those that are allowed.
pub(crate) fn run(view: &View<'_>) -> Diagnostics {
    let mut allows = Allows::of(view);
    let mut found = Diagnostics::new();
    let mut looked: BTreeSet<&str> = BTreeSet::new();
    for (code, look) in LINTS {
        if let Found::Of(warnings) = look(view) {
            if !OF_A_MACHINE.contains(code) {
                looked.insert(code);
            }
            for warning in shared(warnings) {
                found_or_allowed(view, warning, &mut allows, &mut found);
            }
        }
    }
    for warning in allows.useless(&looked) {
        found_or_allowed(view, warning, &mut allows, &mut found);
    }
    found
}

/// What several types have alike is one warning.
fn shared(warnings: Vec<Warning<'_>>) -> Vec<Warning<'_>> {
    let mut out: Vec<Warning<'_>> = Vec::new();
    let mut places: BTreeMap<(Span, &str, String), usize> = BTreeMap::new();
    for warning in warnings {
        let told = &warning.diagnostic;
        let key = (told.span(), told.code, told.message.clone());
        if let Some(known) = places.get(&key).and_then(|at| out.get_mut(*at)) {
            known.types.extend(warning.types);
        } else {
            places.insert(key, out.len());
            out.push(warning);
        }
    }
    out
}

fn found_or_allowed(
    view: &View<'_>,
    mut warning: Warning<'_>,
    allows: &mut Allows<'_>,
    found: &mut Diagnostics,
) {
    if allows.silence(&mut warning) {
        return;
    }
    let Warning { mut diagnostic, types } = warning;
    let told = |name: &&str| diagnostic.message.contains(&format!("`{name}`"));
    if !types.is_empty() && types.len() < view.types.len() && !types.iter().all(told) {
        let list: Vec<String> = types.iter().map(|name| format!("`{name}`")).collect();
        let word = plural(types.len(), "environment");
        diagnostic.message = format!("{} (in {word} {})", diagnostic.message, list.join(", "));
    }
    if diagnostic.code != codes::USELESS_ALLOW {
        let (help, slug) = (diagnostic.help.unwrap_or_default(), slug(diagnostic.code));
        diagnostic.help =
            Some(format!("{help}; or, if it is meant, write allow \"{slug}\" in its block"));
    }
    found.push(diagnostic);
}

/// The last part of a code: what `allow` takes.
pub fn slug(code: &str) -> &str {
    code.rsplit("::").next().unwrap_or(code)
}

/// The whole code of a warning, from the whole code or from its last part.
pub fn code(word: &str) -> Option<&'static str> {
    codes::ALL.iter().map(|(code, _)| *code).find(|code| *code == word || slug(code) == word)
}

/// A warning at a place.
fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code, span, message).warning()
}
