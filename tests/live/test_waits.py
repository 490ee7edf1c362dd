# SPDX-License-Identifier: BSD-2-Clause
"""test_waits.py - known waits land on the right query, under the right name, with the right time.

Each also when it began before dbtap did, and when it is still going on at the end of the window.
"""
import os
import time

import psycopg2
import pytest
import second_try
import trace

SHARE, SLACK_NS = 0.02, 5e6
# On a busy machine the sleeper is late to be woken, and this test is late to look: how long a wait was lies between two readings.


class Case:
    """One kind of wait: what the waiter runs, and what it waits for when `holder` was run by another session before."""

    def __init__(self, event, statement, text, holder=(), kind="client"):
        self.event, self.statement, self.text, self.holder, self.kind = event, statement, text, holder, kind


LOCKS = {
    "row": Case("Lock:transactionid", "update held set v = v + 1 where id = 1", "update held",
                ("begin", "update held set v = v + 1 where id = 1")),
    "relation": Case("Lock:relation", "select count(*) from held", "from held",
                     ("begin", "lock table held in access exclusive mode")),
    "advisory": Case("Lock:advisory", "select pg_advisory_lock(42)", "pg_advisory_lock", ("select pg_advisory_lock(42)",)),
}


@pytest.fixture(scope="module")
def waits_server(server_folder):
    server = server_folder.server(settings={"autovacuum": "off", "deadlock_timeout": "10s"})
    server.query("create table held (id int primary key, v int)")
    server.query("insert into held select i, 0 from generate_series(1, 10) i")
    yield server
    server.stop()


def assert_time(row, event, low_ns, high_ns=None):
    """The event's time; without high_ns there is nothing between the two."""
    high_ns = low_ns if high_ns is None else high_ns
    trace.assert_between(trace.waited(row, event), low_ns, high_ns, max(SHARE * high_ns, SLACK_NS), what=f"{event} in {row}")


def ns(seconds):
    return seconds * 1e9


def opened(document):
    return trace.seconds_of(document["window"]["start"])


def closed(document):
    return trace.seconds_of(document["window"]["end"])


def window_ns(document):
    return document["window"]["seconds"] * 1e9


def test_sleep(dbtap, waits_server):
    with trace.window(dbtap, waits_server) as traced:
        began = time.time()
        waits_server.query("select pg_sleep(1.5)")
        spent = time.time() - began
    row = trace.one(traced.document, "pg_sleep")
    assert_time(row, "Timeout:PgSleep", 1.5e9, ns(spent))
    assert (row["calls"], row["running"], row["kind"]) == (1, 0, "client")
    assert (row["database"], row["user"]) == ("postgres", "postgres")
    assert trace.waited(row, "Timeout:PgSleep") == row["wait_ns"]


def test_sleep_that_began_before(dbtap, waits_server, load):
    for seconds in (5, 20, 50):  # a longer one where the machine was so slow that it was over before the window opened
        began = time.time()
        session = load.session(waits_server, f"select pg_sleep({seconds})")
        trace.wait_for_state(waits_server, session.pid, "wait_event = 'PgSleep'")
        run = trace.start(dbtap, waits_server)
        if time.time() < began + seconds - 1:
            break
        session.finish()
        trace.finish(run)
    session.finish()
    ended = time.time()
    document = trace.finish(run)
    row = trace.one(document, "pg_sleep")
    assert_time(row, "Timeout:PgSleep", ns(began + seconds - opened(document)), ns(ended - opened(document)))
    assert trace.waited(row, "Timeout:PgSleep") > 0.5e9
    assert (row["calls"], row["running"]) == (1, 0)


def test_sleep_that_goes_on(dbtap, waits_server, load):
    with trace.window(dbtap, waits_server) as traced:
        began = time.time()
        session = load.session(waits_server, "select pg_sleep(60)")
        trace.wait_for_state(waits_server, session.pid, "wait_event = 'PgSleep'")
        seen = time.time()
        time.sleep(1)
    row = trace.one(traced.document, "pg_sleep")
    assert_time(row, "Timeout:PgSleep", ns(closed(traced.document) - seen), ns(closed(traced.document) - began))
    assert (row["calls"], row["running"]) == (0, 1)


def test_sleep_all_through(dbtap, waits_server, load):
    """Neither its begin nor its end is seen, not one switch of it."""
    session = load.session(waits_server, "select pg_sleep(60)")
    trace.wait_for_state(waits_server, session.pid, "wait_event = 'PgSleep'")
    document = dbtap("queries", "--duration", 1, "--instance", waits_server.instance, "--format", "json").ok().json()
    trace.check(document)
    row = trace.one(document, "pg_sleep")
    assert_time(row, "Timeout:PgSleep", window_ns(document))
    assert (row["calls"], row["running"]) == (0, 1)
    assert row["waits"][0]["count"] == 1


@pytest.fixture(params=LOCKS)
def lock(request):
    return LOCKS[request.param]


@pytest.fixture
def holder(waits_server, lock):
    """A session that holds what the waiter wants; close() lets go."""
    connection = waits_server.connect(application_name="holder")
    with connection.cursor() as cursor:
        for statement in lock.holder:
            cursor.execute(statement)
    yield connection
    connection.close()


def test_lock(dbtap, waits_server, load, lock, holder):
    """2 s behind a lock, seen from its begin to its end; the holder's time is idle in transaction, and no query's."""
    with trace.window(dbtap, waits_server) as traced:
        began = time.time()
        waiter = load.session(waits_server, lock.statement)
        trace.wait_for_state(waits_server, waiter.pid, "wait_event_type = 'Lock'")
        seen = time.time()
        time.sleep(2)
        spent = time.time() - seen
        holder.close()
        waiter.finish()
        ended = time.time()
    row = trace.one(traced.document, lock.text)
    assert_time(row, lock.event, ns(spent), ns(ended - began))
    assert (row["calls"], row["running"]) == (1, 0)
    if len(lock.holder) > 1:
        assert trace.waited(trace.one(traced.document, kind="idle_in_transaction"), "Client:ClientRead") > spent * 0.98e9


def test_lock_that_began_before(dbtap, waits_server, load, lock, holder):
    waiter = load.session(waits_server, lock.statement)
    trace.wait_for_state(waits_server, waiter.pid, "wait_event_type = 'Lock'")
    started = time.time()
    run = trace.start(dbtap, waits_server)
    time.sleep(0.7)
    released = time.time()
    holder.close()
    waiter.finish()
    ended = time.time()
    document = trace.finish(run)
    row = trace.one(document, lock.text)
    # One that has no id yet is adopted with what it has waited from then to the opening: a moment, if no CPU stands still.
    earliest = started if lock is LOCKS["relation"] else opened(document)
    assert_time(row, lock.event, ns(released - opened(document)), ns(ended - earliest))
    # Where the session ended before the server slept the number is not known.
    assert (row.get("calls", 1), row["running"]) == (1, 0)


def test_lock_that_goes_on(dbtap, waits_server, load, lock, holder):
    waiter = load.session(waits_server, lock.statement)
    trace.wait_for_state(waits_server, waiter.pid, "wait_event_type = 'Lock'")
    document = dbtap("queries", "--duration", 0.7, "--instance", waits_server.instance, "--format", "json").ok().json()
    row = trace.one(document, lock.text)
    assert_time(row, lock.event, window_ns(document))
    assert (row["calls"], row["running"]) == (0, 1)


SERIES = ("select count(*) from generate_series(1, 100000000000)", "generate_series")


def busy_ns(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


@pytest.mark.parametrize("statement, text", (("do $$ begin loop perform 1; end loop; end $$", "do "), SERIES),
                         ids=("plpgsql", "series"))
def test_cpu_loop_all_through(dbtap, waits_server, load, statement, text):
    """Computes from before the window until after it: all of it is there, as CPU time and run queue."""
    session = load.session(waits_server, statement)
    trace.wait_for_state(waits_server, session.pid, "state = 'active'")
    time.sleep(0.1)
    stolen = second_try.stolen_ns()
    run = trace.start(dbtap, waits_server)
    begin = busy_ns(session.pid)
    time.sleep(1.5)
    end = busy_ns(session.pid)
    document = trace.finish(run)
    stolen = second_try.stolen_ns() - stolen
    row = trace.one(document, text)
    assert (row["calls"], row["running"]) == (0, 1)
    trace.assert_near(row["elapsed_ns"], window_ns(document), SHARE, SLACK_NS, what="elapsed")
    # The rest is unknown, and no more than was stolen.
    trace.assert_near(row["cpu_ns"] + row["runq_ns"] + min(row["unknown_ns"], stolen), window_ns(document), SHARE, SLACK_NS,
                      what="cpu and run queue")
    # /proc is as old as the last tick, and so is the counter of a thread that runs while it is adopted; the window is a
    # little longer than the time between the two readings.
    assert row["cpu_ns"] >= (end - begin) * 0.98
    assert row["cpu_ns"] <= window_ns(document) + SLACK_NS


def test_cpu_loop_within(dbtap, waits_server):
    connection = waits_server.connect()
    pid = connection.get_backend_pid()
    with trace.window(dbtap, waits_server) as traced, connection.cursor() as cursor:
        before = busy_ns(pid)
        cursor.execute("do $$ declare x bigint := 0; begin for i in 1..8000000 loop x := x + i; end loop; end $$")
        spent = busy_ns(pid) - before
    connection.close()
    row = trace.one(traced.document, "do ")
    trace.assert_near(row["cpu_ns"], spent, SHARE, SLACK_NS, what="cpu_ns")
    assert (row["calls"], row["running"]) == (1, 0)


def test_idle_and_idle_in_transaction(dbtap, waits_server):
    """What a session does between statements is no query's time; the two states are told apart."""
    waits_server.query("create role between superuser login")
    one, two, three = (waits_server.connect(user="between", autocommit=False) for _ in range(3))
    for connection in (two, three):
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    with three.cursor() as cursor, pytest.raises(psycopg2.Error):
        cursor.execute("select 1/0")
    document = dbtap("queries", "--duration", 1, "--instance", waits_server.instance, "--format", "json").ok().json()
    idle = trace.one(document, kind="idle", user="between")
    within = trace.one(document, kind="idle_in_transaction", user="between")
    for row, sessions in ((idle, 1), (within, 2)):
        assert_time(row, "Client:ClientRead", sessions * window_ns(document))
        assert "query_id" not in row and "calls" not in row
        assert row["database"] == "postgres"
    assert trace.rows(document, kind="client", user="between") == []
    sessions = dbtap("sessions", "--duration", 0.2, "--instance", waits_server.instance, "--format", "json").ok().json()["sessions"]
    ages = {session["state"]: session.get("transaction_since_ns") for session in sessions if session.get("user") == "between"}
    assert ages.keys() == {"idle", "idle in transaction", "idle in transaction (aborted)"}
    # PostgreSQL keeps no begin of an aborted transaction.
    assert ages["idle"] is None and 1e9 < ages["idle in transaction"] < 60e9
    for connection in (one, two, three):
        connection.close()
    waits_server.query("drop role between")


def test_client_that_does_not_read(dbtap, waits_server, load):
    """The server waits for its client within a statement: that is the statement's, as ClientWrite."""
    connection = psycopg2.connect(waits_server.conninfo(), async_=1)
    wait_async(connection)
    with trace.window(dbtap, waits_server) as traced:
        cursor = connection.cursor()
        cursor.execute("select repeat('z', 1000000) as flood from generate_series(1, 50)")
        connection.poll()
        trace.wait_for_state(waits_server, connection.get_backend_pid(), "wait_event = 'ClientWrite'")
        time.sleep(1)
    connection.close()
    row = trace.one(traced.document, "flood")
    assert trace.waited(row, "Client:ClientWrite") > 0.98e9
    assert row["running"] == 1


def wait_async(connection):
    while connection.poll() != psycopg2.extensions.POLL_OK:
        time.sleep(0.01)
