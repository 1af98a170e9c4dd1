/* Every change of a note is kept; the trigger's body has statements of its own. */
CREATE TABLE history (
  note_id INTEGER NOT NULL REFERENCES notes (id) ON DELETE CASCADE,
  was TEXT NOT NULL,
  kind TEXT NOT NULL,
  at TEXT NOT NULL DEFAULT (datetime('now'))
);

CREATE TRIGGER notes_keep_history AFTER UPDATE OF body ON notes
BEGIN
  INSERT INTO history (note_id, was, kind)
  VALUES (OLD.id, OLD.body, CASE WHEN length(NEW.body) > length(OLD.body) THEN 'grown' ELSE 'cut; or the same' END);
END;
