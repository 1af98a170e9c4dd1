//! The command line's grammar. Doc comments here are the help texts.

mod migrate;
mod pool;
mod state;
mod trust;

use std::{net::SocketAddr, path::PathBuf};

use clap::{
    ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint,
    builder::{PossibleValue, PossibleValuesParser},
};
use envc_core::{Address, limits};
use envc_plan::LossyFile;
use envc_spec::lint;

pub(crate) use migrate::{
    MigrateApplyArgs, MigrateMarkArgs, MigrateNewArgs, MigrateResetArgs, MigrateRestoreArgs,
    MigrateVerb,
};
pub(crate) use pool::{
    PoolClaimArgs, PoolLsArgs, PoolMembersArgs, PoolReleaseArgs, PoolTargetArgs, PoolVerb,
};
pub(crate) use state::{StateClaimArgs, StateForgetArgs, StateRmArgs, StateVerb};
pub(crate) use trust::{TrustArgs, TrustVerb};

/// Requests in flight that anybody may ask for.
const PARALLELISM_MAX: i64 = 256;

/// The word of `--deny` that stands for every warning.
pub(crate) const ALL_WARNINGS: &str = "warnings";

const EXAMPLES: &str = "\
Examples:
  envc apply                       create or update this folder's environment
  envc plan                        say what apply would do, and why
  envc apply ephemeral --pr 42     one environment per pull request
  envc destroy                     take everything of this environment away
  envc check                       check environment.kdl, without any account

Exit codes:
  0  done, or nothing to do        64   the command line is wrong
  1  failed, or not approved       65   the spec is wrong
  2  there are changes (on demand) 75   locked, or the pool is empty: try again
  3  nothing knows it              130  interrupted

Without a Cloudflare token everything works on a local cloud inside envc.";

const APPLY_EXAMPLES: &str = "\
Examples:
  envc apply                               this folder's environment
  envc apply production                    a named type; asks before it changes it
  envc apply ephemeral --pr 42 --yes       in CI: nobody is asked
  envc plan --out p.json && envc apply --plan p.json
  envc apply production --out-dir dist     its files go elsewhere, this folder stays bound
  envc apply --replace d1.webapp           a new database for the old one; its data is lost

Of two applies of one environment the second waits for the first.";

const DESTROY_EXAMPLES: &str = "\
Examples:
  envc destroy                             this folder's environment
  envc destroy ephemeral --pr 42 --yes --if-exists
  envc destroy --plan                      what it would do
  envc destroy --keep d1.webapp            everything but this database
  envc destroy staging --adopt worker.api  also this one, though nothing proves whose it is
  envc destroy --id fix-login-t1a2b3beef   one whose folder is gone";

const FMT_EXAMPLES: &str = "\
Examples:
  envc fmt                          the project's environment.kdl
  envc fmt a.kdl b.kdl              these files
  envc fmt - <a.kdl >b.kdl          from standard input to standard output, for editors
  envc fmt --check                  in CI: shows what would change, and exits with 1

What it does:
  Four blanks for each level, one between words, ` ; ` between nodes on one line, at most one
  blank line in a row. Nothing is put together: what stands on one line stays there while it
  fits into 120 columns, and else gets a line for each node. A single node is never broken.
  Comments stay where they are, and in their column where several blanks stand before them.
  Strings and numbers stay as they are written.

A file that does not parse is left alone, and so is one that is formatted already.";

const SERVE_EXAMPLES: &str = "\
Examples:
  envc cloud serve
  envc cloud serve --listen 127.0.0.1:0 --zone example.com --json
  envc cloud serve --faults latency=50,lose-response-on=3
  envc cloud serve --faults reality=1/50,seed=7

What is normal on the real API, every duration times SCALE (1, 0.02, 1/50), drawn from the seed:
  reality  reality=SCALE  seed=N         and each of it alone, or changed behind it:
  lag=MS  lag=PAIR:MS+PAIR:MS            what was just made is not seen by another product yet
  lag-tries=N  lag-tries=PAIR:N          nor by the first N calls that ask for it
    pairs: kv r2 d1 queues hyperdrive vectorize services classes (an upload binds it)
           upload routes consumers schedules domains subdomain secrets (they name a script)
           script-delete (a consumer went)  script-get (it went)  tunnel-delete (it was connected)
  upload-404=N  passing-auth=0.1  d1-again=0.1  list-lag=MS  split-sql  bare-validation
  latency=MS  rate-limit=CALLS  unicode-zones

What goes wrong, of the n-th call where it takes N (3 or 3+5):
  error-rate=0.1  error-on=N  throttle-on=N  html-on=N  null-body-on=N
  drop-request-on=N  lose-response-on=N  crash-on=N:before|after
  block=N:MS:none|seconds|date:CODE|null|text|page    429 to all from call N on, for so long
  limit-headers=recorded|counted|none  open-uploads=N  kept-objects  bare-failures  null-arrays
  one-upload                             what is uploaded while another upload is under way fails
  deny=d1+kv+r2+queues+hyperdrive+vectorize+tunnel+dns+zones+workers+routes
  coded-conflict  unreachable-origin
  fail=METHOD:PATH:STATUS:CODE:TEXT      every such call; fail-once=… the first one

It prints the variables that envc, wrangler and the official SDKs read; Ctrl-C stops it.";

const SCHEMA_FIELDS: &str = "\
One object, the same bytes every time:
  version      1; raised when a program that reads this form would misread it
  file, kdl    the name of the file, and the version of KDL
  top          the ids of the nodes that may stand at the top
  nodes        each node in each place: id (worker/bind), name (* is any), doc, notes, absent (what
               holds without it), stands_in, repeat, merges, arguments, variadic, flags, properties
               (with default or otherwise, and change), children by id, outputs, example
  types        the words that `type.is` uses: doc, example, references, secrets
  references   what texts may refer to: form, doc, of, stands_in
  names        what physical names may look like
  limits       how large things may be
  diagnostics  every code with its summary; `envc check --explain CODE` tells more

The same for people: specs/LANGUAGE.md. It is a form of our own: KDL's schema language is for KDL 1.";

/// Gives each developer, git worktree and pull request its own Cloudflare environment.
///
/// `environment.kdl` says what an environment is made of; envc makes it so, and takes it away again.
#[derive(Clone, Debug, Parser)]
#[command(name = "envc", version, after_help = EXAMPLES)]
#[command(max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output and place")]
pub(crate) struct CommonArgs {
    /// Write events as lines of JSON to standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Without colour; so does the variable `NO_COLOR`.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Say what is wrong and what was asked for, and nothing of what is done.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Work in this folder, or with this spec, instead of the current folder.
    #[arg(short = 'C', long, global = true, value_name = "DIR|FILE")]
    pub(crate) chdir: Option<PathBuf>,
}

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create the environment, or bring it up to date.
    Apply(Box<ApplyArgs>),
    /// Say what apply would do, and why; change nothing.
    Plan(PlanArgs),
    /// Take away everything that belongs to the environment.
    Destroy(DestroyArgs),
    /// Check environment.kdl, for all types, without any account.
    Check(CheckArgs),
    /// Lay out environment.kdl as everybody does; change nothing of what it says.
    Fmt(FmtArgs),
    /// Show what is recorded of the environment.
    Show(ShowArgs),
    /// Print URLs, names and identifiers for scripts.
    Output(OutputArgs),
    /// Look at, check and run database migrations.
    #[command(subcommand)]
    Migrate(MigrateVerb),
    /// Preview IDs: who holds which, and holding one by hand.
    #[command(subcommand)]
    Pool(PoolVerb),
    /// Whose the project is in the account; accounts that are gone.
    #[command(subcommand)]
    State(StateVerb),
    /// Approve what a checkout asks for: hosts that get credentials, programs that run.
    Trust(TrustArgs),
    /// The local cloud: Cloudflare's API on this machine.
    #[command(subcommand)]
    Cloud(CloudVerb),
    /// Print the language of environment.kdl as JSON, for editors and programs.
    #[command(after_help = SCHEMA_FIELDS)]
    Schema,
    /// Print a shell's completions.
    ///
    /// Put into your shell's start file, such as: source <(envc completions bash)
    Completions(CompletionsArgs),
}

/// Which environment.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which environment")]
pub(crate) struct TargetArgs {
    /// The type, such as `local` or `production`. Left out: `ENVC_ENV`, else the one that this
    /// folder is bound to, else the one whose `when` applies, else the default.
    #[arg(value_name = "TYPE", help_heading = None::<&str>)]
    pub(crate) env_type: Option<String>,
    /// The pull request's number, for types with `{env.pr}`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pr: Option<u32>,
    /// The environment's ID, where it is not this folder's.
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Where to: `cloudflare` or `local`. Left out: `ENVC_CLOUD`, else where it was applied last,
    /// else Cloudflare if `CLOUDFLARE_API_TOKEN` is set, else the local cloud.
    #[arg(long, value_name = "CLOUD", value_parser = ["cloudflare", "local"])]
    pub(crate) cloud: Option<String>,
}

/// What commands that change an environment have alike.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ChangeArgs {
    /// Approve without being asked.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Exit with 75 at once, instead of waiting, while another command works on the environment.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// How calls are made.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CallArgs {
    /// Requests in flight at once.
    #[arg(long, value_name = "N", default_value_t = default_parallelism())]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=PARALLELISM_MAX))]
    pub(crate) parallelism: u16,
}

/// `envc apply`
#[derive(Clone, Debug, Args)]
#[command(after_help = APPLY_EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct ApplyArgs {
    /// How calls are made.
    #[command(flatten)]
    pub(crate) calls: CallArgs,
    /// Approve the delete or replace of this one resource, such as d1.webapp; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) allow: Vec<Address>,
    /// Let this one resource of a protected type be deleted or replaced, such as d1.webapp, in this run
    /// alone; it is asked for all the same. May be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) unprotect: Vec<Address>,
    /// Let this one migration lose rows, such as `d1.webapp:0002_drop.sql`, which a protected type refuses
    /// and others ask about; it allows nothing else. May be repeated.
    #[arg(long, value_name = "DATABASE:FILE")]
    pub(crate) allow_loss: Vec<LossyFile>,
    /// Take over what has the name of this resource, such as d1.webapp, or what shared state says it is,
    /// though nothing proves that envc made it; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) adopt: Vec<Address>,
    /// Make this resource anew though nothing of it differs, such as d1.webapp; its data is lost,
    /// which is asked for; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) replace: Vec<Address>,
    /// Overwrite generated files that somebody edited.
    #[arg(long)]
    pub(crate) force: bool,
    /// Bind this folder to this environment from now on, in this account, and write its files here.
    #[arg(long, conflicts_with = "out_dir")]
    pub(crate) rebind: bool,
    /// Give this folder an environment of its own, though a cache that another user's envc wrote names
    /// one that is there.
    #[arg(long, conflicts_with_all = ["id", "pr", "plan"])]
    pub(crate) new: bool,
    /// Write generated files into this folder instead.
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<PathBuf>,
    /// Do exactly what `envc plan --out` wrote, or refuse when something changed since.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["env_type", "pr", "id", "cloud", "adopt", "replace", "unprotect", "allow_loss"])]
    pub(crate) plan: Option<PathBuf>,
    /// While every preview ID of a pool is taken, wait in its queue instead of exiting with 75.
    #[arg(long)]
    pub(crate) wait: bool,
    /// What commands that change an environment have alike.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// `envc plan`
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanArgs {
    /// How calls are made.
    #[command(flatten)]
    pub(crate) calls: CallArgs,
    /// Write the plan into this file, for `envc apply --plan`.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 2 where there are changes, or where apply would refuse for more than values that are
    /// not known here. Migrations that apply does
    /// not run, by hand or of an existing database, are none: `envc migrate check` is their gate.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Plan with this one resource of a protected type deleted or replaced, such as d1.webapp; may be
    /// repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) unprotect: Vec<Address>,
    /// Let this one migration lose rows, such as `d1.webapp:0002_drop.sql`, which a protected type refuses
    /// and others ask about; it allows nothing else. May be repeated.
    #[arg(long, value_name = "DATABASE:FILE")]
    pub(crate) allow_loss: Vec<LossyFile>,
    /// Plan as `envc apply --rebind` applies: this folder becomes this environment's, in this account.
    #[arg(long)]
    pub(crate) rebind: bool,
    /// Plan to take over what has the name of this resource, such as d1.webapp; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) adopt: Vec<Address>,
    /// Plan to make this resource anew though nothing of it differs, such as d1.webapp; may be
    /// repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) replace: Vec<Address>,
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `envc destroy`
#[derive(Clone, Debug, Args)]
#[command(after_help = DESTROY_EXAMPLES)]
pub(crate) struct DestroyArgs {
    /// How calls are made.
    #[command(flatten)]
    pub(crate) calls: CallArgs,
    /// Say what would be deleted, kept and removed, and change nothing.
    #[arg(long, conflicts_with_all = ["yes", "no_wait"])]
    pub(crate) plan: bool,
    /// Keep this resource, such as d1.webapp, with what it refers to; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) keep: Vec<Address>,
    /// Take away what has the name of this resource, such as worker.api, or what shared state says it is,
    /// though nothing proves that it is this environment's; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) adopt: Vec<Address>,
    /// An environment that nothing knows is no failure.
    #[arg(long)]
    pub(crate) if_exists: bool,
    /// What commands that change an environment have alike.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// `envc check`
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    /// How mistakes are shown.
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub(crate) format: CheckFormat,
    /// Tell what is behind a code, such as `unknown_reference`, with examples; without one, list all
    /// codes. Needs no spec.
    #[arg(long, value_name = "CODE", num_args = 0..=1, conflicts_with = "format")]
    #[expect(clippy::option_option, reason = "clap tells an option without a value so")]
    pub(crate) explain: Option<Option<String>>,
    /// Take a warning as a mistake, such as `unused_resource`, or all of them with `warnings`; may
    /// be repeated. The command exits with 65 then.
    #[arg(long, value_name = "CODE", value_parser = warning_codes())]
    pub(crate) deny: Vec<String>,
}

/// What `--deny` takes: `warnings`, and each warning's code, short or whole.
fn warning_codes() -> PossibleValuesParser {
    let codes = lint::codes::ALL.iter().map(|(code, _)| *code);
    let short = codes.clone().map(|code| PossibleValue::new(lint::slug(code)));
    let whole = codes.map(|code| PossibleValue::new(code).hide(true));
    PossibleValuesParser::new(
        std::iter::once(PossibleValue::new(ALL_WARNINGS)).chain(short).chain(whole),
    )
}

/// How `envc check` shows mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Pictures of the source.
    Human,
    /// Lines of JSON, as with --json.
    Json,
    /// Annotations of a pull request on GitHub.
    Github,
}

/// `envc fmt`
#[derive(Clone, Debug, Args)]
#[command(after_help = FMT_EXAMPLES)]
pub(crate) struct FmtArgs {
    /// Files to format in place; `-` is standard input, to standard output. Left out: the spec that
    /// other commands work with.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Change nothing; show what would change as a diff, and exit with 1 when there is something.
    #[arg(long)]
    pub(crate) check: bool,
}

/// `envc show`
#[derive(Clone, Debug, Args)]
pub(crate) struct ShowArgs {
    /// The type as plain KDL instead: inheritance, overriding and `without` done, with the line of
    /// the spec that each value comes from. Needs no environment and no account.
    #[arg(long)]
    pub(crate) resolved: bool,
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `envc output`
#[derive(Clone, Debug, Args)]
pub(crate) struct OutputArgs {
    /// One value alone, such as url.webapp or d1.webapp.id: `$(envc output --only url.webapp)`.
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Option<String>,
    /// Which environment.
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// `envc cloud`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CloudVerb {
    /// Serve Cloudflare's API on this machine, for wrangler, SDKs and Terraform.
    Serve(ServeArgs),
}

/// `envc cloud serve`
#[derive(Clone, Debug, Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8799")]
    pub(crate) listen: SocketAddr,
    /// Where its data lies. Left out: the local cloud that `envc apply` uses.
    #[arg(long, value_name = "DIR")]
    pub(crate) cloud_dir: Option<PathBuf>,
    /// A zone that exists, next to the spec's own; may be repeated.
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Vec<String>,
    /// What is as on the real API and what goes wrong, as key=value with commas between:
    /// reality=1/50,error-on=3. Left out:
    /// `ENVC_CLOUD_FAULTS`.
    #[arg(long, value_name = "FAULTS")]
    pub(crate) faults: Option<String>,
    /// Listen on an address that other machines can reach. Whoever has the token can do anything.
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// A name by which it may be called beside the address it listens on, with a port or for any; may
    /// be repeated. What comes by another name is refused: a page in a browser can have any name
    /// resolved to this machine.
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// Answer the calls by which tests set clocks ahead and connect tunnels. Whoever has the token can
    /// end every lease with them, for ever.
    #[arg(long, hide = true)]
    pub(crate) test_hooks: bool,
}

/// `envc completions`
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

fn default_parallelism() -> u16 {
    u16::try_from(limits::PARALLELISM).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_grammar_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lines_of_the_documentation_parse() {
        for line in [
            "envc apply",
            "envc apply local --json -C apps",
            "envc apply ephemeral --pr 42 --yes",
            "envc apply --plan p.json",
            "envc apply production --allow d1.web --allow kv.x --out-dir dist",
            "envc plan --out p.json --detailed-exitcode --parallelism 4",
            "envc destroy ephemeral --pr 42 --if-exists --yes",
            "envc destroy --keep d1.webapp --keep r2.images --id x",
            "envc destroy ephemeral --pr 42 --plan --keep d1.webapp --json",
            "envc check --format github",
            "envc check --explain",
            "envc check --explain unknown_node",
            "envc check --explain=envc::spec::unknown_node",
            "envc check --deny warnings",
            "envc check --deny unused_resource --deny envc::lint::pr_without_ttl",
            "envc -C x/environment.kdl check -v -v",
            "envc fmt",
            "envc fmt a.kdl b.kdl",
            "envc fmt --check -",
            "envc show production --cloud local",
            "envc output --only url.webapp",
            "envc migrate check production",
            "envc migrate apply production --yes --no-wait",
            "envc migrate new d1.web add tags",
            "envc migrate mark d1.web ephemeral --pr 4 --file 1.sql --file 2.sql --yes",
            "envc migrate restore d1.web --undo",
            "envc migrate restore d1.web production --at 2026-11-30T09:00:00Z --yes",
            "envc migrate reset d1.web ephemeral --pr 4 --yes",
            "envc apply --replace d1.web --replace kv.x --yes",
            "envc plan --replace d1.web --out p.json",
            "envc apply --no-wait",
            "envc apply production --unprotect kv.flags --unprotect d1.web --yes",
            "envc plan production --unprotect kv.flags --out p.json",
            "envc cloud serve --listen 127.0.0.1:0 --zone a.com --zone b.com --faults latency=5",
            "envc state claim",
            "envc state claim --release",
            "envc state claim --release github.com/acme/shop --cloud local",
            "envc trust",
            "envc trust production --print",
            "envc trust ls --json",
            "envc trust revoke",
            "envc trust revoke /src/shop/.git",
            "envc state forget 0123 production --cloud local --yes",
            "envc state rm kv.old production --yes --no-wait",
            "envc plan --rebind",
            "envc schema",
            "envc completions fish",
        ] {
            assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
        }
    }

    #[test]
    fn lines_that_make_no_sense_are_refused() {
        for line in [
            "envc",
            "envc aply",
            "envc apply --pr 0",
            "envc apply --pr x",
            "envc apply a b",
            "envc apply --cloud aws",
            "envc apply --plan p.json production",
            "envc apply --rebind --out-dir x",
            "envc apply --plan p.json --unprotect kv.x",
            "envc plan --parallelism 0",
            "envc state",
            "envc state claim x",
            "envc state forget",
            "envc state rm",
            "envc state rm old",
            "envc destroy --keep webapp",
            "envc migrate reset",
            "envc migrate new d1.web",
            "envc migrate restore d1.web --at yesterday",
            "envc migrate restore d1.web --undo --bookmark x",
            "envc apply --plan p.json --replace d1.x",
            "envc destroy --plan --yes",
            "envc check -q -v",
            "envc check --deny unused",
            "envc cloud serve --listen here",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
