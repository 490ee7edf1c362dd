# SPDX-License-Identifier: BSD-2-Clause
"""test_io_labels_pg.py - sequential, near or random, and which relation: against what PostgreSQL was made to do.

Each test takes the relations it is about out of both caches; all else the statements need is in the kernel's, so that every byte
read from the disk is of these relations.
"""
import random
import threading

import pytest
import trace
import trace_io

RIGHT = 0.95  # of the bytes have the right label
NAMED = 0.99  # of the bytes have the right relation
MIB = 1 << 20
ROWS = 800_000
SMALL_ROWS = 130_000
SMALL = [f"small{number}" for number in range(1, 9)]
ROW = "i as id, 0 as near, 0 as far, repeat('x', 80) as filler"


@pytest.fixture(scope="module")
def disk(module_disk):
    # 19 starts io workers as they are needed; what one reads that came within the window is not told by who asked.
    volume, server = module_disk("ext4", settings={**trace_io.SETTINGS, "io_min_workers": 8})
    server.query(f"create table probe as select {ROW} from generate_series(1, 1000) i")
    per_page = server.query("select count(*) from probe where ctid < '(1,0)'")[0][0]
    # Columns that tell blocks apart: the same value every 8th and every 64th block.
    server.query(f"create table big as select i as id, (i - 1) / {per_page} % 8 as near, (i - 1) / {per_page} % 64 as far, "
                 f"repeat('x', 80) as filler from generate_series(1, {ROWS}) i")
    server.query("alter table big add primary key (id)")
    server.query("create index big_near on big (near)")
    server.query("create index big_far on big (far)")
    for table in SMALL:
        server.query(f"create table {table} as select {ROW} from generate_series(1, {SMALL_ROWS}) i")
    server.query("vacuum (analyze, freeze)")
    server.query("checkpoint")
    return volume, server


def assert_labelled(traced, rows, label, direction="read"):
    assert trace_io.share(rows, label, direction) >= RIGHT, f"{direction} {label}" + trace_io.describe(traced)


def assert_named(traced, expected, kind, direction="read", field=None):
    """Nearly all bytes read (or written) are of these relations, by name and kind."""
    rows = traced.io["relations"]
    field = field or trace_io.bytes_field(direction)
    right = sum(row[field] for row in rows if row.get("relation") in expected and row.get("relation_kind") == kind)
    everything = trace_io.total(rows, field)
    assert right >= NAMED * everything > 0, f"{right} of {everything} bytes are of {expected}" + trace_io.describe(traced)


def cold(dbtap, disk, relations, statements, **more):
    volume, server = disk
    trace_io.make_cold(server, *relations)
    with trace_io.window(dbtap, server, volume) as traced:
        trace_io.run_all(server, *statements, **more)
    return traced


def test_sequential_scan(dbtap, disk):
    volume, server = disk
    traced = cold(dbtap, disk, ["big"], ["select count(*) from big where filler = 'none'"])
    row = trace_io.one(traced.io["queries"], "from big where filler")
    trace.assert_near(row["read_bytes"], trace_io.size_of(server, "big"), 0.01, what="read_bytes")
    assert row["kind"] == "client" and row["read_requests"] > 0
    assert_labelled(traced, [row], "seq")
    assert_named(traced, {"public.big"}, "table")


def at_once(server, statements):
    """Each on a connection of its own, started together."""
    connections = [server.connect() for _ in statements]
    barrier = threading.Barrier(len(statements))
    errors = []

    def work(connection, statement):
        try:
            with connection.cursor() as cursor:
                barrier.wait()
                cursor.execute(statement)
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(connections, statements)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection in connections:
        connection.close()
    assert not errors, errors


def test_eight_scans_at_once(dbtap, disk):
    volume, server = disk
    trace_io.make_cold(server, *SMALL)
    with trace_io.window(dbtap, server, volume) as traced:
        at_once(server, [f"select count(*) from {table} where filler = 'none'" for table in SMALL])
    for table in SMALL:
        row = trace_io.one(traced.io["queries"], f"from {table} where filler")
        trace.assert_near(row["read_bytes"], trace_io.size_of(server, table), 0.01, what=table)
        assert_labelled(traced, [row], "seq")
    assert_named(traced, {f"public.{table}" for table in SMALL}, "table")


def test_eight_scans_of_one_table_at_once(dbtap, disk):
    """They share what each has read, and drift apart: every one goes forward, none goes at random."""
    volume, server = disk
    trace_io.make_cold(server, "big")
    with trace_io.window(dbtap, server, volume) as traced:
        at_once(server, ["select count(*) from big where filler = 'none'"] * 8)
    row = trace_io.one(traced.io["queries"], "from big where filler")
    assert_named(traced, {"public.big"}, "table")
    assert_labelled(traced, [row], "seq")


def test_index_lookups_in_random_order(dbtap, disk):
    volume, server = disk
    trace_io.make_cold(server, "big", "big_pkey")
    # Few beside the pages of the index: of random pages of a small file, many are neighbours by chance.
    chosen = random.Random(1).sample(range(1, ROWS), 300)
    with trace_io.window(dbtap, server, volume) as traced:
        trace_io.run_all(server, "set enable_seqscan = off; set enable_bitmapscan = off",
                         *[f"select filler from big where id = {number}" for number in chosen])
    row = trace_io.one(traced.io["queries"], "select filler from big where id")
    heap = trace_io.one(traced.io["relations"], relation="public.big")
    index = trace_io.one(traced.io["relations"], relation="public.big_pkey")
    assert heap["relation_kind"] == "table" and index["relation_kind"] == "index"
    assert_labelled(traced, [heap], "rand")
    assert_labelled(traced, [row], "rand")
    assert heap["read_bytes"] + index["read_bytes"] >= NAMED * trace_io.total(traced.io["relations"], "read_bytes")


@pytest.mark.parametrize("column,label", (("near", "near"), ("far", "rand")))
def test_bitmap_scan(dbtap, disk, column, label):
    """One block of 8 is near; one of 64, half a megabyte apart, is no neighbour any more."""
    volume, server = disk
    server.query(f"select count(*) from big where {column} = 3")  # the index is in the kernel's cache
    traced = cold(dbtap, disk, ["big"], ["set enable_seqscan = off; set enable_indexscan = off",
                                         f"select count(filler) from big where {column} = 3 and filler <> ''"])
    row = trace_io.one(traced.io["queries"], f"from big where {column}")
    assert_labelled(traced, [row], label)
    assert_named(traced, {"public.big"}, "table")


def test_parallel_scan(dbtap, disk):
    volume, server = disk
    traced = cold(dbtap, disk, ["big"], [
        "set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0; "
        "set min_parallel_table_scan_size = 0; set parallel_leader_participation = on",
        "select count(*) from big where filler = 'parallel'"])
    rows = trace_io.select(traced.io["queries"], "from big where filler")
    assert "parallel" in {row["kind"] for row in rows}, trace_io.describe(traced)
    trace.assert_near(trace_io.total(rows, "read_bytes"), trace_io.size_of(server, "big"), 0.02, what="read_bytes")
    assert_labelled(traced, rows, "seq")
    assert_named(traced, {"public.big"}, "table")


def test_create_index(dbtap, disk):
    volume, server = disk
    server.query("drop index if exists big_new")
    traced = cold(dbtap, disk, ["big"], ["set maintenance_work_mem = '256MB'", "create index big_new on big (id, far)"])
    rows = trace_io.select(traced.io["queries"], "create index big_new")  # its own and its parallel workers'
    assert {row["kind"] for row in rows} == {"client", "parallel"}, trace_io.describe(traced)
    trace.assert_near(trace_io.total(rows, "read_bytes"), trace_io.size_of(server, "big"), 0.02, what="read_bytes")
    assert_labelled(traced, rows, "seq")
    assert_named(traced, {"public.big"}, "table")
    index = trace_io.one(traced.io["relations"], relation="public.big_new")
    size = trace_io.size_of(server, "big_new")
    assert index["relation_kind"] == "index"
    trace.assert_near(index["write_bytes"], size, 0.02, slack=MIB // 4, what="the index' bytes")
    assert_labelled(traced, [index], "seq", "write")
    assert trace_io.total(rows, "write_bytes") >= RIGHT * size, trace_io.describe(traced)


def test_vacuum(dbtap, disk):
    volume, server = disk
    server.query("create table worn as table small1")
    server.query("delete from worn where id % 2 = 0")
    server.query("checkpoint")
    size = trace_io.size_of(server, "worn")
    traced = cold(dbtap, disk, ["worn"], ["vacuum worn", "checkpoint"])
    row = trace_io.one(traced.io["queries"], "vacuum worn")
    trace.assert_near(row["read_bytes"], size, 0.02, slack=MIB // 4, what="read_bytes")
    assert_labelled(traced, [row], "seq")
    assert_named(traced, {"public.worn"}, "table")
    worn = trace_io.one(traced.io["relations"], relation="public.worn")
    assert worn["write_bytes"] >= 0.95 * size, trace_io.describe(traced)
    assert_labelled(traced, [worn], "seq", "write")
    server.query("drop table worn")


def test_copy_in(dbtap, disk, tmp_path):
    volume, server = disk
    server.query("create table filled (like small1)")
    path = f"{server.folder.path}/copied"
    server.query(f"copy small1 to '{path}'")
    server.query("checkpoint")
    with trace_io.window(dbtap, server, volume) as traced:
        trace_io.run_all(server, f"copy filled from '{path}'", "checkpoint")
    size = trace_io.size_of(server, "filled")
    row = trace_io.one(traced.io["queries"], "copy filled")
    table = trace_io.one(traced.io["relations"], relation="public.filled")
    wal = trace_io.one(traced.io["relations"], relation_kind="wal")
    assert table["relation_kind"] == "table"
    trace.assert_near(table["write_bytes"], size, 0.05, what="table")
    assert_labelled(traced, [table], "seq", "write")
    assert_labelled(traced, [wal], "seq", "write")
    assert row["write_bytes"] >= RIGHT * size, trace_io.describe(traced)
    server.query("drop table filled")


def test_checkpoint(dbtap, disk):
    """Every page of a table is dirty in the server's cache: the checkpointer writes them in order."""
    volume, server = disk
    server.query("create table dirty as select i as id, repeat('x', 80) as filler from generate_series(1, 60000) i")
    server.query("checkpoint")
    server.query("update dirty set id = id + 1")
    size = trace_io.size_of(server, "dirty")
    with trace_io.window(dbtap, server, volume) as traced:
        server.query("checkpoint")
    dirty = trace_io.one(traced.io["relations"], relation="public.dirty")
    assert size * 0.95 <= dirty["write_bytes"] <= size * 1.05, trace_io.describe(traced)
    assert_labelled(traced, [dirty], "seq", "write")
    rows = trace_io.select(traced.io["queries"], kind="checkpointer")
    assert trace_io.total(rows, "write_bytes") >= 0.95 * size, trace_io.describe(traced)
    server.query("drop table dirty")
