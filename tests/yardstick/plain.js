// The yardstick without Rust: src/lib.rs, line by line.
import { DurableObject } from "cloudflare:workers";

const TABLE = "CREATE TABLE IF NOT EXISTS rows (name TEXT PRIMARY KEY, value TEXT NOT NULL)";
const PUT =
  "INSERT INTO rows (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

export class Room extends DurableObject {
  calls = 0;

  constructor(state, env) {
    super(state, env);
    state.storage.sql.exec(TABLE);
  }

  async fetch(request) {
    this.calls += 1;
    if (new URL(request.url).pathname === "/write") {
      const row = `row ${this.calls} of about as many bytes as a lease has${" ".repeat(200)}`;
      this.ctx.storage.sql.exec(PUT, "one", row);
    }
    return Response.json({ calls: this.calls, padding: " ".repeat(200) });
  }
}

export default {
  fetch: (request, env) => env.ROOMS.getByName("room").fetch(request),
};
