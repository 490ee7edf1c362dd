# SPDX-License-Identifier: BSD-2-Clause
"""test_io_places.py - which disk a database's files are on and what its catalogs call them, wherever the server keeps them."""
import os
import shutil
import subprocess
import time

import page_cache
import pg_server
import psycopg2
import pytest
import server_process
import trace

ROWS = "select i, repeat(md5(i::text), 20) pad from generate_series(1, 30000) i"  # about 20 MB
SETTINGS = {"autovacuum": "off", "max_parallel_workers_per_gather": "0"}
LOOK_SECONDS = 3  # it looks for new files and asks for their names every second


def file_of(server, relation, database="postgres"):
    return os.path.join(server.data, server.query(f"select pg_relation_filepath('{relation}')", database=database)[0][0])


def relation(document, name):
    found = [row for row in document["io"]["relations"] if row["relation"] == name]
    assert len(found) == 1, [row["relation"] for row in document["io"]["relations"]]
    return found[0]


def device(document, name):
    found = [row for row in document["io"]["devices"] if row["device"] == name]
    assert len(found) == 1, [row["device"] for row in document["io"]["devices"]]
    return found[0]


def table(server, name, where="", database="postgres"):
    """A table that is in no cache of the server's."""
    server.query(f"create table {name} {where} as {ROWS}", database=database)
    server.query("checkpoint")
    server.restart()
    return file_of(server, name, database)


def scan(server, name, path, database="postgres"):
    """Bytes read."""
    page_cache.drop(path)
    server.query(f"select count(*) from {name} where pad like 'x%'", database=database)
    return os.path.getsize(path)


def test_a_tablespace_on_a_disk_of_its_own(dbtap, volume, make_server):
    server = make_server(settings=SETTINGS)
    server.query(f"create tablespace fast location '{volume.folder('space', 0o700, pg_server.USER)}'")
    path = table(server, "t", "tablespace fast")
    before = volume.settle()
    with trace.window(dbtap, server, command="io") as traced:
        size = scan(server, "t", path)
    read = volume.settle().read_bytes - before.read_bytes
    row = relation(traced.document, "public.t")
    disk = device(traced.document, volume.name)
    assert row["relation_kind"] == "table" and row["read_bytes"] == size, str([[(r["relation"], r["read_bytes"], r["read_requests"]) for r in traced.document["io"]["relations"]], size, read, disk["counted_read_bytes"], disk["residual_read_bytes"], disk["read_requests"], disk["read_sizes"], traced.document["loss"]])
    assert row["read_seq_bytes"] > 0.95 * size, row
    # Looking for the folder, before the window opens, may itself read a block or two.
    assert 0 <= read - disk["counted_read_bytes"] <= 65536, disk
    assert abs(disk["residual_read_bytes"]) <= read / 100, disk


def test_a_tablespace_that_is_made_meanwhile(dbtap, volume, make_server):
    server = make_server(settings=SETTINGS)
    with trace.window(dbtap, server, command="io") as traced:
        server.query(f"create tablespace late location '{volume.folder('space', 0o700, pg_server.USER)}'")
        time.sleep(LOOK_SECONDS)
        server.query(f"create table t tablespace late as {ROWS}")
        server.query("checkpoint")
        volume.sync()
    row = relation(traced.document, "public.t")
    assert row["write_bytes"] >= 0.95 * os.path.getsize(file_of(server, "t"))
    assert device(traced.document, volume.name)["write_bytes"] >= row["write_bytes"]


def test_the_wal_on_a_disk_of_its_own(dbtap, volume, make_server):
    server = make_server(settings=SETTINGS, start=False)
    there = os.path.join(volume.path, "journal")
    subprocess.run(["cp", "-a", os.path.join(server.data, "pg_wal"), there], check=True)
    shutil.rmtree(os.path.join(server.data, "pg_wal"))
    os.symlink(there, os.path.join(server.data, "pg_wal"))
    server.start()
    with trace.window(dbtap, server, command="io") as traced:
        server.query(f"create table t as {ROWS}")
        volume.sync()
    row = relation(traced.document, "pg_wal")
    assert row["relation_kind"] == "wal" and row["write_bytes"] > 1e6
    assert device(traced.document, volume.name)["write_bytes"] >= row["write_bytes"]


def test_no_disk_at_all(dbtap, make_server):
    if not os.path.ismount("/dev/shm"):
        pytest.skip("no file system in memory is mounted at /dev/shm")
    data = f"/dev/shm/dbtap-test-{os.getpid()}"
    try:
        server = make_server(settings=SETTINGS, data=data)
        with trace.window(dbtap, server, command="io") as traced:
            server.query(f"create table t as {ROWS}")
        server.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)
    assert "data folder on tmpfs: no known block device" in traced.document["absent"]["device"]
    row = trace.one(traced.document, "create table t")
    assert "read_requests" not in row and "no block device" in row["absent"]["read_requests"]
    assert traced.document["io"]["devices"] == []


def start_in_mounts_of_its_own(server, source, target):
    """The server sees `source` at `target`, which for everybody else is an empty folder."""
    command = 'mount --bind "$1" "$2" && exec setpriv --reuid "$3" --regid "$3" --clear-groups "$4" -D "$5"'
    with open(server.log, "ab") as log:
        server.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", command, "sh", source, target, pg_server.USER,
             os.path.join(server.folder.binaries, "postgres"), server.data], cwd="/", stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True, preexec_fn=lambda: server_process.die_with_parent(pg_server.Server.PARENT_DIES))
    deadline = time.monotonic() + server_process.START_SECONDS
    while True:
        try:
            return server.connect().close()
        except psycopg2.OperationalError:
            assert server.process.poll() is None and time.monotonic() < deadline, server.log_text()
            time.sleep(0.05)


def test_links_mean_what_they_mean_to_the_server(dbtap, volume, make_server, tmp_path):
    server = make_server(settings=SETTINGS, start=False)
    os.chmod(tmp_path, 0o755)
    target = os.path.join(server.folder.path, "seen")
    os.mkdir(target)
    volume.folder("space", 0o700, pg_server.USER)
    start_in_mounts_of_its_own(server, volume.path, target)
    server.query(f"create tablespace hidden location '{target}/space'")
    server.query(f"create table t tablespace hidden as {ROWS}")
    server.query("checkpoint")
    server.stop()
    start_in_mounts_of_its_own(server, volume.path, target)
    assert not os.listdir(target)
    name = server.query("select pg_relation_filepath('t')")[0][0].split("/", 2)[2]
    path = os.path.join(volume.path, "space", name)
    with trace.window(dbtap, server, command="io") as traced:
        size = scan(server, "t", path)
    server.stop()
    row = relation(traced.document, "public.t")
    assert row["read_bytes"] == size
    assert device(traced.document, volume.name)["read_bytes"] >= size


def test_names_of_relations_that_go(dbtap, make_server):
    """Dropped, rewritten, truncated, or in another database: while they were there they had a name, and it stays."""
    server = make_server(settings=SETTINGS)
    server.query("create database other")
    table(server, "dropped")
    table(server, "rewritten", database="other")
    paths = [file_of(server, "dropped"), file_of(server, "rewritten", "other")]
    with trace.window(dbtap, server, command="io") as traced:
        sizes = [scan(server, "dropped", paths[0]), scan(server, "rewritten", paths[1], "other")]
        time.sleep(LOOK_SECONDS)
        server.query("drop table dropped")
        server.query("vacuum full rewritten", database="other")
        server.query("checkpoint")
    assert relation(traced.document, "public.dropped")["read_bytes"] >= sizes[0]
    rewritten = relation(traced.document, "public.rewritten")
    assert rewritten["database"] == "other" and rewritten["read_bytes"] >= sizes[1]
    assert rewritten["dirtied_bytes"] >= 0.95 * sizes[1]  # the new file


def test_without_a_connection_files_keep_their_numbers(dbtap, make_server):
    server = make_server(settings=SETTINGS)
    path = table(server, "t")
    with trace.window(dbtap, server, "--no-connect", command="io") as traced:
        size = scan(server, "t", path)
    row = relation(traced.document, os.path.relpath(path, server.data))
    assert row["read_bytes"] == size
    assert "--no-connect" in traced.document["absent"]["relation"]


def test_a_database_that_lets_nobody_in(dbtap, make_server):
    server = make_server(settings=SETTINGS)
    server.query("create database closed")
    path = table(server, "t", database="closed")
    session = server.connect("closed")
    with session.cursor() as cursor:
        cursor.execute("select 1")
        server.query("alter database closed with allow_connections false")
        with trace.window(dbtap, server, command="io") as traced:
            page_cache.drop(path)
            cursor.execute("select count(*) from t where pad like 'x%'")
    session.close()
    assert relation(traced.document, os.path.relpath(path, server.data))["read_bytes"] == os.path.getsize(path)
    assert "database closed: it takes no connections" in traced.document["absent"]["relation"]
