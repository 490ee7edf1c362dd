# SPDX-License-Identifier: BSD-2-Clause
"""test_hostile.py - names and texts made to hurt a terminal, a parser or a buffer."""
import csv
import io
import json
import re
import subprocess
import threading
import time

import psycopg2
import pytest
import trace

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\x80-\x9f]")
DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x9b31m\r\b\x7f\t\n\x01"
NAMES = {
    "escapes": ESCAPES, "quotes": "a\"b'c\\d,e;f|g", "lines": "one\ntwo\r\nthree", "direction": "abc\u202etxt.exe\u2066", "json": '"},{"x":"',
    "formula": "=cmd|' /C calc'!A0", "percent": "%s%n%x%%", "wide": "数据库🎉é", "long": "n" * 63, "empty-looking": " ",
}


@pytest.fixture(scope="module")
def hostile_server(server_folder):
    """UTF-8; databases, roles and tables by every name."""
    server = server_folder.server(settings={"autovacuum": "off"}, preload=["pg_stat_statements"])
    connection = server.connect()
    with connection.cursor() as cursor:
        for name in NAMES.values():
            quoted = '"' + name.replace('"', '""') + '"'
            cursor.execute(f"create role {quoted} superuser login")
            cursor.execute(f"create database {quoted}")
    connection.close()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ascii_server(server_folder):
    """SQL_ASCII: any byte goes anywhere."""
    server = server_folder.server(settings={"autovacuum": "off"}, initdb=("-E", "SQL_ASCII", "--locale=C"))
    yield server
    server.stop()


def outputs(dbtap, server, *arguments):
    """Every view in every format, each checked for what holds whatever the texts are; {(view, format): text}."""
    results = {}
    for view in ("queries", "sessions", "waits"):
        for output in ("json", "csv", "text"):
            run = dbtap.start(view, "--duration", 0.2, "--format", output, "--instance", server.instance, *arguments)
            raw, errors = run.process.communicate(timeout=60)
            assert run.process.returncode == 0, errors
            text = raw.decode("utf-8", "strict")
            CHECKS[output](text)
            results[view, output] = text
    return results


def strict_json(text):
    """Also by a second parser."""
    json.loads(text, parse_constant=lambda word: pytest.fail(word))
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)
    assert "\ufffe" not in text
    result = subprocess.run(["jq", "-e", ".window.seconds"], input=text, capture_output=True, text=True, check=False) if HAS_JQ else None
    assert result is None or result.returncode == 0, result.stderr


def strict_csv(text):
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) > 1 and {len(row) for row in rows} == {len(rows[0])}
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text), "control characters in CSV"


def plain_text(text):
    found = CONTROL.search(text) or DIRECTION.search(text)
    assert not found, repr(text[max(0, found.start() - 40):found.end() + 40])


CHECKS = {"json": strict_json, "csv": strict_csv, "text": plain_text}
HAS_JQ = subprocess.run(["sh", "-c", "command -v jq"], capture_output=True, check=False).returncode == 0


def statement_of(value):
    return 'select pg_sleep(300), \'%s\' as "%s"' % (value.replace("'", "''"), value.replace('"', '""'))


class Sleeper(threading.Thread):
    """A session whose database, user, application and statement have a name."""

    def __init__(self, server, value):
        super().__init__(daemon=True)
        self.value = value
        self.connection = psycopg2.connect(host=server.host, port=server.port, dbname=value, user=value, application_name=value)
        self.connection.autocommit = True
        self.pid = self.connection.get_backend_pid()

    def run(self):
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(statement_of(self.value))
        except psycopg2.Error:
            pass

    def close(self):
        self.connection.cancel()
        self.join(10)
        self.connection.close()


@pytest.fixture
def sleepers(hostile_server):
    started = [Sleeper(hostile_server, value) for value in NAMES.values()]
    for sleeper in started:
        sleeper.start()
        trace.wait_for_state(hostile_server, sleeper.pid, "wait_event = 'PgSleep'")
    yield started
    for sleeper in started:
        sleeper.close()


@pytest.mark.parametrize("connect", ((), ("--no-connect",)), ids=("connected", "memory"))
def test_names(dbtap, hostile_server, sleepers, connect):
    shown, raw = outputs(dbtap, hostile_server, *connect), outputs(dbtap, hostile_server, "--raw-text", *connect)
    sessions = {one["pid"]: one for one in json.loads(shown["sessions", "json"])["sessions"]}
    texts = {one["pid"]: one["query"] for one in json.loads(raw["sessions", "json"])["sessions"] if "query" in one}
    rows = json.loads(shown["queries", "json"])
    in_csv = {int(one["pid"]): one for one in csv.DictReader(io.StringIO(raw["sessions", "csv"], newline=""))}
    for sleeper in sleepers:
        session, value = sessions[sleeper.pid], sleeper.value
        if not connect:
            assert (session["database"], session["user"]) == (value, value)
            row = trace.one(rows, "pg_sleep", database=value, user=value)
            assert trace.waited(row, "Timeout:PgSleep") > 0.15e9
        # PostgreSQL itself keeps only printable ASCII of an application's name.
        assert session.get("application", "") == "".join(c if 32 <= ord(c) < 127 else "?" * len(c.encode()) for c in value)[:63]
        assert texts[sleeper.pid] == statement_of(value)
        assert "300" not in session["query"] and in_csv[sleeper.pid]["state"] == "active"


@pytest.mark.parametrize("connect", ((), ("--no-connect",)), ids=("connected", "memory"))
def test_invalid_utf8(dbtap, ascii_server, connect):
    """Every byte there is but NUL, as alias, literal and comment."""
    client = subprocess.Popen([f"{ascii_server.folder.binaries}/psql", "-X", "-q", "-h", ascii_server.host, "-p", str(ascii_server.port), "-U", "postgres",
                               "postgres"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bytes_ = bytes(b for b in range(1, 256) if b not in b"'\"\\")
    client.stdin.write(b"set client_encoding = 'SQL_ASCII';\nselect pg_sleep(300), '" + bytes_ + b"' as \"x" + bytes_[128:180] + b"\" /* \xff\xfe\xed\xa0\x80 */;\n")
    client.stdin.close()
    try:
        deadline_pid = wait_for_sleeper(ascii_server)
        outputs(dbtap, ascii_server, *connect)
        shown = outputs(dbtap, ascii_server, "--raw-text", *connect)
        session = [one for one in json.loads(shown["sessions", "json"])["sessions"] if one["pid"] == deadline_pid][0]
        assert session["query"].startswith("select pg_sleep(300)")
    finally:
        client.kill()
        client.wait()
        ascii_server.query("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'")


def wait_for_sleeper(server):
    deadline = time.monotonic() + 20
    while True:
        found = server.query("select pid from pg_stat_activity where wait_event = 'PgSleep'")
        if found:
            return found[0][0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("ids", ("on", "off"))
def test_a_megabyte_of_text(dbtap, make_server, ids):
    """As much as track_activity_query_size can be set to, cut in the middle of a character; its own id included."""
    server = make_server(settings={"track_activity_query_size": "1MB", "compute_query_id": ids, "autovacuum": "off"})
    text = "select pg_sleep(0.3), '" + "é" * 600_000 + "', 'last'"
    with trace.window(dbtap, server, "--raw-text") as traced:
        server.query(text)
        server.query(text)
    row = trace.one(traced.document, "pg_sleep", kind="client")
    assert row["calls"] == 2 and trace.waited(row, "Timeout:PgSleep") > 0.6e9
    assert not any(traced.document["loss"].values()), traced.document["loss"]


def test_three_thousand_statements_that_differ(dbtap, make_server):
    """Fifty ids in turn: more than a thread holds at once."""
    server = make_server(settings={"autovacuum": "off"})
    connection = server.connect()
    with trace.window(dbtap, server, "--no-connect") as traced, connection.cursor() as cursor:
        for number in range(3000):
            cursor.execute(f"select 1 as c{number}, {', '.join(['1'] * (number % 50 + 1))} from (values (1)) t{number} where t{number}.column1 = 1")
    connection.close()
    rows = trace.rows(traced.document, kind="client", user="postgres")
    # PostgreSQL jumbles neither alias; fifty shapes are fifty ids.
    assert len(rows) == 50
    trace.assert_near(sum(row["calls"] for row in rows), 3000, 0.005)
