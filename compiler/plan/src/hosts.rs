//! Hosts that go from a resource of one kind to one of another: from a Worker's domain to a DNS
//! record, and back. Within a kind the names themselves say it.

use envc_kinds::kind;

use crate::model::{Action, Change};

/// True where the change gives a resource a name that it did not have.
pub(crate) fn is_new_name(change: &Change) -> bool {
    match change.action {
        Action::Create | Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst => true,
        Action::Update | Action::Adopt => change.fields.iter().any(|it| it.field == "name"),
        Action::Delete | Action::Forget | Action::Wait | Action::Keep => false,
    }
}

/// The host that the change frees: no resource of this kind has it afterwards.
pub(crate) fn frees(change: &Change) -> Option<String> {
    let kind = kind(change.address.kind());
    let was = match change.action {
        Action::Delete | Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst => {
            change.record.as_ref().map_or(&*change.name, |record| &record.name)
        }
        // The type of a record stays in an update: where the new name holds no host, the old one
        // did not.
        Action::Update | Action::Adopt => {
            renamed_from(change).filter(|_| kind.holds_host(&change.name).is_some())?
        }
        Action::Create | Action::Forget | Action::Wait | Action::Keep => return None,
    };
    kind.holds_host(was)
}

/// The host that the change takes.
pub(crate) fn takes(change: &Change) -> Option<String> {
    kind(change.address.kind()).holds_host(&change.name).filter(|_| is_new_name(change))
}

fn renamed_from(change: &Change) -> Option<&str> {
    let name = change.fields.iter().find(|field| field.field == "name")?;
    name.before.as_ref()?.as_str()
}
