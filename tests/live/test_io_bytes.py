# SPDX-License-Identifier: BSD-2-Clause
"""test_io_bytes.py - nothing read or written is lost: against the disk's own counters, the kernel's per task and pg_stat_kcache."""
import os
import time

import block_events
import fio
import page_cache
import pytest
import slow_disk
import trace
import trace_io

MIB = 1 << 20


@pytest.mark.parametrize("filesystem", ("ext4", "xfs"))
def test_mixed_load(dbtap, make_volume, server_on, load, filesystem):
    """Attributed plus residual is what the disk counted, and little is residual: checked as the window closes."""
    volume = make_volume(filesystem)
    server = server_on(volume, settings=trace_io.SETTINGS)
    load.pgbench_init(server, scale=5)
    server.query("create table cold as select i, repeat('x', 200) as filler from generate_series(1, 150000) i")
    trace_io.make_cold(server, "cold", "pgbench_accounts", "pgbench_accounts_pkey")
    with trace_io.window(dbtap, server, volume) as traced:
        bench = load.pgbench(server, "-n", "-c", 2, "-j", 1, "-T", 4)
        session = load.session(server, ["select count(*) from cold", "checkpoint", "vacuum pgbench_accounts", "checkpoint"])
        session.finish()
        bench.wait()
        server.query("checkpoint")
    assert traced.counted.read_bytes > 30 * MIB and traced.counted.write_bytes > 10 * MIB
    scan = trace_io.one(traced.io["queries"], "from cold")
    trace.assert_near(scan["read_bytes"], trace_io.size_of(server, "cold"), 0.02, what="cold")
    # Every byte has an owner that is named, and most of what the kernel's own threads wrote has somebody who dirtied it.
    assert {row["kind"] for row in traced.io["queries"]} >= {"client", "checkpointer"}
    kinds = {row["relation_kind"] for row in traced.io["relations"]}
    assert {"table", "index", "wal"} <= kinds, kinds
    # Charged or not, what was written is the same in the end, but for what was dirtied before or is the file system's own.
    charged = trace_io.total(traced.io["queries"], "write_bytes")
    trace.assert_near(charged, trace_io.attributed(traced.io["queries"], "write"), 0.05, what="charged" + trace_io.describe(traced))


def test_against_the_kernels_counters_per_task(dbtap, volume, server_on):
    server = server_on(volume, settings=trace_io.SETTINGS, preload=["pg_stat_statements", "pg_stat_kcache"])
    server.query("create extension pg_stat_statements")
    server.query("create extension pg_stat_kcache")
    server.query("create table one as select i, repeat('x', 200) as filler from generate_series(1, 200000) i")
    server.query("create table two as select i, repeat('x', 200) as filler from generate_series(1, 100000) i")
    server.query("vacuum freeze")
    trace_io.make_cold(server, "one", "two")
    server.query("select pg_stat_statements_reset(), pg_stat_kcache_reset()")
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        pid = connection.get_backend_pid()
        with trace_io.window(dbtap, server, volume) as traced:
            before = trace_io.task_io(pid)
            for table in ("one", "two"):
                cursor.execute(f"select count(*) from {table}")
            after = trace_io.task_io(pid)
    connection.close()
    rows = {table: trace_io.one(traced.io["queries"], f"count(*) from {table}") for table in ("one", "two")}
    # The task's counter has the backend's own catalog look-ups between statements too.
    trace.assert_near(trace_io.total(rows.values(), "read_bytes"), after["read_bytes"] - before["read_bytes"], 0.01,
                      slack=64 * 1024, what="/proc/PID/io")
    for table, row in rows.items():
        found = server.query("select k.exec_reads from pg_stat_kcache() k join pg_stat_statements s using (queryid) "
                             "where k.top and s.query like %s", (f"%count(*) from {table}",))
        trace.assert_near(row["read_bytes"], found[0][0], 0.01, slack=64 * 1024, what=f"pg_stat_kcache {table}")


def test_from_the_cache_and_from_the_disk(dbtap, volume, server_on):
    """The same statement reads nothing from the disk once its pages are in the kernel's cache, and everything when they are not."""
    server = server_on(volume, settings=trace_io.SETTINGS)
    server.query("create table t as select i, repeat('x', 200) as filler from generate_series(1, 200000) i")
    server.query("vacuum freeze")
    path = trace_io.paths_of(server, "t")
    size = trace_io.size_of(server, "t")
    found = {}
    for name in ("cold", "warm"):
        server.restart()
        if name == "cold":
            page_cache.drop(path)
        assert page_cache.cached_bytes(path) == (0 if name == "cold" else size)
        with trace_io.window(dbtap, server, volume, command="queries") as traced:
            trace_io.run_all(server, "select count(*) from t")
        found[name] = trace.one(traced.document, "count(*) from t")
    trace.assert_near(found["cold"]["read_bytes"], size, 0.01, what="cold read_bytes")
    assert found["cold"]["read_requests"] > 0 and found["cold"]["io_latency_ns"]["p50"] > 0
    assert found["cold"]["cache_read_bytes"] <= 0.01 * size + MIB, found["cold"]
    assert found["warm"]["read_bytes"] == 0 and found["warm"]["read_requests"] == 0, found["warm"]
    trace.assert_near(found["warm"]["cache_read_bytes"], size, 0.01, slack=MIB, what="cache_read_bytes")
    assert "io_latency_ns" not in found["warm"], found["warm"]
    names = {row["name"]: row for row in found["cold"]["relations"]}
    trace.assert_near(names["public.t"]["read_bytes"], size, 0.01, what="relation")
    assert not any(row["read_bytes"] for row in found["warm"].get("relations", []))


def percentiles_differ(row, result, direction):
    """What is not within 10 % of fio's figures."""
    ours, own = row[f"{direction}_latency_ns"], result.percentiles(direction)
    return {percent: (ours[f"p{percent}"], own[percent]) for percent in (50, 95, 99)
            if abs(ours[f"p{percent}"] - own[percent]) > 0.10 * own[percent]}


def traced_fio(dbtap, volume, server, path, **options):
    """The row of fio, only its own requests, and its own figures."""
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        result = fio.run(path, direct=1, ioengine="libaio", **options)
    return trace_io.one(traced.io["queries"], kind="other"), result


@pytest.fixture
def fio_disk(volume, server_on):
    if fio.missing():
        pytest.skip(fio.missing())
    server = server_on(volume, settings=trace_io.SETTINGS)
    return volume, server, fio.make_file(os.path.join(server.data, "fio"), 128 * MIB)


@pytest.mark.parametrize("direction", ("read", "write"))
def test_latency_of_a_slow_disk(dbtap, fio_disk, direction):
    """So slow that what fio spends between its clock and the kernel's is nothing."""
    try:
        group = slow_disk.Group(fio_disk[0].image, 400)
    except slow_disk.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        row, result = traced_fio(dbtap, *fio_disk, before=(*group.enter, *fio.PROMPTLY), rw=f"rand{direction}", bs="16k",
                                 io_size="13m", iodepth=30)
    finally:
        group.close()
    assert result.percentiles(direction)[50] > 50e6
    assert not percentiles_differ(row, result, direction), percentiles_differ(row, result, direction)


# Queues deep enough for times far above what fio spends between its own clock and the kernel's; pieces so small that each is one
# request.
FAST = (
    ("reads", {"rw": "randread", "bs": "256k", "io_size": "1g", "iodepth": 32}, "read"),
    ("reads-of-two-sizes", {"rw": "randread", "bssplit": "64k/70:256k/30", "io_size": "1g", "iodepth": 32}, "read"),
    ("writes", {"rw": "randwrite", "bs": "256k", "io_size": "1g", "iodepth": 32}, "write"),
)


@pytest.mark.parametrize("name,options,direction", FAST, ids=[row[0] for row in FAST])
def test_latency_of_a_fast_disk(dbtap, fio_disk, block_recorder, name, options, direction):
    """
    Against the kernel's own list. On a machine that does other things too fio comes late to look at what has long been done: its
    figures are an upper bound only, for a request cannot be done sooner for fio than for the kernel.
    """
    volume, server, path = fio_disk
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        recorded = block_recorder(volume)
        result = fio.run(path, direct=1, ioengine="libaio", before=fio.PROMPTLY, **options)
    letter = direction[0].upper()
    times = [request.ns for request in recorded.requests() if request.operation == letter and request.ns >= 0]
    if not times:
        pytest.skip("the kernel has no event block_io_start")
    row, own = trace_io.one(traced.io["queries"], kind="other"), result.percentiles(direction)
    for percent in (50, 95, 99):
        ours = row[f"{direction}_latency_ns"][f"p{percent}"]
        # One of 200 more or less: the two do not have quite the same requests.
        low, high = (block_events.percentile(times, percent + one) for one in (-0.5, 0.5))
        assert 0.9 * low <= ours <= 1.1 * high, (percent, ours, low, high)
        assert ours <= 1.1 * own[percent], (percent, ours, own)


def test_queue_and_device_time(dbtap, fio_disk):
    """With one request at a time nothing queues, and both times are part of the time it took."""
    volume, server, path = fio_disk
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        started = time.monotonic_ns()
        fio.run(path, direct=1, ioengine="psync", rw="randread", bs="16k", io_size="32m")
        spent = time.monotonic_ns() - started
    row = trace_io.one(traced.io["queries"], kind="other")
    assert 0 < row["read_queue_ns"] + row["read_device_ns"] <= spent, row
    assert row["read_device_ns"] > row["read_queue_ns"], row
