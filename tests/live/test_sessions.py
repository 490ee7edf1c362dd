# SPDX-License-Identifier: BSD-2-Clause
"""test_sessions.py - sessions from process memory against pg_stat_activity, and how dbtap behaves as a client."""
import os
import time

import psycopg2
import pytest
import trace

ACTIVITY = """select pid, backend_type, state, application_name, client_addr::text, client_port, query_id::text, datname, usename,
                     query, leader_pid, wait_event_type, wait_event
              from pg_stat_activity where pid <> pg_backend_pid() and application_name <> 'dbtap'"""
KINDS = {"client backend": "client", "parallel worker": "parallel", "autovacuum launcher": "autovacuum_launcher",
         "autovacuum worker": "autovacuum", "background writer": "bgwriter", "checkpointer": "checkpointer", "startup": "startup",
         "walwriter": "walwriter", "walsender": "walsender", "walreceiver": "walreceiver", "archiver": "archiver",
         "logical replication launcher": "bgworker", "io worker": "io_worker", "walsummarizer": "walsummarizer",
         "slotsync worker": "slotsync_worker", "logical replication worker": "logical_worker",
         "logical replication apply worker": "logical_worker"}


def view(dbtap, server, *arguments, command="sessions", seconds=0.3, status=0):
    return dbtap(command, "--duration", seconds, "--format", "json", "--instance", server.instance, *arguments).ok(status).json()


def by_pid(document):
    """The sessions view without dbtap's own connection; no pid twice."""
    # Before version 15 a collector of statistics, which pg_stat_activity does not show.
    found = [session for session in document["sessions"]
             if session.get("application") != "dbtap" and session["kind"] != "stats_collector"]
    pids = [session["pid"] for session in found]
    assert len(pids) == len(set(pids))
    return {session["pid"]: session for session in found}


def test_dsn_of_no_instance(dbtap, server):
    """A name that matches nothing is a mistake the user wants to hear of."""
    outcome = dbtap("sessions", "--duration", 0.2, "--dsn", "postgres-nowhere=dbname=postgres", "--instance", server.instance)
    assert outcome.status != 0 and "postgres-nowhere" in outcome.stderr and len(outcome.stderr.splitlines()) == 1


@pytest.fixture
def busy_server(make_server, load):
    """Sessions of every state, none of which changes while two sources are compared."""
    server = make_server(settings={"autovacuum": "off"}, preload=["pg_stat_statements"])
    server.query("create database other")
    server.query("create role reader login")
    server.query("create table held (v int)")
    server.query("insert into held values (1)")
    connections = [server.connect(application_name="plain"), server.connect("other", "reader", application_name="näme 'q\""),
                   server.connect(autocommit=False, application_name="x" * 63), server.connect(autocommit=False, application_name=""),
                   psycopg2.connect(f"host=127.0.0.1 port={server.port} dbname=postgres user=postgres", application_name="tcp")]
    for connection in connections[2:4]:
        connection.cursor().execute("update held set v = v + 0 where false")
    with pytest.raises(psycopg2.Error):
        connections[3].cursor().execute("select 1/0")
    connections[2].cursor().execute("select * from held for update")
    connections[1].cursor().execute("select 'secret literal', 17")
    sleeper = load.session(server, "select pg_sleep(300), 'another secret'", application="sleeps")
    waiter = load.session(server, "delete from held", application="waits", user="postgres")
    trace.wait_for_state(server, sleeper.pid, "wait_event = 'PgSleep'")
    trace.wait_for_state(server, waiter.pid, "wait_event_type = 'Lock'")
    trace.settled_pids(server)
    yield server
    load.close()
    for connection in connections:
        connection.close()


def compare(server, sessions, literals):
    """Every field of pg_stat_activity that the view shows too."""
    truth = server.query(ACTIVITY if server.folder.major >= 14 else ACTIVITY.replace("query_id::text", "null"))
    postmaster = sessions.pop(server.pid, None)
    assert postmaster is None or postmaster["kind"] == "postmaster"
    assert {row[0] for row in truth} == set(sessions), "not the same processes"
    for pid, kind, state, application, address, port, query_id, database, user, query, leader, wait_class, wait_event in truth:
        session = sessions[pid]
        assert session["kind"] == KINDS[kind], session
        assert session.get("state") == state
        assert session.get("application", "") == application
        assert session.get("database") == database and session.get("user") == user
        assert session.get("leader_pid") == leader
        if kind == "client backend":  # the others go from wait to wait by themselves
            assert (session.get("wait_class"), session.get("wait_event")) == (wait_class, wait_event)
        assert session["tid"] == pid and session["instance"] == server.instance
        if query_id:
            assert (session["query_id"], session["query_id_source"]) == (query_id, "engine")
        if literals:
            assert session.get("query", "") == query
        if kind == "client backend":
            assert session["client"] == ("[local]" if address is None else f"{address.split('/')[0]}:{port}")
            assert 0 < session["state_since_ns"] < 300e9


@pytest.mark.parametrize("connect", ((), ("--no-connect",)), ids=("connected", "memory"))
def test_same_as_pg_stat_activity(dbtap, busy_server, connect):
    document = view(dbtap, busy_server, "--raw-text", *connect)
    assert document["instances"][0]["connected"] is not bool(connect)
    compare(busy_server, by_pid(document), literals=True)


def test_memory_and_connection_give_the_same_rows(dbtap, busy_server):
    """What only a connection gives is named where it is not."""
    fields = ("pid", "kind", "state", "application", "client", "database", "user", "query_id", "query_id_source", "query",
              "wait_class", "wait_event")
    connected, memory = by_pid(view(dbtap, busy_server)), by_pid(view(dbtap, busy_server, "--no-connect"))
    assert connected.keys() == memory.keys()
    for pid, one in connected.items():
        other = memory[pid]
        for field in fields:
            if field.startswith("wait_") and one["kind"] != "client":  # those go from wait to wait by themselves
                continue
            assert one.get(field) == other.get(field) or field in other.get("absent", {}), (field, one, other)


def test_texts_without_literals(dbtap, busy_server):
    for command in ("sessions", "queries", "waits"):
        for arguments in ((), ("--no-connect",)):
            for output in ("json", "csv", "text"):
                outcome = dbtap(command, "--duration", 0.2, "--instance", busy_server.instance, *arguments, "--format", output).ok()
                assert "secret" not in outcome.stdout, (command, arguments, output)
    assert "another secret" in str(view(dbtap, busy_server, "--raw-text")["sessions"])


def test_no_connection_left(dbtap, make_server):
    """max_connections exhausted: memory does it, and the reason is said."""
    server = make_server(settings={"max_connections": 6, "superuser_reserved_connections": 0, "autovacuum": "off"})
    connections = []
    with pytest.raises(psycopg2.OperationalError, match="too many clients|remaining connection slots"):
        while len(connections) < 50:
            connections.append(server.connect())
    assert len(connections) >= 5
    document = view(dbtap, server)
    assert document["instances"][0]["connected"] is False
    assert "too many" in str(document["instances"][0]) or "too many" in str(document["absent"]), document["instances"]
    sessions = by_pid(document)
    assert {connection.get_backend_pid() for connection in connections} <= set(sessions)
    assert all(sessions[connection.get_backend_pid()]["state"] == "idle" for connection in connections)
    for connection in connections:
        connection.close()


def test_rejected(dbtap, make_server):
    """pg_hba.conf lets nobody in: same sessions from memory, exit status ok, one reason, no password asked for."""
    server = make_server(settings={"autovacuum": "off"})
    connection = server.connect(application_name="before the door closed")
    with open(os.path.join(server.data, "pg_hba.conf"), "w", encoding="ascii") as file:
        file.write("local all all reject\nhost all all all reject\n")
    server.reload()
    wait_rejected(server)
    document = view(dbtap, server)
    assert document["instances"][0]["connected"] is False
    assert "reject" in str(document["instances"][0]) + str(document["absent"])
    session = by_pid(document)[connection.get_backend_pid()]
    assert session["application"] == "before the door closed"
    connection.close()


def wait_rejected(server, **who):
    deadline = time.monotonic() + 10
    while True:
        try:
            server.connect(**who).close()
        except psycopg2.OperationalError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_password_that_is_wrong(dbtap, make_server):
    server = make_server()
    server.query("create role locked login password 'right'")
    with open(os.path.join(server.data, "pg_hba.conf"), "w", encoding="ascii") as file:
        file.write("local all locked scram-sha-256\nlocal all all trust\n")
    server.reload()
    wait_rejected(server, user="locked")
    outcome = dbtap("sessions", "--duration", 0.3, "--format", "json", "--dsn", server.dsn(user="locked"), "--instance", server.instance)
    assert outcome.status == 3, outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1 and "password" in outcome.stderr
    assert outcome.json()["instances"][0]["connected"] is False


def test_role_with_pg_monitor(dbtap, make_server, load):
    """A role that may read statistics and nothing else is enough."""
    server = make_server(preload=["pg_stat_statements"], settings={"autovacuum": "off"})
    server.query("create extension pg_stat_statements")
    server.query("create role watcher login in role pg_monitor")
    server.query("alter role watcher set default_transaction_read_only = on")
    session = load.session(server, "select pg_sleep(60), 'x'")
    trace.wait_for_state(server, session.pid, "wait_event = 'PgSleep'")
    document = view(dbtap, server, "--dsn", server.dsn(user="watcher"), command="queries")
    assert document["instances"][0]["connected"] is True
    row = trace.one(document, "pg_sleep")
    assert (row["user"], row["database"]) == ("postgres", "postgres")
    assert trace.rows(document, user="watcher"), "dbtap is not the role it was told to be"


@pytest.mark.parametrize("conninfo", ("host=/tmp password=hidden1", "host=/tmp password='hidden1 2'", "postgresql://me:hidden1@localhost/db",
                                      "postgresql://localhost/db?password=hidden1", "host=/tmp sslpassword=hidden1"))
def test_password_on_the_command_line_is_refused(dbtap, server, conninfo):
    """Before anything is done, whether an instance has that name or not: the password is in every process list by then."""
    for instance in (server.instance, "postgres-1"):
        refused(dbtap("sessions", "--duration", 0.2, "--dsn", f"{instance}={conninfo}"))


def refused(outcome):
    assert outcome.status in (1, 2), outcome.stderr
    assert "password" in outcome.stderr and "hidden1" not in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def locks_while_idle(cursor, pids):
    """Locks of those that were idle since the same moment before and behind the look at them: the two tables are not of one moment."""
    idle = []
    for _ in range(2):
        cursor.execute("select pid, state_change from pg_stat_activity where state <> 'active' and pid = any(%s)", (pids,))
        idle.append(set(cursor.fetchall()))
        if len(idle) == 1:
            cursor.execute("select pid, locktype, mode from pg_locks where pid = any(%s)", (pids,))
            locks = cursor.fetchall()
    quiet = {pid for pid, _ in idle[0] & idle[1]}
    return [lock for lock in locks if lock[0] in quiet]


def test_a_quiet_client(dbtap, make_server, load):
    """One connection called dbtap, to postgres, with a timeout, never found in a transaction nor with a lock."""
    server = make_server(settings={"autovacuum": "off"}, preload=["pg_stat_statements"])
    server.query("create extension pg_stat_statements")
    server.query("create database doomed")
    watch = server.connect(application_name="watch")
    seen = set()
    with trace.window(dbtap, server), watch.cursor() as cursor:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            cursor.execute("select pid, datname, state, xact_start is null or state = 'active', backend_xmin is null or state = 'active' "
                           "from pg_stat_activity where application_name = 'dbtap'")
            for pid, database, state, no_transaction, no_xmin in cursor.fetchall():
                seen.add(pid)
                assert database == "postgres" and no_transaction and no_xmin and not (state or "").startswith("idle in")
            assert not locks_while_idle(cursor, list(seen))
            time.sleep(0.02)
        assert len(seen) == 1, f"connections of dbtap: {seen}"
        cursor.execute("drop database doomed")
        cursor.execute("select count(*) from pg_stat_activity where application_name = 'dbtap'")
        assert cursor.fetchone()[0] == 1
    with watch.cursor() as cursor:
        deadline = time.monotonic() + 5
        while True:
            cursor.execute("select count(*) from pg_stat_activity where application_name = 'dbtap'")
            if not cursor.fetchone()[0]:
                break
            assert time.monotonic() < deadline, "dbtap's session outlives it"
            time.sleep(0.05)
    watch.close()


def test_no_connect_connects_nobody(dbtap, make_server):
    server = make_server(settings={"log_connections": "on", "autovacuum": "off"})
    before = server.log_text().count("connection received")
    view(dbtap, server, "--no-connect")
    view(dbtap, server, "--no-connect", command="queries")
    assert server.log_text().count("connection received") == before
    view(dbtap, server)
    assert server.log_text().count("connection received") > before


def test_long_texts(dbtap, make_server, load):
    """track_activity_query_size cuts a text, between two characters and not in one; where there are ids pg_stat_statements has all of it."""
    server = make_server(settings={"track_activity_query_size": 200}, preload=["pg_stat_statements"])
    server.query("create extension pg_stat_statements")
    column = "ä" * 20
    statement = "select pg_sleep(60) as p, " + ", ".join(f"{number} as \"{column}{number}\"" for number in range(20))
    session = load.session(server, statement)
    trace.wait_for_state(server, session.pid, "wait_event = 'PgSleep'")
    truth = server.query("select query from pg_stat_activity where pid = %s", (session.pid,))[0][0]
    assert 150 < len(truth.encode()) < 200
    shown = by_pid(view(dbtap, server, "--no-connect", "--raw-text"))[session.pid]
    assert shown["query"] == truth
    session.close()
    done = "select 1 as p, " + ", ".join(f"{number} as \"{column}{number}\"" for number in range(20))
    with trace.window(dbtap, server) as traced:
        server.query(done)
    shown = trace.one(traced.document, 'as p')["query"]
    # Version 13 has no ids, so nothing leads from the session to pg_stat_statements.
    assert shown.endswith(f'{column}19"') if server.folder.major >= 14 else 100 < len(shown.encode()) <= 250, shown


def test_database_filter(dbtap, busy_server):
    document = view(dbtap, busy_server, "--database", "other")
    assert {session["database"] for session in document["sessions"]} == {"other"}
    assert {row.get("database") for row in view(dbtap, busy_server, "--database", "other", command="queries")["queries"]} == {"other"}
