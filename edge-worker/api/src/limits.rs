//! Every bound of the API, in one place. Each is part of the contract: a caller may rely on
//! being served up to the bound, and is refused beyond it.

/// The longest name of a pool, a member, a project, an environment or a subject, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The longest name of an attribute, in bytes.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 64;
/// The longest value of an attribute, secret or not, in bytes.
pub const ATTRIBUTE_BYTES_MAX: usize = 4 * 1024;
/// The most attributes of one member, secret ones included.
pub const ATTRIBUTES_MAX: usize = 32;
/// The most members of one pool.
pub const MEMBERS_MAX: usize = 1_000;
/// The most tickets that may wait at one pool.
pub const QUEUE_MAX: u32 = 1_000;
/// How many reclaims a pool remembers.
pub const RECLAIMS_KEPT: usize = 200;
/// The longest reason of a reclaim and the longest note of a token, in characters.
pub const TEXT_CHARS_MAX: usize = 200;
/// The shortest and the longest life of a lease, in seconds.
pub const TTL_SECONDS: (u32, u32) = (1, 90 * 86_400);
/// How long a lease lives when nobody says otherwise: seven days.
pub const TTL_SECONDS_DEFAULT: u32 = 7 * 86_400;
/// The most live tokens.
pub const TOKENS_MAX: usize = 1_000;
/// The least and the most requests a token may be given for each minute.
pub const RATE_PER_MINUTE: (u32, u32) = (1, 1_000_000);
/// Requests for each minute of a token whose maker named no rate.
pub const RATE_PER_MINUTE_DEFAULT: u32 = 1_200;
/// The largest body of a request that has no bound of its own, in bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// The largest body of `PUT /v1/pools/{pool}/members`, in bytes.
pub const MEMBERS_BODY_BYTES_MAX: usize = 1024 * 1024;
/// The largest state document, in bytes.
pub const STATE_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many versions of a state are kept.
pub const STATE_VERSIONS_KEPT: usize = 50;
/// The most environments of one project that have a state.
pub const STATES_MAX: usize = 10_000;
/// How many projects one page of all states has.
pub const PROJECTS_PAGE: usize = 40;
/// How many projects all states are listed of.
pub const PROJECTS_MAX: usize = 10_000;
/// The shortest and the longest life of a lock without a heartbeat, in seconds.
pub const LOCK_TTL_SECONDS: (u32, u32) = (1, 3_600);
/// How long a lock lives without a heartbeat when nobody says otherwise.
pub const LOCK_TTL_SECONDS_DEFAULT: u32 = 60;
/// The most environments in the registry.
pub const ENVIRONMENTS_MAX: usize = 2_000;
/// The most URLs of one environment.
pub const URLS_MAX: usize = 16;
/// The longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;
/// The most kinds of resources of one environment.
pub const RESOURCE_KINDS_MAX: usize = 64;
/// The most zones whose hosts are probed.
pub const ZONES_MAX: usize = 50;
/// The largest body of `PUT /v1/environments/{id}`, in bytes.
pub const REPORT_BODY_BYTES_MAX: usize = 64 * 1024;
