# SPDX-License-Identifier: BSD-2-Clause
"""test_my_io.py - block I/O of MariaDB and MySQL on a disk of its own: by statement, by table, in sequence or not, and all of it."""
import contextlib
import os
import random
import signal

import loop_device
import pytest
import trace
import trace_io

ROWS = 24000  # of about 900 bytes: 17 to a page
SETTINGS = {"innodb_buffer_pool_size": "8M", "innodb_buffer_pool_load_at_startup": "OFF", "innodb_buffer_pool_dump_at_shutdown": "OFF",
            "log-bin": "changes"}
MARIADB = {"innodb_flush_method": "O_DIRECT"}


@pytest.fixture(scope="module")
def shop(my_folder):
    reason = loop_device.missing()
    if reason:
        pytest.skip(reason)
    volume = loop_device.Volume(size_mib=400)
    server = None
    try:
        if my_folder.build.product == "mysql":
            pytest.skip("its folder is not on that disk")
        server = my_folder.server(settings={**SETTINGS, **MARIADB}, data=os.path.join(volume.path, "data"))
        server.query("create database shop")
        server.query("create table shop.big (id int primary key, pad varchar(1000)) engine=innodb")
        server.query(f"insert into big select seq, repeat(md5(seq), 28) from seq_0_to_{ROWS - 1}", database="shop")
        server.query("create table shop.parts (id int primary key, pad varchar(1000)) engine=innodb partition by hash (id) partitions 2")
        server.query("insert into parts select seq, repeat(md5(seq), 28) from seq_1_to_2000", database="shop")
        yield volume, server
    finally:
        if server:
            os.kill(server.pid, signal.SIGKILL)  # nobody wants what it would write
            server.stop()
        volume.close()


@contextlib.contextmanager
def cold(server):
    """A connection to a server that holds no page of the tables, at rest."""
    server.stop()
    server.start()
    connection = server.connect("shop")
    with contextlib.closing(connection), connection.cursor() as cursor:
        # Opens the tables.
        for table in ("big", "parts"):
            run(cursor, f"select pad from {table} limit 1")
        yield cursor


def run(cursor, sql):
    cursor.execute(sql)
    return cursor.fetchall()


def of_table(traced, name, **fields):
    return [row for row in traced.io["streams"] if row["relation"] == name and all(row.get(key) == value for key, value in fields.items())]


def test_reads_by_statement(dbtap, shop):
    volume, server = shop
    size = os.path.getsize(os.path.join(server.data, "shop/big.ibd"))
    # So far from each other that none is near another one.
    places = random.Random(1).sample(range(0, ROWS, 400), ROWS // 400)
    with cold(server) as cursor, trace_io.window(dbtap, server, volume) as traced:
        for place in places:
            run(cursor, f"select length(pad) from big where id = {place}")
        run(cursor, "select count(*) from big where pad like 'x%'")
        run(cursor, "select count(*) from parts where pad like 'x%'")
    points = trace_io.one(traced.io["queries"], "length(pad) from big")
    scan = trace_io.one(traced.io["queries"], "count(*) from big")
    assert points["read_requests"] >= 0.9 * len(places) and trace_io.share([points], "rand") > 0.8, trace_io.describe(traced)
    assert trace_io.share([scan], "seq") > 0.9, trace_io.describe(traced)
    # Read-ahead, through io_uring, is the statement's; pages of the point reads are still there.
    assert 0.75 * size < scan["read_bytes"] <= 1.05 * size, (size, trace_io.describe(traced))
    assert {row["kind"] for row in (points, scan)} == {"client"} and points["database"] == "shop"
    relations = {row["relation"]: row for row in traced.io["relations"]}
    assert relations["shop.big"]["relation_kind"] == "table" and relations["shop.big"]["read_bytes"] > 0.75 * size, relations.keys()
    for part in ("shop.parts(p0)", "shop.parts(p1)"):
        assert relations[part]["relation_kind"] == "table" and relations[part]["read_bytes"] > 0, relations.keys()


@trace.in_matrix
def test_writes_by_who_and_where(dbtap, shop):
    volume, server = shop
    with cold(server) as cursor, trace_io.window(dbtap, server, volume) as traced:
        for place in range(0, ROWS, 400):
            run(cursor, f"update big set pad = reverse(pad) where id = {place}")
        run(cursor, "create temporary table t (id int primary key, pad varchar(1000)) engine=innodb")
        run(cursor, "insert into t select * from big limit 12000")
        run(cursor, "set global innodb_max_dirty_pages_pct_lwm = 0.001, global innodb_max_dirty_pages_pct = 0")
        trace.wait_until(lambda: run(cursor, "show status like 'Innodb_buffer_pool_pages_dirty'")[0][1] == "0", "no page is dirty")
        run(cursor, "set global innodb_max_dirty_pages_pct = 90, global innodb_max_dirty_pages_pct_lwm = 0")
    relations = {row["relation"]: row for row in traced.io["relations"]}
    kinds = {name: relations[name]["relation_kind"] for name in ("shop.big", "ib_logfile0", "ibdata1", "ibtmp1", "changes")}
    assert kinds == {"shop.big": "table", "ib_logfile0": "wal", "ibdata1": "system", "ibtmp1": "temp", "changes": "binlog"}, kinds
    # Redo and binlog are written by who commits; pages by the page cleaner and InnoDB's workers, whatever their statement.
    update = trace_io.one(traced.io["queries"], "update big")
    assert update["write_bytes"] > 0, trace_io.describe(traced)
    flushed = {row["kind"] for row in of_table(traced, "shop.big") if row["submitted_write_bytes"]}
    assert flushed and flushed <= {"page_cleaner", "innodb_worker", "io_thread", "background"}, flushed
    assert not trace_io.select(traced.io["queries"], kind="other"), trace_io.describe(traced)
