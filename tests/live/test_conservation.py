# SPDX-License-Identifier: BSD-2-Clause
"""test_conservation.py - nothing is lost and nothing counted twice: elapsed = cpu + runq + wait + unknown, everywhere.

The sums within a row and over all rows are checked in trace.check, for every document of every test.
"""
import time

import pytest
import second_try
import trace

SECONDS = 3
MIXED = """\\set n random(1, 20)
begin;
update counters set v = v + 1 where id = 1 + :n % 3;
select pg_sleep(0.001);
end;
select count(*) from (select filler from t where i % 20 = :n order by filler, i desc offset 1) q;
select count(*), sum(sqrt(i)) from t;
select pg_sleep(0.01);
"""


def thread_time(document):
    """Time of all threads but what background processes slept for want of work."""
    idle = sum(wait["ns"] for row in document["queries"] for wait in row["waits"] if wait["class"] == "Activity")
    return document["totals"]["elapsed_ns"] - idle


def assert_known(document, stolen):
    """Little is unknown but what the hypervisor stole, as a sum without signs, of everything and of the statements alone."""
    text = f"{stolen} ns stolen" + trace.describe(document)
    unknown = sum(abs(row["unknown_ns"]) for row in document["queries"])
    assert unknown < 0.01 * thread_time(document) + stolen, text
    statements = [row for row in document["queries"] if "query_id" in row]
    unknown = sum(abs(row["unknown_ns"]) for row in statements)
    assert unknown < 0.01 * trace.total(statements, "elapsed_ns") + stolen, text
    assert document["totals"]["attributed_percent"] > 99 - 100 * stolen / document["totals"]["elapsed_ns"], text


def assert_complete(document, processes):
    """So many processes from the first to the last moment lived so many windows."""
    trace.assert_near(document["totals"]["elapsed_ns"], processes * document["window"]["seconds"] * 1e9, 0.01,
                      what=f"elapsed_ns of {processes} processes" + trace.describe(document))


@pytest.fixture
def bench_server(make_server, load):
    server = make_server(settings={"autovacuum": "off", "max_parallel_workers_per_gather": 0})
    load.pgbench_init(server)
    return server


def wait_for_clients(server, clients):
    deadline = time.monotonic() + 20
    while server.query("select count(*) from pg_stat_activity where application_name = 'pgbench'")[0][0] < clients:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("arguments", (["-S"], []), ids=("select-only", "tpcb"))
def test_pgbench(dbtap, bench_server, load, arguments):
    load.pgbench(bench_server, *arguments, "-n", "-c", 4, "-j", 1, "-T", 120)
    wait_for_clients(bench_server, 4)
    before = trace.settled_pids(bench_server)
    stolen = second_try.stolen_ns()
    document = dbtap("queries", "--no-connect", "--instance", bench_server.instance, "--duration", SECONDS, "--format",
                     "json").ok().json()
    assert bench_server.pids() == before
    trace.check(document)
    assert_complete(document, len(before))
    assert_known(document, second_try.stolen_ns() - stolen)
    if not arguments:
        assert any(wait["class"] == "Lock" for row in document["queries"] for wait in row["waits"])


def test_idle(dbtap, bench_server, load):
    """Processes that do nothing at all are there for the whole window too."""
    for _ in range(10):
        load.session(bench_server, "select 1").finish()
    before = trace.settled_pids(bench_server)
    document = dbtap("queries", "--no-connect", "--instance", bench_server.instance, "--duration", 1, "--format", "json").ok().json()
    assert bench_server.pids() == before
    trace.check(document)
    assert_complete(document, len(before))
    idle = trace.one(document, kind="idle", user="postgres")
    trace.assert_near(idle["elapsed_ns"], 10 * document["window"]["seconds"] * 1e9, 0.01, what="idle")
    trace.assert_near(trace.waited(idle, "Client:ClientRead"), idle["elapsed_ns"], 0.01, what="ClientRead")


def test_mixed(dbtap, make_server, load):
    """Locks, sleeps, sorts on disk and parallel scans."""
    server = make_server(settings={"work_mem": "64kB", "max_parallel_workers_per_gather": 2, "parallel_setup_cost": 0,
                                   "parallel_tuple_cost": 0, "min_parallel_table_scan_size": 0})
    server.query("create table counters as select i as id, 0 as v from generate_series(1, 3) i")
    server.query("create table t as select i, md5(i::text) as filler from generate_series(1, 100000) i")
    server.query("vacuum analyze t")
    load.pgbench(server, "-c", 6, "-j", 1, "-T", 120, script=MIXED)
    wait_for_clients(server, 6)
    stolen = second_try.stolen_ns()
    document = dbtap("queries", "--instance", server.instance, "--duration", SECONDS, "--format", "json").ok().json()
    trace.check(document)
    assert_known(document, second_try.stolen_ns() - stolen)
    kinds = {row["kind"] for row in document["queries"]}
    waits = {f"{wait['class']}:{wait['event']}" for row in document["queries"] for wait in row["waits"]}
    assert {"client", "parallel", "idle", "idle_in_transaction", "checkpointer", "postmaster"} <= kinds
    assert "Timeout:PgSleep" in waits and waits & {"Lock:transactionid", "Lock:tuple"}
    # Six clients are in a statement or between two, all the time.
    clients = [row for row in document["queries"] if row["kind"] in ("client", "idle", "idle_in_transaction")
               and "dbtap" not in row.get("query", "") and "pg_catalog" not in row.get("query", "")]
    trace.assert_near(trace.total(clients, "elapsed_ns"), 6 * document["window"]["seconds"] * 1e9, 0.2, what="clients")
