# SPDX-License-Identifier: BSD-2-Clause
"""test_fingerprint_live.py - servers without query ids: dbtap's own take their place, and no literal is shown."""
import pytest
import trace


@pytest.fixture(scope="module")
def plain_server(server_folder):
    server = server_folder.server(settings={"compute_query_id": "off", "autovacuum": "off"})
    server.query("create table items (id int, name text)")
    server.query("insert into items select i, 'n' || i from generate_series(1, 1000) i")
    yield server
    server.stop()


def many(server, statements):
    connection = server.connect()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


@pytest.mark.parametrize("connect", ((), ("--no-connect",)), ids=("connected", "memory"))
def test_constants_are_folded(dbtap, plain_server, connect):
    with trace.window(dbtap, plain_server, *connect) as traced:
        many(plain_server, (f"select name from items where id = {n} and name <> 'secret{n}'" for n in range(1000)))
    row = trace.one(traced.document, "select name from items", kind="client")
    assert row["query_id_source"] == "own" and row["query_id"] != "0"
    trace.assert_near(row["calls"], 1000, 0.005)
    assert "secret" not in str(traced.document) and "$1" in row["query"]
    assert traced.document["overhead"]["fingerprint_cpu_percent"] > 0


@pytest.mark.parametrize("protocol", ("simple", "extended", "prepared"))
def test_calls_by_own_ids(dbtap, plain_server, load, protocol):
    """Without an engine's id calls are counted as with one, against what pgbench says it did."""
    with trace.one_cpu(plain_server), trace.window(dbtap, plain_server, "--no-connect") as traced:
        done = load.pgbench(plain_server, "-M", protocol, "-c", 2, "-t", 1500,
                            script="\\set n random(1, 1000)\nselect name from items where id = :n;\nselect count(*) from items where id < :n;\n").wait()
    for text in ("select name from items", "select count(*) from items"):
        row = trace.one(traced.document, text, kind="client")
        assert row["query_id_source"] == "own" and "calls" in row, row
        trace.assert_near(row["calls"], done["transactions"], 0.005, what=text)
    # One statement, few and far between, is no pipeline.
    with trace.one_cpu(plain_server), trace.window(dbtap, plain_server, "--no-connect") as traced:
        load.pgbench(plain_server, "-M", protocol, "-c", 1, "-t", 3, script="select max(id), min(id) from items;\n").wait()
    assert trace.one(traced.document, "select max", kind="client").get("calls") in ((3, 4) if protocol == "prepared" else (3,)), \
        trace.describe(traced.document)  # to prepare is a round of its own


def test_lists_and_comments_are_folded(dbtap, plain_server):
    def statements():
        for n in range(1, 60):
            yield f"select count(*) from items where id in ({', '.join(map(str, range(n)))})"
            yield f"/* trace {n} */ select count(*) from items where id in ({n}) -- {n}"

    with trace.window(dbtap, plain_server) as traced:
        many(plain_server, statements())
    row = trace.one(traced.document, "from items where id in", kind="client")
    assert row["calls"] == 118


def test_different_statements_stay_apart(dbtap, plain_server):
    with trace.window(dbtap, plain_server) as traced:
        many(plain_server, ["select 1 from items where id = 5", "select 1 from items where id > 5", "select 1 from items where name = '5'",
                            "SELECT  1  FROM items WHERE id = 7"])
    found = trace.rows(traced.document, "items", kind="client") + trace.rows(traced.document, "FROM items", kind="client")
    assert len({row["query_id"] for row in found}) == 3, trace.describe(traced.document)


def test_the_same_id_from_run_to_run(dbtap, plain_server):
    ids = set()
    for number in (1, 2):
        with trace.window(dbtap, plain_server) as traced:
            many(plain_server, [f"select max(id) from items where id < {number}"])
        ids.add(trace.one(traced.document, "select max(id)")["query_id"])
    assert len(ids) == 1


def test_own_ids_in_sessions_and_queries_agree(dbtap, plain_server, load):
    session = load.session(plain_server, "select pg_sleep(300), 'hidden'")
    trace.wait_for_state(plain_server, session.pid, "wait_event = 'PgSleep'")
    common = ("--duration", 0.3, "--format", "json", "--instance", plain_server.instance)
    rows = trace.one(dbtap("queries", *common).ok().json(), "pg_sleep")
    sessions = [one for one in dbtap("sessions", *common).ok().json()["sessions"] if one["pid"] == session.pid]
    assert sessions[0]["query_id"] == rows["query_id"] and sessions[0]["query_id_source"] == rows["query_id_source"] == "own"
    assert trace.waited(rows, "Timeout:PgSleep") > 0.25e9


def test_no_fingerprints_where_the_engine_has_ids(dbtap, server):
    if server.folder.major < 14:
        pytest.skip("PostgreSQL has no query ids before version 14")
    with trace.window(dbtap, server) as traced:
        many(server, ["select 7 as engine_id"] * 50)
    assert trace.one(traced.document, "engine_id")["query_id_source"] == "engine"
    assert traced.document["overhead"]["fingerprint_cpu_percent"] < 0.01


LITERALS = ("insert into items values (987654321, 'top-secret')", "select $tag$top-secret$tag$", "select E'top-secret\\n'", "select U&'top-secret'",
            "select b'1010101010101', x'feedfacefeed'", "select 'top' '-'\n'top-secret'", "select /* top-secret */ 1.9876543e21",
            "select 1 as \"kept\", 'it''s top-secret'", "set application_name = 'top-secret'", "do $$ begin perform 'top-secret'; end $$",
            "create role r_tmp password 'top-secret'", "alter role r_tmp password 'top-secret'", "drop role r_tmp",
            "copy (select 'top-secret') to stdout", "select 1 where 'top-secret' = ", "prepare p as select 'top-secret'", "execute p")


@pytest.mark.parametrize("ids", ("off", "on"))
@pytest.mark.parametrize("output", ("json", "csv", "text"))
def test_no_literal_anywhere(dbtap, make_server, ids, output):
    import psycopg2
    server = make_server(settings={"compute_query_id": ids, "autovacuum": "off"})
    server.query("create table items (id int, name text)")
    for arguments, shown in (((), False), (("--no-connect",), False), (("--raw-text", "--no-connect"), True)):
        connection = server.connect()
        with connection.cursor() as cursor:
            cursor.execute("set application_name = 'quiet'")
            run = dbtap.start("queries", "--format", output, "--duration", 3600, "--instance", server.instance, *arguments, env={"COLUMNS": "2000"})
            trace.wait_until_open(run)
            for statement in LITERALS:
                try:
                    if statement.startswith("copy"):
                        cursor.copy_expert(statement, open("/dev/null", "w", encoding="ascii"))
                    else:
                        cursor.execute(statement)
                except psycopg2.Error:
                    pass
            run.signal()
            outcome = run.wait().ok()
        connection.close()
        everything = outcome.stdout + outcome.stderr
        assert ("top-secret" in everything) is shown, [line for line in everything.splitlines() if "top-secret" in line][:5]
        assert "987654321" not in everything or shown
