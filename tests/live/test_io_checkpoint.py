# SPDX-License-Identifier: BSD-2-Clause
"""test_io_checkpoint.py - when checkpoints ran, by the server's own log, and what they did to others on the same disk."""
import datetime
import re
import threading
import time

import pytest
import slow_disk
import trace
import trace_io

MIB = 1 << 20
SETTINGS = {**trace_io.SETTINGS, "log_checkpoints": "on", "log_timezone": "UTC", "shared_buffers": "256MB",
            "log_line_prefix": "%m [%p] "}
LINE = re.compile(r"^(\S+ \S+) UTC \[\d+\] LOG:  (checkpoint|restartpoint) (starting|complete): (.*)$", re.M)
COMPLETE = re.compile(r"wrote (\d+) buffers .* write=([\d.]+) s, sync=([\d.]+) s, total=([\d.]+) s; sync files=(\d+), longest=([\d.]+) s")
NEAR = 0.05  # seconds between the moment and the line about it, on a busy machine


def logged(server, since):
    """(begin, end, what the line of its end says) of each checkpoint in the log's part from `since` on; times since the epoch."""
    found, begin = [], None
    for moment, _, what, text in LINE.findall(server.log_text()[since:]):
        at = datetime.datetime.strptime(moment, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=datetime.timezone.utc).timestamp()
        if what == "starting":
            begin = at
        else:
            found.append((begin, at, [float(part) for part in COMPLETE.search(text).groups()]))
    return found


def seconds(moment):
    return datetime.datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def dirty_pages(server, rows=200000):
    server.query("drop table if exists dirty")
    server.query(f"create table dirty as select i, repeat('x', 200) as filler from generate_series(1, {rows}) i")


def one(io):
    checkpoints = io["checkpoints"]
    assert len(checkpoints) == 1, checkpoints
    return checkpoints[0]


def assert_as_logged(run, logged_one):
    begin, end, (buffers, write, sync, total, files, longest) = logged_one
    assert run["phase"] == "ended", run
    assert abs(seconds(run["begin"]) - begin) < NEAR and abs(seconds(run["end"]) - end) < NEAR, (run, logged_one)
    assert run["buffers_written"] == buffers and run["files_synced"] == files, (run, logged_one)
    for name, value in (("write_ns", write), ("sync_ns", sync), ("longest_sync_ns", longest)):
        assert abs(run[name] / 1e9 - value) < 0.002, (name, run, logged_one)
    assert abs(seconds(run["end"]) - seconds(run["begin"]) - total) < 0.002, (run, logged_one)


def test_windows_are_those_of_the_log(dbtap, volume, server_on):
    server = server_on(volume, settings=SETTINGS)
    server.query("checkpoint")
    since = len(server.log_text())
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        for _ in range(3):
            dirty_pages(server, 20000)
            server.query("checkpoint")
            time.sleep(0.3)
    own, row = logged(server, since), one(traced.io)
    assert row["count"] == len(own) == 3 and not row["count_is_bound"], (row, own)
    for run, logged_one in zip(row["runs"], own):
        assert_as_logged(run, logged_one)
    assert abs(row["running_ns"] / 1e9 - sum(end - begin for begin, end, _ in own)) < 3 * NEAR, (row, own)
    assert "running_since" not in row
    assert row["write_bytes"] > 3 * MIB, row


def test_none_ran(dbtap, volume, server_on):
    """Waking up for a request to sync, or for a checkpoint that is not needed, is none."""
    server = server_on(volume, settings=SETTINGS)
    server.query("create table t as select 1 as i")
    server.query("checkpoint")
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        for number in range(20):
            # Their files are to be synced: the checkpointer is told.
            server.query(f"create table t{number} as select i, repeat('x', 500) from generate_series(1, 1000) i")
            time.sleep(0.05)
    row = one(traced.io)
    assert row["count"] == 0 and row["running_ns"] == 0 and row["runs"] == [], row
    for field in ("read_during_requests", "read_during_latency_ns", "write_during_requests", "write_during_latency_ns"):
        assert field not in row and row["absent"][field] == "no checkpoint ran in this window", row
    assert row["write_outside_requests"] > 0, row


def test_it_runs_before_and_after(dbtap, volume, server_on):
    """Spread over minutes: it had begun before dbtap came, and has not ended when the window does."""
    server = server_on(volume, settings={**SETTINGS, "checkpoint_timeout": "30s", "checkpoint_completion_target": "0.9"})
    dirty_pages(server)
    since = len(server.log_text())
    deadline = time.monotonic() + 60
    while "checkpoint starting: time" not in server.log_text()[since:] and time.monotonic() < deadline:
        time.sleep(0.1)
    begin = LINE.search(server.log_text()[since:]).group(1)
    with trace.window(dbtap, server, "--no-connect", command="io") as traced:
        time.sleep(1)
    row = one(traced.document["io"])
    assert row["count"] == 1 and row["runs"][0]["phase"] == "writing", row
    assert abs(seconds(row["running_since"]) - seconds(begin.replace(" ", "T") + "Z")) < NEAR, (row, begin)
    assert row["running_percent"] > 99 and "end" not in row["runs"][0], row
    assert row["absent"]["read_outside_requests"] == "a checkpoint ran during all of this window", row
