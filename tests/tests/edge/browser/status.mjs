// The status page in a real browser. Asserts, and prints how many checks held.
//
//     node status.mjs BASE TOKEN FOLDER      (CHROMIUM names the browser)
//
// The Worker at BASE is empty and may probe 127.0.0.1; screenshots go to FOLDER.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base, token, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let held = 0;
const check = (is, expected, what) => {
  assert.deepEqual(is, expected, what);
  held += 1;
};

const api = async (method, path, body) => {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer;
};

const site = (status) =>
  new Promise((ready) => {
    const server = createServer((_, response) => response.writeHead(status).end("ok"));
    server.listen(0, "127.0.0.1", () => ready(`http://127.0.0.1:${server.address().port}/`));
    server.unref();
  });

const report = (id, more) =>
  api("PUT", `/v1/environments/${id}`, {
    project: "shop", type: "preview", owner: "alice", outcome: "applied",
    resources: { d1: 2, kv: 1 }, ttl_seconds: 604800, ...more,
  });

// Text that would be markup, were it not escaped; and the longest names that there are.
const EVIL = `"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;
const LONG = "x".repeat(59);

async function fill() {
  const [up, down] = [await site(200), await site(500)];
  const members = Array.from({ length: 20 }, (_, number) => ({ id: `preview-${number}` }));
  await api("PUT", "/v1/pools/previews/members", { members });
  for (let number = 0; number < 7; number += 1) {
    await api("POST", "/v1/pools/previews/leases", { holder: `shop/pr-${number}` });
  }
  const named = (name, url) => ({ name, url });
  await report("shop.pr-41", { branch: "feature/checkout", urls: [named("web", up), named("api", up)] });
  await report("shop.pr-42", { owner: "bob", branch: "fix/login", urls: [named("web", down)] });
  await report("shop.pr-43", { owner: "carol", branch: "old/idea", urls: [named("web", up)], ttl_seconds: 1 });
  await report("shop.pr-44", {
    owner: "dave", outcome: "apply_failed",
    urls: [named("web", "https://pr-44.preview.example.com/")],
  });
  await api("POST", "/v1/probes");
  // The time of pr-43 passes.
  await new Promise((passed) => setTimeout(passed, 1100));
}

async function fillWithWhatIsHard() {
  const url = `https://${"b".repeat(63)}.${"c".repeat(63)}.example.com/${"d".repeat(500)}`;
  await report(`shop.${LONG}`, {
    owner: EVIL, branch: EVIL, urls: [{ name: "a".repeat(64), url }],
  });
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
  ],
});

// A page that notes whatever it asks for, and whatever the browser complains of.
async function open(options, path = "/status") {
  const httpCredentials = { username: "me", password: token };
  const context = await browser.newContext({ httpCredentials, ...options });
  const page = await context.newPage();
  const seen = { asked: [], complaints: [] };
  page.on("request", (request) => seen.asked.push(request.url()));
  page.on("console", (line) => {
    // Which file failed stands in its place, and not in its words.
    if (line.type() === "error") seen.complaints.push(`${line.text()} ${line.location().url}`);
  });
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  await page.goto(base + path, { waitUntil: "load" });
  return { page, seen };
}

function checkSeen({ asked, complaints }) {
  // The browser looks for an icon by itself; the Worker has none.
  const strange = asked.filter((url) => new URL(url).origin !== base);
  check(strange, [], "something was asked for elsewhere");
  check(complaints.filter((it) => !it.includes("favicon")), [], "the browser complains");
}

async function checkAccess(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  const bad = violations.filter((it) => ["serious", "critical"].includes(it.impact));
  check(bad.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).join(" ")}`), [], "axe");
}

// Nobody has anything yet.
{
  const { page, seen } = await open({});
  check(await page.title(), "Nothing is probed yet");
  await checkAccess(page);
  checkSeen(seen);
  await page.context().close();
}
await fill();
{
  const { page } = await open({ viewport: { width: 900, height: 600 }, colorScheme: "light" });
  await page.screenshot({ path: join(folder, "overview.png"), fullPage: true });
  await page.context().close();
}
await fillWithWhatIsHard();

const DESKTOP = { width: 1280, height: 800 };
const looks = {
  light: { viewport: DESKTOP, colorScheme: "light" },
  dark: { viewport: DESKTOP, colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, colorScheme: "light" },
  "phone-dark": { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, colorScheme: "dark" },
};
for (const [name, options] of Object.entries(looks)) {
  const { page, seen } = await open(options);
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  const size = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  check(size[0] <= size[1], true, `${name}: ${size[0]} wide in a window of ${size[1]}`);
  const line = "1 environment does not answer, 1 is past its time";
  check(await page.getByRole("status").textContent(), line);
  check(await page.locator("article h3").count(), 6);
  await checkAccess(page);
  // What was reported is text, whatever it looks like.
  check(await page.evaluate(() => window.hacked ?? null), null, "a script of somebody's ran");
  check(await page.locator("img").count(), 0);
  check(await page.getByText(`owner ${EVIL}`).count(), 1);
  checkSeen(seen);
  await page.context().close();
}

// Without its script the page says the same.
{
  const { page, seen } = await open({ javaScriptEnabled: false });
  check(await page.getByText("does not answer").count() > 0, true);
  check(await page.locator("article h3").count(), 6);
  checkSeen(seen);
  await page.context().close();
}

// News come without a reload, and what is gone goes.
{
  const { page, seen } = await open({});
  await page.evaluate(() => (window.stayed = true));
  // The stream has begun when its first line is there; it has no other sign.
  await page.waitForTimeout(500);
  await report("shop.pr-77", { branch: "feature/news" });
  await page.getByRole("heading", { name: "shop.pr-77" }).waitFor({ timeout: 15000 });
  await api("DELETE", "/v1/environments/shop.pr-77");
  await page.getByRole("heading", { name: "shop.pr-77" }).waitFor({ state: "detached", timeout: 15000 });
  check(await page.evaluate(() => window.stayed), true, "the page was loaded anew");
  checkSeen(seen);
  await page.context().close();
}

// A badge is a picture of its own, with a name for whoever cannot see it.
{
  const { page, seen } = await open({}, "/badge/shop.pr-42.svg");
  const label = () => document.documentElement.getAttribute("aria-label");
  check(await page.evaluate(label), "shop.pr-42: down");
  checkSeen(seen);
  await page.context().close();
}

await browser.close();
console.log(`${held} checks held`);
process.exit(0);
