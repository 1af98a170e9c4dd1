// What a real reader makes of a dotenv file: `node dotenv.mjs READER FILE`, with FILE in a folder of its
// own. Prints the variables as JSON. The readers are found by NODE_PATH.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const [reader, file] = process.argv.slice(2);
const print = "process.stdout.write(JSON.stringify(process.env))";

/** The variables that a program has which another one started. */
function started(program, args) {
  return JSON.parse(execFileSync(program, args, { env: { PATH: process.env.PATH } }));
}

const readers = {
  node: () => started(process.execPath, [`--env-file=${file}`, "-e", print]),
  shell: () =>
    started("sh", ["-c", 'set -a; . "$1"; exec node -e "$2"', "sh", file, print]),
  bash: () =>
    started("bash", ["-c", 'set -a; . "$1"; exec node -e "$2"', "bash", file, print]),
  dotenv: () => require("dotenv").parse(readFileSync(file)),
  "dotenv-expand": () => {
    const parsed = require("dotenv").parse(readFileSync(file));
    return require("dotenv-expand").expand({ parsed, processEnv: {} }).parsed;
  },
  vite: async () => {
    const { loadEnv } = await import(require.resolve("vite"));
    return loadEnv("development", dirname(file), "");
  },
  // `.dev.vars` where it is there, else `.env` and the like: both beside the configuration.
  wrangler: () => {
    const { unstable_getVarsForDev } = require("wrangler");
    const vars = unstable_getVarsForDev(join(dirname(file), "wrangler.jsonc"), undefined, {}, undefined, true);
    return Object.fromEntries(Object.entries(vars).map(([name, { value }]) => [name, value]));
  },
};

process.stdout.write(`\n${JSON.stringify(await readers[reader]())}\n`);
process.exit(0);
