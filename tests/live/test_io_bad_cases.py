# SPDX-License-Identifier: BSD-2-Clause
"""test_io_bad_cases.py - I/O where something is missing, moved, removed or too much: said, counted, and nothing made up."""
import ctypes
import os
import tempfile
import threading

import loop_device
import page_cache
import pg_server
import pytest
import server_process
import trace
import trace_io

MIB = 1 << 20
CLONE_NEWNS = 0x00020000
TIMEOUT = 60
TABLE = "create table {} as select i, repeat('x', 200) as filler from generate_series(1, {}) i"


@pytest.fixture
def memory_folder():
    path = tempfile.mkdtemp(prefix="dbtap-test-memory-", dir="/tmp")
    os.chmod(path, 0o755)
    loop_device.run("mount", "-t", "tmpfs", "-o", "size=512m,mode=755", "tmpfs", path)
    yield path
    loop_device.run("umount", path)
    os.rmdir(path)


@pytest.fixture
def server_in_memory(memory_folder, make_server):  # in this order: stopped before the memory goes
    return make_server(data=os.path.join(memory_folder, "data"), settings=trace_io.SETTINGS)


def test_a_data_folder_in_memory(dbtap, server_in_memory):
    """No disk below it: figures of disks are absent with a reason, not 0."""
    server = server_in_memory
    run = trace.start(dbtap, server, command="queries")
    trace_io.run_all(server, TABLE.format("t", 50000), "select count(*) from t", "checkpoint")
    document = trace.finish(run)
    row = trace.one(document, "count(*) from t")
    for field in ("read_requests", "write_bytes", "read_seq_bytes", "io_latency_ns"):
        assert field not in row, (field, row)
    reasons = {**document.get("absent", {}), **row.get("absent", {})}
    assert any("no block device" in reason for reason in reasons.values()), reasons


def test_a_deleted_file_that_is_open(dbtap, volume, server_on):
    """Its bytes are still there; the name it had, or that it has none, is said."""
    server = server_on(volume, settings=trace_io.SETTINGS)
    path = os.path.join(server.data, "base", "forgotten")
    with open(path, "wb") as file:
        file.write(os.urandom(8 * MIB))
    page_cache.drop(path)
    with open(path, "rb") as file:
        os.unlink(path)
        with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
            assert len(file.read()) == 8 * MIB
    row = max(traced.io["relations"], key=lambda entry: entry["read_bytes"])
    assert row["read_bytes"] >= 8 * MIB and row["relation"], row


def test_a_relation_dropped_in_the_window(dbtap, volume, server_on):
    """It has the name it had while it lived, or its path; nothing of it goes to another relation."""
    server = server_on(volume, settings=trace_io.SETTINGS)
    server.query(TABLE.format("doomed", 100000))
    server.query("vacuum freeze")
    size = trace_io.size_of(server, "doomed")
    first = server.query("select pg_relation_filepath('doomed')")[0][0]
    trace_io.make_cold(server, "doomed")
    with trace_io.window(dbtap, server, volume) as traced:
        trace_io.run_all(server, "select count(*) from doomed", "drop table doomed", "checkpoint")
    found = [row for row in traced.io["relations"] if row["read_bytes"] >= 0.98 * size]
    assert len(found) == 1 and found[0]["relation"] in ("public.doomed", first), trace_io.describe(traced)


def test_created_and_dropped_in_the_window(dbtap, volume, server_on):
    server = server_on(volume, settings=trace_io.SETTINGS)
    with trace_io.window(dbtap, server, volume) as traced:
        trace_io.run_all(server, TABLE.format("brief", 100000), "checkpoint")
        first = server.query("select pg_relation_filepath('brief')")[0][0]
        server.query("drop table brief")
        server.query("checkpoint")
    found = [row for row in traced.io["relations"] if row["write_bytes"] >= 15 * MIB and row["relation_kind"] != "wal"]
    assert [row["relation"] in ("public.brief", first) for row in found] == [True], trace_io.describe(traced)


def test_a_tablespace_on_another_disk(dbtap, make_volume, server_on):
    """Two disks, one instance: each row of devices agrees with its own counters."""
    volume, other = make_volume(), make_volume("xfs", size_mib=400)
    server = server_on(volume, settings=trace_io.SETTINGS)
    server.query(f"create tablespace away location '{other.folder('space', 0o700, pg_server.USER)}'")
    server.query(TABLE.format("there", 100000).replace("there as", "there tablespace away as"))
    server.query(TABLE.format("here", 100000))
    server.query("vacuum freeze")
    trace_io.make_cold(server, "there", "here")
    before = other.settle()
    with trace_io.window(dbtap, server, volume, check=False) as traced:
        trace_io.run_all(server, "select count(*) from there", "select count(*) from here")
        counted = loop_device.difference(other.settle(), before)
    for name, disk, own in (("there", other, counted), ("here", volume, traced.counted)):
        device = trace_io.one(traced.io["devices"], device=disk.name)
        size = trace_io.size_of(server, name)
        assert device["counted_read_bytes"] == own.read_bytes >= size
        assert abs(device["residual_read_bytes"]) <= 0.01 * own.read_bytes
        row = trace_io.one(traced.io["relations"], relation=f"public.{name}")
        trace.assert_near(row["read_bytes"], size, 0.01, what=name)
    assert {row["device"] for row in traced.io["devices"]} == {volume.name, other.name}


@pytest.mark.parametrize("how", ("vacuum full moved", "truncate"))
def test_a_rewrite_keeps_the_name(dbtap, volume, server_on, how):
    """The relation's file is another one afterwards: the bytes of both are the relation's."""
    server = server_on(volume, settings=trace_io.SETTINGS)
    server.query(TABLE.format("moved", 100000))
    server.query("vacuum freeze")
    size = trace_io.size_of(server, "moved")
    trace_io.make_cold(server, "moved")
    statements = ["vacuum full moved"] if how.startswith("vacuum") else [
        "select count(*) from moved", "truncate moved",
        "insert into moved select i, repeat('x', 200) from generate_series(1, 100000) i"]
    with trace_io.window(dbtap, server, volume) as traced:
        trace_io.run_all(server, *statements, "checkpoint")
        volume.sync()
    row = trace_io.one(traced.io["relations"], relation="public.moved")
    trace.assert_near(row["read_bytes"], size, 0.02, what="read" + trace_io.describe(traced))
    trace.assert_near(row["write_bytes"], size, 0.05, what="written" + trace_io.describe(traced))


def test_without_a_connection(dbtap, volume, server_on):
    """Files are named as they are; that a connection would name them is said."""
    server = server_on(volume, settings=trace_io.SETTINGS)
    server.query(TABLE.format("t", 50000))
    server.query("vacuum freeze")
    path = server.query("select pg_relation_filepath('t')")[0][0]
    trace_io.make_cold(server, "t")
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        trace_io.run_all(server, "select count(*) from t")
    row = trace_io.one(traced.io["relations"], relation=path)
    trace.assert_near(row["read_bytes"], trace_io.size_of(server, "t"), 0.01, what=path)
    assert row["relation_kind"] == "relation"
    assert traced.document["instances"][0]["connected"] is False


def test_segments_and_forks_are_one_relation(dbtap, volume, server_on):
    server = server_on(volume, settings=trace_io.SETTINGS)
    server.query(TABLE.format("t", 100000))
    server.query("alter table t add column wide text")
    server.query("alter table t alter column wide set storage external")
    server.query("update t set wide = repeat('y', 9000) where i <= 1000")
    server.query("vacuum freeze")
    trace_io.make_cold(server, "t")
    toast = server.query("select reltoastrelid::regclass::text from pg_class where relname = 't'")[0][0]
    page_cache.drop(trace_io.paths_of(server, toast))
    with trace_io.window(dbtap, server, volume) as traced:
        trace_io.run_all(server, "select sum(length(substr(wide, 5000, 10))), count(*) from t")
    names = {row["relation"]: row for row in traced.io["relations"] if row["read_bytes"]}
    trace.assert_near(names["public.t"]["read_bytes"], trace_io.size_of(server, "t"), 0.02, what="t")
    pieces = [row for row in names.values() if row["relation_kind"] == "toast"]
    assert [row.get("relation_parent") for row in pieces] == ["public.t"], trace_io.describe(traced)


def test_the_map_of_totals_is_full(dbtap, volume, server_on):
    """What finds no place is counted as a loss and goes to one row of the disk: its sums stay what they are (trace_io.window)."""
    server = server_on(volume, settings=trace_io.SETTINGS)
    tables = [f"t{number}" for number in range(24)]
    for table in tables:
        server.query(TABLE.format(table, 5000))
    server.query("vacuum freeze")
    trace_io.make_cold(server, *tables)
    with trace_io.window(dbtap, server, volume, "--max-requests", "16") as traced:
        trace_io.run_all(server, *[f"select count(*) from {table}" for table in tables])
    assert traced.document["loss"]["io_totals_full"] > 0
    rest = trace_io.select(traced.io["queries"], kind="rest")
    assert rest and trace_io.total(rest, "read_bytes") > 0, trace_io.describe(traced)
    named = [row for row in traced.io["relations"] if row.get("relation") in {f"public.{table}" for table in tables}]
    for row in named:  # what has a place has all of it
        trace.assert_near(row["read_bytes"], trace_io.size_of(server, row["relation"]), 0.02, what=row["relation"])


def test_flushes_and_discards(dbtap, make_volume, server_on):
    volume = make_volume("ext4", options="noatime,discard")
    server = server_on(volume, settings=trace_io.SETTINGS)
    server.query(TABLE.format("t", 100000))
    server.query("checkpoint")
    with trace_io.window(dbtap, server, volume) as traced:
        trace_io.run_all(server, *["insert into t values (1, 'x')"] * 20, "drop table t", "checkpoint")
        volume.sync()
        loop_device.run("fstrim", volume.path)
    assert traced.counted.discard_bytes > 0 and traced.counted.flushes >= 20
    device = trace_io.one(traced.io["devices"], device=volume.name)
    trace.assert_near(device["discard_bytes"], traced.counted.discard_bytes, 0.01, what="discarded")
    # The device flushes for the journal too, and once for several that ask at the same time.
    assert device["flushes"] >= 20
    trace.assert_near(device["counted_flushes"], traced.counted.flushes, 0.02, slack=1, what="flushes")


class Elsewhere(threading.Thread):
    """Starts a server in a mount namespace of this thread's own; it has to live as long as the server."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.started, self.ended, self.error = threading.Event(), threading.Event(), None

    def run(self):
        try:
            if server_process.LIBC.unshare(CLONE_NEWNS):
                raise OSError(ctypes.get_errno(), "unshare")
            loop_device.run("mount", "--make-rprivate", "/")
            self.started.set()
            self.ended.wait(TIMEOUT)
            self.ended.clear()
            self.server.start()
            self.started.set()
            self.ended.wait(TIMEOUT)
        except (OSError, RuntimeError) as error:
            self.error = error
            self.started.set()

    def step(self):
        assert self.started.wait(TIMEOUT) and not self.error, self.error
        self.started.clear()


def test_another_mount_namespace(dbtap, volume, server_on):
    """The disk is mounted where only the server sees it: dbtap finds its files and names them all the same."""
    server = server_on(volume, start=False, settings=trace_io.SETTINGS)
    path, data = volume.path, server.data
    elsewhere = Elsewhere(server)
    elsewhere.start()
    elsewhere.step()
    loop_device.run("umount", path)  # here, not there
    elsewhere.ended.set()
    elsewhere.step()
    try:
        assert not os.path.exists(data)
        there = f"/proc/{server.pid}/root"
        volume.sync = lambda: loop_device.run("sync", "-f", there + path)
        server.query(TABLE.format("t", 300000))
        server.query("checkpoint")
        server.data = there + data
        page_cache.drop(trace_io.paths_of(server, "t"))
        with trace_io.window(dbtap, server, volume) as traced:
            trace_io.run_all(server, "select count(*) from t")
        row = trace_io.one(traced.io["relations"], relation="public.t")
        # What its own cache still had is not read.
        assert row["read_bytes"] >= 0.7 * trace_io.size_of(server, "t"), trace_io.describe(traced)
    finally:
        server.data = data
        server.stop()
        elsewhere.ended.set()
        elsewhere.join(TIMEOUT)


def test_a_window_without_any_io(dbtap, volume, server_on):
    server = server_on(volume, settings=trace_io.SETTINGS)
    with trace_io.window(dbtap, server, volume) as traced:
        pass
    assert traced.counted.read_bytes == 0
    assert trace_io.total(traced.io["queries"], "read_bytes") == 0
