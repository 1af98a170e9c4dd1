//! Plans that cannot be made and reads that failed, for people.

use std::collections::BTreeSet;

use envc_core::{Address, KindId};
use envc_exec::{CallClass, CallError, help_for_call};
use envc_plan::{Goal, Refusal};

use crate::{
    host::{error::CommandError, interrupt::interrupted},
    remote::connection::{code_of, what_failed},
    workspace::session::Session,
};

/// The error of a plan that cannot be made; nothing was changed.
pub(super) fn refused(
    session: &Session<'_>,
    refusals: &[Refusal],
    goal: Goal,
    unclaimed: bool,
    replace: &BTreeSet<Address>,
) -> CommandError {
    let (message, rest) = match refusals {
        [one] => (one.message.clone(), &[][..]),
        many => (format!("{} resources stand in the way", many.len()), many),
    };
    let mut error = CommandError::failed(message);
    for refusal in rest {
        let address = refusal.address.to_string();
        error = error.because_text(if refusal.message.starts_with(&address) {
            refusal.message.clone()
        } else {
            format!("{address}: {}", refusal.message)
        });
    }
    let hints: BTreeSet<&str> = refusals.iter().map(|refusal| refusal.help.as_str()).collect();
    let of = |code: &str| -> BTreeSet<&Address> {
        refusals.iter().filter(|it| it.code == code).map(|it| &it.address).collect()
    };
    let protected = of("envc::plan::protected");
    if goal == Goal::Apply && !protected.is_empty() {
        let mut command = session.apply_command_with("unprotect", protected);
        command.extend(replace.iter().map(|address| format!(" --replace {address}")));
        error = error.hint(format!("to let exactly this go, in one run: {command}"));
    }
    let theirs: Vec<&Address> = of("envc::plan::not_ours").into_iter().collect();
    if !theirs.is_empty() {
        let command = session.apply_command(&theirs);
        error = error.hint(format!("take it over, if it is this environment's: {command}"));
        if unclaimed {
            error = error.hint(format!(
                "or, if all of `{}` in this account is of this repository: envc state claim",
                session.workspace.project.name
            ));
        }
    }
    let unproven = of("envc::plan::unproven_record");
    if !unproven.is_empty() {
        let verb = if goal == Goal::Apply { "apply" } else { "destroy" };
        let believe = session.command_with(verb, "adopt", unproven.iter().copied());
        error = error.hint(format!("if it is this environment's, say so once: {believe}"));
        for address in unproven {
            let forget = session.command(&format!("state rm {address}"));
            error = error.hint(format!("if it is not, take it out of the record: {forget}"));
        }
    }
    for hint in hints {
        error = error.hint(hint);
    }
    match refusals.first() {
        Some(first) => error.code(first.code),
        None => error,
    }
}

/// A read that failed, for people.
pub(super) fn call_failed(error: &CallError, kinds: impl Iterator<Item = KindId>) -> CommandError {
    if error.class == CallClass::Interrupted {
        return interrupted();
    }
    // Which permission is missing can be told from what was asked for.
    let permissions: BTreeSet<&str> = kinds
        .map(envc_kinds::kind)
        .filter(|kind| asks_for(*kind, &error.call))
        .map(<dyn envc_kinds::Kind>::permission)
        .collect();
    let permission = permissions.into_iter().collect::<Vec<_>>().join("`, `");
    CommandError::failed(what_failed(error))
        .because(error)
        .hint_opt(help_for_call(error, &permission, false))
        .code(code_of(error))
}

/// True for the call by which a kind is listed, or one of it is read: the same but for the identifiers.
fn asks_for(kind: &dyn envc_kinds::Kind, call: &str) -> bool {
    let place = envc_kinds::Place { account: "?".into(), zone: "?".into() };
    let calls = [kind.listing(&place).map(|list| list.call), kind.read(&place, "?")];
    let id = envc_kinds::url_segment("?").to_string();
    calls.into_iter().flatten().any(|known| {
        let known = format!("{} {}", known.method, known.path);
        let mut pairs = known.split('/').zip(call.split('/'));
        known.split('/').count() == call.split('/').count()
            && pairs.all(|(known, asked)| known == id || known == asked)
    })
}
