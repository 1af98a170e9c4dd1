# Serves the edge Worker and both yardsticks from one process, each on a port of its own.
using Workerd = import "/workerd/workerd.capnp";
using Edge = import "../../edge-worker/worker/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = Edge.edge),
    (name = "rust", worker = .rust),
    (name = "plain", worker = .plain),
    (name = "internet", network = (allow = ["public", "local"])),
    (name = "disk", disk = (path = "state", writable = true)),
  ],
  sockets = [
    (name = "edge", address = "127.0.0.1:0", http = (), service = "edge"),
    (name = "rust", address = "127.0.0.1:0", http = (), service = "rust"),
    (name = "plain", address = "127.0.0.1:0", http = (), service = "plain"),
  ],
);

const rust :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "build/index.js"),
    (name = "index_bg.wasm", wasm = embed "build/index_bg.wasm"),
  ],
  compatibilityDate = "2026-01-01",
  durableObjectNamespaces = [(className = "Room", uniqueKey = "yardstick-rust", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [(name = "ROOMS", durableObjectNamespace = "Room")],
);

const plain :Workerd.Worker = (
  modules = [(name = "plain.js", esModule = embed "plain.js")],
  compatibilityDate = "2026-01-01",
  durableObjectNamespaces = [(className = "Room", uniqueKey = "yardstick-plain", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [(name = "ROOMS", durableObjectNamespace = "Room")],
);
