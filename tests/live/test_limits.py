# SPDX-License-Identifier: BSD-2-Clause
"""test_limits.py - the kernel side's tables set far too small: what does not fit is counted, said, and not lost."""
import trace


def shapes(count):
    """Statements with different ids."""
    return [f"select count(*), pg_sleep(0.001), {', '.join(['1 + 1'] * (number + 1))} from generate_series(1, 3000)" for number in range(count)]


def short_sessions(server, statements, per_session):
    for start in range(0, len(statements), per_session):
        connection = server.connect()
        with connection.cursor() as cursor:
            for statement in statements[start:start + per_session]:
                cursor.execute(statement)
        connection.close()


def test_rows(dbtap, make_server, cgroup):
    server = make_server(settings={"autovacuum": "off"})
    for pid in trace.settled_pids(server):
        cgroup.add(pid)
    statements = shapes(200)
    with trace.window(dbtap, server, "--no-connect", "--max-rows", 16) as traced:
        before = cgroup.usage_ns()
        short_sessions(server, statements, 5)
        trace.settled_pids(server)
        spent = cgroup.usage_ns() - before
    document = traced.document
    assert document["loss"]["totals_full"] > 0
    rest = trace.one(document, kind="rest", instance=server.instance)
    assert rest["cpu_ns"] > 0 and "query_id" not in rest
    trace.assert_near(document["totals"]["cpu_ns"], spent, 0.005, what="cpu_ns" + trace.describe(document))
    # A query's row is whole or it is in the rest: never one part here and the other there.
    halves = [row for row in trace.rows(document, kind="client") if not row["cpu_ns"] or not row["sleeps"]]
    assert not halves, f"{len(halves)} rows have waits and no CPU time, or the other way round, such as {halves[0]}"
    assert all(row["instance"] == server.instance for row in document["queries"])


def test_waits(dbtap, make_server):
    server = make_server(settings={"autovacuum": "off"})
    with trace.window(dbtap, server, "--no-connect", "--max-waits", 16) as traced:
        short_sessions(server, shapes(60), 3)
        trace.settled_pids(server)
    document = traced.document
    assert document["loss"]["waits_full"] > 0
    rest = trace.one(document, kind="rest", instance=server.instance)
    assert rest["wait_ns"] > 0
    # Time of statements is all there: sleeps of at least a millisecond each, in their row or in the rest's.
    slept = sum(wait["ns"] for row in document["queries"] for wait in row["waits"] if wait["event"] in ("PgSleep", "rest"))
    assert slept > 60 * 1e6
    backends = len(trace.settled_pids(server))
    constant = [row for row in document["queries"] if row["kind"] in ("postmaster", "checkpointer", "bgwriter", "walwriter",
                                                                      "autovacuum_launcher", "bgworker")]
    trace.assert_near(trace.total(constant, "elapsed_ns"), len(constant) * document["window"]["seconds"] * 1e9, 0.02)
    assert backends >= len(constant)


def test_loss_is_shown(dbtap, make_server):
    """In words, in every format."""
    server = make_server(settings={"autovacuum": "off"})
    for output in ("text", "csv"):
        run = trace.wait_until_open(dbtap.start("queries", "--format", output, "--duration", 3600, "--instance", server.instance, "--max-rows", 16,
                                                "--no-connect"))
        short_sessions(server, shapes(60), 3)
        trace.settled_pids(server)
        run.signal()
        outcome = run.wait().ok()
        assert "totals_full" in outcome.stdout + outcome.stderr
        assert "rest" in outcome.stdout


def test_defaults_lose_nothing(dbtap, make_server):
    server = make_server(settings={"autovacuum": "off"})
    with trace.window(dbtap, server, "--no-connect") as traced:
        short_sessions(server, shapes(200), 5)
        trace.settled_pids(server)
    assert not any(traced.document["loss"].values()), traced.document["loss"]
    assert trace.rows(traced.document, kind="rest") == []
    assert len(trace.rows(traced.document, "select count(*), pg_sleep", kind="client")) == 200
    assert all(row["calls"] == 1 for row in trace.rows(traced.document, "select count(*), pg_sleep", kind="client"))
