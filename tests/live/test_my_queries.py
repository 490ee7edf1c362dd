# SPDX-License-Identifier: BSD-2-Clause
"""test_my_queries.py - MariaDB: what a server's threads do, by statement, against the kernel's and the server's own counts."""
import os
import signal
import threading
import time

import pace
import pytest
import trace


def cpu_ns(server):
    """Of every thread that lives."""
    total = 0
    for tid in server.tids():
        with open(f"/proc/{server.pid}/task/{tid}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def wait_for_state(server, connection, condition):
    """Until a condition in SQL holds for a connection's row of the process list."""
    sql = f"select id from information_schema.processlist where id = {connection.thread_id()} and {condition}"
    trace.wait_until(lambda: server.query(sql), condition)


def known(server):
    """A connection that has run a statement: the text of a session's first one cannot be found once it is over."""
    connection = server.connect("shop")
    run(connection.cursor(), "select 0")
    return connection


@pytest.fixture
def shop(my_server):
    my_server.query("create database if not exists shop")
    my_server.query("drop table if exists shop.items")  # another file's
    my_server.query("create table shop.items (id int primary key, name varchar(200), price int) engine=innodb")
    return my_server


@pytest.fixture
def table(shop):
    """On one CPU with its clients, so that each statement is seen to end."""
    with trace.one_cpu(shop):
        yield shop


def thread_of(server, connection):
    where = ("thread_os_id from performance_schema.threads where processlist_id" if server.build.product == "mysql" else
             "tid from information_schema.processlist where id")
    return server.query(f"select {where} = {connection.thread_id()}")[0][0]


def finish_whatever_else_runs(traced):
    """Of all instances of the host, which may have some that cannot be traced."""
    traced.signal(signal.SIGINT)
    outcome = traced.wait()
    assert outcome.status in (0, 3), outcome.stderr
    return outcome.json()


def assert_calls(row, calls, document):
    """
    Exact, but for statements that came before their thread had gone to sleep after the one before: those are told of, and
    where they are many there is no figure.
    """
    seen = row.get("calls", calls)
    assert seen <= calls <= seen + row.get("calls_unseen", 0), f"{row['query']}: {calls}: {trace.describe(document)}"


def run(cursor, sql):
    cursor.execute(sql)
    return cursor.fetchall()


def test_every_statement_is_counted(dbtap, table):
    """Short ones never sleep within: they are over whenever their thread is looked at."""
    connection = known(table)
    cursor = connection.cursor()
    with trace.window(dbtap, table) as traced:
        for i in range(300):
            run(cursor, f"select {i} + 1")
        for i in range(120):
            run(cursor, f"select name from items where id = {i} -- look\n")
        for i in range(60):
            cursor.execute(f"insert into items values ({i}, '{'x' * i}', {i})")
        for i in range(2, 40):
            run(cursor, "select count(*) from items where id in (" + ",".join(map(str, range(i))) + ")")
    connection.close()
    document = traced.document
    for text, calls in (("select ? + ?", 300), ("select name from items where id = ?", 120),
                        ("insert into items values (...)", 60), ("select count(*) from items where id in (...)", 38)):
        row = trace.one(document, text)
        assert_calls(row, calls, document)
        assert (row["database"], row["user"], row["kind"], row["query_id_source"]) == ("shop", "root", "client", "own")
        assert row["cpu_ns"] > 0
    assert not document["loss"].get("read_failed"), document["loss"]


def test_cpu_is_the_kernels(dbtap, shop):
    table = shop  # on all CPUs
    connections = [known(table) for _ in range(3)]
    cursors = [connection.cursor() for connection in connections]

    def work(cursor):
        for _ in range(3):
            run(cursor, "select benchmark(3000000, 1 + 1)")
        for i in range(800):
            run(cursor, f"select {i}")

    with trace.window(dbtap, table) as traced:
        before = cpu_ns(table)
        threads = [threading.Thread(target=work, args=(cursor,)) for cursor in cursors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(0.1)
        spent = cpu_ns(table) - before
    for connection in connections:
        connection.close()
    document = traced.document
    trace.assert_near(trace.total(document["queries"], "cpu_ns"), spent, 0.005, 1e6, trace.describe(document))
    # Clients that do not wait for the server's sleep: none is counted twice; all are counted in the tests on one CPU.
    assert trace.one(document, "select ?", query="select ?").get("calls", 0) <= 2400, trace.describe(document)
    assert trace.one(document, "select benchmark").get("calls", 0) <= 9, trace.describe(document)
    # What is not within a statement is not the statements': next to nothing.
    assert trace.total([row for row in document["queries"] if row["kind"] == "client"], "cpu_ns") > 0.95 * spent


def test_waits_and_time(dbtap, table):
    connection = known(table)
    tid = thread_of(table, connection)
    cursor = connection.cursor()
    with trace.window(dbtap, table) as traced:
        moments = [time.time()]
        run(cursor, "select sleep(0.5)")
        moments.append(time.time())
        cursor.execute("begin")
        run(cursor, "select count(*) from items")
        pace.wait_asleep(tid)
        moments.append(time.time())
        time.sleep(0.4)
        moments.append(time.time())
        cursor.execute("commit")
        moments.append(time.time())
    connection.close()
    document = traced.document
    row = trace.one(document, "select sleep(?)")
    spent = (moments[1] - moments[0]) * 1e9
    trace.assert_between(trace.waited(row, "Timeout:UserSleep"), 0.5e9, spent, 20e6, trace.describe(document))
    trace.assert_between(row["elapsed_ns"], 0.5e9, spent, 25e6, trace.describe(document))
    idle = trace.waited(trace.one(document, kind="idle_in_transaction"), "Client:ClientRead")
    trace.assert_between(idle, (moments[3] - moments[2]) * 1e9, (moments[4] - moments[1]) * 1e9, 20e6, trace.describe(document))


def test_waits_for_locks(dbtap, table):
    holder, waiter = known(table), known(table)
    holder.cursor().execute("lock tables items write")
    with trace.window(dbtap, table) as traced:
        moments = [time.time()]
        thread = threading.Thread(target=waiter.cursor().execute, args=("alter table items comment 'new'",))
        thread.start()
        wait_for_state(table, waiter, "state like 'Waiting for table metadata lock%'")
        moments.append(time.time())
        time.sleep(0.6)
        moments.append(time.time())
        holder.cursor().execute("unlock tables")
        thread.join()
        moments.append(time.time())
    holder.close()
    waiter.close()
    row = trace.one(traced.document, "alter table items comment ?")
    trace.assert_between(trace.waited(row, "Lock:MetadataLock"), (moments[2] - moments[1]) * 1e9, (moments[3] - moments[0]) * 1e9, 20e6,
                         trace.describe(traced.document))


def test_a_statement_that_began_before(dbtap, table):
    connection = known(table)
    thread = threading.Thread(target=run, args=(connection.cursor(), "select sleep(600), 'began before'"))
    thread.start()
    number = connection.thread_id()
    wait_for_state(table, connection, "state = 'User sleep'")
    with trace.window(dbtap, table) as traced:
        time.sleep(0.3)
    row = trace.one(traced.document, "select sleep(?), ?")
    assert (row["calls"], row["running"]) == (0, 1), trace.describe(traced.document)
    with trace.window(dbtap, table) as traced:
        table.query(f"kill query {number}")
        thread.join()
        time.sleep(0.1)
    connection.close()
    row = trace.one(traced.document, "select sleep(?), ?")
    assert (row["calls"], row["running"]) == (1, 0), trace.describe(traced.document)


def test_connections_that_come_and_go(dbtap, table):
    with trace.window(dbtap, table, "--no-connect") as traced:
        for i in range(20):
            connection = table.connect()
            run(connection.cursor(), f"select {i}, 'first'")
            run(connection.cursor(), f"select {i}, 'own connection'")
            connection.close()
        time.sleep(0.1)
    document = traced.document
    # MariaDB's first statement's text cannot be found once it is over: it is counted, without one, unless it was seen to run.
    counted = trace.rows(document, kind="client")
    row = trace.one(document, "select ?, ...")
    if "calls" in row:
        assert row["calls"] <= 40 and row["calls"] + row.get("calls_unseen", 0) >= 20, trace.describe(document)
    assert {row.get("query") for row in counted} <= {None, "select ?, ..."}, trace.describe(document)
    if all("calls" in row for row in counted):
        seen = trace.total(counted, "calls")
        assert seen <= 40 <= seen + trace.total(counted, "calls_unseen"), trace.describe(document)
    assert trace.total(trace.rows(document, kind="starting"), "cpu_ns") > 0
    assert not [row for row in document["queries"] if row["kind"] == "child"]


def test_the_same_database_under_another_name(dbtap, table):
    """USE writes the new name where the old one was."""
    table.query("create database if not exists shot")
    connection = known(table)
    cursor = connection.cursor()
    with trace.window(dbtap, table) as traced:
        run(cursor, "select 'in which'")
        cursor.execute("use shot")
        run(cursor, "select 'in which'")
        run(cursor, "select 'in which'")
    connection.close()
    found = {row["database"]: row["calls"] for row in trace.rows(traced.document, "select ?", query="select ?")}
    assert found == {"shop": 1, "shot": 2}, trace.describe(traced.document)


def test_large_and_odd_texts(dbtap, table):
    connection = known(table)
    cursor = connection.cursor()
    with trace.window(dbtap, table) as traced:
        run(cursor, "select length('" + "x" * 200000 + "')")
        run(cursor, "select 1 as `one`   ;   ")
        run(cursor, b"select '\xff\xfe' as broken".decode("latin1"))
        connection.ping()
        connection.select_db("shop")
        run(cursor, "select 'after'")
    connection.close()
    document = traced.document
    assert trace.one(document, "select ? as `one`")["calls"] == 1, trace.describe(document)
    assert trace.one(document, "select ? as broken")["calls"] == 1
    assert trace.one(document, "select ?", query="select ?")["calls"] == 1, trace.describe(document)
    assert not [row for row in document["queries"] if "xxxx" in row.get("query", "")], "a literal in an output"


def test_several_servers(dbtap, table, my_folder):
    other = my_folder.server()
    other.query("create database shop")
    try:
        traced = trace.start(dbtap, None)
        table.query("select 'one', 1")
        connection = known(other)
        run(connection.cursor(), "select 'two', 2, 3 from dual")
        connection.close()
        document = finish_whatever_else_runs(traced)
        rows = {row["instance"]: row["calls"] for row in trace.rows(document, "from dual")}
        assert rows == {other.instance: 1}, trace.describe(document)
        instances = {row["id"]: row for row in document["instances"]}
        assert instances[other.instance]["engine"] == other.build.product
        assert instances[other.instance]["data_dir"] == other.data_seen
    finally:
        other.stop()


def test_a_server_that_ends(dbtap, my_folder):
    server = my_folder.server()
    server.query("create database shop")
    connection = known(server)
    with trace.one_cpu(server), trace.window(dbtap, server) as traced:
        run(connection.cursor(), "select 'the last one', 1")
        connection.close()
        server.stop()
        time.sleep(1.5)
    assert trace.one(traced.document, "select ?, ...")["calls"] == 1, trace.describe(traced.document)
    assert os.path.isdir(server.data)
