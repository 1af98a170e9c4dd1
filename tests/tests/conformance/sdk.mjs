// The official SDK against a served local cloud: `node sdk.mjs PRODUCT`.
//
// It reads the variables that `envc cloud serve` prints, and finds the SDK by NODE_PATH. The last
// line of its output is what the caller compares: the number of checks that held.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { default: Cloudflare } = createRequire(import.meta.url)("cloudflare");

const account_id = process.env.CLOUDFLARE_ACCOUNT_ID;
const client = new Cloudflare({
  // The token and the address are read from the variables by the SDK itself.
  // A refusal must not be asked for three times.
  maxRetries: 0,
});

const HEX_ID = /^[0-9a-f]{32}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** A pager that never stops would stop here. */
const ITEMS_MAX = 500;

let checks = 0;
function equal(actual, expected) {
  assert.deepEqual(actual, expected);
  checks += 1;
}
function matches(actual, pattern) {
  assert.match(actual, pattern);
  checks += 1;
}
/** Fails unless the SDK raises this class of error, with this status and this code. */
async function refused(promise, type, status, code) {
  await assert.rejects(promise, (error) => {
    const found = [error.constructor.name, error.status, error.errors?.[0]?.code];
    assert.deepEqual(found, [type.name, status, code], String(error));
    return true;
  });
  checks += 1;
}
async function all(pager) {
  const items = [];
  for await (const item of pager) {
    items.push(item);
    assert.ok(items.length < ITEMS_MAX, "the pager does not stop");
  }
  return items;
}
const names = (count, prefix) =>
  Array.from({ length: count }, (_, n) => `${prefix}-${String(n).padStart(2, "0")}`);
const { BadRequestError, ConflictError, NotFoundError } = Cloudflare;
const { AuthenticationError, PermissionDeniedError } = Cloudflare;

const products = {
  async accounts() {
    const accounts = await all(client.accounts.list());
    equal(accounts.map((account) => account.id), [account_id]);
    equal((await client.accounts.get({ account_id })).id, account_id);
    const zones = await all(client.zones.list({ account: { id: account_id } }));
    equal(zones.map((zone) => [zone.name, zone.status]), [["eventuall.live", "active"]]);
    equal((await client.zones.get({ zone_id: zones[0].id })).name, "eventuall.live");
    equal((await all(client.zones.list({ name: "nowhere.example" }))).length, 0);
    equal((await client.user.tokens.verify()).status, "active");
    equal((await all(client.memberships.list())).map((it) => it.account.id), [account_id]);

    const foreign = "0123456789abcdef0123456789abcdef";
    await refused(client.accounts.get({ account_id: foreign }), PermissionDeniedError, 403, 10000);
    await refused(client.accounts.get({ account_id: "x" }), BadRequestError, 400, 7003);
    await refused(client.zones.get({ zone_id: foreign }), PermissionDeniedError, 403, 9109);
    const stranger = client.withOptions({ apiToken: "a".repeat(40) });
    await refused(stranger.accounts.list(), PermissionDeniedError, 403, 10000);
    await refused(stranger.zones.list(), PermissionDeniedError, 403, 9109);
    await refused(stranger.user.tokens.verify(), AuthenticationError, 401, 1000);
  },

  async d1() {
    const database = client.d1.database;
    for (const name of names(23, "d1")) await database.create({ account_id, name });
    const listed = await all(database.list({ account_id, per_page: 10 }));
    equal(listed.map((it) => it.name).sort(), names(23, "d1"));
    const one = (await all(database.list({ account_id, name: "d1-07" })))[0];
    matches(one.uuid, UUID);
    equal(Object.keys(one).sort(), ["created_at", "file_size", "jurisdiction", "name", "num_tables", "uuid", "version"]);
    const whole = await database.get(one.uuid, { account_id });
    equal([whole.name, whole.num_tables, whole.read_replication], ["d1-07", 0, { mode: "disabled" }]);
    const changed = { account_id, read_replication: { mode: "auto" } };
    equal((await database.update(one.uuid, changed)).read_replication, { mode: "auto" });

    const sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t (name) VALUES ('a'), ('b')";
    const made = await all(database.query(one.uuid, { account_id, sql }));
    equal(made.map((it) => [it.success, it.meta.changes]), [[true, 0], [true, 2]]);
    const asked = { account_id, sql: "SELECT id, name FROM t WHERE name = ?", params: ["b"] };
    const [rows] = await all(database.query(one.uuid, asked));
    equal(rows.results, [{ id: 2, name: "b" }]);
    equal([typeof rows.meta.duration, rows.meta.served_by_region], ["number", "WEUR"]);
    const [raw] = await all(database.raw(one.uuid, asked));
    equal(raw.results, { columns: ["id", "name"], rows: [[2, "b"]] });
    const batch = [{ sql: "DELETE FROM t WHERE id = ?", params: ["1"] }, { sql: "SELECT count(*) AS n FROM t" }];
    const both = await all(database.query(one.uuid, { account_id, batch }));
    equal(both[1].results, [{ n: 1 }]);
    matches((await database.timeTravel.getBookmark(one.uuid, { account_id })).bookmark, /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/);

    await refused(database.query(one.uuid, { account_id, sql: "SELEC" }), BadRequestError, 400, 7500);
    await refused(database.create({ account_id, name: "d1-07" }), BadRequestError, 400, 7502);
    await refused(database.create({ account_id, name: "a b" }), BadRequestError, 400, 7400);
    equal(await database.delete(one.uuid, { account_id }), null);
    await refused(database.get(one.uuid, { account_id }), NotFoundError, 404, 7404);
    equal((await all(database.list({ account_id }))).length, 22);
  },

  async kv() {
    const { namespaces } = client.kv;
    for (const title of names(12, "kv")) await namespaces.create({ account_id, title });
    const listed = await all(namespaces.list({ account_id, per_page: 5, order: "title" }));
    equal(listed.map((it) => it.title), names(12, "kv"));
    const { id } = listed[3];
    matches(id, HEX_ID);
    equal(await namespaces.get(id, { account_id }), { id, title: "kv-03", supports_url_encoding: true });
    equal((await namespaces.update(id, { account_id, title: "renamed" })).title, "renamed");

    const { values, keys, metadata } = namespaces;
    const at = { account_id, namespace_id: id };
    const key = "a/b c:ü%2F";
    // The part is JSON text; the SDK would take an object apart.
    const labels = JSON.stringify({ n: 1 });
    await values.update(key, { ...at, value: "hello", metadata: labels, expiration_ttl: 3600 });
    equal(await (await values.get(key, at)).text(), "hello");
    equal(await metadata.get(key, at), { n: 1 });
    const pairs = names(25, "key").map((name) => ({ key: name, value: `v ${name}` }));
    const put = await keys.bulkUpdate(id, { account_id, body: pairs });
    equal([put.successful_key_count, put.unsuccessful_keys], [25, []]);
    const paged = await all(keys.list(id, { account_id, limit: 10, prefix: "key-" }));
    equal(paged.map((it) => it.name), names(25, "key"));
    const [only] = await all(keys.list(id, { account_id, prefix: "a/" }));
    equal([only.name, only.metadata, only.expiration > Date.now() / 1000], [key, { n: 1 }, true]);
    const got = await keys.bulkGet(id, { account_id, keys: ["key-01", "none"] });
    equal(got.values, { "key-01": "v key-01", none: null });
    const gone = await keys.bulkDelete(id, { account_id, body: names(25, "key") });
    equal(gone.successful_key_count, 25);
    await values.delete(key, at);
    await values.delete(key, at);
    equal((await all(keys.list(id, { account_id }))).length, 0);

    await refused(values.get(key, at), NotFoundError, 404, 10009);
    await refused(namespaces.create({ account_id, title: "renamed" }), BadRequestError, 400, 10014);
    await refused(values.update("k", { ...at, value: "v", expiration_ttl: 59 }), BadRequestError, 400, 10034);
    await namespaces.delete(id, { account_id });
    await refused(namespaces.get(id, { account_id }), NotFoundError, 404, 10013);
    equal((await all(namespaces.list({ account_id, per_page: 1000 }))).length, 11);
  },

  async r2() {
    const { buckets } = client.r2;
    for (const name of names(5, "r2")) await buckets.create({ account_id, name, locationHint: "weur" });
    const first = await buckets.list({ account_id, per_page: 3 });
    equal(first.buckets.map((it) => it.name), names(3, "r2"));
    const rest = await buckets.list({ account_id, start_after: "r2-02" });
    equal(rest.buckets.map((it) => it.name), ["r2-03", "r2-04"]);
    const bucket = await buckets.get("r2-01", { account_id });
    // The types of the SDK say lower case; the real answer is upper case.
    equal([bucket.location, bucket.jurisdiction, bucket.storage_class], ["WEUR", "default", "Standard"]);
    const cold = await buckets.edit("r2-01", { account_id, storage_class: "InfrequentAccess" });
    equal(cold.storage_class, "InfrequentAccess");

    const { objects } = buckets;
    const at = { account_id, bucket_name: "r2-01" };
    for (const name of names(7, "dir/o")) {
      await objects.upload(name, name, at, { headers: { "content-type": "text/plain" } });
    }
    const read = await objects.get("dir/o-03", at);
    equal([await read.text(), read.headers.get("content-type")], ["dir/o-03", "text/plain"]);
    const listed = await all(objects.list("r2-01", { account_id, per_page: 3, prefix: "dir/" }));
    equal(listed.map((it) => [it.key, it.size, it.storage_class]),
      names(7, "dir/o").map((name) => [name, 8, "InfrequentAccess"]));
    await refused(buckets.delete("r2-01", { account_id }), ConflictError, 409, undefined);
    for (const name of names(7, "dir/o")) await objects.delete(name, at);
    await refused(objects.get("dir/o-03", at), NotFoundError, 404, 10007);
    await refused(buckets.create({ account_id, name: "r2-02" }), ConflictError, 409, 10004);
    await refused(buckets.create({ account_id, name: "R2_x" }), BadRequestError, 400, 10005);
    equal(await buckets.delete("r2-01", { account_id }), {});
    await refused(buckets.get("r2-01", { account_id }), NotFoundError, 404, 10006);
    const eu = { account_id, jurisdiction: "eu", "cf-r2-jurisdiction": "eu" };
    equal((await buckets.create({ ...eu, name: "r2-eu" })).jurisdiction, "eu");
    await refused(buckets.get("r2-eu", { account_id }), NotFoundError, 404, 10006);
  },

  async queues() {
    const { queues } = client;
    for (const queue_name of names(3, "queue")) await queues.create({ account_id, queue_name });
    const listed = await all(queues.list({ account_id }));
    equal(listed.map((it) => it.queue_name).sort(), names(3, "queue"));
    const queue = listed.find((it) => it.queue_name === "queue-01");
    matches(queue.queue_id, HEX_ID);
    // Absent, not null, as the SDK's types say.
    equal("jurisdiction" in queue, false);
    equal(queue.settings, { delivery_delay: 0, message_retention_period: 345600 });
    const id = queue.queue_id;
    const edited = await queues.edit(id, { account_id, settings: { message_retention_period: 600 } });
    equal(edited.settings.message_retention_period, 600);

    await refused(queues.messages.pull(id, { account_id }), BadRequestError, 400, 10013);
    const consumer = await queues.consumers.create(id, {
      account_id, type: "http_pull", dead_letter_queue: "queue-02",
      settings: { batch_size: 10, visibility_timeout_ms: 5000 },
    });
    matches(consumer.consumer_id, HEX_ID);
    equal([consumer.type, consumer.settings.batch_size], ["http_pull", 10]);
    const again = { account_id, type: "http_pull" };
    await refused(queues.consumers.create(id, again), BadRequestError, 400, 11004);
    const of = { account_id, queue_id: id };
    equal((await queues.consumers.get(consumer.consumer_id, of)).queue_name, "queue-01");
    equal((await all(queues.consumers.list(id, { account_id }))).map((it) => it.consumer_id), [consumer.consumer_id]);
    const settings = { ...of, type: "http_pull", settings: { batch_size: 20 } };
    equal((await queues.consumers.update(consumer.consumer_id, settings)).settings.batch_size, 20);

    const pushed = await queues.messages.push(id, { account_id, body: "one", content_type: "text" });
    const metrics = ["backlog_bytes", "backlog_count", "oldest_message_timestamp_ms"];
    equal(Object.keys(pushed.metadata.metrics).sort(), metrics);
    const messages = [{ body: { n: 2 }, content_type: "json" }, { body: "three", content_type: "text" }];
    await queues.messages.bulkPush(id, { account_id, messages });
    equal((await queues.getMetrics(id, { account_id })).backlog_count, 3);
    const pulled = await queues.messages.pull(id, { account_id, batch_size: 10 });
    equal(pulled.messages.map((it) => [it.body, it.attempts]),
      [["one", 1], [btoa('{"n":2}'), 1], ["three", 1]]);
    equal(Object.keys(pulled.metadata.metrics).sort(), metrics);
    const [a, b, c] = pulled.messages.map(({ lease_id }) => ({ lease_id }));
    const acked = await queues.messages.ack(id, { account_id, acks: [a, b], retries: [c] });
    equal([acked.ackCount, acked.retryCount], [2, 1]);
    const retried = await queues.messages.pull(id, { account_id });
    equal(retried.messages.map((it) => [it.body, it.attempts]), [["three", 2]]);
    await queues.purge.start(id, { account_id, delete_messages_permanently: true });
    equal((await queues.purge.status(id, { account_id })).completed, "true");

    await refused(queues.create({ account_id, queue_name: "queue-01" }), ConflictError, 409, 11009);
    await refused(queues.create({ account_id, queue_name: "_" }), BadRequestError, 400, 11003);
    const letters = listed.find((it) => it.queue_name === "queue-02").queue_id;
    await queues.consumers.update(consumer.consumer_id, { ...settings, dead_letter_queue: "queue-02" });
    await refused(queues.delete(letters, { account_id }), BadRequestError, 400, 11005);
    await queues.consumers.delete(consumer.consumer_id, of);
    await queues.delete(letters, { account_id });
    await queues.delete(id, { account_id });
    await refused(queues.get(id, { account_id }), NotFoundError, 404, 11000);
    equal((await all(queues.list({ account_id }))).length, 1);
  },

  async tunnels() {
    const { cloudflared } = client.zeroTrust.tunnels;
    const created = [];
    for (const name of names(7, "tunnel")) {
      created.push(await cloudflared.create({ account_id, name, config_src: "cloudflare" }));
    }
    const [tunnel] = created;
    matches(tunnel.id, UUID);
    equal([tunnel.name, tunnel.status, tunnel.config_src, tunnel.deleted_at, tunnel.tun_type],
      ["tunnel-00", "inactive", "cloudflare", null, "cfd_tunnel"]);
    const live = { account_id, is_deleted: false };
    const listed = await all(cloudflared.list({ ...live, per_page: 3 }));
    equal(listed.map((it) => it.name).sort(), names(7, "tunnel"));
    equal((await all(cloudflared.list({ ...live, name: "tunnel-04" }))).length, 1);

    const { id } = tunnel;
    const config = {
      ingress: [
        { hostname: "app.eventuall.live", service: "http://localhost:8080", originRequest: { noTLSVerify: true } },
        { service: "http_status:404" },
      ],
    };
    const put = await cloudflared.configurations.update(id, { account_id, config });
    equal([put.tunnel_id, put.version, put.source], [id, 1, "cloudflare"]);
    const got = await cloudflared.configurations.get(id, { account_id });
    equal(got.config.ingress.map((it) => [it.hostname, it.service]),
      config.ingress.map((it) => [it.hostname, it.service]));
    const open = { ingress: [{ hostname: "app.eventuall.live", service: "http://localhost:1" }] };
    await refused(cloudflared.configurations.update(id, { account_id, config: open }), BadRequestError, 400, 1056);
    const token = await cloudflared.token.get(id, { account_id });
    const { a, t, s } = JSON.parse(atob(token));
    equal([a, t, atob(s).length >= 32], [account_id, id, true]);
    equal((await cloudflared.edit(id, { account_id, name: "renamed" })).name, "renamed");
    equal(await all(cloudflared.connections.get(id, { account_id })), []);

    await refused(cloudflared.create({ account_id, name: "renamed" }), ConflictError, 409, 1013);
    const gone = await cloudflared.delete(id, { account_id });
    equal([gone.id, typeof gone.deleted_at], [id, "string"]);
    equal(typeof (await cloudflared.get(id, { account_id })).deleted_at, "string");
    equal((await all(cloudflared.list(live))).length, 6);
    equal((await all(cloudflared.list({ account_id, is_deleted: true }))).length, 1);
    await cloudflared.create({ account_id, name: "renamed" });
    const unknown = "00000000-0000-4000-8000-000000000000";
    await refused(cloudflared.get(unknown, { account_id }), NotFoundError, 404, 1002);
  },

  async workers() {
    const [{ id: zone_id }] = await all(client.zones.list({ name: "eventuall.live" }));
    const { scripts, routes, domains, subdomains, beta } = client.workers;
    const { id: namespace_id } = await client.kv.namespaces.create({ account_id, title: "kv" });
    const code = "export class Room {}\nexport default { fetch() {}, scheduled() {} };\n";
    // The SDK calls the body JavaScript unless it is told not to.
    const headers = { "Content-Type": null };
    const upload = (name, metadata) => {
      const json = JSON.stringify({ main_module: "index.mjs", compatibility_date: "2026-01-01", ...metadata });
      const type = "application/javascript+module";
      return scripts.update(name, {
        account_id,
        metadata: new File([json], "metadata.json", { type: "application/json" }),
        "index.mjs": new File([code], "index.mjs", { type }),
      }, { headers });
    };
    const bindings = [
      { type: "kv_namespace", name: "KV", namespace_id },
      { type: "secret_text", name: "KEY", text: "not told" },
      { type: "durable_object_namespace", name: "ROOM", class_name: "Room" },
    ];
    const migrations = { new_tag: "v1", new_sqlite_classes: ["Room"] };
    const made = await upload("api", { bindings, migrations, tags: ["conf"] });
    equal([made.id, made.migration_tag, made.handlers], ["api", "v1", ["fetch", "scheduled"]]);
    equal(typeof made.startup_time_ms, "number");
    matches(made.tag, HEX_ID);
    const unbound = [{ type: "kv_namespace", name: "KV", namespace_id: "0123456789abcdef0123456789abcdef" }];
    await refused(upload("api", { bindings: unbound }), BadRequestError, 400, 10041);
    equal((await all(scripts.list({ account_id, tags: "conf:yes" }))).map((it) => it.id), ["api"]);
    equal((await all(scripts.list({ account_id, tags: "conf:no" }))).length, 0);
    const content = await (await scripts.content.get("api", { account_id })).formData();
    equal(await content.get("index.mjs").text(), code);

    const { scriptAndVersionSettings, settings, secrets, schedules, subdomain } = scripts;
    const seen = await scriptAndVersionSettings.get("api", { account_id });
    equal(seen.bindings.map((it) => [it.type, it.name, it.text]),
      [["kv_namespace", "KV", undefined], ["secret_text", "KEY", undefined], ["durable_object_namespace", "ROOM", undefined]]);
    equal((await settings.edit("api", { account_id, logpush: true })).logpush, true);
    const [objects] = await all(client.durableObjects.namespaces.list({ account_id }));
    equal([objects.class, objects.script, objects.use_sqlite], ["Room", "api", true]);

    await secrets.update("api", { account_id, name: "TWO", text: "2", type: "secret_text" });
    equal((await all(secrets.list("api", { account_id }))).map((it) => it.name), ["KEY", "TWO"]);
    equal((await secrets.get("TWO", { account_id, script_name: "api" })).type, "secret_text");
    await secrets.delete("TWO", { account_id, script_name: "api" });
    await refused(secrets.get("TWO", { account_id, script_name: "api" }), NotFoundError, 404, 10056);

    const crons = [{ cron: "*/30 * * * *" }];
    equal((await schedules.update("api", { account_id, body: crons })).schedules.map((it) => it.cron), ["*/30 * * * *"]);
    equal((await schedules.get("api", { account_id })).schedules.length, 1);
    equal(typeof (await subdomains.get({ account_id })).subdomain, "string");
    equal(await subdomain.create("api", { account_id, enabled: true, previews_enabled: false }), { enabled: true, previews_enabled: false });

    const versions = await all(scripts.versions.list("api", { account_id, deployable: true }));
    equal(versions.map((it) => it.number), [3, 2, 1]);
    const [{ versions: [live] }] = (await scripts.deployments.list("api", { account_id })).result.deployments;
    equal([live.version_id, live.percentage], [versions[0].id, 100]);

    const route = await routes.create({ zone_id, pattern: "api.eventuall.live/*", script: "api" });
    matches(route.id, HEX_ID);
    await refused(routes.create({ zone_id, pattern: "api.eventuall.live/*" }), ConflictError, 409, 10020);
    await refused(routes.create({ zone_id, pattern: "x.eventuall.live/*", script: "no" }), BadRequestError, 400, 10019);
    await refused(routes.create({ zone_id, pattern: "elsewhere.example/*" }), BadRequestError, 400, 10022);
    equal((await routes.update(route.id, { zone_id, pattern: "a.eventuall.live/*", script: "api" })).pattern, "a.eventuall.live/*");
    equal((await all(routes.list({ zone_id }))).map((it) => it.script), ["api"]);
    equal(await routes.delete(route.id, { zone_id }), { id: route.id });
    await refused(routes.get(route.id, { zone_id }), NotFoundError, 404, 10009);

    const domain = await domains.update({ account_id, hostname: "app.eventuall.live", service: "api", zone_id });
    equal([domain.zone_name, domain.environment], ["eventuall.live", "production"]);
    equal((await all(domains.list({ account_id, service: "api" }))).map((it) => it.id), [domain.id]);
    const [record] = await all(client.dns.records.list({ zone_id }));
    equal([record.type, record.content, record.meta.read_only], ["AAAA", "100::", true]);
    const other = await beta.workers.create({ account_id, name: "other" });
    const again = beta.workers.create({ account_id, name: "other" });
    await refused(again, ConflictError, 409, 10040);
    const steal = { account_id, hostname: "app.eventuall.live", service: "other", zone_id };
    await refused(domains.update(steal), ConflictError, 409, 100116);
    await domains.delete(domain.id, { account_id });
    await refused(domains.get(domain.id, { account_id }), NotFoundError, 404, 100114);
    equal((await all(beta.workers.list({ account_id }))).map((it) => it.name), ["api", "other"]);
    await beta.workers.delete(other.id, { account_id });

    await upload("front", { bindings: [{ type: "service", name: "API", service: "api" }] });
    await refused(scripts.delete("api", { account_id }), BadRequestError, 400, 10142);
    await scripts.delete("api", { account_id, force: true });
    await refused(scripts.content.get("api", { account_id }), NotFoundError, 404, 10007);
  },

  async dns() {
    const [{ id: zone_id }] = await all(client.zones.list({ name: "eventuall.live" }));
    const { records } = client.dns;
    const record = (name, content) => ({ zone_id, name, type: "CNAME", content, ttl: 1, proxied: true });
    for (const name of names(12, "host")) {
      await records.create({ ...record(name, "example.com"), comment: `managed ${name}` });
    }
    const listed = await all(records.list({ zone_id, per_page: 5 }));
    equal(listed.map((it) => it.name).sort(), names(12, "host").map((name) => `${name}.eventuall.live`));
    const { id } = listed.find((it) => it.name.startsWith("host-03"));
    matches(id, HEX_ID);
    const one = await records.get(id, { zone_id });
    equal([one.type, one.content, one.ttl, one.proxied, one.proxiable, one.tags],
      ["CNAME", "example.com", 1, true, true, []]);
    equal((await all(records.list({ zone_id, comment: { contains: "managed" } }))).length, 12);
    equal((await all(records.list({ zone_id, name: { exact: "host-03.eventuall.live" } }))).length, 1);
    const edited = await records.edit(id, { ...record("host-03", "example.org"), comment: "edited" });
    equal([edited.id, edited.content, edited.comment], [id, "example.org", "edited"]);
    // A whole replacement loses the comment.
    equal((await records.update(id, record("host-03", "example.net"))).comment, null);

    const other = listed.find((it) => it.name.startsWith("host-05"));
    const batch = await records.batch({
      zone_id,
      deletes: [{ id }],
      patches: [{ id: other.id, comment: "patched" }],
      posts: [{ name: "host-03", type: "A", content: "192.0.2.1", ttl: 60, proxied: false }],
    });
    equal(batch.deletes.map((it) => it.id), [id]);
    equal(batch.patches.map((it) => [it.id, it.comment]), [[other.id, "patched"]]);
    equal(batch.posts.map((it) => [it.name, it.type, it.ttl]), [["host-03.eventuall.live", "A", 60]]);

    await refused(records.create(record("host-03", "example.com")), BadRequestError, 400, 81053);
    await refused(records.create(record("host-05", "example.net")), BadRequestError, 400, 81053);
    const a = { zone_id, name: "host-05", type: "A", content: "192.0.2.1", ttl: 1 };
    await refused(records.create(a), BadRequestError, 400, 81054);
    await refused(records.create({ ...a, name: "host-03" }), BadRequestError, 400, 81058);
    await refused(records.create({ ...a, name: "x", content: "nonsense" }), BadRequestError, 400, 1004);
    // Nothing of a batch happens when one part of it is refused.
    const half = { zone_id, deletes: [{ id: other.id }], posts: [record("host-06", "example.net")] };
    await refused(records.batch(half), BadRequestError, 400, 81053);
    equal((await records.get(other.id, { zone_id })).comment, "patched");

    equal(await records.delete(other.id, { zone_id }), { id: other.id });
    await refused(records.delete(other.id, { zone_id }), NotFoundError, 404, 81044);
    equal((await all(records.list({ zone_id }))).length, 11);
  },
};

await products[process.argv[2]]();
process.stdout.write(`${checks} checks held\n`);
