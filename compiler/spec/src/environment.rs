//! One environment, resolved: what the rest of the compiler works with. No sugar downstream.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, RepositoryDigest, Span, Text};
use envc_kinds::Worker;
use wildmatch::WildMatch;

/// What is known of an instance before its spec is resolved. The same inputs give the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The environment's ID.
    pub id: String,
    /// The git branch, for `{env.branch}`.
    pub branch: Option<String>,
    /// The pull request's number, for `{env.pr}`.
    pub pr: Option<u32>,
    /// The commit, for `{git.sha}`.
    pub sha: Option<String>,
    /// The port of each port owner (a worker or a `port` node), for `{port.NAME}`.
    pub ports: BTreeMap<String, u16>,
    /// True on the embedded local cloud, where `{host.X}` and `{url.X}` are the local services.
    pub local_cloud: bool,
    /// The repository whose project it is, for markers; [`RepositoryDigest::UNKNOWN`] where what
    /// is made of it is only looked at.
    pub repository: RepositoryDigest,
}

/// How the ID of an environment comes about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Fixed text (after `{env.pr}` and the like are replaced): `identity "production"`.
    Text {
        /// The text, every reference replaced but `{env.pr}`.
        pattern: String,
        /// True when it holds `{env.pr}`: an ID per pull request.
        per_pr: bool,
    },
    /// From the git branch: `identity branch max-length=20 unique`.
    Branch {
        /// Longest part that the branch may give.
        max_length: usize,
        /// Adds time and randomness, so that the ID is minted once and recorded.
        unique: bool,
    },
}

impl Identity {
    /// The ID of a fixed identity, with the pull request's number where it holds one. `None` for
    /// an ID from the branch, or without the number that is needed.
    pub fn fixed(&self, pr: Option<u32>) -> Option<String> {
        match self {
            Self::Text { pattern, per_pr: false } => Some(pattern.clone()),
            Self::Text { pattern, per_pr: true } => {
                Some(pattern.replace("{env.pr}", &pr?.to_string()))
            }
            Self::Branch { .. } => None,
        }
    }

    /// True where the ID holds the number of a pull request.
    pub fn is_per_pr(&self) -> bool {
        matches!(self, Self::Text { per_pr: true, .. })
    }
}

/// When a type applies by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In a linked git worktree.
    Worktree,
    /// When a pull request is named.
    Pr,
}

/// What is known of a type before it is resolved: enough to choose it and to mint its ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeHead {
    /// Its name.
    pub name: String,
    /// Chosen when nothing else is.
    pub default: bool,
    /// Chosen by itself.
    pub when: Option<When>,
    /// How its ID comes about.
    pub identity: Identity,
    /// Refuses delete and replace; changes are approved.
    pub protect: bool,
    /// The ports to find, by owner: each a range, both ends included.
    pub ports: BTreeMap<String, PortRange>,
    /// Where the type is declared.
    pub span: Span,
}

impl TypeHead {
    /// True for a type whose environments each belong to a pull request.
    pub fn is_per_pr(&self) -> bool {
        self.when == Some(When::Pr) || self.identity.is_per_pr()
    }
}

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest.
    pub first: u16,
    /// Highest.
    pub last: u16,
}

/// When migrations run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrateMode {
    /// With every apply.
    Auto,
    /// Only by `envc migrate apply TYPE`.
    Manual,
}

/// One environment of one type, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The project's name.
    pub project: String,
    /// What stands for the project in names: its short form, else its name.
    pub prefix: String,
    /// The project's zone.
    pub zone: Option<String>,
    /// The type's name.
    pub type_name: String,
    /// The instance it was resolved for.
    pub instance: Instance,
    /// Where its ID comes from.
    pub identity: Identity,
    /// Refuses delete and replace; changes are approved.
    pub protect: bool,
    /// When migrations run.
    pub migrate: MigrateMode,
    /// How long it lives after its last apply, in seconds.
    pub ttl_s: Option<u64>,
    /// The state store: `local` (default), `r2`, `edge`.
    pub state_store: StateStoreKind,
    /// The desired graph's nodes, by address.
    pub resources: BTreeMap<Address, Desired>,
    /// What others make from what envc writes, by address: a destroy looks for it, and nothing else does.
    pub by_others: BTreeMap<Address, Desired>,
    /// The migration folder of each database that has one, relative to the spec's folder.
    pub migrations: BTreeMap<Address, MigrationDir>,
    /// The file of rows that each database begins with, of those that have one.
    pub seeds: BTreeMap<Address, SpecPath>,
    /// What `wrangler dev` connects to in place of a resource, by its address. Secrets, mostly.
    pub local_connections: BTreeMap<Address, Text>,
    /// The Workers and their configuration.
    pub workers: Vec<Worker>,
    /// The dotenv files, by path; values merged.
    pub dotenvs: Vec<Dotenv>,
    /// Files rendered from templates.
    pub files: Vec<FileSpec>,
    /// The hosts of ingresses and routes.
    pub endpoints: Vec<Endpoint>,
    /// The `let`s, resolved, by name: for templates.
    pub lets: BTreeMap<String, Text>,
    /// Where secrets come from, in order.
    pub secrets: Vec<SecretProvider>,
    /// The edge Worker.
    pub edge: Option<Edge>,
    /// The tools that must be there.
    pub requires: Vec<Requirement>,
    /// The preview IDs that it holds, by name.
    pub leases: BTreeMap<String, Lease>,
    /// `dev "remote"` or `dev "local"`.
    pub dev_remote: bool,
    /// `dev persist=`: where wrangler keeps its local copies.
    pub persist: Option<SpecPath>,
    /// What the spec asks for and envc cannot do yet: an apply that needs it refuses.
    pub unsupported: Vec<Unsupported>,
}

impl Environment {
    /// The ledgers of migrations that are called otherwise than wrangler calls them, by database.
    pub fn ledger_names(&self) -> BTreeMap<Address, String> {
        let named = self.migrations.iter();
        named.filter_map(|(of, dir)| Some((of.clone(), dir.ledger.clone()?))).collect()
    }

    /// An environment of which only the record is known: it wants nothing. For taking away what
    /// a spec with mistakes cannot describe any more.
    pub fn recorded(
        project: &str,
        type_name: &str,
        identity: Identity,
        instance: Instance,
    ) -> Self {
        Self {
            project: project.to_owned(),
            prefix: project.to_owned(),
            zone: None,
            type_name: type_name.to_owned(),
            instance,
            identity,
            protect: false,
            migrate: MigrateMode::Manual,
            ttl_s: None,
            state_store: StateStoreKind::Local,
            resources: BTreeMap::new(),
            by_others: BTreeMap::new(),
            migrations: BTreeMap::new(),
            seeds: BTreeMap::new(),
            local_connections: BTreeMap::new(),
            workers: Vec::new(),
            dotenvs: Vec::new(),
            files: Vec::new(),
            endpoints: Vec::new(),
            lets: BTreeMap::new(),
            secrets: Vec::new(),
            edge: None,
            requires: Vec::new(),
            leases: BTreeMap::new(),
            dev_remote: false,
            persist: None,
            unsupported: Vec::new(),
        }
    }
}

impl Environment {
    /// All that a destroy takes away, by address: the desired graph, and what others made.
    pub fn all(&self) -> BTreeMap<Address, Desired> {
        let all = self.resources.iter().chain(&self.by_others);
        all.map(|(address, wanted)| (address.clone(), wanted.clone())).collect()
    }

    /// Where files of this environment are written, seen from the spec's folder, each with the place
    /// in the spec that it is from. The paths are put together as the spec writes their parts.
    pub fn written(&self) -> Vec<(String, Span)> {
        let mut paths = Vec::new();
        for worker in &self.workers {
            let mut put = |name| paths.push((format!("{}/{name}", worker.path), worker.span));
            put("wrangler.jsonc");
            if !worker.secrets.is_empty() {
                put(".dev.vars");
            }
            if self.has_local_connection(worker) {
                put(".env.local");
            }
        }
        paths.extend(self.dotenvs.iter().map(|file| (file.path.clone(), file.span)));
        paths.extend(self.files.iter().map(|file| (file.path.clone(), file.span)));
        paths
    }

    /// The files that secrets come from or go to, seen from the spec's folder.
    pub fn secret_files(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for provider in &self.secrets {
            if let SecretProvider::Dotenv { path, .. } = provider {
                paths.push(path.clone());
            }
        }
        for worker in &self.workers {
            paths.extend([".dev.vars", ".env.local"].map(|name| format!("{}/{name}", worker.path)));
        }
        paths.extend(self.dotenvs.iter().map(|file| file.path.clone()));
        paths
    }

    /// True when a Worker is bound to something that `wrangler dev` has another connection to.
    pub fn has_local_connection(&self, worker: &Worker) -> bool {
        worker.bindings.iter().any(|bind| self.local_connections.contains_key(&bind.target))
    }
}

/// Where state lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateStoreKind {
    /// The user's state directory.
    Local,
    /// An R2 bucket.
    R2 {
        /// The bucket's name.
        bucket: String,
    },
    /// The edge Worker.
    Edge,
}

/// A folder of migrations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationDir {
    /// Relative to the spec's folder.
    pub path: String,
    /// Which files in it are migrations, where that is not `*.sql`: names with `*` and `?`, `/` between them.
    pub pattern: Option<String>,
    /// The name of their ledger in the database, where it is not wrangler's own.
    pub ledger: Option<String>,
    /// Where it is written.
    pub span: Span,
}

impl MigrationDir {
    /// Which files in it are migrations.
    pub fn pattern(&self) -> &str {
        self.pattern.as_deref().unwrap_or(Self::PATTERN_DEFAULT)
    }

    /// Where nothing says which files are migrations.
    pub const PATTERN_DEFAULT: &str = "*.sql";

    /// True for the path of a migration, relative to the folder.
    pub fn takes(&self, path: &str) -> bool {
        let mut names = path.split('/');
        let fits = |one: &str| {
            let name = names.next();
            name.is_some_and(|name| !name.starts_with('.') && WildMatch::new(one).matches(name))
        };
        self.pattern().split('/').all(fits) && names.next().is_none()
    }
}

/// Where wrangler's local copies lie that several folders share, where the spec says nothing.
pub const LOCAL_STATE_DEFAULT: &str = ".envc/wrangler";

/// A file or folder that the spec names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecPath {
    /// Relative to the spec's folder.
    pub path: String,
    /// Where it is written.
    pub span: Span,
}

/// A dotenv file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dotenv {
    /// Relative to the spec's folder.
    pub path: String,
    /// The variables, in the order written.
    pub vars: Vec<(String, Text)>,
    /// Who reads it; where that is not said, what most read alike is written.
    pub reader: Option<DotenvReader>,
    /// Where it is declared.
    pub span: Span,
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident $word:literal,)*) => {
        /// Who reads a dotenv file: each quotes in its own way.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum DotenvReader { $($(#[$doc])* $name,)* }

        impl DotenvReader {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            /// Their words, in the same order.
            pub const WORDS: &[&str] = &[$($word,)*];

            /// As a spec writes it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The one of a word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reader| reader.word() == word)
            }
        }
    };
}

readers! {
    /// Node itself: `node --env-file`, `process.loadEnvFile`.
    Node "node",
    /// The package `dotenv`.
    Dotenv "dotenv",
    /// The package `dotenv`, and `dotenv-expand` after it, as Next.js does.
    DotenvExpand "dotenv-expand",
    /// Vite's `loadEnv`: `dotenv` or Node, then `dotenv-expand`.
    Vite "vite",
    /// wrangler: `.dev.vars` with `dotenv`, any other file with `dotenv-expand` as well.
    Wrangler "wrangler",
    /// A POSIX shell: `. ./file`.
    Shell "shell",
    /// `docker run --env-file`, to which each line is as it stands.
    Docker "docker",
}

/// A file rendered from a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSpec {
    /// Relative to the spec's folder.
    pub path: String,
    /// The template, relative to the spec's folder.
    pub template: String,
    /// Unix permission bits.
    pub mode: u32,
    /// Where it is declared.
    pub span: Span,
}

/// A host that people open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The ingress' or route's name.
    pub name: String,
    /// The host: in the zone, or `localhost:PORT` on the local cloud.
    pub host: String,
    /// With scheme.
    pub url: String,
    /// Not waited for.
    pub optional: bool,
}

/// The edge Worker that holds pools, the registry and shared state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Its address, without a slash at the end.
    pub url: String,
    /// The token of its API: one `(secret)` or `(env)`.
    pub token: Text,
    /// The pools that it is said to have, by name.
    pub pools: BTreeMap<String, EdgePool>,
    /// Where it is declared.
    pub span: Span,
}

/// A pool of preview IDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgePool {
    /// The attributes that are no secrets.
    pub public: BTreeSet<String>,
    /// Where it is declared.
    pub span: Span,
}

/// A place where secrets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretProvider {
    /// envc's own process environment.
    Env {
        /// Put before the name.
        prefix: String,
    },
    /// A dotenv file, relative to the spec's folder.
    Dotenv {
        /// The file.
        path: String,
        /// Where it is declared.
        span: Span,
    },
    /// One whose implementation is not there yet.
    Unsupported {
        /// The node's name, such as `doppler`.
        name: String,
        /// Where it is declared.
        span: Span,
    },
}

/// A tool that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The command.
    pub tool: String,
    /// `>=22`, as written.
    pub version: Option<String>,
    /// Needed only on this cloud.
    pub cloud: Option<String>,
    /// When it is not there, that is said and skipped.
    pub optional: bool,
    /// Where it is declared.
    pub span: Span,
}

/// A preview ID held from a pool. An environment holds one of each pool: two leases of one pool
/// are two names of one preview ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The pool.
    pub pool: String,
    /// The attributes that the spec refers to or that the pool declares public, but for `id`; each
    /// with whether it is a secret.
    pub attributes: BTreeMap<String, LeaseAttribute>,
    /// Where it is declared.
    pub span: Span,
}

/// What is known of a lease's attribute before the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseAttribute {
    /// It may stand in private places only.
    pub secret: bool,
    /// Something refers to it: the preview ID must have it.
    pub needed: bool,
}

/// Something the spec asks for that envc does not do yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// What, in words: "the `lease` node".
    pub what: String,
    /// Where it stands.
    pub span: Span,
}
