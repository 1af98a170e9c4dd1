-- The first good answer closes what is open; begin and end are words of this comment only.
CREATE TRIGGER checks_close_incident AFTER INSERT ON checks
WHEN NEW.status < 500
BEGIN
  UPDATE incidents SET closed_at = NEW.at WHERE url = NEW.url AND closed_at IS NULL;
  DELETE FROM checks WHERE url = NEW.url AND at < NEW.at - 90 * 24 * 60 * 60;
END;

INSERT INTO checks (url, at, status, latency_ms) VALUES ('https://eventuall.live/?q=a;b', 0, 200, 1);
