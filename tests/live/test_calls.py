# SPDX-License-Identifier: BSD-2-Clause
"""
test_calls.py - calls against pg_stat_statements, protocol by protocol; where pulling cannot count they are absent.

Version 13 has no ids to compare by: there, what has the same text is the same statement.
"""
import time

import load as loads

import psycopg2
import pytest
import trace

AMBIENT_SHARE = 0.005
PIPELINE = """\\set a random(1, 1000)
\\startpipeline
select abalance from pgbench_accounts where aid = :a;
select bbalance from pgbench_branches where bid = 1;
select count(*) from pgbench_tellers where tid = 1;
\\endpipeline
"""
# pgbench's own scripts with a pause after each statement: the server goes to sleep there, so pulling sees each end.
PAUSE = "\\sleep 100 us\n"
SELECT_ONLY = "\\set aid random(1, 100000)\nselect abalance from pgbench_accounts where aid = :aid;\n" + PAUSE
TPCB = "\\set aid random(1, 100000)\n\\set delta random(-5000, 5000)\n" + "".join(statement + ";\n" + PAUSE for statement in (
    "begin", "update pgbench_accounts set abalance = abalance + :delta where aid = :aid",
    "select abalance from pgbench_accounts where aid = :aid",
    "update pgbench_tellers set tbalance = tbalance + :delta where tid = 1 + :aid % 10",
    "update pgbench_branches set bbalance = bbalance + :delta where bid = 1",
    "insert into pgbench_history (tid, bid, aid, delta, mtime) values (1 + :aid % 10, 1, :aid, :delta, current_timestamp)", "end"))
PIPELINED = ("select abalance", "select bbalance", "select count(*) from pgbench_tellers")


@pytest.fixture(scope="module")
def calls_server(server_folder):
    server = server_folder.server(settings={"autovacuum": "off", "max_parallel_workers_per_gather": 0,
                                            "pg_stat_statements.track_planning": "off"}, preload=["pg_stat_statements"])
    server.query("create extension pg_stat_statements")
    running = loads.Load()
    running.pgbench_init(server)
    running.close()
    yield server
    server.stop()


def counted(server):
    """{query id: (calls, text)} of what ran since the reset."""
    toplevel = "where toplevel" if server.folder.major >= 14 else ""  # before, it has no others
    rows = server.query(f"select queryid::text, sum(calls)::bigint, min(query) from pg_stat_statements {toplevel} group by 1")
    return {query_id: (calls, text) for query_id, calls, text in rows}


def measure(dbtap, server, work, *arguments):
    """(document, what pg_stat_statements counted) of some work inside a window."""
    with trace.window(dbtap, server, *arguments) as traced:
        server.query("select pg_stat_statements_reset()")
        work()
        truth = counted(server)
    return traced.document, truth


def bench(server, load, *arguments, **more):
    return lambda: load.pgbench(server, "-n", *arguments, **more).wait()


def has_ids(document):
    return any(not instance["version"].startswith("13.") for instance in document["instances"])


def row_of(document, query_id, text):
    if has_ids(document):
        row = trace.one(document, query_id=query_id, kind="client")
        assert row["query_id_source"] == "engine"
        return row
    return trace.one(document, query=text, kind="client")


def compare(document, truth, share, at_least=500):
    """Every statement that ran often; at `share` 0 every one. How many were compared."""
    compared = 0
    for query_id, (calls, text) in truth.items():
        # What dbtap itself asks began before the reset.
        if calls < at_least or "pg_stat_statements" in text or "pg_catalog." in text:
            continue
        row = row_of(document, query_id, text)
        assert "calls" in row, f"{text}: absent: {row['absent']}, {calls} in truth"
        trace.assert_near(row["calls"], calls, share, what=f"calls of {text}")
        assert row["running"] == 0
        compared += 1
    return compared


@pytest.mark.parametrize("protocol", ("simple", "extended", "prepared"))
@pytest.mark.parametrize("script, transactions, statements", ((SELECT_ONLY, 5000, 1), (TPCB, 600, 5)), ids=("select-only", "tpcb"))
def test_ambient(dbtap, calls_server, load, protocol, script, transactions, statements):
    run = bench(calls_server, load, "-M", protocol, "-c", 4, "-t", transactions, script=script)
    with trace.one_cpu(calls_server):
        document, truth = measure(dbtap, calls_server, run)
    # begin and end share nothing with the others; some versions count them under ids of their own.
    assert compare(document, truth, AMBIENT_SHARE) >= statements


@pytest.mark.parametrize("protocol", ("simple", "extended", "prepared"))
def test_ambient_without_a_pause(dbtap, calls_server, load, protocol):
    """A client that may answer before the server gets to sleep: calls are right, or absent with that reason."""
    document, truth = measure(dbtap, calls_server, bench(calls_server, load, "-S", "-M", protocol, "-c", 4, "-t", 10000))
    row = trace.one(document, "abalance", kind="client")
    if "too fast" not in row.get("absent", {}).get("calls", ""):
        assert compare(document, truth, AMBIENT_SHARE) == 1


@pytest.mark.parametrize("protocol", ("simple", "extended", "prepared"))
def test_statement_depth(dbtap, calls_server, load, protocol):
    run = bench(calls_server, load, "-M", protocol, "-c", 2, "-t", 400)
    document, truth = measure(dbtap, calls_server, run, "--depth", "statement", "--budget", 100)
    assert compare(document, truth, 0, at_least=1) >= 5
    assert document["overhead"]["trap_cpu_percent"] > 0


def need_pipelines(server):
    if server.folder.major < 14:
        pytest.skip("pgbench has pipelines from version 14 on")


@pytest.mark.parametrize("protocol", ("extended", "prepared"))
def test_pipelines(dbtap, calls_server, load, protocol):
    need_pipelines(calls_server)
    run = bench(calls_server, load, "-M", protocol, "-c", 2, "-t", 3000, script=PIPELINE)
    document, truth = measure(dbtap, calls_server, run)
    assert sum(1 for calls, _ in truth.values() if calls == 6000) == 3
    for text in PIPELINED:
        for row in trace.rows(document, text, kind="client"):
            assert "calls" not in row, f"{text}: {row['calls']} calls of 6000 shown"
            assert "pipelined" in row["absent"]["calls"]
    assert "calls" not in document["totals"] and "calls" in document["totals"]["absent"]


@pytest.mark.parametrize("protocol", ("extended", "prepared"))
def test_pipelines_at_statement_depth(dbtap, calls_server, load, protocol):
    need_pipelines(calls_server)
    run = bench(calls_server, load, "-M", protocol, "-c", 2, "-t", 400, script=PIPELINE)
    document, truth = measure(dbtap, calls_server, run, "--depth", "statement", "--budget", 100)
    assert compare(document, truth, 0, at_least=400) == 3


def several(server, times):
    """Two statements in one string, again and again."""
    if server.folder.major < 14:
        pytest.skip("without the engine's ids a string is one statement")

    def work():
        connection = server.connect()
        with connection.cursor() as cursor:
            for number in range(times):
                cursor.execute(f"select {number} as first; select {number} as second, 2")
        connection.close()
    return work


def test_several_statements_in_one_string(dbtap, calls_server):
    document, truth = measure(dbtap, calls_server, several(calls_server, 400))
    same = {query_id: text for query_id, (calls, text) in truth.items() if calls == 400}
    assert len(same) == 2
    shown = [row for row in document["queries"] if row.get("query_id") in same or row.get("query") in same.values()]
    assert shown, "neither statement has a row"
    for row in shown:
        assert "calls" not in row and "several in one string" in row["absent"]["calls"], row


def test_several_statements_in_one_string_at_statement_depth(dbtap, calls_server):
    document, truth = measure(dbtap, calls_server, several(calls_server, 400), "--depth", "statement", "--budget", 100)
    assert compare(document, truth, 0, at_least=400) == 2


def test_one_binary_is_probed_once(dbtap, make_server):
    """Two instances of one binary, and one of them restarted while it is traced: still one trap a statement."""
    servers = [make_server(settings={"compute_query_id": "on", "autovacuum": "off"}) for _ in range(2)]
    with trace.window(dbtap, None, "--no-connect", "--depth", "statement", "--budget", 100, *trace.OFTEN) as traced:
        servers[1].restart()
        time.sleep(trace.FOUND_SECONDS)
        for server in servers:
            connection = server.connect()
            with connection.cursor() as cursor:
                for number in range(50):
                    cursor.execute(f"select {number} as counted_once")
            connection.close()
    for server in servers:
        assert trace.one(traced.document, "counted_once", instance=server.instance, kind="client")["calls"] == 50


def test_errors_are_calls_too(dbtap, calls_server):
    """A statement that ended in an error has ended; pg_stat_statements does not count it, dbtap at ambient does."""
    connection = calls_server.connect()
    with trace.window(dbtap, calls_server) as traced, connection.cursor() as cursor:
        for _ in range(50):
            with pytest.raises(psycopg2.Error):
                cursor.execute("select 1 / (select 0) as broken")
    connection.close()
    assert trace.one(traced.document, "broken")["calls"] == 50


def test_repeated_in_one_transaction(dbtap, calls_server):
    """A transaction of many statements: each is counted, between them the session is idle in transaction."""
    connection = calls_server.connect()
    with trace.window(dbtap, calls_server) as traced, connection.cursor() as cursor:
        cursor.execute("begin")
        for number in range(300):
            cursor.execute("select %s + 1 as counted", (number,))
            cursor.execute("select %s + 1 as also, 1", (number,))
        cursor.execute("commit")
    connection.close()
    assert trace.one(traced.document, "counted")["calls"] == 300
    assert trace.one(traced.document, "also")["calls"] == 300
    between = trace.one(traced.document, kind="idle_in_transaction")
    assert between["sleeps"] > 0 and trace.waited(between, "Client:ClientRead") > 0


def test_a_probe_over_its_budget_is_taken_off(dbtap, calls_server, load):
    """Its calls are then those of ambient depth, or absent with its reason: never a part of them."""
    run = trace.start(dbtap, calls_server, "--depth", "statement", "--budget", 0.01)
    calls_server.query("select pg_stat_statements_reset()")
    with trace.one_cpu(calls_server):
        bench(calls_server, load, "-c", 2, "-t", 3000, script=SELECT_ONLY)()
    truth = counted(calls_server)
    document = trace.finish(run, status=3)
    row = trace.one(document, "abalance", kind="client")
    assert document["overhead"]["probed"] == "none" and document["loss"]["probes_moved"] >= 1
    assert "budget" in row["absent"]["errors"]
    if "too fast" not in row["absent"].get("calls", ""):
        assert compare(document, truth, AMBIENT_SHARE) == 1
