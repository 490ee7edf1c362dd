# SPDX-License-Identifier: BSD-2-Clause
"""
test_identity.py - a server that becomes another one while it is traced: what keeps its name and its rows, and what is said to be new.

A standby that is promoted is the same server; so is one that restarts (test_restart.py). One of another major version in the same data
folder is not: the numbers of its wait events and its query ids are others. Those tests need a second version, which `make test-matrix`
has (TAP_PG_SERVER): there, the installed server is the one that was before.
"""
import os
import re
import shutil
import subprocess
import time

import pg_server
import pytest
import server_process
import trace


def burn(server, tag):
    """Some CPU time and a sleep under a name that is part of the query's identity."""
    server.query(f"with {tag} as materialized (select i from generate_series(1, 200000) i) select count(*), pg_sleep(0.3) from {tag}")


def make_standby(primary, standby):
    """A cold copy, that follows from where the primary goes on. Both run afterwards."""
    primary.stop()
    shutil.rmtree(standby.data)
    subprocess.run(["cp", "-a", primary.data, standby.data], check=True)
    with open(os.path.join(standby.data, "standby.signal"), "w", encoding="ascii"):
        pass
    standby.configure({"primary_conninfo": primary.conninfo().replace("dbname=postgres ", ""), "hot_standby": "on"})
    primary.start()
    standby.start()


def test_promotion(dbtap, make_server):
    """One server before and after, with the rows of both its lives."""
    settings = {"autovacuum": "off", "wal_level": "replica", "max_wal_senders": 4}
    primary, standby = make_server(settings=settings), make_server(settings=settings, start=False)
    primary.query("create table t (i int)")
    make_standby(primary, standby)
    trace.wait_until(lambda: standby.query("select count(*) from pg_stat_wal_receiver where status = 'streaming'")[0][0] == 1, "streams")
    with trace.window(dbtap, standby) as traced:
        burn(standby, "as_standby")
        primary.query("insert into t select i from generate_series(1, 20000) i")
        trace.wait_until(lambda: standby.query("select count(*) from t")[0][0] == 20000, "replayed")
        standby.query("select pg_promote()")
        trace.wait_until(lambda: not standby.query("select pg_is_in_recovery()")[0][0], "promoted")
        standby.query("insert into t select i from generate_series(1, 1000) i")
        burn(standby, "as_primary")
    document = traced.document
    assert [(instance["id"], instance["pid"]) for instance in document["instances"]] == [(standby.instance, standby.pid)]
    for tag in ("as_standby", "as_primary"):
        row = trace.one(document, tag)
        assert row["calls"] == 1 and trace.waited(row, "Timeout:PgSleep") > 0.3e9, row
    assert trace.one(document, "insert into t")["calls"] == 1
    for kind in ("startup", "walreceiver"):
        rows = trace.rows(document, kind=kind)
        assert rows and trace.total(rows, "cpu_ns") > 0, trace.describe(document)


@pytest.fixture
def older_folder(server_folder, monkeypatch):
    """Servers of the installed version, beside those of the version that the tests are run for."""
    chosen = os.environ.get("TAP_PG_SERVER")
    if not chosen:
        pytest.skip("TAP_PG_SERVER names no second version: `make test-matrix` does")
    monkeypatch.delenv("TAP_PG_SERVER")
    folder = pg_server.Folder()
    try:
        if folder.major == server_folder.major:
            pytest.skip(f"both are version {folder.major}")
        yield folder
    finally:
        folder.close()


def upgrade(server, folder, keep_folder):
    """Another version's fresh data in the place of the old one's: in the same folder, or in one of the same path."""
    server.stop()
    fresh = folder.template(())
    if keep_folder:
        for name in os.listdir(server.data):
            path = os.path.join(server.data, name)
            (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
    else:
        shutil.move(server.data, server.data + ".old")
        os.mkdir(server.data, 0o700)
        server_process.give(server.data, [pg_server.USER])
    for name in os.listdir(fresh):
        shutil.move(os.path.join(fresh, name), os.path.join(server.data, name))
    folder.templates.clear()
    server.folder = folder
    server.configure({"autovacuum": "off"})
    server.start()


@pytest.mark.parametrize("keep_folder", (True, False), ids=("same-folder", "same-path"))
def test_major_upgrade(dbtap, server_folder, older_folder, keep_folder):
    """Both are there, each under a name of its own and with its own version's names of events; that it is so is said once."""
    server = older_folder.server(settings={"autovacuum": "off"})
    name = server.instance
    run = trace.start(dbtap, server, *trace.OFTEN)
    burn(server, "before_it")
    upgrade(server, server_folder, keep_folder)
    try:
        time.sleep(trace.FOUND_SECONDS)
        burn(server, "after_it")
        after = f"{name}-{server.pid}"
        run.signal()
        outcome = run.wait()
    finally:
        server.stop()
    document = outcome.json()
    trace.check(document)
    major = {instance["id"]: int(re.match(r"\d+", instance["version"]).group()) for instance in document["instances"]}
    assert major == {name: older_folder.major, after: server_folder.major}, outcome.stderr + str(document["instances"])
    for tag, instance in (("before_it", name), ("after_it", after)):
        row = trace.one(document, tag)
        assert row["instance"] == instance and trace.waited(row, "Timeout:PgSleep") > 0.3e9, row
    assert [line for line in outcome.stderr.splitlines() if after in line and name in line], outcome.stderr
