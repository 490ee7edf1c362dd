# SPDX-License-Identifier: BSD-2-Clause
"""test_elsewhere.py - servers in namespaces of their own, and whose binary is no longer where it was; see tests/lib/elsewhere.py."""
import os
import re
import shutil
import time

import elsewhere
import pg_server
import pytest
import trace

SETTINGS = {"autovacuum": "off"}


@pytest.fixture
def place(make_server):
    """place(port) -> a server that runs in a container's place, of the test's own."""
    made = []

    def make(port, **arguments):
        made.append(elsewhere.Place(make_server(settings=SETTINGS, start=False), port, **arguments))
        try:
            made[-1].start()
        except RuntimeError as error:
            if "no namespaces" in str(error):
                pytest.skip(str(error))
            raise
        return made[-1]

    yield make
    for one in made:
        one.stop()


def burn(server, tag, times=1):
    """Some CPU time under a name that is part of the query's identity."""
    with trace.one_cpu(server):
        for _ in range(times):
            server.query(f"with {tag} as materialized (select i from generate_series(1, 200000) i) select count(*) from {tag}")


def finish(run):
    """Of all servers of the host: one that is not ours may be of a kind that cannot be traced."""
    run.signal()
    outcome = run.wait()
    document = outcome.ok(outcome.status and 3).json()
    trace.check(document)
    return document


def instance_of(document, place):
    found = [instance for instance in document["instances"] if instance["pid"] == place.pid]
    assert len(found) == 1, document["instances"]
    return found[0]


def test_same_path_and_port(dbtap, place):
    """Two containers, alike in all but what they do: each has its rows, its names and its own connection."""
    port = pg_server.unused_port()
    first = place(port)
    second = place(port)
    first.query("create database only_in_first")
    run = trace.start(dbtap, None)
    burn(first, "in_first")
    burn(second, "in_second", 2)
    document = finish(run)
    one, two = instance_of(document, first), instance_of(document, second)
    assert (one["id"], two["id"]) == (f"postgres-{port}", f"postgres-{port}-{second.pid}")
    for place_, instance in ((first, one), (second, two)):
        assert instance["connected"], instance
        assert instance["data_dir"] == f"/proc/{place_.pid}/root{elsewhere.DATA}" and instance["port"] == port
    assert trace.one(document, "in_first")["instance"] == one["id"]
    row = trace.one(document, "in_second")
    assert row["instance"] == two["id"] and row["database"] == "postgres" and row["cpu_ns"] > 5e6


def test_a_container_restarts(dbtap, place):
    """Its pid and with that its path are others: it is the same instance, with its name."""
    server = place(pg_server.unused_port())
    run = trace.start(dbtap, None)
    burn(server, "both_times")
    name = f"postgres-{server.port}"
    server.stop()
    server.start()
    wait_until_followed(server, lambda: burn(server, "both_times"))
    document = finish(run)
    assert instance_of(document, server)["id"] == name
    assert len([instance for instance in document["instances"] if instance.get("port") == server.port]) == 1
    row = trace.one(document, "both_times")
    assert row["instance"] == name and row["cpu_ns"] > 10e6
    assert len(trace.rows(document, instance=name, kind="postmaster")) == 1


def wait_until_followed(server, work):
    """A new server is looked for once a second: a session that begins after that is seen from its fork on."""
    time.sleep(2.5)
    work()


def test_the_wanted_one_alone(dbtap, place):
    """While it is down the other one of its port would be called like it."""
    port = pg_server.unused_port()
    wanted = place(port)
    other = place(port)
    run = trace.start(dbtap, None, "--instance", f"postgres-{port}")
    wanted.stop()
    time.sleep(1.5)
    burn(other, "other")
    wanted.start()
    wait_until_followed(wanted, lambda: burn(wanted, "wanted"))
    document = trace.finish(run)
    assert [instance["pid"] for instance in document["instances"]] == [wanted.pid]
    assert trace.one(document, "wanted")["instance"] == f"postgres-{port}"
    assert not trace.rows(document, "other")


def test_port_of_another(dbtap, place, make_server):
    """It listens on no socket that can be seen from here, and its port is here another server's."""
    here = make_server(settings=SETTINGS)
    there = make_server(settings=SETTINGS, start=False)
    hidden = elsewhere.Place(there, here.port, arguments=("-c", "unix_socket_directories="))
    hidden.start(wait=False)
    try:
        time.sleep(1)
        outcome = dbtap("instances", "--format", "json", "--duration", 0.5)
        instance = instance_of(outcome.json(), hidden)
        assert not instance["connected"] and instance["id"] == f"postgres-{here.port}-{hidden.pid}"
        assert instance_of(outcome.json(), here)["connected"]
    finally:
        hidden.stop()


def test_dsn_of_another_server(dbtap, make_server):
    one, other = make_server(settings=SETTINGS), make_server(settings=SETTINGS)
    outcome = dbtap("queries", "--format", "json", "--duration", 0.5, "--instance", one.instance, "--dsn",
                    f"{one.instance}={other.conninfo()}").ok(3)
    assert "another server answers" in outcome.stderr and one.instance in outcome.stderr
    assert not outcome.json()["instances"][0]["connected"]


def test_doctor(dbtap, place):
    server = place(pg_server.unused_port())
    text = dbtap("doctor", "--instance", f"postgres-{server.port}").ok().stdout
    assert re.search(rf"postgres-{server.port}: PostgreSQL [\d.a-z]+, pid {server.pid}, port {server.port}, "
                     rf"data /proc/{server.pid}/root{elsewhere.DATA}", text), text
    assert "connection: yes" in text


# ---- a binary that is replaced while it runs ----

def copy_of_binary(folder, name):
    """The server's binary as another file, where it finds the rest of its installation."""
    version = os.path.basename(os.path.dirname(folder.binaries))
    top = os.path.join(folder.path, name)
    os.makedirs(f"{top}/lib/postgresql/{version}/bin")
    os.makedirs(f"{top}/share/postgresql")
    os.symlink(os.path.join(os.path.dirname(folder.binaries), "lib"), f"{top}/lib/postgresql/{version}/lib")
    os.symlink(f"/usr/share/postgresql/{version}", f"{top}/share/postgresql/{version}")
    return shutil.copy2(os.path.join(folder.binaries, "postgres"), f"{top}/lib/postgresql/{version}/bin/postgres")


@pytest.mark.parametrize("depth", ("ambient", "statement"))
@pytest.mark.parametrize("how", ("replaced", "removed"))
def test_binary_that_is_gone(dbtap, make_server, monkeypatch, how, depth):
    """As a package upgrade leaves it: the path is another file's or nobody's, the process maps the old one."""
    server = make_server(settings=SETTINGS, start=False)
    binary = copy_of_binary(server.folder, f"gone-{how}-{depth}")
    try:
        with monkeypatch.context() as patch:
            patch.setattr(server.folder, "binaries", os.path.dirname(binary))
            server.start()
        if how == "replaced":
            shutil.copy2("/bin/true", binary + ".new")
            os.rename(binary + ".new", binary)
        else:
            os.unlink(binary)
        assert os.readlink(f"/proc/{server.pid}/exe").endswith(" (deleted)")
        with trace.window(dbtap, server, "--depth", depth, "--budget", 100) as traced:
            burn(server, "from_old_binary", 3)
    finally:
        shutil.rmtree(os.path.join(server.folder.path, f"gone-{how}-{depth}"))
    row = trace.one(traced.document, "from_old_binary")
    assert row["calls"] == 3 and row["cpu_ns"] > 15e6 and row["query_id_source"] == "engine"
    assert traced.document["instances"][0]["build_id"]
