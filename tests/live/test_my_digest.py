# SPDX-License-Identifier: BSD-2-Clause
"""test_my_digest.py - own digests of MariaDB statements beside the server's: one for one on statements of many shapes."""
import collections
import os
import subprocess

import my_corpus
import pymysql
import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STATEMENTS = 2000
BATCH = 400  # fewer than the server's history has room for
HISTORY = "performance_schema.events_statements_history_long"
WORDS = os.path.join(TOP, "tests", "unit", "correlate", "engine", "mysql", "keywords.txt")


@pytest.fixture(scope="module")
def observed(my_folder):
    """A server that keeps every statement with its digest."""
    server = my_folder.server({"performance_schema": "ON", "performance-schema-consumer-events-statements-current": "ON",
                               "performance-schema-consumer-events-statements-history-long": "ON",
                               "performance-schema-events-statements-history-long-size": "1000"})
    server.query("create database shop")
    yield server
    server.stop()


def own(texts, *options):
    """(id, normal form, id to compare digest texts by) of each text."""
    subprocess.run(["make", "-s", "-C", TOP, "build/my_digest"], check=True, stdout=subprocess.DEVNULL)
    result = subprocess.run([os.path.join(TOP, "build", "my_digest"), *options], input=b"".join(text.encode() + b"\0" for text in texts),
                            stdout=subprocess.PIPE, check=True)
    parts = result.stdout.decode("utf-8", "replace").split("\0")
    return list(zip(*[iter(parts)] * 3))


def run_all(server, statements):
    """[(statement, digest, digest text)] as the server has it; statements that it cannot parse have none."""
    watcher, connection = server.connect(), server.connect("shop")
    look, cursor = watcher.cursor(), connection.cursor()
    look.execute("select thread_id from performance_schema.threads where processlist_id = %s", (connection.thread_id(),))
    thread = look.fetchone()[0]
    found = []
    for first in range(0, len(statements), BATCH):
        look.execute(f"truncate {HISTORY}")
        batch = statements[first:first + BATCH]
        for statement in batch:
            try:
                cursor.execute(statement)
                cursor.fetchall()
            except pymysql.err.Error:  # no such table
                pass
        look.execute(f"select digest, digest_text from {HISTORY} where thread_id = %s order by event_id", (thread,))
        rows = look.fetchall()
        assert len(rows) == len(batch)
        found += [(statement, *row) for statement, row in zip(batch, rows) if row[0]]
    connection.close()
    watcher.close()
    return found


def several(pairs):
    """Keys that have several values, with an example of each."""
    table = collections.defaultdict(dict)
    for key, value, statement in pairs:
        table[key][value] = statement
    return [list(values.values()) for values in table.values() if len(values) > 1]


def test_one_for_one(observed):
    statements = my_corpus.statements(STATEMENTS)
    found = run_all(observed, statements)
    assert len(found) > 0.95 * STATEMENTS, "most can be parsed"
    assert 500 < len({digest for _, digest, _ in found}) < 0.7 * STATEMENTS, "many shapes, each several times"
    ids = [row[0] for row in own(statement for statement, _, _ in found)]
    both = [(own_id, digest, statement) for own_id, (statement, digest, _) in zip(ids, found)]
    assert not several(both), "one own id, several digests"
    assert not several((digest, own_id, statement) for own_id, digest, statement in both), "one digest, several own ids"


def test_found_by_digest_text(observed):
    """What the server shows of a statement leads to the id that was made of its text."""
    found = run_all(observed, my_corpus.statements(BATCH, seed=7) + [
        "select distinct id from items where name regexp 'a'", "create table if not exists t (a int, b varchar(5), c char(2))",
        "show columns from items", "select now() + interval 5 week", "select user, current_date, substr('a', 1)", "create database if not exists shop", "select 1, x'00', @a, (2), (3,4), null"])
    texts = [text for _, _, text in found]
    for (statement, _, text), left, right in zip(found, own(statement for statement, _, _ in found), own(texts, "-d")):
        if not statement.rstrip().endswith("/* between */"):  # a comment behind a last semicolon
            assert left[2] == right[2], f"{statement!r}: {text!r}"


def test_keywords(observed):
    """The words that may be spelt in any letters are the server's."""
    with open(WORDS, encoding="ascii") as file:
        known = {word for word in file.read().split() if not word.endswith("(")}
    words = {word.lower() for word, in observed.query("select word from information_schema.keywords") if word[:1].isalpha()}
    assert words == known


@pytest.mark.parametrize("call", ("COUNT(1)", "SUBSTR('a', 1)", "NOW(1)", "GROUP_CONCAT(1)", "LENGTH(1)", "ROUND(1)", "IFNULL(1, 2)"))
def test_names_of_functions(observed, call):
    """Some are keywords with their bracket, to both; the others are names, to both."""
    found = run_all(observed, [f"select {call}", f"select {call.lower()}"])
    ids = [row[0] for row in own(statement for statement, _, _ in found)]
    assert (found[0][1] == found[1][1]) == (ids[0] == ids[1]), found
