//! What refusals of an upload mean that are about something else: what the script is bound to.

use crate::{ApiFailure, bindables};

/// True for an upload that is refused for want of something that it is bound to. Of 10021, which is final
/// for other texts, the words count.
///
/// Source: Cloudflare's published error codes, and the matchers of alchemy-run/alchemy, checked
/// November 2026.
pub(super) fn lacks_what_it_is_bound_to(failure: &ApiFailure) -> bool {
    let resource = bindables().any(|(_, row)| failure.has(&[row.missing]));
    let code = failure.has(&[10144])
        || (failure.has(&[10061]) && failure.says("Cannot create binding for class"));
    let is_late = |text: &str| {
        text.contains("failed to generate")
            && (text.contains("try again") || text.contains("later"))
    };
    let late = failure.has(&[10021])
        && failure.errors.iter().any(|error| is_late(&error.message.to_lowercase()));
    resource || code || late
}

/// What an upload asks for that binds a product which the token may not write.
pub(super) fn cure(failure: &ApiFailure) -> Option<String> {
    if failure.status != 403 || !failure.has(&[10023]) {
        return None;
    }
    let of_bound = bindables().filter(|(kind, _)| {
        let word = kind.facts().id.as_str();
        failure.says(&format!("{word} binding")) || failure.says(&format!("{word}s binding"))
    });
    let needed: Vec<String> =
        of_bound.map(|(kind, _)| format!("the permission `{}`", kind.facts().permission)).collect();
    let needed = match needed.as_slice() {
        [] => "the write permission of each product that the Worker is bound to".to_owned(),
        some => some.join(" and "),
    };
    Some(format!(
        "give the API token {needed}: an upload needs it for all that the Worker is bound to, also for \
         what is `existing`"
    ))
}
