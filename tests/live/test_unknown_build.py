# SPDX-License-Identifier: BSD-2-Clause
"""
test_unknown_build.py - a server of a version that no row of the layout table is for: found in its memory, remembered, or refused.

The server is the installed one with another number in the text it is known by; its memory is what it always was, so what is found can be
compared with what the server says.
"""
import os
import shutil
import stat

import pytest
import trace

import pg_server

VERSION = b"PostgreSQL 77."  # as long as what it replaces


class UnknownFolder(pg_server.Folder):
    """Servers whose program is a copy with another version in it; everything else is linked to."""

    def __init__(self):
        super().__init__()
        lib = os.path.dirname(self.binaries)
        share = "/usr/share/postgresql"
        if not lib.startswith("/usr/lib/postgresql/"):
            self.close()
            pytest.skip("only Debian's installed server is copied")
        folder = os.path.join(self.path, "usr/lib/postgresql", os.path.basename(lib), "bin")
        os.makedirs(folder)
        os.makedirs(os.path.join(self.path, "usr/share"))
        os.symlink(share, os.path.join(self.path, "usr/share/postgresql"))
        os.symlink(os.path.join(lib, "lib"), os.path.join(os.path.dirname(folder), "lib"))
        for program in os.listdir(self.binaries):
            if program == "postgres":
                self.change(os.path.join(self.binaries, program), os.path.join(folder, program))
            else:
                os.symlink(os.path.join(self.binaries, program), os.path.join(folder, program))
        self.template(())  # initdb asks the server for its version
        self.binaries = folder

    def change(self, source, target):
        with open(source, "rb") as file:
            text = file.read()
        wanted = f"PostgreSQL {self.major}.".encode()
        at = text.index(b", compiled by ")
        at = text.rindex(wanted, 0, at)
        with open(target, "wb") as file:
            file.write(text[:at] + VERSION + text[at + len(VERSION):])
        shutil.copymode(source, target)


@pytest.fixture
def unknown_server():
    folder = UnknownFolder()
    try:
        yield folder.server()
    finally:
        folder.close()


@pytest.fixture
def cache(tmp_path):
    """An empty place for what dbtap remembers, in its environment."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path)
    yield tmp_path / "dbtap"
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


def layout(dbtap, server):
    text = dbtap("doctor", "--no-connect", "--instance", server.instance).stdout
    return text[text.index("instances"):]


def test_found_in_memory_and_remembered(dbtap, unknown_server, load, cache):
    assert unknown_server.query("select version()")[0][0].startswith("PostgreSQL 77.")
    # Nobody is there to tell a session's fields by.
    said = layout(dbtap, unknown_server)
    assert "none was found by searching: no session is idle" in said and "pg-layout-row" in said, said
    connection = unknown_server.connect(application_name="calibrated")
    with connection.cursor() as cursor:
        cursor.execute("select 40 + 2")
        pid = connection.get_backend_pid()
    said = layout(dbtap, unknown_server)
    assert "found by searching its memory, checked against" in said, said
    files = list(cache.iterdir())
    assert len(files) == 1 and stat.S_IMODE(files[0].stat().st_mode) == 0o600 and stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert files[0].name in said
    said = layout(dbtap, unknown_server)
    assert "found by an earlier search, checked against" in said, said
    # What is read through it is what the server says.
    row = unknown_server.query("select usename, datname, application_name, query_id, query from pg_stat_activity where pid = %s", (pid,))[0]
    sessions = dbtap("sessions", "--no-connect", "--raw-text", "--instance", unknown_server.instance, "--format", "json").ok().json()
    session = [one for one in sessions["sessions"] if one["pid"] == pid][0]
    assert (session["user"], session["database"], session["application"], session["query_id"], session["query"]) == \
        (row[0], row[1], row[2], str(row[3]), row[4]), session
    assert session["state"] == "idle" and session["kind"] == "client"
    with trace.one_cpu(unknown_server), trace.window(dbtap, unknown_server, "--no-connect") as traced:
        with connection.cursor() as cursor:
            cursor.execute("select pg_sleep(0.3)")
    connection.close()
    slept = trace.one(traced.document, "pg_sleep", kind="client")
    assert 0.3e9 <= slept["wait_ns"] < 1.3e9, slept["waits"]
    # By how much a statement moves the entry's count is not known of this version: it is not guessed.
    assert "calls" in slept["absent"], slept


@trace.in_matrix
def test_what_is_remembered_is_not_believed(dbtap, unknown_server, load, cache):
    connection = unknown_server.connect()
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    assert "found by searching" in layout(dbtap, unknown_server)
    file = next(cache.iterdir())
    text = file.read_text(encoding="ascii")
    at = text.index("layout.status_database ")
    number = text[at:].split()[1]
    file.write_text(text.replace(f"layout.status_database {number}\n", "layout.status_user 0\n"), encoding="ascii")
    assert "found by searching" in layout(dbtap, unknown_server)
    assert file.read_text(encoding="ascii") == text
    file.chmod(0o666)
    assert "found by searching" in layout(dbtap, unknown_server)
    connection.close()
