# SPDX-License-Identifier: BSD-2-Clause
"""test_io_blame.py - who is charged for what was written, whoever's thread wrote it; WAL and temporary files are named."""
import os
import re
import subprocess

import trace
import trace_io

MIB = 1 << 20


def test_a_copy_written_by_others(dbtap, volume, server_on):
    """The pages of a COPY reach the disk by the checkpointer's and the kernel's hands, and are still the COPY's."""
    server = server_on(volume, settings=trace_io.SETTINGS)
    server.query("create table t (i int, filler text)")
    source = os.path.join(server.folder.path, "copied-blame")
    server.query(f"copy (select i, repeat('x', 200) from generate_series(1, 300000) i) to '{source}'")
    server.query("checkpoint")
    with trace_io.window(dbtap, server, volume) as traced:
        trace_io.run_all(server, f"copy t from '{source}'")
        volume.sync()
        server.query("checkpoint")
    os.unlink(source)
    size = trace_io.size_of(server, "t")
    row = trace_io.one(traced.io["queries"], "copy t")
    # The table and its WAL.
    assert row["write_bytes"] >= 0.95 * size, trace_io.describe(traced)
    blame = trace_io.select(traced.io["blame"], "copy t", relation="public.t")
    assert {entry["dirtied_by"] for entry in blame} == {"client"}
    assert {entry["written_by"] for entry in blame} <= {"kernel", "checkpointer", "client", "other"}, blame
    assert any(entry["written_by"] != "client" for entry in blame), blame
    trace.assert_near(trace_io.total(blame, "bytes"), size, 0.05, what=f"blame {blame}")
    # Over all entries: what was submitted.
    for entry in traced.io["blame"]:
        assert entry["bytes"] > 0, entry
    assert trace_io.total(traced.io["blame"], "bytes") <= trace_io.attributed(traced.io["queries"], "write")


def test_wal_belongs_to_who_commits(dbtap, volume, server_on):
    server = server_on(volume, settings=trace_io.SETTINGS)
    server.query("create table t (i int, filler text)")
    server.query("checkpoint")
    before = server.query("select pg_current_wal_insert_lsn()")[0][0]
    with trace_io.window(dbtap, server, volume) as traced:
        trace_io.run_all(server, *["insert into t select i, repeat('x', 500) from generate_series(1, 100) i"] * 200)
    written = server.query("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", (before,))[0][0]
    wal = trace_io.one(traced.io["relations"], relation_kind="wal")
    # Whole blocks: the last one is written again with each commit.
    assert written <= wal["write_bytes"] <= 1.5 * float(written) + MIB, f"{written}" + trace_io.describe(traced)
    row = trace_io.one(traced.io["queries"], "insert into t")
    assert row["write_bytes"] >= 0.9 * wal["write_bytes"], trace_io.describe(traced)
    assert row["flushes"] + trace_io.total(traced.io["queries"], "flushes") > 0, trace_io.describe(traced)
    assert trace_io.share([wal], "seq", "write") >= 0.95, trace_io.describe(traced)


def test_a_sort_that_spills(dbtap, volume, server_on):
    """temp_bytes is what the server itself says it wrote to temporary files."""
    server = server_on(volume, settings={**trace_io.SETTINGS, "work_mem": "1MB", "log_temp_files": 0})
    server.query("create table t as select md5(i::text) as k, repeat('x', 100) as filler from generate_series(1, 300000) i")
    server.query("vacuum freeze")
    before = server.query("select coalesce(sum(temp_bytes), 0) from pg_stat_database")[0][0]
    seen = len(server.log_text())
    with trace_io.window(dbtap, server, volume, command="queries") as traced:
        trace_io.run_all(server, "select count(*) from (select k, filler from t order by k offset 1) spilled")
    row = trace.one(traced.document, "spilled")
    own = int(server.query("select sum(temp_bytes) from pg_stat_database")[0][0] - before)
    logged = sum(map(int, re.findall(r"temporary file: path .*, size (\d+)", server.log_text()[seen:])))
    assert own > 10 * MIB and logged == own
    trace.assert_near(row["temp_bytes"], own, 0.02, what="temp_bytes")
    assert [entry["kind"] for entry in row["relations"] if entry["dirtied_bytes"] > MIB] == ["temp"], row["relations"]


def test_a_temporary_table(dbtap, volume, server_on):
    server = server_on(volume, settings={**trace_io.SETTINGS, "temp_buffers": "800kB"})
    with trace_io.window(dbtap, server, volume) as traced:
        connection = server.connect()
        with connection.cursor() as cursor:
            cursor.execute("create temporary table mine as select i, repeat('x', 200) from generate_series(1, 100000) i")
            volume.sync()
        connection.close()
    row = trace_io.one(traced.io["queries"], "create temporary table")
    assert row["write_bytes"] > 20 * MIB, trace_io.describe(traced)
    kinds = {entry["relation_kind"]: entry["write_bytes"] for entry in traced.io["relations"] if entry["write_bytes"] > MIB}
    assert set(kinds) == {"temp_relation"}, kinds


def test_a_process_of_nobody(dbtap, volume, server_on):
    """Another program's writes in the data folder are `other`, its pages written by the kernel are charged to it, none to the server."""
    server = server_on(volume, settings=trace_io.SETTINGS)
    path = os.path.join(server.data, "foreign")
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", "count=32", "status=none"], check=True)
        volume.sync()
    charged = trace_io.total(trace_io.select(traced.io["queries"], kind="other"), "write_bytes")
    trace.assert_near(charged, 32 * MIB, 0.02, what="other" + trace_io.describe(traced))
    others = [row for row in traced.io["queries"] if row["kind"] not in ("other", "kernel")]
    assert trace_io.total(others, "write_bytes") < MIB, trace_io.describe(traced)
