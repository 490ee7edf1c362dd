# SPDX-License-Identifier: BSD-2-Clause
"""test_locks_stats.py - how long waits took, by query and by lock, and what sessions waited for within the server."""
import csv
import io
import time

import psycopg2
import pytest
import trace
from locking import Holder, Observer, near

MILLISECONDS = [20, 30, 40, 50, 60, 80, 100, 150, 200, 400]
# Whose rows a transaction's lock is for is read while somebody waits: not within a wait that is over before we get a CPU.
ROW_MILLISECONDS = [400, 500, 600, 1100]


@pytest.fixture(scope="module")
def lock_server(server_folder):
    server = server_folder.server(settings={"autovacuum": "off"})
    server.query("create table held (id int primary key, v int)")
    server.query("insert into held values (1, 0), (2, 0)")
    yield server
    server.stop()


def wait_for(server, observer, load, milliseconds, hold, statement):
    """A session that waits so long: between which two bounds, in ns."""
    late = trace.late_ns()
    holder = Holder(server, hold)
    waiter = load.session(server, statement)
    since = observer.wait_until([waiter.pid])[waiter.pid][1]
    time.sleep(max(0.0, since + milliseconds / 1000 - time.time()))
    until = time.time()
    holder.release()
    holder.close()
    waiter.finish()
    done = time.time()
    late = trace.late_ns(waiter.pid) - late  # what it may have been stopped for before it went to sleep
    waiter.close()
    return (until - since) * 1e9 - late, (done - since) * 1e9


def check_stat(stat, waits):
    """Against the list of the waits themselves, which other tests hold against the server's word."""
    lengths = sorted(wait["waiting_ns"] for wait in waits)
    assert stat["waits"] == len(lengths) and stat["wait_ns"]["max"] == lengths[-1]
    near(stat["ns"], sum(lengths))
    for percent in (50, 95, 99):
        at = lengths[-(-len(lengths) * percent // 100) - 1]
        assert abs(stat["wait_ns"][f"p{percent}"] - at) <= 0.063 * at, (percent, stat, lengths)
    octaves = {}
    for length in lengths:
        octaves[1 << max(10, length.bit_length() - 1)] = octaves.get(1 << max(10, length.bit_length() - 1), 0) + 1
    assert {bucket["from_ns"]: bucket["count"] for bucket in stat["wait_histogram"]} == octaves


def test_histograms(dbtap, lock_server, load):
    observer = Observer(lock_server)
    with trace.window(dbtap, lock_server, command="locks") as traced:
        truth = [wait_for(lock_server, observer, load, ms, "select pg_advisory_xact_lock(7)", "select pg_advisory_xact_lock(7)")
                 for ms in MILLISECONDS]
        rows = [wait_for(lock_server, observer, load, ms, "update held set v = v + 1 where id = 1",
                         "update held set v = v - 1 where id = 1") for ms in ROW_MILLISECONDS]
        holder = Holder(lock_server, "update held set v = v + 1 where id = 2")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            lock_server.query("begin; set local lock_timeout = '450ms'; update held set v = v - 1 where id = 2")
        holder.close()
    observer.close()
    locks = traced.document["locks"]
    by_query = {stat["query"]: stat for stat in locks["by_query"]}
    advisory = next(stat for query, stat in by_query.items() if "pg_advisory_xact_lock" in query)
    check_stat(advisory, [wait for wait in locks["past"] if wait["lock"]["type"] == "advisory"])
    assert sum(least for least, _ in truth) * 0.99 <= advisory["ns"] <= sum(most for _, most in truth) * 1.01 + 20e6
    update = [stat for query, stat in by_query.items() if "set v = v -" in query]
    assert sum(stat["waits"] for stat in update) == len(rows) + 1 and sum(stat["failed"] for stat in update) == 1
    by_lock = {stat["lock"]["name"]: stat for stat in locks["by_lock"]}
    check_stat(by_lock["advisory 0/7"], [wait for wait in locks["past"] if wait["lock"]["type"] == "advisory"])
    check_stat(by_lock["rows of public.held"], [wait for wait in locks["past"] if wait["lock"]["type"] == "transactionid"])
    assert by_lock["rows of public.held"]["failed"] == 1 and traced.document["loss"]["lock_waits_unlisted"] == 0


def test_lists_as_csv_and_text(dbtap, lock_server, load):
    observer = Observer(lock_server)
    common = ("locks", "--duration", 3, "--instance", lock_server.instance)
    for by, columns in (("query", {"query", "waits", "wait_ns_p95", "wait_histogram"}), ("lock", {"lock_name", "wait_ns_max"}),
                        ("blocker", {"blocker_query", "ns"}), ("event", {"class", "event", "waits"})):
        run = trace.wait_until_open(dbtap.start(*common, "--by", by, "--format", "csv"))
        wait_for(lock_server, observer, load, 50, "select pg_advisory_xact_lock(8)", "select pg_advisory_xact_lock(8)")
        reader = csv.DictReader(io.StringIO(run.wait().ok().stdout))
        rows = list(reader)
        assert columns <= set(reader.fieldnames), reader.fieldnames
        assert by == "event" or (len(rows) == 1 and rows[0]["waits"] == "1"), rows
    run = trace.wait_until_open(dbtap.start(*common))
    wait_for(lock_server, observer, load, 50, "select pg_advisory_xact_lock(8)", "select pg_advisory_xact_lock(8)")
    text = run.wait().ok().stdout
    assert "WAITS THAT ENDED, BY QUERY" in text and "WAITS THAT ENDED, BY LOCK" in text and "advisory 0/8" in text, text
    observer.close()


def test_waits_within_the_server(dbtap, lock_server, load):
    """Many commits at once: LWLocks by query, and no histogram, with the reason."""
    lock_server.query("create table busy (id int, filler text)")
    load.pgbench(lock_server, "-c", 8, "-j", 2, "-T", 120, script="insert into busy values (1, repeat('x', 500));\n")
    trace.wait_until(lambda: lock_server.query("select count(*) > 100 from busy")[0][0], "pgbench is at work")
    with trace.window(dbtap, lock_server, command="locks") as traced:
        time.sleep(3)
    load.close()
    rows = [row for row in traced.document["locks"]["internal"] if "insert into busy" in row.get("query", "")]
    assert [row for row in rows if row["class"] == "LWLock" and row["waits"] > 10 and row["ns"] > 0], rows
    assert all("wait_ns" in row["absent"] for row in rows)
