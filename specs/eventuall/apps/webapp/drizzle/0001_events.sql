-- An event has a host, a room of its own, and tickets; "live" is derived; never set it by hand.
CREATE TABLE `event` (
	`id` text PRIMARY KEY NOT NULL,
	`host_id` text NOT NULL,
	`title` text NOT NULL,
	`summary` text DEFAULT '' NOT NULL,
	`starts_at` integer NOT NULL,
	`ends_at` integer,
	`state` text DEFAULT 'draft' NOT NULL,
	FOREIGN KEY (`host_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE restrict,
	CONSTRAINT "event_state" CHECK("event"."state" IN ('draft', 'open', 'live', 'over'))
);
--> statement-breakpoint
CREATE TABLE `ticket` (
	`event_id` text NOT NULL,
	`user_id` text NOT NULL,
	`price_cents` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`event_id`, `user_id`),
	FOREIGN KEY (`event_id`) REFERENCES `event`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `event_by_start` ON `event` (`starts_at`,`state`);
