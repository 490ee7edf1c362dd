# SPDX-License-Identifier: BSD-2-Clause
"""test_statements.py - statement depth: latencies against the server's own log, errors by code, and each slow statement
told of once with where its time went."""
import contextlib
import json
import os
import re
import threading
import time

import psycopg2
import pytest
import trace

DEPTH = ("--depth", "statement", "--budget", 100)


@pytest.fixture(scope="module")
def statements_server(server_folder):
    server = server_folder.server(settings={"autovacuum": "off", "log_min_duration_statement": 0, "track_activity_query_size": 256})
    yield server
    server.stop()


@contextlib.contextmanager
def session(server):
    connection = server.connect()
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def logged_ms(server, marker):
    """What the server logged as the durations of statements with this text."""
    with open(server.log, encoding="utf-8", errors="replace") as log:
        return [float(ms) for ms in re.findall(r"duration: ([0-9.]+) ms  (?:statement|execute [^:]*): [^\n]*" + marker, log.read())]


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def test_latencies_are_the_servers_own(dbtap, statements_server):
    """The server's stamps at both ends, but for the moment between its end and the probe's."""
    with trace.window(dbtap, statements_server, *DEPTH) as traced, session(statements_server) as cursor:
        for number in range(200):
            cursor.execute(f"select pg_sleep({0.02 if number % 20 == 0 else 0.002}) as timed_here")
    logged = logged_ms(statements_server, "timed_here")
    row = trace.one(traced.document, "timed_here", kind="client")
    assert len(logged) == 200 and row["calls"] == 200 and row["errors"] == 0
    for percent in (50, 95, 99):
        truth = percentile(logged, percent)
        shown = row["latency_ns"][f"p{percent}"] / 1e6
        # A bucket's middle is 6.3 % off at most; a CPU may stand still between the two ends.
        assert 0.92 * truth - 0.01 <= shown <= 1.08 * truth + 0.01, (percent, truth, shown)
    assert row["latency_ns"]["max"] / 1e6 <= max(logged) + 0.01


def test_errors_by_code(dbtap, statements_server):
    with trace.window(dbtap, statements_server, *DEPTH) as traced, session(statements_server) as cursor:
        for _ in range(30):
            with pytest.raises(psycopg2.Error):
                cursor.execute("select 1 / (select 0) as divided")
        cursor.execute("do $$ begin for i in 1..20 loop begin perform 1 / (i - i); exception when division_by_zero then null; "
                       "end; end loop; end $$")
        for _ in range(7):
            with pytest.raises(psycopg2.Error):
                cursor.execute("select * from there_is_none")
        cursor.execute("select 1 as went_well")
    divided = trace.one(traced.document, "divided", kind="client")
    assert divided["calls"] == divided["errors"] == 30
    assert divided["errors_by_code"] == [{"sqlstate": "22012", "count": 30}]
    missing = trace.one(traced.document, "there_is_none", kind="client")
    assert missing["errors"] == 7 and missing["errors_by_code"] == [{"sqlstate": "42P01", "count": 7}]
    # What a block catches is no error of the statement.
    caught = trace.one(traced.document, "do $1", kind="client")
    assert caught["calls"] == 1 and caught["errors"] == 0 and not caught["errors_by_code"]
    assert trace.one(traced.document, "went_well", kind="client")["errors"] == 0


def test_all_slow_ones_and_none_else(dbtap, statements_server):
    """A thousand statements of known durations, by two sessions: those above the threshold are told of, each once."""
    def work(which):
        with session(statements_server) as cursor:
            for number in range(500):
                cursor.execute(f"select pg_sleep({0.06 if number % 25 == which else 0}), '{which}:{number}' as one_of_many")

    with trace.window(dbtap, statements_server, "--slow", 50, "--slowest", 0, "--budget", 100, "--raw-text",
                      command="statements") as traced:
        threads = [threading.Thread(target=work, args=(which,)) for which in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    truth = {f"{which}:{number}" for which in range(2) for number in range(500) if number % 25 == which}
    told = [statement for statement in traced.document["statements"] if "one_of_many" in statement["query"]]
    logged = {re.search(r"'(\d:\d+)'", text).group(1): float(ms) for ms, text in re.findall(
        r"duration: ([0-9.]+) ms  statement: ([^\n]*one_of_many)", open(statements_server.log, encoding="utf-8").read())}
    shown = [re.search(r"'(\d:\d+)'", statement["query"]).group(1) for statement in told]
    assert len(shown) == len(set(shown)), "told of twice"
    # One that a stalled CPU made slow is slow by the server's own account, too.
    assert truth <= set(shown) <= {key for key, ms in logged.items() if ms >= 49.99}
    for key, statement in zip(shown, told):
        parts = sum(statement[part] for part in ("cpu_ns", "runq_ns", "wait_ns", "unknown_ns"))
        assert parts == statement["duration_ns"] and statement["slow"] and not statement["failed"]
        assert statement["duration_ns"] / 1e6 <= logged[key] + 0.01
        if key in truth:
            slept = trace_wait(statement, "Timeout", "PgSleep")
            assert 0.055e9 <= slept <= statement["duration_ns"]
            assert statement["cpu_ns"] < 0.2 * statement["duration_ns"] + 50e6
    assert traced.document["loss"]["statements_lost"] == traced.document["loss"]["statements_unlisted"] == 0


def trace_wait(statement, class_name, event):
    return sum(wait["ns"] for wait in statement["waits"] if (wait["class"], wait["event"]) == (class_name, event))


@trace.in_matrix
def test_the_slowest_of_each_query(dbtap, statements_server):
    with trace.window(dbtap, statements_server, "--slow", 86400000, "--slowest", 2, "--budget", 100,
                      command="statements") as traced, session(statements_server) as cursor:
        for ms in (1, 40, 2, 3, 90, 1, 60, 4):
            cursor.execute(f"select pg_sleep({ms / 1000}) as slowest_here")
    told = [statement for statement in traced.document["statements"] if "slowest_here" in statement["query"]]
    assert [round(statement["duration_ns"] / 1e7) >= least for statement, least in zip(told, (9, 6))] == [True, True]
    assert len(told) == 2 and not any(statement["slow"] for statement in told)
    assert "pg_sleep($1)" in told[0]["query"], "literals are removed"


def test_a_whole_text_and_a_lock(dbtap, statements_server):
    """Longer than what the server shows of it; and what one statement waited for, who waits for nothing else."""
    filler = ", ".join(f"'{number}'" for number in range(400))
    with trace.window(dbtap, statements_server, "--slow", 100, "--budget", 100, "--raw-text",
                      command="statements") as traced, session(statements_server) as cursor:
        cursor.execute(f"select pg_sleep(0.12), array[{filler}], 'the_very_end'")
        with session(statements_server) as holder:
            holder.execute("select pg_advisory_lock(7)")
            timer = threading.Timer(0.3, lambda: holder.execute("select pg_advisory_unlock(7)"))
            timer.start()
            cursor.execute("select pg_advisory_lock(7) as waits_for_it")
            timer.join()
        cursor.execute("set statement_timeout = 150")
        with pytest.raises(psycopg2.Error):
            cursor.execute("select pg_sleep(5) as timed_out")
    told = traced.document["statements"]
    long = next(statement for statement in told if "the_very_end" in statement["query"])
    assert len(long["query"]) > 2000 and not long["query_cut"]
    waited = next(statement for statement in told if "waits_for_it" in statement["query"])
    assert trace_wait(waited, "Lock", "advisory") > 0.1e9 and waited["waits"][0]["class"] == "Lock"
    failed = next(statement for statement in told if "timed_out" in statement["query"])
    assert failed["failed"] and failed["sqlstate"] == "57014"


@pytest.mark.parametrize("form", ("text", pytest.param("json", marks=trace.in_matrix), pytest.param("csv", marks=trace.in_matrix)))
def test_followed(dbtap, statements_server, tmp_path, form):
    """Each as it ends."""
    output = tmp_path / "output"
    with open(output, "wb") as file:
        run = trace.wait_until_open(dbtap.start("statements", "--watch", "--slow", 20, "--budget", 100, "--format", form, "--no-connect",
                                                "--instance", statements_server.instance, stdout=file))
    with session(statements_server) as cursor:
        for number in range(3):
            cursor.execute(f"select pg_sleep(0.03), {number} as followed_here")
            deadline = time.monotonic() + 30
            while output.read_text(encoding="utf-8").count("followed_here") <= number:
                assert time.monotonic() < deadline, f"statement {number} was not told of"
                time.sleep(0.02)
    run.signal()
    run.wait().ok()
    lines = output.read_text(encoding="utf-8").splitlines()
    if form == "json":
        assert sum(len(json.loads(line)["statements"]) for line in lines) == 3
    elif form == "csv":
        assert lines[0].startswith("ended,instance,") and len(lines) == 4
    else:
        assert sum("Timeout:PgSleep" in line for line in lines) == 3


@trace.in_matrix
def test_a_session_that_is_killed(dbtap, statements_server):
    """A backend that ends in the middle of its statement leaves nothing behind that is counted."""
    with trace.window(dbtap, statements_server, *DEPTH) as traced:
        connection = statements_server.connect()
        pid = connection.get_backend_pid()
        thread = threading.Thread(target=lambda: swallow(connection, "select pg_sleep(30) as cut_short"))
        thread.start()
        while not statements_server.query(f"select 1 from pg_stat_activity where pid = {pid} and wait_event = 'PgSleep'"):
            pass
        statements_server.query(f"select pg_terminate_backend({pid})")
        thread.join()
        while statements_server.query(f"select 1 from pg_stat_activity where pid = {pid}"):
            pass
    rows = trace.rows(traced.document, "cut_short", kind="client")
    assert all(row["running"] == 0 and row["calls"] == 0 for row in rows)


def swallow(connection, text):
    with contextlib.suppress(psycopg2.Error), connection.cursor() as cursor:
        cursor.execute(text)


def said(run, before=""):
    """What a running dbtap has said so far."""
    os.set_blocking(run.process.stderr.fileno(), False)
    return before + (run.process.stderr.read() or b"").decode("utf-8", "replace")


def test_the_budget_is_kept(dbtap, statements_server):
    """A load that jumps is shed within two seconds; when it is over (in the matrix) statement depth comes back."""
    run = trace.start(dbtap, statements_server, "--depth", "statement", "--budget", 0.02, "--interval", 0.2)
    text = ""
    with session(statements_server) as cursor:
        cursor.execute("set log_min_duration_statement = -1")
        began = time.monotonic()
        while "no session is probed" not in text:
            cursor.execute("select 1 as jumped")
            text = said(run, text)
            assert time.monotonic() - began < 2, f"not shed: {text}"
        deadline = time.monotonic() + 90
        while trace.FULL and "all sessions are probed again" not in text:
            text = said(run, text)
            assert time.monotonic() < deadline, f"never came back: {text}"
            time.sleep(0.2)
    document = trace.finish(run, status=3)
    assert document["overhead"]["probed"] == ("all" if trace.FULL else "none") and document["loss"]["probes_moved"] >= 1
    row = trace.one(document, "jumped", kind="client")
    assert "errors" not in row and "some sessions only" in row["absent"]["errors"]


def test_attach_and_detach(dbtap, statements_server, load):
    """Under a load, ended in every way: the server goes on, and nothing stays attached (the fixture looks)."""
    run = load.pgbench(statements_server, "-n", "-c", 2, "-T", 3600, script="select 1 as goes_on;\n")
    for number in range(1000 if trace.FULL else 2):
        tracing = trace.start(dbtap, statements_server, *DEPTH, "--no-connect")
        if number % 2:
            tracing.kill()
        else:
            assert trace.one(trace.finish(tracing), "goes_on", kind="client")["calls"] >= 0
    with trace.window(dbtap, statements_server, *DEPTH) as traced:
        time.sleep(0.2)
    row = trace.one(traced.document, "goes_on", kind="client")
    assert row["calls"] > 0 and row["errors"] == 0 and row["latency_ns"]["p50"] > 0
    assert run.process.poll() is None, "the load ended"
    run.process.terminate()
