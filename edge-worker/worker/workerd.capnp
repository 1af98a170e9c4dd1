# Serves the built Worker with the bare runtime: `workerd serve workerd.capnp`.
#
# Port 0 takes a free port; `--socket-addr http=127.0.0.1:8787` asks for a certain one, and
# `--control-fd 1` writes the port that was taken to standard output. What the objects keep goes
# to the folder `state`, or to another with `--directory-path disk=/absolute/path`; it must be
# there. The secrets are read from the environment.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .edge),
    # `local`, so that tests can probe servers of their own; the Worker itself refuses to.
    (name = "internet", network = (allow = ["public", "local"], tlsOptions = (trustBrowserCas = true))),
    (name = "disk", disk = (path = "state", writable = true)),
  ],
  sockets = [ (name = "http", address = "127.0.0.1:0", http = (), service = "main") ],
);

const edge :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "build/index.js"),
    (name = "index_bg.wasm", wasm = embed "build/index_bg.wasm"),
  ],
  # The same as in wrangler.jsonc.
  compatibilityDate = "2026-01-01",
  durableObjectNamespaces = [
    (className = "PoolObject", uniqueKey = "envc-edge-pools", enableSql = true),
    (className = "StatesObject", uniqueKey = "envc-edge-states", enableSql = true),
    (className = "RegistryObject", uniqueKey = "envc-edge-registry", enableSql = true),
    (className = "TokensObject", uniqueKey = "envc-edge-tokens", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "POOLS", durableObjectNamespace = "PoolObject"),
    (name = "STATES", durableObjectNamespace = "StatesObject"),
    (name = "REGISTRY", durableObjectNamespace = "RegistryObject"),
    (name = "TOKENS", durableObjectNamespace = "TokensObject"),
    (name = "BOOTSTRAP_TOKEN", fromEnvironment = "BOOTSTRAP_TOKEN"),
    (name = "STATUS_PUBLIC", fromEnvironment = "STATUS_PUBLIC"),
    (name = "ALLOW_LOOPBACK_PROBES", fromEnvironment = "ALLOW_LOOPBACK_PROBES"),
    (name = "SEAL_KEY", fromEnvironment = "SEAL_KEY"),
  ],
);
