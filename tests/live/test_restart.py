# SPDX-License-Identifier: BSD-2-Clause
"""test_restart.py - servers that go away, come back, crash and appear while dbtap traces."""
import os
import shutil
import signal
import time

import psycopg2
import pytest
import trace


def mine(document, server):
    return [row for row in document["queries"] if row["instance"] == server.instance]


def burn(server, tag):
    """Some CPU time under a name that is part of the query's identity, as an alias would not be."""
    server.query(f"with {tag} as materialized (select i from generate_series(1, 200000) i) select count(*) from {tag}")


@pytest.mark.parametrize("how", (signal.SIGINT, signal.SIGQUIT), ids=("fast", "immediate"))
def test_restart(dbtap, make_server, how):
    server = make_server(settings={"autovacuum": "off"})
    first = server.pid
    with trace.window(dbtap, server, *trace.OFTEN) as traced:
        burn(server, "before_it")
        server.restart(how)
        time.sleep(trace.FOUND_SECONDS)
        burn(server, "after_it")
        burn(server, "after_it")
    assert server.pid != first
    document = traced.document
    assert [instance["pid"] for instance in document["instances"]] == [server.pid]
    assert trace.one(document, "before_it")["cpu_ns"] > 5e6
    after = trace.one(document, "after_it")
    assert after["calls"] == 2 and after["cpu_ns"] > 10e6
    assert after["database"] == "postgres" and after["user"] == "postgres"


def test_postmaster_killed(dbtap, make_server, load):
    """Its orphans end by themselves; nothing they did is lost, and the tool ends well without any server."""
    server = make_server(settings={"autovacuum": "off"})
    with trace.window(dbtap, server) as traced:
        burn(server, "before_it")
        session = load.session(server, "select pg_sleep(0.5)")
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        session.join(10)
        time.sleep(1.5)
    server.process = None
    assert trace.one(traced.document, "before_it")["calls"] == 1
    assert trace.one(traced.document, kind="checkpointer")


def test_backend_killed(dbtap, make_server, load):
    """All sessions are thrown out, recovery runs under the old postmaster, work goes on."""
    server = make_server(settings={"autovacuum": "off", "restart_after_crash": "on"})
    with trace.window(dbtap, server) as traced:
        burn(server, "before_it")
        victim = load.session(server, "select pg_sleep(60)")
        trace.wait_for_state(server, victim.pid, "wait_event = 'PgSleep'")
        time.sleep(0.3)
        os.kill(victim.pid, signal.SIGKILL)
        victim.join(10)
        assert isinstance(victim.error, psycopg2.Error)
        wait_until_up(server)
        burn(server, "after_it")
    document = traced.document
    assert [instance["pid"] for instance in document["instances"]] == [server.pid]
    assert trace.one(document, "before_it")["calls"] == 1
    after = trace.one(document, "after_it")
    assert after["calls"] == 1 and after["query_id_source"] == ("engine" if server.folder.major >= 14 else "own")
    slept = trace.one(document, "pg_sleep")
    assert trace.waited(slept, "Timeout:PgSleep") > 0.3e9
    assert slept["running"] == 0
    assert trace.rows(document, kind="startup"), "recovery has no row"


def wait_until_up(server):
    deadline = time.monotonic() + 30
    while True:
        try:
            server.query("select 1")
            return
        except psycopg2.Error:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_several_at_once(dbtap, make_server):
    """Rows are the instance's own, even with equal query ids."""
    servers = [make_server(settings={"autovacuum": "off"}) for _ in range(3)]
    run = trace.start(dbtap, None)
    for number, server in enumerate(servers):
        for _ in range(number + 1):
            burn(server, "everywhere")
    document = trace.finish(run)
    named = {instance["id"]: instance["pid"] for instance in document["instances"]}
    for number, server in enumerate(servers):
        assert named[server.instance] == server.pid
        row = trace.one(document, "everywhere", instance=server.instance)
        assert row["calls"] == number + 1
        assert trace.one(document, kind="postmaster", instance=server.instance)
    assert len({row["query_id"] for row in trace.rows(document, "everywhere")}) == 1


def test_only_the_one_asked_for(dbtap, make_server):
    one, other = make_server(), make_server()
    with trace.window(dbtap, one) as traced:
        burn(one, "here")
        burn(other, "there")
    assert [instance["id"] for instance in traced.document["instances"]] == [one.instance]
    assert {row["instance"] for row in traced.document["queries"]} == {one.instance}
    assert trace.one(traced.document, "here")["calls"] == 1


def test_started_meanwhile(dbtap, make_server):
    one, late = make_server(), make_server(start=False)
    run = trace.start(dbtap, None)
    late.start()
    time.sleep(3)  # without being told it looks once a second
    burn(late, "new_here")
    document = trace.finish(run)
    assert {one.instance, late.instance} <= {instance["id"] for instance in document["instances"]}
    row = trace.one(document, "new_here", instance=late.instance)
    assert row["calls"] == 1 and row["cpu_ns"] > 5e6 and row["database"] == "postgres"
    assert mine(document, one)


def test_stopped_meanwhile_and_gone(dbtap, make_server):
    """What it did before it ended stays in the report."""
    one, gone = make_server(), make_server()
    run = trace.start(dbtap, None)
    burn(gone, "last_words")
    gone.stop()
    time.sleep(0.5)
    document = trace.finish(run)
    assert trace.one(document, "last_words", instance=gone.instance)["calls"] == 1
    assert trace.one(document, kind="postmaster", instance=gone.instance)
    assert one.instance in {instance["id"] for instance in document["instances"]}


def test_ten_restarts_cost_no_place(dbtap, make_server):
    """The same place is taken again: rows of one instance, not of ten."""
    server = make_server(settings={"autovacuum": "off"})
    with trace.window(dbtap, server, "--no-connect", *trace.OFTEN) as traced:
        for _ in range(4):
            server.restart()
            time.sleep(trace.FOUND_SECONDS)
            burn(server, "again")
    assert len(traced.document["instances"]) == 1
    assert trace.one(traced.document, "again")["calls"] == 4
    assert len(trace.rows(traced.document, kind="postmaster")) == 1


def another_binary(folder):
    """The server's binary as another file, where it finds the rest of its installation: Debian's layout, or one folder with all."""
    prefix, debian, version = folder.binaries.partition("/lib/postgresql/")
    prefix = prefix if debian else os.path.dirname(folder.binaries)
    major = version.split("/")[0]
    top = os.path.join(folder.path, "another")
    bindir = os.path.join(top, os.path.relpath(folder.binaries, prefix))
    os.makedirs(bindir)
    for part in (f"lib/postgresql/{major}/lib", f"share/postgresql/{major}") if debian else ("lib", "share"):
        os.makedirs(os.path.dirname(os.path.join(top, part)), exist_ok=True)
        os.symlink(os.path.join(prefix, part), os.path.join(top, part))
    return os.path.dirname(shutil.copy2(os.path.join(folder.binaries, "postgres"), bindir))


@pytest.mark.parametrize("depth", ("ambient", "statement"))
def test_restart_with_another_binary(dbtap, make_server, monkeypatch, depth):
    """An upgrade while it is traced: what comes back is followed, and probed where the old one was."""
    server = make_server(settings={"autovacuum": "off"})
    run = trace.start(dbtap, server, "--depth", depth, "--budget", 100, *trace.OFTEN)
    burn(server, "before_it")
    monkeypatch.setattr(server.folder, "binaries", another_binary(server.folder))
    try:
        server.restart()
        time.sleep(trace.FOUND_SECONDS)
        burn(server, "after_it")
    finally:
        shutil.rmtree(os.path.join(server.folder.path, "another"))
    run.signal(signal.SIGINT)
    document = run.wait().ok().json()
    trace.check(document)
    before, after = trace.one(document, "before_it"), trace.one(document, "after_it")
    assert before["cpu_ns"] > 5e6 and after["cpu_ns"] > 5e6
    assert before["calls"] == after["calls"] == 1
