# SPDX-License-Identifier: BSD-2-Clause
"""test_my_kinds.py - what the threads of a MariaDB or MySQL server are that serve no client."""
import contextlib
import os
import time

import pytest
import trace

EVENT = ("create event shop.burner on schedule every 1 second starts current_timestamp on completion preserve do "
         "begin set @n = benchmark(200000, sha2(rand(), 256)); delete from shop.ticks where at < 0; end")


@pytest.fixture(scope="module")
def busy(my_folder):
    """Small enough that it has to purge and flush, with an event that is due each second once it is enabled."""
    server = my_folder.server(settings={"event_scheduler": "ON", "innodb_max_dirty_pages_pct": "0", "innodb_max_dirty_pages_pct_lwm": "0"})
    server.query("create database shop")
    server.query("create table shop.ticks (at int)")
    server.query("create table shop.items (id int primary key auto_increment, name varchar(200), key (name)) engine=innodb")
    yield server
    server.stop()


def cpu_ns(server, kinds, document):
    return sum(row["cpu_ns"] for row in document["queries"] if row["kind"] in kinds)


def sessions(dbtap, server):
    outcome = dbtap("sessions", "--format", "json", "--no-connect", "--instance", server.instance, "--duration", "0.5")
    return outcome.ok().json()["sessions"]


def churn(server, rounds):
    connection = server.connect("shop")
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("insert into items (name) select concat(seq, repeat('x', 150)) from seq_1_to_3000" if
                       server.build.product == "mariadb" else
                       "insert into items (name) with recursive s (n) as (select 1 union all select n + 1 from s where n < 900) "
                       "select concat(n, repeat('x', 150)) from s")
        for i in range(rounds):
            cursor.execute(f"update items set name = concat(reverse(name), '{i}')")
        cursor.execute("delete from items")


def test_the_servers_own_threads(dbtap, busy):
    with trace.window(dbtap, busy, "--no-connect") as traced:
        busy.query(EVENT)
        churn(busy, 3)
        trace.wait_until(lambda: busy.query("select last_executed from information_schema.events where event_name = 'burner'")[0][0], "an event")
        time.sleep(1.5)
        busy.query("drop event shop.burner")
        time.sleep(0.5)
    document = traced.document
    kinds = {row["kind"] for row in document["queries"]}
    assert {"event_scheduler", "event_worker", "purge", "page_cleaner", "signal_handler"} <= kinds, trace.describe(document)
    ran = trace.one(document, "benchmark", kind="event_worker")
    user = trace.one(document, "update items")["user"]  # a name, or what stands for it
    assert ran["cpu_ns"] > 10e6 and ran["user"] == user, trace.describe(document)
    assert cpu_ns(busy, {"purge"}, document) > 0 and cpu_ns(busy, {"page_cleaner"}, document) > 0, trace.describe(document)
    if busy.build.product == "mysql":
        assert {"log_writer", "io_thread"} <= kinds, trace.describe(document)
    else:
        assert "innodb_worker" in kinds, trace.describe(document)


def test_sessions_have_them_too(dbtap, busy):
    found = sessions(dbtap, busy)
    kinds = [row["kind"] for row in found]
    assert kinds.count("event_scheduler") == 1 and kinds.count("page_cleaner") >= 1 and "signal_handler" in kinds, kinds
    tids = {row["pid"] for row in found}
    assert tids <= set(busy.tids()) | {busy.pid}, found
    assert len(os.listdir(f"/proc/{busy.pid}/task")) >= len(tids)
