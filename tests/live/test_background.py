# SPDX-License-Identifier: BSD-2-Clause
"""
test_background.py - what works beside the sessions is told apart: parallel workers of every command that has them, logical replication,
walsenders by what they serve.
"""
import os
import subprocess
import time

import pytest
import trace

import pg_server
import server_process

EAGER = {"max_parallel_workers_per_gather": 2, "max_parallel_maintenance_workers": 2, "max_parallel_workers": 4, "parallel_setup_cost": 0,
         "parallel_tuple_cost": 0, "min_parallel_table_scan_size": 0, "min_parallel_index_scan_size": 0, "autovacuum": "off",
         "maintenance_work_mem": "128MB"}
WAIT_SECONDS = 30


def wait_for(what, condition):
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


@pytest.mark.parametrize("statement, text", (
    ("select count(*), sum(sqrt(a)) from wide", "sqrt"),
    pytest.param("create index wide_c on wide (c)", "create index", marks=trace.in_matrix),
    pytest.param("vacuum (parallel 2) wide", "vacuum", marks=trace.in_matrix),
), ids=("select", "create-index", "vacuum"))
def test_workers_are_their_leaders(dbtap, make_server, statement, text):
    """One statement: the workers' time stands apart, under the same query id and text as the leader's."""
    server = make_server(settings=EAGER)
    server.query("create table wide as select i as a, i % 1000 as b, md5(i::text) as c from generate_series(1, 200000) i")
    for column in ("a", "b"):
        server.query(f"create index wide_{column} on wide ({column})")
    server.query("delete from wide where a % 3 = 0")
    with trace.window(dbtap, server) as traced:
        server.query(statement)
    leader = trace.one(traced.document, text, kind="client")
    rows = trace.rows(traced.document, kind="parallel")
    # Until it has said whose it is, a worker's time is in a row without an id.
    workers = [row for row in rows if "query_id" in row]
    assert workers, trace.describe(traced.document)
    assert sum(row["cpu_ns"] for row in rows) < 2 * sum(row["cpu_ns"] for row in workers), trace.describe(traced.document)
    assert {(row["query_id"], row["query"], row["user"]) for row in workers} == \
        {(leader["query_id"], leader["query"], leader["user"])}, trace.describe(traced.document)
    assert len(workers) == 1 and workers[0]["cpu_ns"] > 0
    assert leader["calls"] == 1 and "calls" in workers[0]["absent"], workers


def follow(server, program, *arguments):
    """A client program of the server's that goes on until it is terminated."""
    folder = server.folder
    return subprocess.Popen([pg_server.client(program, folder.binaries), "-h", server.host, "-p", str(server.port), "-U", pg_server.USER,
                             *arguments], cwd=folder.path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, **server_process.credentials([pg_server.USER]))


def test_walsenders_by_what_they_serve(dbtap, make_server):
    """A base backup, a standby's stream and a decoded one: rows of kind walsender, each with the command it serves."""
    server = make_server(settings={"wal_level": "logical", "max_wal_senders": 6, "max_replication_slots": 4, "wal_keep_size": "64MB"})
    folder = server.folder
    for program in ("pg_receivewal", "pg_recvlogical", "pg_basebackup"):
        place = os.path.dirname(pg_server.client(program, folder.binaries))
        if not os.access(os.path.join(place, program), os.X_OK) or pg_server.major_of(place) < folder.major:
            pytest.skip(f"{program} is not there, or older than the server")
    server.query("create table t as select i from generate_series(1, 1000) i")
    server.query("select pg_create_logical_replication_slot('decoded', 'test_decoding')")
    received = os.path.join(folder.path, f"received{server.port}")
    os.mkdir(received)
    server_process.give(received, [pg_server.USER])
    children = []
    try:
        with trace.window(dbtap, server) as traced:
            children.append(follow(server, "pg_receivewal", "-D", received, "--no-loop"))
            children.append(follow(server, "pg_recvlogical", "-d", "postgres", "--slot=decoded", "--start", "-f", "-", "--no-loop"))
            wait_for("two streams", lambda: server.query(
                "select count(*) from pg_stat_replication where state = 'streaming'")[0][0] == 2)
            server.query("insert into t select i from generate_series(1, 50000) i")
            sent = server.query("select pg_current_wal_lsn()::text")[0][0]
            wait_for("all of it sent", lambda: server.query(
                "select count(*) from pg_stat_replication where sent_lsn >= %s::pg_lsn", (sent,))[0][0] == 2)
            backup = follow(server, "pg_basebackup", "-D", os.path.join(received, "backup"), "-X", "none", "--no-sync", "-c", "fast")
            children.append(backup)
            assert backup.wait(WAIT_SECONDS) == 0
    finally:
        for child in children:
            child.terminate()
            child.wait()
    rows = trace.rows(traced.document, kind="walsender")
    served = {what: [row for row in rows if what(row.get("query", ""))] for what in (
        lambda text: text.startswith("START_REPLICATION") and "LOGICAL" in text,
        lambda text: text.startswith("START_REPLICATION") and "LOGICAL" not in text,
        lambda text: text.startswith("BASE_BACKUP"))}
    for found in served.values():
        assert len(found) == 1 and found[0]["cpu_ns"] > 0, trace.describe(traced.document)
    backup = list(served.values())[2][0]
    assert backup["rchar_bytes"] > 5e6, backup


def test_logical_workers(dbtap, make_server):
    """Who applies what a publisher sends is neither a session nor just any worker of an extension's."""
    publisher = make_server(settings={"wal_level": "logical"})
    subscriber = make_server(settings={"max_logical_replication_workers": 4})
    for server in (publisher, subscriber):
        server.query("create table t (i int primary key, v text)")
    publisher.query("create publication everything for all tables")
    with trace.window(dbtap, subscriber) as traced:
        subscriber.query(f"create subscription copy connection '{publisher.conninfo()}' publication everything")
        publisher.query("insert into t select i, md5(i::text) from generate_series(1, 20000) i")
        wait_for("applied", lambda: subscriber.query("select count(*) from t")[0][0] == 20000)
        sessions = dbtap("sessions", "--no-connect", "--instance", subscriber.instance, "--format", "json").ok().json()["sessions"]
    truth = subscriber.query("select pid from pg_stat_subscription where pid is not null and relid is null")
    workers = [session for session in sessions if session["kind"] == "logical_worker"]
    assert [session["pid"] for session in workers] == [pid for pid, in truth]
    applied = trace.rows(traced.document, kind="logical_worker")
    assert applied and trace.total(applied, "cpu_ns") > 1e6, trace.describe(traced.document)
    launcher = trace.rows(traced.document, kind="bgworker")
    assert any(trace.waited(row, "Activity:LogicalLauncherMain") for row in launcher), trace.describe(traced.document)
    subscriber.query("alter subscription copy disable")
    subscriber.query("alter subscription copy set (slot_name = none)")
    subscriber.query("drop subscription copy")
