/* Who changed an event, and how.
   The trigger's body holds statements; so does this comment; neither ends the migration. */
CREATE TABLE `audit` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`event_id` text NOT NULL,
	`what` text NOT NULL,
	`at` integer DEFAULT (unixepoch()) NOT NULL
);
--> statement-breakpoint
CREATE TRIGGER `event_audit` AFTER UPDATE ON `event`
WHEN OLD.`state` IS NOT NEW.`state` OR OLD.`starts_at` IS NOT NEW.`starts_at`
BEGIN
	INSERT INTO `audit` (`event_id`, `what`)
	VALUES (
		NEW.`id`,
		CASE
			WHEN NEW.`state` = 'live' THEN 'went live; let''s go'
			WHEN NEW.`state` = 'over' THEN 'ended'
			WHEN OLD.`state` IS NOT NEW.`state` THEN OLD.`state` || ' -> ' || NEW.`state`
			ELSE 'moved'
		END
	);
	UPDATE `event` SET `ends_at` = unixepoch() WHERE `id` = NEW.`id` AND NEW.`state` = 'over' AND `ends_at` IS NULL;
END;
