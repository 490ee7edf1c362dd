# SPDX-License-Identifier: BSD-2-Clause
"""test_distinct.py - more different statements than there is room for, and texts of a megabyte: nothing is lost that is not counted."""
import pytest
import trace

COLUMNS = 100
DISTINCT = COLUMNS * COLUMNS
LAST = 50


def statement(number):
    """An id of its own for each: names of columns count for it, literals and names in the result do not."""
    more = f", c{number - DISTINCT} + 1" if number >= DISTINCT else ""
    return f"select c{number // COLUMNS % COLUMNS}, c{number % COLUMNS}{more} from wide"


def run_distinct(server, first, count):
    connection = server.connect()
    with connection.cursor() as cursor:
        for number in range(first, first + count):
            cursor.execute(statement(number))
    connection.close()


@pytest.mark.parametrize("statements", ("absent", pytest.param("full", marks=trace.in_matrix)))
def test_ten_thousand(dbtap, make_server, statements):
    """The newest are always seen; all that is not shown by itself is in a rest, and the sums hold (trace.check)."""
    full = statements == "full"
    server = make_server(settings={"autovacuum": "off", **({"pg_stat_statements.max": 100} if full else {})},
                         preload=["pg_stat_statements"] if full else [])
    if full:
        server.query("create extension pg_stat_statements")
    server.query("create table wide (" + ", ".join(f"c{number} int" for number in range(COLUMNS)) + ")")
    with trace.one_cpu(server), trace.window(dbtap, server) as traced:
        run_distinct(server, 0, DISTINCT + LAST)
    rows = traced.document["queries"]
    shown = {row["query"] for row in rows if " from wide" in row.get("query", "")}
    newest = {statement(number).replace("+ 1", "+ $1") for number in range(DISTINCT, DISTINCT + LAST)}
    kinds = {kind: sum(row["kind"] == kind for row in rows) for kind in ("client", "rest")}
    said = f"{len(shown)} texts, {len(newest & shown)} of the last {LAST}, {kinds}, loss {traced.document['loss']}"
    assert newest <= shown, said
    # What is not shown under its text is shown without, or in the rest.
    counted = sum(row.get("calls", 0) for row in rows if row["kind"] in ("client", "rest"))
    assert counted >= 0.99 * (DISTINCT + LAST), f"{counted} calls; {said}"
    print(said)


def test_texts_of_a_megabyte(dbtap, make_server):
    """track_activity_query_size cuts them, and so does dbtap; one that differs only in literals is the same statement."""
    server = make_server(settings={"autovacuum": "off", "track_activity_query_size": 1048576})
    with trace.one_cpu(server), trace.window(dbtap, server) as traced:
        for number in (1, 2):
            server.query("select length(%s) as long_one, " + str(number), ("x" * 1_000_000,))
        server.query("select 1 as numbers, " + ", ".join(["1"] * 1600))
    row = trace.one(traced.document, "select length(", kind="client")
    assert row["calls"] == 2 and len(row["query"]) < 200, row
    assert trace.one(traced.document, "numbers", kind="client")["calls"] == 1
