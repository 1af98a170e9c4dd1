//! Tables of the control plane, `cloud.sqlite`.
//!
//! Times are microseconds since the epoch (`_us`) unless the name says otherwise. A change adds a
//! step to [`STEPS`] and never edits an old one: the number of steps that ran is the file's
//! `user_version`, and a file from a newer program is refused. A new product keeps its tables in its
//! own row (`products/product.rs`).

/// Schema steps, oldest first.
pub(crate) const STEPS: &[&str] = &[STEP_1, STEP_2, STEP_3, STEP_4, STEP_5, STEP_6];

const STEP_1: &str = r"
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE zones (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_us INTEGER NOT NULL
) STRICT;

CREATE TABLE dns_records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    zone_id TEXT NOT NULL REFERENCES zones(id) ON DELETE CASCADE,
    name TEXT NOT NULL, type TEXT NOT NULL, content TEXT NOT NULL, data TEXT,
    ttl INTEGER NOT NULL, proxied INTEGER NOT NULL, priority INTEGER, comment TEXT,
    settings TEXT NOT NULL, created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,
    comment_modified_us INTEGER
) STRICT;
CREATE INDEX dns_records_by_name ON dns_records (zone_id, name);

CREATE TABLE d1_databases (
    uuid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, location TEXT NOT NULL,
    jurisdiction TEXT, replication TEXT NOT NULL, created_us INTEGER NOT NULL
) STRICT;

CREATE TABLE kv_namespaces (
    id TEXT PRIMARY KEY, title TEXT NOT NULL UNIQUE, created_us INTEGER NOT NULL
) STRICT;
CREATE TABLE kv_values (
    namespace_id TEXT NOT NULL REFERENCES kv_namespaces(id) ON DELETE CASCADE,
    key TEXT NOT NULL, metadata TEXT, expires_s INTEGER, value BLOB NOT NULL,
    PRIMARY KEY (namespace_id, key)
) STRICT;

CREATE TABLE r2_buckets (
    seq INTEGER PRIMARY KEY, jurisdiction TEXT NOT NULL, name TEXT NOT NULL,
    location TEXT NOT NULL, storage_class TEXT NOT NULL, created_us INTEGER NOT NULL,
    UNIQUE (jurisdiction, name)
) STRICT;
CREATE TABLE r2_objects (
    bucket INTEGER NOT NULL REFERENCES r2_buckets(seq) ON DELETE RESTRICT,
    key TEXT NOT NULL, version TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, etag TEXT NOT NULL,
    uploaded_us INTEGER NOT NULL, storage_class TEXT NOT NULL,
    http_metadata TEXT NOT NULL, custom_metadata TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT;
-- Bodies stand apart so that listing a bucket never walks over them.
CREATE TABLE r2_bodies (
    version TEXT PRIMARY KEY REFERENCES r2_objects(version) ON DELETE CASCADE,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE queues (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, jurisdiction TEXT,
    delivery_delay INTEGER NOT NULL, retention_s INTEGER NOT NULL, paused INTEGER NOT NULL,
    created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL, purged_us INTEGER
) STRICT;
CREATE TABLE queue_consumers (
    id TEXT PRIMARY KEY, queue_id TEXT NOT NULL UNIQUE REFERENCES queues(id) ON DELETE CASCADE,
    type TEXT NOT NULL, script TEXT, environment TEXT, dead_letter TEXT,
    settings TEXT NOT NULL, created_us INTEGER NOT NULL
) STRICT;
CREATE TABLE queue_messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    queue_id TEXT NOT NULL REFERENCES queues(id) ON DELETE CASCADE,
    content_type TEXT NOT NULL, body TEXT NOT NULL, bytes INTEGER NOT NULL,
    sent_us INTEGER NOT NULL, visible_us INTEGER NOT NULL, attempts INTEGER NOT NULL,
    lease TEXT UNIQUE
) STRICT;
CREATE INDEX queue_messages_by_queue ON queue_messages (queue_id, visible_us);

CREATE TABLE tunnels (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, secret TEXT NOT NULL, config_src TEXT NOT NULL,
    created_us INTEGER NOT NULL, deleted_us INTEGER,
    active_us INTEGER, inactive_us INTEGER,
    config TEXT, config_version INTEGER NOT NULL, config_us INTEGER
) STRICT;
CREATE UNIQUE INDEX tunnels_by_live_name ON tunnels (name) WHERE deleted_us IS NULL;
CREATE TABLE tunnel_connections (
    id TEXT PRIMARY KEY, tunnel_id TEXT NOT NULL REFERENCES tunnels(id) ON DELETE CASCADE,
    client_id TEXT NOT NULL, opened_us INTEGER NOT NULL
) STRICT;
";

// Rows of the edge's pools: what they hold is `envc-edge-core`'s own.
const STEP_2: &str = r"
CREATE TABLE pool_rows (
    pool TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (pool, name)
) STRICT, WITHOUT ROWID;
";

const STEP_3: &str = r"
CREATE TABLE worker_scripts (
    name TEXT PRIMARY KEY, tag TEXT NOT NULL UNIQUE, migration_tag TEXT,
    -- What is not of a version: logpush, observability, tags, tail consumers.
    settings TEXT NOT NULL,
    on_subdomain INTEGER NOT NULL, previews INTEGER NOT NULL, deployed_from TEXT NOT NULL,
    live TEXT, created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL
) STRICT;
-- The same code is stored once, however many versions of its script have it.
CREATE TABLE worker_contents (
    seq INTEGER PRIMARY KEY, etag TEXT NOT NULL, handlers TEXT NOT NULL,
    script TEXT NOT NULL REFERENCES worker_scripts(name) ON DELETE CASCADE,
    UNIQUE (script, etag)
) STRICT;
CREATE TABLE worker_modules (
    content INTEGER NOT NULL REFERENCES worker_contents(seq) ON DELETE CASCADE,
    position INTEGER NOT NULL, name TEXT NOT NULL, content_type TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (content, position)
) STRICT;
CREATE TABLE worker_versions (
    id TEXT PRIMARY KEY, number INTEGER NOT NULL,
    script TEXT NOT NULL REFERENCES worker_scripts(name) ON DELETE CASCADE,
    content INTEGER NOT NULL REFERENCES worker_contents(seq) ON DELETE CASCADE,
    metadata TEXT NOT NULL, bindings TEXT NOT NULL, annotations TEXT NOT NULL,
    source TEXT NOT NULL, created_us INTEGER NOT NULL,
    UNIQUE (script, number)
) STRICT;
CREATE INDEX worker_versions_by_content ON worker_versions (content);
CREATE TABLE worker_deployments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    script TEXT NOT NULL REFERENCES worker_scripts(name) ON DELETE CASCADE,
    versions TEXT NOT NULL, annotations TEXT NOT NULL, source TEXT NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;
CREATE INDEX worker_deployments_by_script ON worker_deployments (script);
CREATE TABLE worker_namespaces (
    id TEXT PRIMARY KEY, class TEXT NOT NULL, name TEXT NOT NULL, sqlite INTEGER NOT NULL,
    script TEXT NOT NULL REFERENCES worker_scripts(name) ON DELETE CASCADE,
    UNIQUE (script, class)
) STRICT;
CREATE TABLE worker_schedules (
    script TEXT NOT NULL REFERENCES worker_scripts(name) ON DELETE CASCADE,
    cron TEXT NOT NULL, created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,
    PRIMARY KEY (script, cron)
) STRICT;
CREATE TABLE worker_routes (
    id TEXT PRIMARY KEY, pattern TEXT NOT NULL,
    zone_id TEXT NOT NULL REFERENCES zones(id) ON DELETE CASCADE,
    script TEXT REFERENCES worker_scripts(name) ON DELETE SET NULL,
    UNIQUE (zone_id, pattern)
) STRICT;
CREATE INDEX worker_routes_by_script ON worker_routes (script);
CREATE TABLE worker_domains (
    id TEXT PRIMARY KEY, hostname TEXT NOT NULL UNIQUE,
    zone_id TEXT NOT NULL REFERENCES zones(id) ON DELETE CASCADE,
    script TEXT NOT NULL REFERENCES worker_scripts(name) ON DELETE CASCADE,
    environment TEXT NOT NULL, cert_id TEXT NOT NULL,
    -- The DNS record that came with the domain: only the domain removes it.
    record_id TEXT NOT NULL UNIQUE, created_us INTEGER NOT NULL
) STRICT;
CREATE INDEX worker_domains_by_script ON worker_domains (script);
";

// An asset may be there before its script, so that nothing ties it to one.
const STEP_4: &str = r"
CREATE TABLE worker_assets (
    script TEXT NOT NULL, hash TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (script, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE worker_asset_sessions (
    id TEXT PRIMARY KEY, script TEXT NOT NULL, manifest TEXT NOT NULL, created_us INTEGER NOT NULL
) STRICT;
";

const STEP_5: &str = r"
CREATE TABLE hyperdrive_configs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, origin TEXT NOT NULL, caching TEXT NOT NULL,
    mtls TEXT NOT NULL, connection_limit INTEGER, created_us INTEGER NOT NULL,
    modified_us INTEGER NOT NULL, restarted_us INTEGER
) STRICT;
";

// What lists tell of a database, the texts that D1 is sent and fetched from beside the API, uploads over
// S3, and what stands in for something of an account.
const STEP_6: &str = r"
ALTER TABLE d1_databases ADD COLUMN file_bytes INTEGER NOT NULL DEFAULT 8192;
ALTER TABLE d1_databases ADD COLUMN tables INTEGER NOT NULL DEFAULT 0;
CREATE TABLE d1_transfers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    database TEXT NOT NULL REFERENCES d1_databases(uuid) ON DELETE CASCADE,
    kind TEXT NOT NULL, filename TEXT NOT NULL, etag TEXT NOT NULL,
    bookmark TEXT, outcome TEXT, body BLOB, created_us INTEGER NOT NULL
) STRICT;
CREATE TABLE r2_uploads (
    seq INTEGER PRIMARY KEY, created_us INTEGER NOT NULL,
    bucket INTEGER NOT NULL REFERENCES r2_buckets(seq) ON DELETE CASCADE
) STRICT;
CREATE INDEX r2_uploads_by_bucket ON r2_uploads (bucket);
CREATE TABLE stand_ins (kind TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (kind, key)) STRICT;
";
