# SPDX-License-Identifier: BSD-2-Clause
"""test_cost.py - what the tool itself takes, by its own word and by the kernel's."""
import os

import trace

SESSIONS = 300
SECONDS = 10


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def test_three_hundred_sessions(dbtap, make_server, load):
    """At most 1 % of one core and 50 MB at the default interval of a second; some sessions work, most are idle."""
    import time
    server = make_server(settings={"max_connections": SESSIONS + 20, "autovacuum": "off"})
    load.pgbench_init(server)
    idle = [server.connect() for _ in range(SESSIONS - 10)]
    load.pgbench(server, "-S", "-n", "-c", 10, "-j", 1, "-R", 300, "-T", 120)
    trace.settled_pids(server)
    assert len(server.pids()) > SESSIONS
    run = trace.start(dbtap, server)
    # Opening, connecting and the first look are the start's, not the interval's.
    trace.wait_until(lambda: server.query("select 1 from pg_stat_activity where application_name = 'dbtap' and state = 'idle'"),
                     "dbtap has connected")
    time.sleep(1)
    before = cpu_seconds(run.pid)
    time.sleep(SECONDS)
    used = cpu_seconds(run.pid) - before
    peak = peak_bytes(run.pid)
    document = trace.finish(run)
    for connection in idle:
        connection.close()
    overhead = document["overhead"]
    assert peak <= 50e6 and overhead["tool_rss_bytes"] <= 50e6, (peak, overhead)
    assert used / SECONDS <= 0.01, f"{used / SECONDS:.2%} of one core"
    # Its own word is for the whole window, with its last look at every session.
    assert abs(overhead["tool_cpu_percent"] - 100 * used / SECONDS) < 1.5, overhead
    assert document["instances"][0]["processes"] >= SESSIONS


def test_overhead_is_said(dbtap, server, load):
    with trace.window(dbtap, server) as traced:
        for _ in range(3):
            load.session(server, "select count(*) from generate_series(1, 300000)").finish()
    overhead = traced.document["overhead"]
    for field in ("bpf_cpu_percent", "trap_cpu_percent", "fingerprint_cpu_percent", "tool_cpu_percent", "tool_rss_bytes"):
        assert isinstance(overhead[field], (int, float)) and not isinstance(overhead[field], bool), overhead
    assert 0 < overhead["bpf_cpu_percent"] < 50
    assert overhead["trap_cpu_percent"] == 0
    assert 0 < overhead["tool_cpu_percent"] < 100
    assert 1e6 < overhead["tool_rss_bytes"] < 50e6
    text = dbtap("queries", "--duration", 0.3, "--instance", server.instance).ok().stdout
    assert "overhead" in text
