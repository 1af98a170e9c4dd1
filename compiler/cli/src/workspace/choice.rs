//! Which cloud a command works on, and which type of environment. Pure.

use std::{collections::BTreeSet, fmt};

use envc_core::Address;
use envc_spec::{TypeHead, When};

use crate::{
    host::{error::CommandError, exit_code::ExitCode},
    workspace::registry::AppliedTo,
};

/// Where an apply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CloudName {
    /// Cloudflare.
    Cloudflare,
    /// The embedded local cloud.
    Local,
}

impl CloudName {
    /// The word that people write and that states carry.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Cloudflare => "cloudflare",
            Self::Local => "local",
        }
    }

    /// Reads the word back.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Cloudflare, Self::Local].into_iter().find(|cloud| cloud.as_str() == word)
    }
}

impl fmt::Display for CloudName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A choice and why it was made, as a clause: "--cloud says so".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice<T> {
    /// What was chosen.
    pub(crate) value: T,
    /// Completes "because …".
    pub(crate) why: String,
}

impl<T> Choice<T> {
    fn new(value: T, why: impl Into<String>) -> Self {
        Self { value, why: why.into() }
    }
}

/// What the command line says of the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// `TYPE`
    pub(crate) env_type: Option<String>,
    /// `--pr`
    pub(crate) pr: Option<u32>,
    /// `--id`
    pub(crate) id: Option<String>,
    /// `--cloud`
    pub(crate) cloud: Option<String>,
    /// A saved plan chose all of the above.
    pub(crate) by_plan: bool,
    /// `--adopt`
    pub(crate) adopt: BTreeSet<Address>,
    /// `--rebind`, or a destroy.
    pub(crate) moves: Moves,
    /// Nothing is changed: what the folder is bound to is meant in CI, too.
    pub(crate) looks: bool,
}

/// Which accounts a command takes besides the one that its environment is worked on in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Moves {
    /// None.
    #[default]
    Nowhere,
    /// Those that it was applied to before: what is there has to go.
    ToRecorded,
    /// Any: the user says that it moves.
    Anywhere,
}

/// How an ID is come by when none is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnNewId {
    /// Draw one. It is recorded once all is refused that can be: see
    /// [`super::session::Session::record_environment`].
    Mint,
    /// There is nothing to work on then.
    Absent,
}

/// Why `apply --plan` works on what it works on.
const BY_PLAN: &str = "the saved plan says so";
/// Why `--pr` works on a type that is made for pull requests.
const BY_PR: &str = "a pull request is named";

/// What the choice of a cloud rests on.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct CloudInputs<'a> {
    /// `--cloud`, or the cloud of a saved plan.
    pub(crate) flag: Option<&'a str>,
    /// A saved plan takes the place of the flags.
    pub(crate) by_plan: bool,
    /// `ENVC_CLOUD`
    pub(crate) variable: Option<&'a str>,
    /// What this environment was applied to, and is worked on in.
    pub(crate) recorded: Option<&'a str>,
    /// A Cloudflare token is set.
    pub(crate) token: bool,
    /// `CI` is set.
    pub(crate) ci: bool,
    /// The type's identity is fixed text.
    pub(crate) fixed_identity: bool,
    /// The type is protected.
    pub(crate) protect: bool,
}

/// Chooses the cloud: `--cloud`, `ENVC_CLOUD`, the record, a token, else the local one, which is
/// refused where a missing token would turn a real apply into a green no-op.
pub(crate) fn choose_cloud(inputs: &CloudInputs<'_>) -> Result<Choice<CloudName>, CommandError> {
    let named = [
        (inputs.flag, if inputs.by_plan { BY_PLAN } else { "--cloud says so" }),
        (inputs.variable, "ENVC_CLOUD says so"),
        (inputs.recorded, "this environment was applied there"),
    ];
    for (word, why) in named {
        let Some(word) = word else { continue };
        let cloud = CloudName::parse(word).ok_or_else(|| {
            CommandError::usage(format!("`{word}` is not a cloud"))
                .because_text(why)
                .hint("write `cloudflare` or `local`")
        })?;
        return Ok(Choice::new(cloud, why));
    }
    if inputs.token {
        return Ok(Choice::new(CloudName::Cloudflare, "CLOUDFLARE_API_TOKEN is set"));
    }
    let danger = if inputs.ci {
        "this is a CI job"
    } else if inputs.protect {
        "this environment is protected"
    } else if inputs.fixed_identity {
        "this environment has a fixed identity"
    } else {
        return Ok(Choice::new(CloudName::Local, "CLOUDFLARE_API_TOKEN is not set"));
    };
    Err(CommandError::failed("no cloud is chosen, and CLOUDFLARE_API_TOKEN is not set")
        .because_text(format!(
            "{danger}: working on the local cloud instead would look like success"
        ))
        .hint("set CLOUDFLARE_API_TOKEN to work on Cloudflare")
        .hint("add `--cloud local` if the local cloud is what you want")
        .code("envc::cli::no_cloud"))
}

/// What speaks for an account or against it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccountInputs<'a> {
    /// The account of this command.
    pub(crate) here: &'a AppliedTo,
    /// What the folder recorded of the environment, the one that it is worked on in last.
    pub(crate) recorded: &'a [AppliedTo],
    /// The accounts of this cloud that have a state of it on this machine.
    pub(crate) states: &'a [AppliedTo],
    /// What else is taken.
    pub(crate) moves: Moves,
}

/// The account that an environment is in, where the command works on another one and may not.
pub(crate) fn other_account(inputs: &AccountInputs<'_>) -> Option<AppliedTo> {
    let AccountInputs { here, recorded, states, moves } = *inputs;
    let of_cloud = || recorded.iter().filter(|it| it.cloud == here.cloud);
    // What an older envc recorded has no account: the states tell, where there are any.
    let known: Vec<&AppliedTo> = of_cloud().filter(|it| it.account.is_some()).collect();
    // A state tells no API: what the folder recorded of its account counts before it.
    let is_known = |it: &AppliedTo| known.iter().any(|known| known.account == it.account);
    let states = || states.iter().filter(|it| !is_known(it)).collect::<Vec<_>>();
    let takes = match (moves, known.last()) {
        (Moves::Anywhere, _) => return None,
        (Moves::ToRecorded, _) => [states(), known.clone()].concat(),
        (Moves::Nowhere, Some(last)) => vec![*last],
        (Moves::Nowhere, None) => states(),
    };
    let is_taken = takes.is_empty() || takes.iter().any(|it| it.is(here));
    takes.last().filter(|_| !is_taken).map(|there| (*there).clone())
}

/// What the choice of a type rests on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TypeInputs<'a> {
    /// The argument, or the type of a saved plan.
    pub(crate) argument: Option<&'a str>,
    /// A saved plan takes the place of the argument.
    pub(crate) by_plan: bool,
    /// `ENVC_ENV`
    pub(crate) variable: Option<&'a str>,
    /// The type that the working copy is bound to.
    pub(crate) bound: Option<&'a str>,
    /// A pull request is named.
    pub(crate) pr: bool,
    /// The folder is a linked git worktree.
    pub(crate) worktree: bool,
}

/// Chooses the type: the argument, `ENVC_ENV`, the binding, a `when` that matches (`pr` beats
/// `worktree`), the default, the only one.
pub(crate) fn choose_type<'t>(
    types: &'t [TypeHead],
    inputs: &TypeInputs<'_>,
) -> Result<Choice<&'t TypeHead>, CommandError> {
    let find = |name: &str| types.iter().find(|head| head.name == name);
    let named = [
        (inputs.argument, if inputs.by_plan { BY_PLAN } else { "it was named" }),
        (inputs.variable, "ENVC_ENV says so"),
    ];
    for (name, why) in named {
        let Some(name) = name else { continue };
        return find(name).map(|head| Choice::new(head, why)).ok_or_else(|| unknown(types, name));
    }
    // A named pull request asks for a type that is made for one: the folder's binding is for the
    // work without it. A bound type that the spec no longer has does not count.
    let fits_pr = |head: &TypeHead| !inputs.pr || head.when == Some(When::Pr);
    // What a pull request is named for is not explained by the folder.
    let by_bound = |head: &TypeHead| {
        if inputs.pr && head.is_per_pr() { BY_PR } else { "this folder is bound to it" }
    };
    if let Some(head) = inputs.bound.and_then(find).filter(|head| fits_pr(head)) {
        return Ok(Choice::new(head, by_bound(head)));
    }
    let matching = [
        (inputs.pr, When::Pr, BY_PR),
        (inputs.worktree, When::Worktree, "this is a linked git worktree"),
    ];
    for (applies, when, why) in matching {
        if !applies {
            continue;
        }
        let found: Vec<&TypeHead> = types.iter().filter(|head| head.when == Some(when)).collect();
        match found.as_slice() {
            [] => {}
            [head] => return Ok(Choice::new(*head, why)),
            _ => return Err(tie(&found, why)),
        }
    }
    if let Some(head) = inputs.bound.and_then(find) {
        return Ok(Choice::new(head, by_bound(head)));
    }
    if let Some(head) = types.iter().find(|head| head.default) {
        return Ok(Choice::new(head, "it is the default"));
    }
    match types {
        [head] => Ok(Choice::new(head, "it is the only one")),
        _ => Err(CommandError::usage("no type of environment is named, and none is the default")
            .hint(format!("name one of: {}", names(types).join(", ")))
            .hint("or mark one in environment.kdl: environment \"local\" default { … }")
            .code("envc::cli::no_type")),
    }
}

fn names(types: &[TypeHead]) -> Vec<&str> {
    types.iter().map(|head| head.name.as_str()).collect()
}

fn unknown(types: &[TypeHead], name: &str) -> CommandError {
    CommandError::new(ExitCode::Usage, format!("the spec has no type `{name}`"))
        .hint(format!("it has: {}", names(types).join(", ")))
        .code("envc::cli::unknown_type")
}

fn tie(found: &[&TypeHead], why: &str) -> CommandError {
    let names: Vec<&str> = found.iter().map(|head| head.name.as_str()).collect();
    CommandError::usage(format!("{} types apply here: {}", names.len(), names.join(", ")))
        .because_text(why)
        .hint("name the one you mean")
        .code("envc::cli::ambiguous_type")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use envc_core::Span;
    use envc_spec::Identity;

    use super::*;

    #[test]
    fn the_cloud_by_table() {
        let base = CloudInputs::default();
        let table = [
            (
                CloudInputs { flag: Some("local"), variable: Some("cloudflare"), ..base },
                Ok("local"),
            ),
            (CloudInputs { flag: Some("aws"), ..base }, Err(64)),
            (
                CloudInputs { variable: Some("cloudflare"), recorded: Some("local"), ..base },
                Ok("cloudflare"),
            ),
            (CloudInputs { recorded: Some("local"), token: true, ..base }, Ok("local")),
            (CloudInputs { token: true, ..base }, Ok("cloudflare")),
            (base, Ok("local")),
            (CloudInputs { ci: true, ..base }, Err(1)),
            (CloudInputs { protect: true, ..base }, Err(1)),
            (CloudInputs { fixed_identity: true, ..base }, Err(1)),
            (CloudInputs { ci: true, token: true, ..base }, Ok("cloudflare")),
            (CloudInputs { protect: true, flag: Some("local"), ..base }, Ok("local")),
        ];
        for (inputs, expect) in table {
            let chosen = choose_cloud(&inputs)
                .map(|choice| choice.value.as_str())
                .map_err(|error| error.exit.number());
            assert_eq!(chosen, expect, "{inputs:?}");
        }
    }

    #[test]
    fn the_account_by_table() {
        let at = |account: &str| AppliedTo {
            cloud: "cloudflare".into(),
            account: Some(account.to_owned()).filter(|it| !it.is_empty()),
            api: None,
        };
        let near = AppliedTo { cloud: "local".into(), ..at("l") };
        let api = AppliedTo { api: Some("https://api.example/v4".into()), ..at("a") };
        let (a, b, unsaid) = (at("a"), at("b"), at(""));
        let (no, old, any) = (Moves::Nowhere, Moves::ToRecorded, Moves::Anywhere);
        let all = |all: &[&AppliedTo]| all.iter().map(|it| (*it).clone()).collect::<Vec<_>>();
        let table = [
            // Nothing is recorded, or of another cloud.
            (&a, all(&[]), all(&[]), no, None),
            (&a, all(&[&near]), all(&[]), no, None),
            (&a, all(&[&a]), all(&[]), no, None),
            (&a, all(&[&b]), all(&[]), no, Some(&b)),
            (&a, all(&[&b]), all(&[]), any, None),
            (&a, all(&[&b]), all(&[]), old, Some(&b)),
            // It moved: what is left behind can be destroyed, and is not applied again by itself.
            (&a, all(&[&a, &b]), all(&[]), no, Some(&b)),
            (&a, all(&[&a, &b]), all(&[]), old, None),
            (&a, all(&[&b, &near]), all(&[]), no, Some(&b)),
            // Another API with an account of this name.
            (&api, all(&[&a]), all(&[]), no, Some(&a)),
            (&a, all(&[&api]), all(&[]), old, Some(&api)),
            (&a, all(&[&api]), all(&[&a]), old, Some(&api)),
            // Another folder applied it, or an older envc did: the states tell.
            (&a, all(&[]), all(&[&b]), no, Some(&b)),
            (&a, all(&[]), all(&[&b, &a]), no, None),
            (&a, all(&[&unsaid]), all(&[]), no, None),
            (&a, all(&[&unsaid]), all(&[&b]), no, Some(&b)),
            (&a, all(&[&unsaid]), all(&[&b]), old, Some(&b)),
            (&a, all(&[&b]), all(&[&a, &b]), no, Some(&b)),
            (&a, all(&[&b]), all(&[&a, &b]), old, None),
        ];
        for (here, recorded, states, moves, expect) in table {
            let inputs = AccountInputs { here, recorded: &recorded, states: &states, moves };
            assert_eq!(other_account(&inputs).as_ref(), expect, "{inputs:?}");
        }
    }

    fn head(name: &str, default: bool, when: Option<When>) -> TypeHead {
        TypeHead {
            name: name.into(),
            default,
            when,
            identity: Identity::Text { pattern: name.into(), per_pr: false },
            protect: false,
            ports: BTreeMap::new(),
            span: Span::default(),
        }
    }

    #[test]
    fn the_type_by_table() {
        let types = [
            head("local", true, None),
            head("worktree", false, Some(When::Worktree)),
            head("ephemeral", false, Some(When::Pr)),
            head("production", false, None),
        ];
        let base = TypeInputs::default();
        let table = [
            (
                TypeInputs { argument: Some("production"), variable: Some("local"), ..base },
                Ok("production"),
            ),
            (TypeInputs { argument: Some("prod"), ..base }, Err(64)),
            (
                TypeInputs { variable: Some("production"), bound: Some("local"), ..base },
                Ok("production"),
            ),
            (TypeInputs { variable: Some("gone"), ..base }, Err(64)),
            (TypeInputs { bound: Some("production"), worktree: true, ..base }, Ok("production")),
            (TypeInputs { bound: Some("gone"), ..base }, Ok("local")),
            (TypeInputs { bound: Some("local"), pr: true, ..base }, Ok("ephemeral")),
            (TypeInputs { pr: true, worktree: true, ..base }, Ok("ephemeral")),
            (TypeInputs { worktree: true, ..base }, Ok("worktree")),
            (base, Ok("local")),
        ];
        for (inputs, expect) in table {
            let chosen = choose_type(&types, &inputs)
                .map(|choice| choice.value.name.as_str())
                .map_err(|error| error.exit.number());
            assert_eq!(chosen, expect, "{inputs:?}");
        }
    }

    #[test]
    fn ties_and_specs_without_a_default() {
        let two = [head("a", false, Some(When::Worktree)), head("b", false, Some(When::Worktree))];
        let inputs = TypeInputs { worktree: true, ..TypeInputs::default() };
        assert!(
            choose_type(&two, &inputs).unwrap_err().message.contains("2 types apply here: a, b")
        );
        let none = TypeInputs::default();
        assert_eq!(choose_type(&two, &none).unwrap_err().exit, ExitCode::Usage);
        let only = [head("a", false, None)];
        assert_eq!(choose_type(&only, &none).unwrap().why, "it is the only one");
    }
}
