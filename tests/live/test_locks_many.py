# SPDX-License-Identifier: BSD-2-Clause
"""test_locks_many.py - more waits a second than dbtap is told of one by one: all are in the sums, long ones by themselves."""
import time

import pytest
import trace
from locking import Holder, Observer, near, wait_of

CLIENTS = 12
# Four locks, each held for an instant with others in the queue.
SCRIPT = """select count(pg_advisory_lock(key)::text || pg_sleep(0.00005)::text || pg_advisory_unlock(key)::text)
              from generate_series(1, 20), (select :client_id % 4 + 1) as one (key);\n"""
QUERY = "select count(pg_advisory_lock"


@pytest.fixture(scope="module")
def busy_server(server_folder):
    server = server_folder.server(settings={"autovacuum": "off"})
    yield server
    server.stop()


def of_load(rows):
    return [row for row in rows if QUERY in row.get("query", "")]


def sleeps(document):
    """(number, ns) of the load's sleeps for locks, as the wait events have them."""
    found = [wait for row in trace.rows(document, QUERY) for wait in row["waits"] if wait.get("class") == "Lock"]
    return sum(wait["count"] for wait in found), sum(wait["ns"] for wait in found)


def test_every_wait_is_counted_once(dbtap, busy_server, load):
    """Against the sleeps of the same sessions, which are counted elsewhere: those of a longer and of a shorter window."""
    load.pgbench(busy_server, "-c", CLIENTS, "-j", 1, "-M", "prepared", "-T", 60, script=SCRIPT)
    observer = Observer(busy_server)
    holder, waiter = Holder(busy_server, "select pg_advisory_lock(77)"), None
    with trace.window(dbtap, busy_server) as longer:
        with trace.window(dbtap, busy_server, command="locks") as traced:
            with trace.window(dbtap, busy_server) as shorter:
                time.sleep(1.5)
                waiter = load.session(busy_server, "select pg_advisory_lock(77)")
                since = observer.wait_until([waiter.pid])[waiter.pid][1]
                time.sleep(max(0.0, since + 0.5 - time.time()))
                until = float(holder.one("select extract(epoch from (select clock_timestamp() from pg_advisory_unlock(77)))")[0])
                waiter.finish()
                time.sleep(0.5)
    for one in (waiter, holder, observer):
        one.close()
    locks = traced.document["locks"]
    by_lock = [stat for stat in locks["by_lock"] if stat["lock"]["name"] != "advisory 0/77"]
    by_query, losses = of_load(locks["by_query"]), of_load(locks["losses"])
    waits, ns = sum(stat["waits"] for stat in by_lock), sum(stat["ns"] for stat in by_lock)
    assert {stat["lock"]["name"] for stat in by_lock} == {f"advisory 0/{key}" for key in range(1, 5)}, by_lock
    for rows in (by_query, losses):
        assert (sum(row["waits"] for row in rows), sum(row["ns"] for row in rows)) == (waits, ns), rows
    for stat in by_lock + by_query:
        assert sum(bucket["count"] for bucket in stat["wait_histogram"]) == stat["waits"] and not stat["failed"], stat
        assert stat["wait_ns"]["p50"] <= stat["wait_ns"]["p99"] <= stat["wait_ns"]["max"], stat
    # What goes on as a window begins or ends is in one of them and not in the other.
    (most, most_ns), (least, least_ns) = sleeps(longer.document), sleeps(shorter.document)
    assert least - CLIENTS <= waits <= most + CLIENTS, (least, waits, most)
    assert least_ns * 0.99 - 50e6 <= ns <= most_ns * 1.01 + 50e6, (least_ns, ns, most_ns)
    # Most of them were not told of; one that lasts is, with who was in the way.
    assert len(of_load(locks["past"])) < waits, waits
    past = wait_of(traced.document, waiter.pid, "past")
    near(past["waiting_ns"], (until - since) * 1e9, slack_ns=5e6)
    assert past["blocked_by"] == [holder.pid], past
