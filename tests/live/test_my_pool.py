# SPDX-License-Identifier: BSD-2-Clause
"""test_my_pool.py - MariaDB with thread_handling=pool-of-threads: sessions move between threads and stay what they are."""
import threading
import time

import pytest
import trace


def run(cursor, sql):
    cursor.execute(sql)
    return cursor.fetchall()


@pytest.fixture(scope="module")
def pool(my_folder):
    if my_folder.build.product == "mysql":
        pytest.skip("MySQL as it is free has no thread pool")
    server = my_folder.server(settings={"thread_handling": "pool-of-threads", "thread_pool_size": "2"})
    server.query("create database shop")
    yield server
    server.stop()


def assert_calls(document, text, calls):
    """
    What another thread took up before the one before was looked at is told as unseen. A session's first statement that never sleeps
    is in a row without a text (docs/mysql.md).
    """
    row = trace.one(document, text, query=text)
    nameless = sum(one["calls"] for one in trace.rows(document, kind="client") if not one.get("query"))
    assert row["calls"] <= calls <= row["calls"] + row.get("calls_unseen", 0) + nameless, trace.describe(document)
    return row


def cpu_ns(server):
    total = 0
    for tid in server.tids():
        with open(f"/proc/{server.pid}/task/{tid}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def work(server, connection, rounds):
    cursor = connection.cursor()
    for i in range(rounds):
        run(cursor, f"select {i} + 1")
        if i % 10 == 0:
            run(cursor, "select benchmark(30000, 1 + 1)")
    connection.close()


def test_statements_of_sessions_that_move(dbtap, pool):
    """More sessions than threads; some are older than dbtap, some come while it runs. Each statement is over in no time."""
    before = [pool.connect("shop") for _ in range(3)]
    for connection in before:
        run(connection.cursor(), "select 'from before'")
    with trace.window(dbtap, pool, "--no-connect") as traced:
        spent = -cpu_ns(pool)
        connections = [*before, *(pool.connect("shop") for _ in range(3))]
        threads = [threading.Thread(target=work, args=(pool, connection, 200)) for connection in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(0.3)
        spent += cpu_ns(pool)
    document = traced.document
    row = assert_calls(document, "select ? + ?", 1200)
    assert (row["database"], row["kind"]) == (trace.one(document, "select benchmark")["database"], "client")
    assert_calls(document, "select benchmark(?, ... + ?)", 120)
    # Statements from before are not counted again.
    assert not trace.rows(document, "from before") and not trace.rows(document, "select ?", query="select ?")
    trace.assert_near(trace.total(document["queries"], "cpu_ns"), spent, 0.01, 10e6, trace.describe(document))
    # A thread that takes a session up and is preempted before the statement begins does that for the session, between statements.
    served = [row for row in document["queries"] if row["kind"] in ("client", "idle")]
    assert trace.total(served, "cpu_ns") > 0.8 * spent, trace.describe(document)


def test_waits_of_a_pool(dbtap, pool):
    holder, waiter = pool.connect("shop"), pool.connect("shop")
    run(holder.cursor(), "create table if not exists items (id int primary key)")
    run(holder.cursor(), "lock tables items write")
    with trace.window(dbtap, pool, "--no-connect") as traced:
        thread = threading.Thread(target=run, args=(waiter.cursor(), "alter table items comment 'new'"))
        thread.start()
        time.sleep(0.6)
        run(holder.cursor(), "unlock tables")
        thread.join()
        time.sleep(0.2)
    holder.close()
    waiter.close()
    document = traced.document
    row = trace.one(document, "alter table items comment ?")
    assert row["calls"] == 1 and trace.waited(row, "Lock:MetadataLock") > 0.3e9, trace.describe(document)
    assert trace.one(document, kind="pool_worker")["elapsed_ns"] > 0, trace.describe(document)


def test_sessions_of_a_pool(dbtap, pool):
    """Between statements a session has no thread of its own; the number of its connection stays."""
    connection = pool.connect("shop")
    number = run(connection.cursor(), "select connection_id()")[0][0]
    outcome = dbtap("sessions", "--format", "json", "--no-connect", "--instance", pool.instance, "--duration", "0.5")
    connection.close()
    assert outcome.status == 0, outcome.stderr
    row = next(row for row in outcome.json()["sessions"] if row["connection_id"] == number)
    assert (row["state"], row["pid"]) == ("idle", pool.pid), row
