//! Who works here, for people: in reports, and for those who wait for a lock.

use envc_edge_api::limits::TEXT_CHARS_MAX;

use crate::{
    host::{env::names, fsio, git},
    workspace::Workspace,
};

/// Bytes of a host's name.
const HOST_BYTES_MAX: usize = 1_024;

/// Who git says that they are, else whom the system says.
pub(crate) fn user(workspace: &Workspace<'_>) -> String {
    let from = |name: &str| workspace.env.var(name).map(str::to_owned);
    [git::user(workspace.root(), workspace.env), from(names::USER), from(names::USERNAME)]
        .into_iter()
        .flatten()
        .map(|name| short(name.trim()))
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The user, the machine and the process: `alice@laptop (process 4711)`.
pub(crate) fn process(workspace: &Workspace<'_>) -> String {
    let machine = machine(workspace).map(|name| format!("@{name}")).unwrap_or_default();
    short(&format!("{}{machine} (process {})", user(workspace), std::process::id()))
}

fn machine(workspace: &Workspace<'_>) -> Option<String> {
    let variable = [names::HOSTNAME, names::COMPUTERNAME].into_iter();
    let named = variable.filter_map(|name| workspace.env.var(name)).map(str::to_owned).next();
    let file = || fsio::read_text("/etc/hostname".as_ref(), HOST_BYTES_MAX).ok().flatten();
    named.or_else(file).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// As long a text as the edge takes.
pub(crate) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}
