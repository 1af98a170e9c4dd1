//! The tools that a spec requires: are they there, and new enough?

use std::{path::Path, time::Duration};

use envc_spec::Requirement;
use futures::future::join_all;
use semver::{Comparator, Op, Prerelease};

use crate::{
    host::{
        child::{Ended, Program},
        env::ProcessEnv,
        error::CommandError,
        programs::Programs,
    },
    workspace::choice::CloudName,
};

/// How long a tool may take to say its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// What there is to be said of one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    tool: String,
    weight: Weight,
    what: String,
}

/// What a finding means for the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// The spec does not do without.
    Fatal,
    /// The spec says that it does.
    Optional,
    /// It was not looked at, and may be as it should.
    Unasked,
}

/// Which programs a check of tools runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// Each tool of the user's, for its version.
    Versions,
    /// None: what a checkout names is not run to look at it. Only whether they are there is found.
    Nothing,
}

/// Checks what the spec of a folder requires on this cloud, all tools at once. Gives what is to be said
/// of optional tools; a required one that is missing or too old is an error that names all of them.
///
/// Invariant: a tool that the checkout brings is there, and is not run to ask for its version.
pub(crate) async fn check(
    requirements: &[Requirement],
    cloud: CloudName,
    runs: Runs,
    (folder, env): (&Path, &ProcessEnv),
) -> Result<Vec<String>, CommandError> {
    let wanted = requirements.iter().filter(|requirement| {
        requirement.cloud.as_deref().is_none_or(|word| word == cloud.as_str())
    });
    let programs = Programs::around(folder, env);
    let findings = join_all(wanted.map(|requirement| examine(requirement, runs, &programs))).await;
    let (fatal, said): (Vec<Finding>, Vec<Finding>) =
        findings.into_iter().flatten().partition(|finding| finding.weight == Weight::Fatal);
    if fatal.is_empty() {
        let line = |Finding { what, weight, .. }: Finding| match weight {
            Weight::Optional => format!("{what}; what needs it is skipped"),
            Weight::Fatal | Weight::Unasked => what,
        };
        return Ok(said.into_iter().map(line).collect());
    }
    let tools: Vec<&str> = fatal.iter().map(|finding| finding.tool.as_str()).collect();
    let error = CommandError::failed(match tools.as_slice() {
        [tool] => format!("the spec requires `{tool}`"),
        _ => format!("the spec requires {} tools: {}", tools.len(), tools.join(", ")),
    });
    let error = fatal.iter().fold(error, |error, finding| error.because_text(finding.what.clone()));
    Err(error
        .hint("install what is missing, or mark it `optional` in environment.kdl")
        .code("envc::cli::missing_tool"))
}

async fn examine(requirement: &Requirement, runs: Runs, programs: &Programs) -> Option<Finding> {
    let tool = &requirement.tool;
    let weight = if requirement.optional { Weight::Optional } else { Weight::Fatal };
    let finding = |what: String| Some(Finding { tool: tool.clone(), weight, what });
    if programs.any(tool).is_none() {
        return finding(format!("`{tool}` is not on the PATH"));
    }
    let wanted = requirement.version.as_deref().filter(|_| runs == Runs::Versions)?;
    let Some(path) = programs.users(tool) else {
        let brought = programs.any(tool).unwrap_or_default();
        let what = format!(
            "`{tool}` is there as {}, which the checkout brings: it is not run to ask whether it is {wanted}",
            brought.display()
        );
        return finding(what).map(|finding| Finding { weight: Weight::Unasked, ..finding });
    };
    let Some(text) = version_text(&path).await else {
        return finding(format!("`{tool} --version` gave no answer, and {wanted} is required"));
    };
    match (parse_version(&text), satisfies(&text, wanted)) {
        (_, Some(true)) => None,
        (Some(found), Some(false)) => {
            let found: Vec<String> = found.iter().map(u64::to_string).collect();
            finding(format!("`{tool}` is version {}, and {wanted} is required", found.join(".")))
        }
        (None, _) => {
            finding(format!("`{tool} --version` names no version, and {wanted} is required"))
        }
        (_, None) => finding(format!(
            "`{wanted}` is not a version that can be required of `{tool}`: write \">=22\" or \"^3.1\""
        )),
    }
}

async fn version_text(path: &Path) -> Option<String> {
    let program = Program { args: vec!["--version".into()], ..Program::new(path, VERSION_TIMEOUT) };
    match program.run(None).await {
        // Some tools say it on standard error.
        Ended::Exited { stdout, stderr, .. } => {
            Some(if stdout.is_empty() { stderr } else { stdout })
        }
        Ended::TookTooLong | Ended::Interrupted | Ended::NotStarted(_) => None,
    }
}

/// The first number with its parts: `v22.3.0` and `git version 2.47.3` alike. A number alone counts
/// when the text has none with a dot.
fn parse_version(text: &str) -> Option<Vec<u64>> {
    let mut candidates = text
        .split(|character: char| !(character.is_ascii_digit() || character == '.'))
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty());
    let first = candidates.clone().next();
    candidates.find(|word| word.contains('.')).or(first).and_then(numbers)
}

/// The numbers of `22.3.0`.
fn numbers(word: &str) -> Option<Vec<u64>> {
    word.split('.').map(|part| part.parse().ok()).collect()
}

/// Does the version fulfil `>=22`, `^3.1`, `>=1.2, <2`, `22`? `None` when either is no version.
fn satisfies(version: &str, wanted: &str) -> Option<bool> {
    let version = parse_version(version)?;
    let part = |index: usize| version.get(index).copied().unwrap_or(0);
    let comparators = wanted.split(',').map(|one| comparator(one.trim())).collect::<Option<_>>()?;
    let version = semver::Version::new(part(0), part(1), part(2));
    Some(semver::VersionReq { comparators }.matches(&version))
}

/// Reads one comparison. It is built from numbers, for tools write what semver does not read:
/// `2025.09`, `v3`, four parts.
fn comparator(text: &str) -> Option<Comparator> {
    let at = text.find(|character: char| character.is_ascii_digit())?;
    let (operator, number) = text.split_at_checked(at)?;
    let bound = numbers(number.trim())?;
    let part = |index: usize| bound.get(index).copied();
    // semver looks at three parts; what a fourth one could decide counts as fulfilled.
    let is_cut = bound.len() > 3;
    let op = match operator.trim() {
        ">=" => Op::GreaterEq,
        ">" if is_cut => Op::GreaterEq,
        ">" => Op::Greater,
        "<=" => Op::LessEq,
        "<" if is_cut => Op::LessEq,
        "<" => Op::Less,
        // As many parts as are written must be the same.
        "" | "=" | "v" => Op::Exact,
        "^" => Op::Caret,
        "~" => Op::Tilde,
        _ => return None,
    };
    // `>22` is more than 22.0.0, and not 23 and up: a part that is left out is 0 in a comparison.
    let left_out = match op {
        Op::Exact | Op::Caret | Op::Tilde => None,
        _ => Some(0),
    };
    let (minor, patch) = (part(1).or(left_out), part(2).or(left_out));
    Some(Comparator { op, major: part(0)?, minor, patch, pre: Prerelease::EMPTY })
}

#[cfg(test)]
mod tests {
    use envc_core::Span;

    use super::*;
    use crate::host::fsio;

    #[test]
    fn versions_are_found_in_what_tools_say() {
        for (text, expect) in [
            ("v22.3.0\n", &[22, 3, 0][..]),
            ("git version 2.47.3", &[2, 47, 3]),
            ("cloudflared version 2025.9.1 (built 2025-09-22-1024 UTC)", &[2025, 9, 1]),
            ("psql 17", &[17]),
            ("wrangler 4 beta\n4.42.0.", &[4, 42, 0]),
        ] {
            assert_eq!(parse_version(text).as_deref(), Some(expect), "{text}");
        }
        assert_eq!(parse_version("no number"), None);
    }

    #[test]
    fn requirements_by_table() {
        for (version, wanted, expect) in [
            ("22.3.0", ">=22", Some(true)),
            ("22.0.0", ">=22", Some(true)),
            ("21.9.9", ">=22", Some(false)),
            ("22.0.0", ">22", Some(false)),
            ("22.1.0", "22", Some(true)),
            ("23.0.0", "=22", Some(false)),
            ("1.9.0", "^1.2", Some(true)),
            ("2.0.0", "^1.2", Some(false)),
            ("0.3.0", "^0.2", Some(false)),
            ("0.2.9", "^0.2.1", Some(true)),
            ("1.2.9", "~1.2.3", Some(true)),
            ("1.3.0", "~1.2.3", Some(false)),
            ("1.5.0", ">=1.2, <2", Some(true)),
            ("2.0.0", ">=1.2, <2", Some(false)),
            // Odd spellings.
            ("22.1.0", ">22", Some(true)),
            ("22.0.1", "<=22", Some(false)),
            ("22.1.0", " v22 ", Some(true)),
            ("22.1.0", ">= 22 , < 23", Some(true)),
            ("1.2.9", "1.2", Some(true)),
            ("1.3.0", "1.2", Some(false)),
            ("1.9.0", "~1", Some(true)),
            ("0.9.0", "^0", Some(true)),
            ("0.0.4", "^0.0.3", Some(false)),
            ("0.0.9", "^0.0", Some(true)),
            ("0.1.0", "^0.0", Some(false)),
            ("2025.09.1", ">=2025.9", Some(true)),
            ("2025.9", "=2025.09.0", Some(true)),
            ("17", ">=17", Some(true)),
            ("131.0.6778.85", ">=131.0.6778.85", Some(true)),
            ("131.0.6778.85", ">131.0.6778.84", Some(true)),
            ("131.0.6778.84", "<131.0.6778.85", Some(true)),
            ("131.0.6778.85", "^131.0.6778.1", Some(true)),
            ("131.0.6778.85", "=131.0.6777.85", Some(false)),
            ("1.0.0", "", None),
            ("1.0.0", ">=1,", None),
            ("1.0.0", ">=1.x", None),
            ("1.0.0", "1..2", None),
            ("1.0.0", "1-2", None),
            ("1.0.0", "99999999999999999999", None),
            ("1.0.0", "latest", None),
            ("1.0.0", "!1", None),
        ] {
            assert_eq!(satisfies(version, wanted), expect, "{version} {wanted}");
        }
    }

    fn requirement(tool: &str, version: Option<&str>) -> Requirement {
        Requirement {
            tool: tool.into(),
            version: version.map(str::to_owned),
            cloud: None,
            optional: false,
            span: Span::default(),
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn real_commands_are_found_asked_and_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fsio::write_atomic(&path.join("tool"), b"#!/bin/sh\necho tool 3.4.5\n", 0o755).unwrap();
        fsio::write_atomic(&path.join("plain"), b"not a program", 0o644).unwrap();
        let env = ProcessEnv::from_pairs([("PATH", format!("/nonexistent:{}", path.display()))]);
        let local = CloudName::Local;
        let elsewhere = tempfile::tempdir().unwrap();
        let here = (elsewhere.path(), &env);

        let good = [requirement("tool", Some(">=3.4")), requirement("tool", None)];
        assert_eq!(check(&good, local, Runs::Versions, here).await, Ok(Vec::new()));

        let bad = [requirement("tool", Some(">=4")), requirement("plain", None)];
        let error = check(&bad, local, Runs::Versions, here).await.unwrap_err();
        assert_eq!(
            error.chain,
            ["`tool` is version 3.4.5, and >=4 is required", "`plain` is not on the PATH"]
        );

        let of_other = [Requirement { cloud: Some("cloudflare".into()), ..requirement("x", None) }];
        assert_eq!(check(&of_other, local, Runs::Versions, here).await, Ok(Vec::new()));
        assert!(check(&of_other, CloudName::Cloudflare, Runs::Versions, here).await.is_err());

        let optional = [Requirement { optional: true, ..requirement("x", None) }];
        let said = check(&optional, local, Runs::Versions, here).await.unwrap();
        assert_eq!(said, ["`x` is not on the PATH; what needs it is skipped"]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_tool_that_the_checkout_brings_is_there_and_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let ran = path.join("ran");
        let text = format!("#!/bin/sh\ntouch {}\necho tool 3.4.5\n", ran.display());
        fsio::write_atomic(&path.join("tool"), text.as_bytes(), 0o755).unwrap();
        let env = ProcessEnv::from_pairs([("PATH", path.to_str().unwrap())]);
        let required = [requirement("tool", Some(">=4")), requirement("tool", None)];
        let (here, local) = ((path, &env), CloudName::Local);
        let said = check(&required, local, Runs::Versions, here).await.unwrap();
        assert!(said.len() == 1 && said[0].contains("which the checkout brings"), "{said:?}");
        assert_eq!(check(&required, local, Runs::Nothing, here).await, Ok(Vec::new()));
        assert!(!ran.exists());
    }
}
