# SPDX-License-Identifier: BSD-2-Clause
"""test_scale.py - many instances, many sessions, sessions that come and go: what the tool takes, and that it misses nothing.

In `make test` the counts are small; `make test-matrix` (TAP_SCALE=full) has those of docs/overhead.md. What a start takes is told in CPU
time, since on a machine that is busy the rest is other people's.
"""
import os
import resource
import threading
import time

import psycopg2
import trace

# Two seconds: nearly all of it is the kernel's verifier, in two threads at once.
OPENED_CPU_SECONDS = 4
FULL = trace.FULL
INSTANCES = 50 if FULL else 5
IDLE = 5000 if FULL else 200
ACTIVE = 1000 if FULL else 40
STARTS_PER_SECOND = 200 if FULL else 50
STARTERS = 4
SECONDS = 10 if FULL else 3
SETTINGS = {"autovacuum": "off", "shared_buffers": "16MB", "max_connections": 20, "max_wal_size": "64MB"}
SEGMENTS = ("--wal-segsize=1",)  # a data folder of a third of the size


def used_seconds(pid):
    """CPU time of all threads of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def opened(run):
    """What the start took. Its memory is told apart: a first search maps the binaries of all servers of the host, whoever's they are."""
    figures = {"opened_cpu_seconds": used_seconds(run.pid), "opened_peak_bytes": peak_bytes(run.pid)}
    with open(f"/proc/{run.pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
    return figures


def note(record_property, **figures):
    """Into the test's record, and on the screen of who runs it with -s."""
    for name, value in figures.items():
        record_property(name, value)
        print(f"{name}={value}", end=" ")


def finish(run):
    """Of all servers of the host: one that is not ours may be of a kind that cannot be traced."""
    run.signal()
    outcome = run.wait()
    document = outcome.ok(outcome.status and 3).json()
    trace.check(document)
    return document


def burn(server, tag, times=1):
    with trace.one_cpu(server):
        for _ in range(times):
            server.query(f"with {tag} as materialized (select i from generate_series(1, 30000) i) select count(*) from {tag}")


def test_many_instances(dbtap, make_server, record_property):
    """All at once; some are stopped, started again and new while they are traced. Rows are each one's own."""
    servers = [make_server(settings=SETTINGS, initdb=SEGMENTS, start=False) for _ in range(INSTANCES)]
    late, early = servers[:INSTANCES // 3], servers[INSTANCES // 3:]
    for server in early:
        server.start()
    run = trace.start(dbtap, None)
    start = opened(run)
    for number, server in enumerate(early):
        burn(server, f"first_{number}", 2)
    for server in late:
        server.start()
    back, gone = early[0], early[1]
    back.restart()
    gone.stop()
    time.sleep(3)  # new servers are looked for once a second
    for number, server in enumerate(late):
        burn(server, f"late_{number}")
    burn(back, "came_back")
    peak = peak_bytes(run.pid)
    document = finish(run)
    note(record_property, instances=INSTANCES, peak_bytes=peak, **start)
    named = {instance["id"]: instance for instance in document["instances"]}
    for number, server in enumerate(early):
        row = trace.one(document, f"first_{number} ")
        assert (row["instance"], row["calls"]) == (server.instance, 2), row
        assert server is gone or named[server.instance]["pid"] == server.pid
    for number, server in enumerate(late):
        row = trace.one(document, f"late_{number} ")
        assert (row["instance"], row["calls"]) == (server.instance, 1), row
    assert trace.one(document, "came_back")["instance"] == back.instance
    assert len([name for name in named if name.startswith(back.instance)]) == 1
    assert start["opened_cpu_seconds"] < (5 if FULL else OPENED_CPU_SECONDS), start


class Crowd:
    """Idle sessions of a server."""

    def __init__(self, server, count):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 500)), hard))
        self.connections = [server.connect() for _ in range(count)]

    def close(self):
        for connection in self.connections:
            connection.close()


def measure(run, seconds):
    """CPU share of a running dbtap, once its start is over."""
    time.sleep(2)
    begin, used = time.monotonic(), used_seconds(run.pid)
    time.sleep(seconds)
    return (used_seconds(run.pid) - used) / (time.monotonic() - begin)


def test_idle_sessions(dbtap, make_server, record_property):
    server = make_server(settings={**SETTINGS, "max_connections": IDLE + 50})
    crowd = Crowd(server, IDLE)
    run = trace.start(dbtap, server)
    start, share, peak = opened(run), measure(run, SECONDS), peak_bytes(run.pid)
    document = trace.finish(run)
    crowd.close()
    note(record_property, idle=IDLE, share=share, peak_bytes=peak, **start)
    assert document["instances"][0]["processes"] >= IDLE
    assert peak <= (80e6 if FULL else 50e6), peak
    # As many times 1 % of a core as there are thousands of sessions.
    assert share <= (0.05 if FULL else 0.02), f"{share:.2%} of one core"


def test_active_sessions(dbtap, make_server, load, record_property):
    server = make_server(settings={**SETTINGS, "max_connections": ACTIVE + 50})
    load.pgbench_init(server)
    load.pgbench(server, "-S", "-n", "-c", ACTIVE, "-j", 2, "-R", ACTIVE, "-T", 300)
    deadline = time.monotonic() + 120
    while len(server.pids()) < ACTIVE:
        assert time.monotonic() < deadline, "the sessions never came"
        time.sleep(0.2)
    run = trace.start(dbtap, server)
    start, share, peak = opened(run), measure(run, SECONDS), peak_bytes(run.pid)
    document = trace.finish(run)
    note(record_property, active=ACTIVE, share=share, peak_bytes=peak, **start)
    row = trace.one(document, "pgbench_accounts", kind="client")
    # On a host that is busy some follow the one before without a sleep, and cannot all be counted.
    assert row.get("calls", ACTIVE) >= ACTIVE and row["cpu_ns"] > 0, row
    assert peak <= 50e6 and share <= 0.02, (peak, share)
    assert start["opened_cpu_seconds"] < OPENED_CPU_SECONDS, start


def test_sessions_that_come_and_go(dbtap, make_server, cgroup, record_property):
    """Each lives for a statement: none of their CPU time is lost, and no place for threads or rows runs out."""
    server = make_server(settings={**SETTINGS, "max_connections": 50})
    for pid in trace.settled_pids(server):
        cgroup.add(pid)
    made, stop = [0] * STARTERS, threading.Event()

    def churn(number):
        begin = time.monotonic()
        while not stop.is_set():
            # Not server.connect: it waits for the end of each statement to be seen.
            connection = psycopg2.connect(server.conninfo())
            with connection.cursor() as cursor:
                cursor.execute("select count(*) from generate_series(1, 1000)")
            connection.close()
            made[number] += 1
            time.sleep(max(0, begin + made[number] * STARTERS / STARTS_PER_SECOND - time.monotonic()))

    run = trace.start(dbtap, server, "--no-connect")
    start = opened(run)
    spent = cgroup.usage_ns()
    threads = [threading.Thread(target=churn, args=(number,)) for number in range(STARTERS)]
    for thread in threads:
        thread.start()
    try:
        share = measure(run, SECONDS)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    trace.settled_pids(server)
    spent = cgroup.usage_ns() - spent
    peak = peak_bytes(run.pid)
    document = trace.finish(run)
    note(record_property, sessions=sum(made), share=share, peak_bytes=peak, **start,
         cpu_off=document["totals"]["cpu_ns"] / spent - 1)
    trace.assert_near(document["totals"]["cpu_ns"], spent, 0.005, what="cpu_ns of sessions that have ended" + trace.describe(document))
    assert not {name: count for name, count in document["loss"].items() if count and name != "completions_missed"}, document["loss"]
    clients = trace.rows(document, "generate_series", kind="client")
    starting = trace.rows(document, kind="starting")
    assert clients or starting, trace.describe(document)
    assert peak <= 50e6 and share <= 0.03, (peak, share)
