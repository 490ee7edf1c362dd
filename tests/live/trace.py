# SPDX-License-Identifier: BSD-2-Clause
"""trace.py - for the live tests: a dbtap whose window is known to be open, and questions to the document it leaves.

    with trace.window(dbtap, server, "--no-connect") as traced:
        ... everything here is inside the window ...
    rows = trace.rows(traced.document, kind="client")

That the window is open is seen from outside: dbtap gives its capabilities away once it is.
"""
import contextlib
import datetime
import os
import signal
import time

import pytest
import second_try

OPEN_SECONDS = 30  # how long to wait for an opening on a machine that is busy; how long it may take is test_cli.py's subject
# A window with OFTEN has found within FOUND_SECONDS a server that was started meanwhile, also where a CPU stands still for a while.
OFTEN, FOUND_SECONDS = ("--interval", 0.2), 1.5
# `make test-matrix`: at full size (TAP_SCALE), or with a server of another version.
FULL = os.environ.get("TAP_SCALE") == "full"
MATRIX = FULL or "TAP_PG_SERVER" in os.environ or "TAP_MY_SERVER" in os.environ
in_matrix = pytest.mark.skipif(not MATRIX, reason="takes longer: `make test-matrix` runs it")
FIGURES = ("elapsed_ns", "cpu_ns", "runq_ns", "wait_ns", "unknown_ns", "sleeps", "preemptions", "minor_faults",
           "major_faults", "rchar_bytes", "wchar_bytes", "read_bytes", "dirtied_bytes")


def capabilities(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return {line.split()[0]: int(line.split()[1], 16) for line in file if line.startswith(("CapEff", "CapBnd"))}


def wait_until_open(run):
    """Returns once the window of a started dbtap is open."""
    before = capabilities("self")["CapBnd:"]
    deadline = time.monotonic() + OPEN_SECONDS
    while True:
        now = capabilities(run.pid)
        # Both: it clears the bounding set first, and its effective set last.
        if now.get("CapBnd:") != before and now.get("CapEff:"):
            return run
        if run.process.poll() is not None:
            outcome = run.wait()
            raise AssertionError(f"{outcome.command}: ended with {outcome.status} before its window opened: {outcome.stderr}")
        assert time.monotonic() < deadline, f"{run.command}: no window within {OPEN_SECONDS} s"
        time.sleep(0.005)


def start(dbtap, server, *arguments, command="queries", **more):
    """A running dbtap with an open window on one server; JSON, and long enough for any test."""
    instance = ["--instance", server.instance] if server else []
    return wait_until_open(dbtap.start(command, "--format", "json", "--duration", 3600, *instance, *arguments, **more))


def finish(run, status=0):
    """Ends the window of a started dbtap. Its document, checked for what holds for all."""
    run.signal(signal.SIGINT)
    document = run.wait().ok(status).json()
    check(document)
    return document


class Traced:
    """What window() hands out; `document` is there once the block was left."""

    def __init__(self, run):
        self.run = run
        self.document = None


@contextlib.contextmanager
def window(dbtap, server, *arguments, **more):
    traced = Traced(start(dbtap, server, *arguments, **more))
    yield traced
    traced.document = finish(traced.run)


def check(document):
    """Holds for every view of every run: the sums add up."""
    for row in document.get("queries", []):
        check_row(row)
    totals = document["totals"]
    assert totals["elapsed_ns"] == sum(totals[part] for part in ("cpu_ns", "runq_ns", "wait_ns", "unknown_ns")), totals
    if "queries" in document:
        for figure in FIGURES:
            assert totals[figure] == sum(row[figure] for row in document["queries"]), figure


def check_row(row):
    assert row["elapsed_ns"] == row["cpu_ns"] + row["runq_ns"] + row["wait_ns"] + row["unknown_ns"], row
    assert sum(wait["ns"] for wait in row["waits"]) == row["wait_ns"], row
    # What a thread waited or ran since it was woken from idle goes to the statement that follows, once that shows.
    taken_back = 20e6 if row["kind"].startswith("idle") else 0
    for figure in FIGURES[5:] + ("cpu_ns", "runq_ns"):
        assert row[figure] >= (-taken_back if figure.endswith("_ns") else 0), (figure, row)
    for figure in ("calls", "running"):
        assert (figure in row) != (figure in row.get("absent", {})), (figure, row)
    assert ("query_id" in row) == ("query_id_source" in row), row


def rows(document, text=None, **fields):
    """Rows whose fields have these values and whose query contains `text`."""
    return [row for row in document["queries"] if all(row.get(name) == value for name, value in fields.items())
            and (text is None or text in row.get("query", ""))]


def one(document, text=None, **fields):
    found = rows(document, text, **fields)
    assert len(found) == 1, f"{len(found)} rows of {text} {fields}, not one, in {describe(document)}"
    return found[0]


def describe(document):
    """A failed test's short look at the rows."""
    return "\n" + "\n".join(
        f"{row['kind']} {row.get('user')} {row.get('query', '')[:60]!r} calls={row.get('calls')} running={row.get('running')} "
        f"elapsed={row['elapsed_ns']} cpu={row['cpu_ns']} runq={row['runq_ns']} unknown={row['unknown_ns']} "
        + " ".join(f"{wait['class']}:{wait['event']}={wait['ns']}/{wait['count']}" for wait in row["waits"])
        for row in document["queries"])


def set_cpus(server, cpus):
    for pid in [0, *server.pids()]:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(pid, cpus)


@contextlib.contextmanager
def one_cpu(server):
    """
    The server and all that is started meanwhile share one CPU, so that a client cannot answer before the server was switched out. On
    two, of which the hypervisor takes one away for a moment, a statement may follow another without that, and is not seen to end.
    For programs that send as fast as they can; the connections of PostgreSQL servers made here wait for it by themselves (pace.py).
    """
    before = os.sched_getaffinity(0)
    set_cpus(server, {min(before)})
    try:
        yield
    finally:
        set_cpus(server, before)


def total(found, figure):
    return sum(row[figure] for row in found)


def waited(row, name):
    """ns in one wait event, written Class:Event."""
    return sum(wait["ns"] for wait in row["waits"] if f"{wait['class']}:{wait['event']}" == name)


def seconds_of(text):
    """RFC 3339 as seconds since 1970."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def assert_near(got, expected, share, slack=0, what=""):
    assert abs(got - expected) <= max(abs(expected) * share, slack), \
        f"{what}: {got} is not within {share:.2%} (or {slack}) of {expected}: off by {got - expected}"


def assert_between(got, low, high, slack, what=""):
    """What was not measured itself but lies between two outside readings, the later taken after it, the earlier before."""
    assert low - slack <= got <= high + slack, f"{what}: {got} is not within {slack} of {low} to {high}"


def wait_until(condition, what, seconds=30):
    """What condition() gives once it is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def wait_until_caught(run, number=signal.SIGINT):
    """Returns once a started dbtap has a handler for a signal."""
    def caught():
        with open(f"/proc/{run.pid}/status", encoding="ascii", errors="replace") as file:
            mask = next(int(line.split()[1], 16) for line in file if line.startswith("SigCgt:"))
        return mask >> (number - 1) & 1

    wait_until(caught, f"{run.command} has no handler for signal {number}")


def late_ns(*pids):
    """
    By how much these threads, or this test, may have been late so far: what the hypervisor took, and what they waited for a CPU.
    The difference of two readings is slack for what is measured between two moments that nothing ties together.
    """
    late = second_try.stolen_ns()
    for pid in pids:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            late += int(file.read().split()[1])
    return late


def settled_pids(server, seconds=20):
    """The server's processes once none has come or gone for a while."""
    deadline = time.monotonic() + seconds
    pids, since = server.pids(), time.monotonic()
    while time.monotonic() - since < 0.3:
        assert time.monotonic() < deadline, "the server's processes never settle"
        time.sleep(0.02)
        if server.pids() != pids:
            pids, since = server.pids(), time.monotonic()
    return pids


def wait_for_state(server, pid, condition, seconds=20):
    """Waits until pg_stat_activity's row of a backend meets a condition in SQL."""
    connection = server.connect(application_name="dbtap-test-watch")
    deadline = time.monotonic() + seconds
    try:
        with connection.cursor() as cursor:
            while True:
                cursor.execute(f"select count(*) from pg_stat_activity where pid = %s and ({condition})", (pid,))
                if cursor.fetchone()[0]:
                    return
                assert time.monotonic() < deadline, f"process {pid} never was: {condition}"
                time.sleep(0.01)
    finally:
        connection.close()
