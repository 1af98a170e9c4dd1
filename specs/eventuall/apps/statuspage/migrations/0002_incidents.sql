CREATE TABLE incidents (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  url TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  closed_at INTEGER,
  note TEXT NOT NULL DEFAULT 'opened by a check; see "checks"'
);

CREATE TRIGGER checks_open_incident AFTER INSERT ON checks
WHEN NEW.status >= 500
  AND NOT EXISTS (SELECT 1 FROM incidents WHERE url = NEW.url AND closed_at IS NULL)
BEGIN
  INSERT INTO incidents (url, opened_at) VALUES (NEW.url, NEW.at);
END;
