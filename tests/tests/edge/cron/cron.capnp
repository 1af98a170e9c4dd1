# Serves the edge Worker, and beside it a Worker that does what Cloudflare's cron does: each
# request to it runs the edge Worker's scheduled handler once.
using Workerd = import "/workerd/workerd.capnp";
using Edge = import "../../../../edge-worker/worker/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = Edge.edge),
    (name = "cron", worker = .cron),
    (name = "internet", network = (allow = ["public", "local"])),
    (name = "disk", disk = (path = "state", writable = true)),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:0", http = (), service = "edge"),
    (name = "cron", address = "127.0.0.1:0", http = (), service = "cron"),
  ],
);

const cron :Workerd.Worker = (
  modules = [(name = "cron.js", esModule = embed "cron.js")],
  compatibilityDate = "2026-01-01",
  # Lets a service binding call `scheduled`.
  compatibilityFlags = ["service_binding_extra_handlers"],
  bindings = [(name = "EDGE", service = "edge")],
);
