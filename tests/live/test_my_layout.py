# SPDX-License-Identifier: BSD-2-Clause
"""test_my_layout.py - a MariaDB or MySQL of no known version: its layout is inferred, and believed only where sessions agree."""
import pytest
import trace

UNKNOWN = {"DBTAP_TEST_NO_MY_ROWS": "1"}


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
