CREATE TABLE checks (
  url TEXT NOT NULL,
  at INTEGER NOT NULL,
  status INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  PRIMARY KEY (url, at)
);
