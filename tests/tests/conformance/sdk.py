# The official SDK for Python against a served local cloud.
#
# It takes the token and the API's address from the variables that `envc cloud serve` prints, by itself.
# The last line of its output is what the caller compares: the number of checks that held.
import os

import cloudflare

client = cloudflare.Cloudflare(max_retries=0)
account_id = os.environ["CLOUDFLARE_ACCOUNT_ID"]
checks = 0


def equal(actual, expected):
    global checks
    assert actual == expected, f"{actual!r} is not {expected!r}"
    checks += 1


def refused(status, code, call):
    global checks
    try:
        call()
    except cloudflare.APIStatusError as error:
        found = (error.status_code, error.body["errors"][0].get("code"))
        assert found == (status, code), error
        checks += 1
    else:
        raise AssertionError("nothing was refused")


equal([it.id for it in client.accounts.list()], [account_id])
equal([it.name for it in client.zones.list()], ["eventuall.live"])

database = client.d1.database.create(account_id=account_id, name="python")
sql = "CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)"
ran = list(client.d1.database.query(database.uuid, account_id=account_id, sql=sql))
equal([it.success for it in ran], [True, True])
listed = list(client.d1.database.list(account_id=account_id))
equal([it.name for it in listed], ["python"])
again = lambda: client.d1.database.create(account_id=account_id, name="python")
refused(400, 7502, again)

queue = client.queues.create(account_id=account_id, queue_name="jobs")
equal([it.queue_name for it in client.queues.list(account_id=account_id)], ["jobs"])
refused(409, 11009, lambda: client.queues.create(account_id=account_id, queue_name="jobs"))
client.queues.delete(queue.queue_id, account_id=account_id)

namespace = client.kv.namespaces.create(account_id=account_id, title="cache")
equal([it.title for it in client.kv.namespaces.list(account_id=account_id)], ["cache"])
client.kv.namespaces.delete(namespace.id, account_id=account_id)
equal(list(client.kv.namespaces.list(account_id=account_id)), [])

tunnels = client.zero_trust.tunnels.cloudflared
tunnel = tunnels.create(account_id=account_id, name="t", config_src="cloudflare")
equal([it.name for it in tunnels.list(account_id=account_id)], ["t"])
tunnels.delete(tunnel.id, account_id=account_id)
equal([it.name for it in tunnels.list(account_id=account_id)], [])
bad = cloudflare.Cloudflare(api_token="a" * 40, max_retries=0)
refused(403, 10000, lambda: bad.accounts.list())

print(f"{checks} checks held")
