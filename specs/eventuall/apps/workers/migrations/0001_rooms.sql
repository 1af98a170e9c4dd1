CREATE TABLE rooms (
  name TEXT PRIMARY KEY,
  livekit_project TEXT NOT NULL,
  opened_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  closed_at TEXT,
  CHECK (closed_at IS NULL OR closed_at >= opened_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
  id INTEGER PRIMARY KEY,
  room TEXT NOT NULL REFERENCES rooms (name) ON DELETE CASCADE,
  body TEXT NOT NULL CHECK (json_valid(body)),
  tries INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0
) STRICT;
