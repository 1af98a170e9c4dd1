//! Every limit in one place, each with its reason.

/// Bytes of a spec. Ten times the largest spec that anyone is known to write.
pub const SPEC_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Nodes of a spec: 10,000 resources with a few children each.
pub const SPEC_NODES_MAX: usize = 100_000;
/// Arguments and properties of a spec.
pub const SPEC_VALUES_MAX: usize = 300_000;
/// Depth of nested nodes; the language needs four.
pub const SPEC_DEPTH_MAX: usize = 64;
/// Mistakes in the syntax of one spec; nobody reads more, and reading each costs time.
pub const SYNTAX_MISTAKES_MAX: usize = 100;
/// Errors of one spec that are kept, and as many warnings.
pub const MISTAKES_MAX: usize = 500;
/// Bytes of a message, a label or a help: what a spec says in them may be a megabyte.
pub const MESSAGE_BYTES_MAX: usize = 1_000;
/// Environment types of one spec.
pub const TYPES_MAX: usize = 200;
/// Resources, `let`s and other nodes that stand outside of types, ingresses included.
pub const SHARED_NODES_MAX: usize = 20_000;
/// The same in all types together: each type is resolved with what stands outside of types.
pub const RESOLVED_NODES_MAX: usize = 100_000;
/// Characters of all texts of an environment together, references replaced.
pub const TEXTS_CHARS_MAX: usize = 8 * 1024 * 1024;
/// Characters of a project's `id=`: with a project's name it fits into a title in the account.
pub const REPOSITORY_CHARS_MAX: usize = 200;
/// Bytes of a text in a spec, references included.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Characters of a text after its references are replaced by other texts.
pub const TEXT_CHARS_MAX: usize = 16 * 1024;
/// Characters of a declared name.
pub const DECLARED_NAME_CHARS_MAX: usize = 63;
/// Characters of an environment ID; it is part of host names (a DNS label has 63).
pub const ID_CHARS_MAX: usize = 40;
/// Characters that `unique` adds to an ID: a dash, six of base-36 seconds, four hex digits.
pub const ID_UNIQUE_CHARS: usize = 11;
/// Characters of the digest that an ID without `unique` gets where it does not hold its branch whole.
pub const ID_DIGEST_CHARS: usize = 8;
/// Fewest characters of a branch's ID without `unique`: the digest, a dash, something to read.
pub const BRANCH_ID_CHARS_MIN: usize = 12;
/// Bytes of an API answer that are read at the most.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Pages of one list: twice those of an account with a million buckets, the most that there can be
/// of anything. A server that ignores which page it is asked for would go on for ever.
pub const LIST_PAGES_MAX: u64 = 2_000;
/// Items of one list: those of an account with a million buckets.
pub const LIST_ITEMS_MAX: usize = 1_000_000;
/// Bytes of all answers of one list: a million buckets take half of it.
pub const LIST_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of a template, of a file that is made from it, and of what stands in the file's place:
/// what is written can be read again.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Tries of one request, the first included.
pub const ATTEMPTS_MAX: u32 = 6;
/// Milliseconds of the window in which the API counts the calls of a token.
pub const RATE_WINDOW_MS: u64 = 300_000;
/// Calls that the API takes of a token in its window.
pub const RATE_CALLS_MAX: u32 = 1_200;
/// Calls that envc makes in a window, over all runs of this user on the machine: a fifth of what the
/// token may make is left to the dashboard, to colleagues and to other tools.
pub const RATE_OWN_CALLS_MAX: u32 = RATE_CALLS_MAX / 5 * 4;
/// Milliseconds after which a call that is refused for the rate of calls is given up: a block lasts one
/// window, and a bit more passes until its end is seen.
pub const RATE_LIMITED_MS_MAX: u64 = RATE_WINDOW_MS + 60_000;
/// Milliseconds that what a run made may take to be seen by the calls that refer to it. Tools that were
/// tested against the API allow 20 to 30 seconds.
pub const VISIBLE_MS_MAX: u64 = 30_000;
/// Milliseconds that what a run took away may take to let go of what it held. The API's own text says
/// that it may be minutes; what was seen is some ten seconds.
pub const LET_GO_MS_MAX: u64 = 60_000;
/// Milliseconds between two looks at something that is waited for, at the most.
pub const POLL_MS_MAX: u64 = 5_000;
/// Bytes of SQL that are sent as one query: above that a text is imported as a file. Texts of 41 KB were
/// seen to be cut in wrong places.
pub const SQL_QUERY_BYTES_MAX: usize = 16 * 1024;
/// Milliseconds that an import of a file of SQL may take: half an hour, for the 5 GB that D1 takes.
pub const IMPORT_MS_MAX: u64 = 1_800_000;
/// Requests in flight by default.
pub const PARALLELISM: usize = 16;
