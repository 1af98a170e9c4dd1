#!/bin/sh
# Written by envc for {{ env.id }}. Starts the three development servers of this working copy.
set -eu
cd "$(dirname "$0")"
set -a
. ./.env
. ./.env.ports
set +a

trap 'kill 0' INT TERM EXIT
{% if tunnel.dev and env.cloud == "cloudflare" -%}
cloudflared tunnel run --token "$TUNNEL_TOKEN" &
{% endif -%}
(cd apps/workers && pnpm wrangler dev --port "$WORKER_PORT") &
(cd apps/statuspage && pnpm wrangler dev --port "$STATUS_PORT") &
(cd apps/webapp && pnpm next dev --port "$WEBAPP_PORT") &
echo "webapp: {{ let["webapp-url"] }}"
echo "worker: {{ let["worker-url"] }}"
wait
