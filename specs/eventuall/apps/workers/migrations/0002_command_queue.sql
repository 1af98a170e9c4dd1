-- A command that was tried three times is parked; the consumer sends it to the dead letter queue.
ALTER TABLE commands ADD COLUMN parked TEXT NOT NULL DEFAULT 'no; not yet';
CREATE INDEX commands_open ON commands (room, id) WHERE done = 0;

CREATE TRIGGER commands_park AFTER UPDATE OF tries ON commands
WHEN NEW.tries >= 3
BEGIN
  UPDATE commands
  SET parked = CASE NEW.done WHEN 1 THEN 'no; done' ELSE 'yes' END
  WHERE id = NEW.id;
END;

CREATE VIEW open_commands AS
  SELECT room, count(*) AS waiting, max(tries) AS tries FROM commands WHERE done = 0 GROUP BY room;
