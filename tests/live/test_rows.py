# SPDX-License-Identifier: BSD-2-Clause
"""test_rows.py - every way to run a statement, and every process of an instance, has a row with a name."""
import io
import threading
import time

import trace

BACKGROUND = {"postmaster", "checkpointer", "bgwriter", "walwriter", "autovacuum_launcher"}


def execute(connection, *statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_copy(dbtap, server, load):
    connection = server.connect()
    execute(connection, "create temp table copied (v text)")
    with trace.window(dbtap, server) as traced, connection.cursor() as cursor:
        cursor.copy_expert("copy copied from stdin", io.StringIO("x" * 99 + "\n" * 1 + ("y" * 99 + "\n") * 300000))
        cursor.copy_expert("copy (select * from copied) to stdout", io.StringIO())
    connection.close()
    come, gone = trace.one(traced.document, "from stdin"), trace.one(traced.document, "to stdout")
    assert come["kind"] == gone["kind"] == "client"
    assert come["calls"] == gone["calls"] == 1
    assert come["cpu_ns"] > 10e6 and gone["cpu_ns"] > 10e6
    assert gone["wchar_bytes"] > 30e6


def test_cursor(dbtap, server):
    """FETCH is a statement of its own."""
    connection = server.connect()
    with trace.window(dbtap, server) as traced:
        execute(connection, "begin", "declare walker cursor for select i from generate_series(1, 2000) i",
                *["fetch 10 from walker"] * 200, "close walker", "commit")
    connection.close()
    trace.assert_near(trace.one(traced.document, "fetch")["calls"], 200, 0.005)
    assert trace.one(traced.document, "declare walker")["calls"] == 1


def test_nested_statements_belong_to_their_caller(dbtap, make_server):
    server = make_server(preload=["pg_stat_statements"], settings={"autovacuum": "off"})
    server.query("create function nest(n int) returns bigint language plpgsql as $$ declare s bigint := 0; begin for i in 1..n loop"
                 " s := s + (select count(*) from generate_series(1, 100) inner_one); perform pg_sleep(0.001); end loop; return s; end $$")
    with trace.window(dbtap, server) as traced:
        server.query("select nest(300)")
    row = trace.one(traced.document, "select nest")
    assert row["calls"] == 1
    assert trace.waited(row, "Timeout:PgSleep") > 0.3e9
    assert trace.rows(traced.document, "inner_one") == []


def test_prepared_statements(dbtap, server):
    connection = server.connect()
    execute(connection, "prepare again(int) as select $1 + 1 as prepared_once")
    with trace.window(dbtap, server) as traced:
        execute(connection, *["execute again(7)"] * 200)
    connection.close()
    found = [row for row in traced.document["queries"] if row["kind"] == "client"
             and ("prepared_once" in row.get("query", "") or "execute again" in row.get("query", ""))]
    trace.assert_near(sum(row["calls"] for row in found), 200, 0.005, what=trace.describe(traced.document))


def test_parallel_workers_name_their_leader(dbtap, make_server, load):
    server = make_server(settings={"max_parallel_workers_per_gather": 2, "parallel_setup_cost": 0, "parallel_tuple_cost": 0,
                                   "min_parallel_table_scan_size": 0, "autovacuum": "off"})
    server.query("create table t as select i from generate_series(1, 200000) i")
    server.query("vacuum analyze t")
    with trace.window(dbtap, server) as traced:
        session = load.session(server, "select count(*), sum(sqrt(i) * ln(i + 1) + exp(1.0 / i)) from t a", repeat=5000)
        deadline = time.monotonic() + 60
        leaders = set()
        while session.pid not in leaders and time.monotonic() < deadline:
            document = dbtap("sessions", "--duration", 0.1, "--no-connect", "--instance", server.instance, "--format", "json").ok().json()
            leaders = {one.get("leader_pid") for one in document["sessions"] if one["kind"] == "parallel"}
        assert session.pid in leaders
        session.close()
    leader, worker = (trace.one(traced.document, "sqrt", kind=kind) for kind in ("client", "parallel"))
    assert leader["query_id"] == worker["query_id"]
    assert (leader["user"], leader["database"]) == (worker["user"], worker["database"])
    assert "calls" not in worker and worker["cpu_ns"] > 0


def test_autovacuum(dbtap, make_server):
    server = make_server(settings={"autovacuum_naptime": "1s", "autovacuum_vacuum_threshold": 10, "autovacuum_vacuum_scale_factor": 0,
                                   "autovacuum_analyze_threshold": 10, "autovacuum_analyze_scale_factor": 0, "autovacuum_vacuum_cost_delay": 0})
    with trace.window(dbtap, server) as traced:
        server.query("create table churn as select i, repeat('x', 100) as filler from generate_series(1, 50000) i")
        server.query("delete from churn where i % 2 = 0")
        deadline = time.monotonic() + 90
        while not server.query("select autovacuum_count from pg_stat_user_tables where relname = 'churn'")[0][0]:
            assert time.monotonic() < deadline, "autovacuum never came"
            time.sleep(0.1)
    workers = trace.rows(traced.document, kind="autovacuum")
    assert trace.total(workers, "cpu_ns") > 5e6, trace.describe(traced.document)
    named = [row for row in workers if "churn" in row.get("query", "")]
    assert named, trace.describe(traced.document)
    assert all(row["query_id_source"] == "own" and row["database"] == "postgres" for row in named)


def test_checkpoint_is_the_checkpointers(dbtap, make_server):
    server = make_server(settings={"autovacuum": "off"})
    server.query("create table dirty as select i, repeat('x', 500) as filler from generate_series(1, 40000) i")
    with trace.window(dbtap, server, "--no-connect") as traced:
        server.query("checkpoint")
    row = trace.one(traced.document, kind="checkpointer")
    assert row["dirtied_bytes"] + row["wchar_bytes"] > 4e6
    assert any(wait["class"] == "IO" for wait in row["waits"]), row
    asker = trace.one(traced.document, "checkpoint", kind="client")
    assert trace.waited(asker, "IPC:CheckpointDone") > 0


def test_every_process_is_in_a_named_row(dbtap, make_server, load):
    """All that an instance can have at once: the sum of threads in rows is the number of its processes."""
    server = make_server(settings={"wal_level": "logical", "archive_mode": "on", "archive_command": "sleep 0.2", "autovacuum": "off",
                                   "logging_collector": "on"})
    for _ in range(3):
        load.session(server, "select 1").finish()
    busy = load.session(server, "select pg_sleep(60)")
    trace.wait_for_state(server, busy.pid, "wait_event = 'PgSleep'")
    pids = trace.settled_pids(server)
    document = dbtap("queries", "--no-connect", "--duration", 1, "--instance", server.instance, "--format", "json").ok().json()
    assert trace.settled_pids(server) == pids
    trace.check(document)
    trace.assert_near(document["totals"]["elapsed_ns"], len(pids) * document["window"]["seconds"] * 1e9, 0.01)
    kinds = {row["kind"] for row in document["queries"]}
    assert {"postmaster", "checkpointer", "bgwriter", "walwriter", "archiver", "logger", "client", "idle", "bgworker"} <= kinds
    assert not kinds & {"unknown", "none"}
    assert document["instances"][0]["processes"] == len(pids)


def test_archive_command_is_a_child(dbtap, make_server):
    server = make_server(settings={"archive_mode": "on", "archive_command": "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done",
                                   "autovacuum": "off"})
    with trace.window(dbtap, server, "--no-connect") as traced:
        server.query("create table t as select 1")
        server.query("select pg_switch_wal()")
        deadline = time.monotonic() + 20
        while not server.query("select archived_count from pg_stat_archiver")[0][0]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert trace.total(trace.rows(traced.document, kind="child"), "cpu_ns") > 5e6, trace.describe(traced.document)


def test_copy_program_is_a_child(dbtap, server):
    connection = server.connect()
    execute(connection, "create temp table p (v text)")
    with trace.one_cpu(server), trace.window(dbtap, server, "--no-connect") as traced:
        execute(connection, "copy p from program 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'")
    connection.close()
    assert trace.total(trace.rows(traced.document, kind="child"), "cpu_ns") > 5e6
    assert trace.one(traced.document, "from program")["calls"] == 1


def test_clients_that_are_still_starting(dbtap, server):
    """Between its login and the first time it is idle a client has a kind and a user, and no query: it is no nameless statement."""
    def sessions():
        for _ in range(100):
            connection = server.connect()
            execute(connection, "select 1")
            connection.close()

    threads = [threading.Thread(target=sessions) for _ in range(4)]
    with trace.window(dbtap, server) as traced:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # More sessions than CPUs: some lose theirs just there.
    row = trace.one(traced.document, kind="starting", user="postgres")
    assert row["database"] == "postgres" and row["elapsed_ns"] > 0 and "query_id" not in row
    assert trace.rows(traced.document, kind="starting", user=None), "nothing before the login"
    assert all("query_id" in row for row in trace.rows(traced.document, kind="client")), trace.describe(traced.document)
