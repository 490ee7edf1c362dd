# SPDX-License-Identifier: BSD-2-Clause
"""
test_my_layout.py - a MariaDB or MySQL of no known version, or whose functions do not tell: its layout is believed only where sessions
agree, and remembered then.
"""
import os
import shutil
import stat
import subprocess

import mariadb
import pytest
import trace

UNKNOWN = {"DBTAP_TEST_NO_MY_ROWS": "1"}


# Functions of one instruction and a return: what they load still works one byte further on, and can no longer be read from them.
FUNCTIONS = ("_current_thd", "thd_query_string", "thd_current_db", "thd_get_thread_id", "thd_current_command")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty place for what dbtap remembers."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "dbtap"


@pytest.fixture(scope="module")
def stranger(my_folder):
    server = my_folder.server()
    server.query("create database shop")
    yield server
    server.stop()


def test_nobody_is_connected(dbtap, stranger, monkeypatch):
    for name, value in UNKNOWN.items():
        monkeypatch.setenv(name, value)
    outcome = dbtap("queries", "--instance", stranger.instance, "--duration", "1", "--no-connect")
    assert outcome.status == 1, outcome.stderr
    assert "nobody is connected" in outcome.stderr and "connect to it and start dbtap again" in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1, outcome.stderr


def test_statements_are_told(dbtap, stranger, monkeypatch):
    for name, value in UNKNOWN.items():
        monkeypatch.setenv(name, value)
    connection = stranger.connect("shop")
    cursor = connection.cursor()
    cursor.execute("select 0")
    with trace.window(dbtap, stranger, "--no-connect") as traced:
        for i in range(50):
            cursor.execute(f"select {i}, sleep(0.001)")
    connection.close()
    document = traced.document
    row = trace.one(document, "select ?, sleep(?)")
    assert row["calls"] <= 50 <= row["calls"] + row.get("calls_unseen", 0), trace.describe(document)
    assert trace.waited(row, "Timeout:UserSleep") > 0, trace.describe(document)
    instance = next(one for one in document["instances"] if one["id"] == stranger.instance)
    assert "others for the rest" in instance["layout"], instance


def test_it_is_remembered(dbtap, stranger, monkeypatch, cache):
    for name, value in UNKNOWN.items():
        monkeypatch.setenv(name, value)
    connection = stranger.connect("shop")
    connection.cursor().execute("select 0")
    assert "checked against" in layout(dbtap, stranger)
    files = list(cache.iterdir())
    assert len(files) == 1 and stat.S_IMODE(files[0].stat().st_mode) == 0o600 and stat.S_IMODE(cache.stat().st_mode) == 0o700
    connection.close()
    wait_until_alone(stranger)
    assert "checked against" in layout(dbtap, stranger)
    # What somebody else may have written, or something else, counts for nothing.
    files[0].chmod(0o666)
    assert "nobody is connected" in layout(dbtap, stranger)
    files[0].chmod(0o600)
    text = files[0].read_text(encoding="ascii")
    files[0].write_text(text.replace("\nstage ", "\nstage 8"), encoding="ascii")
    assert "nobody is connected" in layout(dbtap, stranger)


def layout(dbtap, server):
    text = dbtap("doctor", "--no-connect", "--instance", server.instance).stdout
    return text[text.index("instances"):]


def wait_until_alone(server):
    """Until the server's own session of the question is the only one of a client."""
    trace.wait_until(lambda: len(server.query("select id from information_schema.processlist where command not in ('Daemon')")) == 1,
                     "other sessions are gone")


class MuteBuild(mariadb.Build):
    """The host's server with functions that tell nothing."""

    def __init__(self, folder):
        super().__init__()
        target = os.path.join(folder, "mariadbd")
        with open(self.program, "rb") as file:
            text = bytearray(file.read())
        for place, size in functions(self.program):
            at, room = text[place:place + size], text[place + size:place + size + 1]
            assert room in (b"\x66", b"\x90", b"\x0f"), (place, room)  # what compilers fill up with
            text[place:place + size + 1] = b"\x90" + at
        with open(target, "wb") as file:
            file.write(text)
        shutil.copymode(self.program, target)
        self.program = target


def functions(program):
    """[(place in the file, size)] of FUNCTIONS."""
    lines = subprocess.run(["readelf", "-W", "--dyn-syms", "--segments", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    rows = [line.split() for line in lines.splitlines()]
    loads = [(int(row[2], 16), int(row[1], 16), int(row[4], 16)) for row in rows if row[:1] == ["LOAD"]]
    found = [(int(row[1], 16), int(row[2])) for row in rows if len(row) == 8 and row[7] in FUNCTIONS and row[6] != "UND"]
    assert len(found) == len(FUNCTIONS), found
    return [(next(offset + address - start for start, offset, size in loads if start <= address < start + size), length)
            for address, length in found]


@pytest.fixture
def mute(tmp_path_factory, my_folder):
    if mariadb.wanted().root or mariadb.missing():
        pytest.skip("only the host's MariaDB is copied")
    path = tmp_path_factory.mktemp("mute")
    folder = mariadb.Folder(MuteBuild(str(path)))
    folder.template = my_folder.make_template()
    os.chmod(path, 0o755)
    for parent in list(path.parents)[:2]:
        os.chmod(parent, 0o755)
    try:
        yield folder.server()
    finally:
        folder.close()
        shutil.rmtree(path)


def test_functions_that_tell_nothing(dbtap, mute, cache):
    assert "nobody is connected" in layout(dbtap, mute)
    mute.query("create database shop")
    connection = mute.connect("shop")
    cursor = connection.cursor()
    cursor.execute("select 0")
    with trace.one_cpu(mute), trace.window(dbtap, mute, "--no-connect") as traced:
        for i in range(30):
            cursor.execute(f"select {i}, sleep(0.001)")
    connection.close()
    document = traced.document
    row = trace.one(document, "select ?, sleep(?)")
    assert row["calls"] <= 30 <= row["calls"] + row.get("calls_unseen", 0), trace.describe(document)
    assert (row["database"], row["user"]) == ("shop", "root"), row
    instance = next(one for one in document["instances"] if one["id"] == mute.instance)
    assert "found in its sessions, row MariaDB" in instance["layout"], instance
    wait_until_alone(mute)
    assert "found in its sessions" in layout(dbtap, mute) and list(cache.iterdir())
