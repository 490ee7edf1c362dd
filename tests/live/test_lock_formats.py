# SPDX-License-Identifier: BSD-2-Clause
"""test_lock_formats.py - `dbtap locks` with sessions that wait: the tree in each format, and --watch as it changes."""
import csv
import datetime
import io
import json
import re
import signal
import time
import xml.etree.ElementTree

import pytest
import trace

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "</svg><script>\"&\\"


@pytest.fixture
def tree(make_server, load):
    """A session that is idle in a transaction, one that waits for it, one behind that, and a prepared transaction's victim."""
    server = make_server(settings={"max_prepared_transactions": 5})
    server.query("create table held (id int primary key, v int)")
    server.query("insert into held values (1, 1), (2, 2)")
    root = server.connect(autocommit=False, application_name=EVIL)
    root.cursor().execute("update held set v = 3 where id = 1")
    prepared = server.connect(autocommit=True)
    for statement in ("begin", "update held set v = 4 where id = 2", "prepare transaction 'order-17'"):
        prepared.cursor().execute(statement)
    first = load.session(server, f"update held set v = 5 where id = 1 and '{EVIL}' <> ''")
    trace.wait_for_state(server, first.pid, "wait_event_type = 'Lock'")
    second = load.session(server, "alter table held add column w int")
    trace.wait_for_state(server, second.pid, "wait_event_type = 'Lock'")
    third = load.session(server, "update held set v = 6 where id = 2")
    trace.wait_for_state(server, third.pid, "wait_event_type = 'Lock'")
    yield server, root, (first.pid, second.pid, third.pid)
    root.close()
    prepared.cursor().execute("rollback prepared 'order-17'")
    load.close()


def run(dbtap, server, *arguments, seconds=0.5):
    return dbtap("locks", "--duration", seconds, "--instance", server.instance, *arguments).ok()


def test_json(dbtap, tree):
    server, root, pids = tree
    locks = run(dbtap, server, "--format", "json").json()["locks"]
    assert set(locks) == {"waits", "holders", "cycles", "risks", "past", "losses", "by_query", "by_lock", "internal"}
    waits = {wait["pid"]: wait for wait in locks["waits"]}
    assert set(waits) == set(pids)
    for pid in pids:
        connection = server.connect(autocommit=True)
        cursor = connection.cursor()
        cursor.execute("select pg_blocking_pids(%s)", (pid,))
        assert sorted(waits[pid]["blocked_by"]) == sorted(cursor.fetchone()[0])
        connection.close()
        assert waits[pid]["waiting_ns"] > 0.5e9 and waits[pid]["lock"]["mode"].endswith("Lock")
    holders = {holder["pid"]: holder for holder in locks["holders"]}
    assert holders[root.get_backend_pid()]["root"] and holders[root.get_backend_pid()]["state"] == "idle in transaction"


def test_text_shows_the_tree(dbtap, tree):
    server, root, pids = tree
    text = run(dbtap, server).stdout
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("PID "))
    names = [re.match(r"[├└│ ]*(prepared \d+|prepared|\d+)", line).group(1) for line in lines[at + 1:lines.index("", at)]]
    assert set(map(str, (root.get_backend_pid(), *pids))) <= set(names)
    assert names.index(str(root.get_backend_pid())) < names.index(str(pids[0]))
    assert "idle in transaction" in text and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_svg(dbtap, tree):
    server, root, pids = tree
    document = xml.etree.ElementTree.fromstring(run(dbtap, server, "--format", "svg").stdout)
    assert document.tag == SVG + "svg" and not document.findall(".//" + SVG + "script")
    words = [node.text or "" for node in document.iter(SVG + "text")]
    for pid in (root.get_backend_pid(), *pids):
        assert [word for word in words if word.startswith(f"{pid} ")], (pid, words)
    assert len(document.findall(SVG + "path")) >= 3


def test_dot(dbtap, tree):
    server, root, pids = tree
    text = run(dbtap, server, "--format", "dot").stdout
    assert text.startswith("digraph locks {\n") and text.endswith("}\n")
    nodes = {match.group(2): match.group(1) for match in re.finditer(r'^  (n\d+) \[.*?label="(\d+|prepared \d+) ?', text, re.M)}
    assert f"  {nodes[str(pids[0])]} -> {nodes[str(root.get_backend_pid())]} [" in text


def test_csv(dbtap, tree):
    server, _, pids = tree
    rows = list(csv.DictReader(io.StringIO(run(dbtap, server, "--format", "csv").stdout)))
    assert {int(row["pid"]) for row in rows} == set(pids)


def test_wrong_formats(dbtap):
    for arguments in (("queries", "--format", "svg"), ("io", "--format", "dot"), ("locks", "--format", "png"), ("io", "--by", "user"),
                      ("queries", "--by", "query"), ("io", "--watch"), ("locks", "--watch", "--format", "svg")):
        outcome = dbtap(*arguments)
        assert outcome.status == 2 and len(outcome.stderr.splitlines()) == 1, (arguments, outcome)


def test_watch_tells_of_a_wait_at_once(dbtap, make_server, load):
    """A line within 200 ms of the wait's beginning, although the interval is a minute; then of its end."""
    server = make_server()
    server.query("create table held (id int primary key, v int)")
    server.query("insert into held values (1, 1)")
    watcher = dbtap.start("locks", "--watch", "--interval", 60, "--format", "json", "--instance", server.instance)
    first = json.loads(watcher.process.stdout.readline())
    assert first["locks"]["waits"] == []
    time.sleep(1)
    delays = []
    for _ in range(5):
        root = server.connect(autocommit=False)
        root.cursor().execute("update held set v = 3 where id = 1")
        waiter = load.session(server, "update held set v = 5 where id = 1")
        seen = []
        while not seen:
            document = json.loads(watcher.process.stdout.readline())
            now = time.time()
            seen = [wait for wait in document["locks"]["waits"] if wait["pid"] == waiter.pid]
        delays.append(now - began(seen[0]))
        assert seen[0]["blocked_by"] == [root.get_backend_pid()]
        root.close()
        while not [wait for wait in document["locks"]["past"] if wait["pid"] == waiter.pid]:
            document = json.loads(watcher.process.stdout.readline())
        waiter.finish()
    watcher.signal(signal.SIGINT)
    outcome = watcher.wait()
    assert outcome.status == 0, outcome.stderr
    print("delays, ms:", [round(delay * 1000) for delay in delays])
    assert sorted(delays)[len(delays) // 2] < 0.2, delays


def began(wait):
    return datetime.datetime.fromisoformat(wait["started"].replace("Z", "+00:00")).timestamp()
