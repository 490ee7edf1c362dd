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
NEAR = 0.05  # seconds between the moment and the line about it, besides what the checkpointer may have been stopped for


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


def checkpointer(server):
    return server.query("select pid from pg_stat_activity where backend_type = 'checkpointer'")[0][0]


def assert_as_logged(run, logged_one, late):
    begin, end, (buffers, write, sync, total, files, longest) = logged_one
    assert run["phase"] == "ended", run
    assert abs(seconds(run["begin"]) - begin) < NEAR + late and abs(seconds(run["end"]) - end) < NEAR + late, (run, logged_one)
    assert run["buffers_written"] == buffers and run["files_synced"] == files, (run, logged_one)
    for name, value in (("write_ns", write), ("sync_ns", sync), ("longest_sync_ns", longest)):
        assert abs(run[name] / 1e9 - value) < 0.002, (name, run, logged_one)
    assert abs(seconds(run["end"]) - seconds(run["begin"]) - total) < 0.002, (run, logged_one)


@pytest.fixture
def slow_writes(volume):
    """A control group that writes little at a time, and not often, to the disk below `volume`: one after the other."""
    slow_disk.write(f"/sys/block/{volume.name}/queue/max_sectors_kb", 64)
    try:
        group = slow_disk.Group(volume.image, 300, ("write",))
    except slow_disk.Unavailable as reason:
        pytest.skip(str(reason))
    yield group
    group.release()
    group.close()


class Committer:
    """A session that commits now and then until it is stopped; `seconds` has how long each took, and when it began."""

    def __init__(self, server):
        self.connection = server.connect()
        self.seconds = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with self.connection.cursor() as cursor:
            while not self.stopping.wait(0.01):
                begin = time.time()
                cursor.execute("insert into committed values (1)")
                self.seconds.append((begin, time.time() - begin))

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.connection.close()


def test_commits_wait_for_a_checkpoint(dbtap, volume, slow_writes, server_on):
    """Their WAL is written behind what the checkpoint has to sync, to a disk that cannot take it at once."""
    server = server_on(volume, settings={**SETTINGS, "checkpoint_flush_after": 0})
    server.query("create table committed (i int)")
    server.query("checkpoint")
    dirty_pages(server)
    slow_writes.add(server.pid, *slow_disk.read(f"/proc/{server.pid}/task/{server.pid}/children").split())
    since, pid = len(server.log_text()), checkpointer(server)
    late = trace.late_ns(pid)
    with trace.window(dbtap, server, "--no-connect", command="io") as traced:
        committer = Committer(server)
        time.sleep(2)
        server.query("checkpoint")
        time.sleep(2)
        committer.stop()
    late = (trace.late_ns(pid) - late) / 1e9
    slow_writes.release()
    (own,), row = logged(server, since), one(traced.document["io"])
    assert_as_logged(row["runs"][0], own, late)
    during, outside = row["write_during_latency_ns"], row["write_outside_latency_ns"]
    longest = max(seconds for begin, seconds in committer.seconds if own[0] < begin < own[1])
    text = f"longest {longest} {row} {own}"
    assert row["write_outside_requests"] > 50 and row["write_during_requests"] > 3, text
    # On a slow machine few commits come within it, and few of those behind the sync: the worst of them did.
    assert during["max"] > 50e6 and during["p95"] > 2 * outside["p95"], text
    # No commit took less than its own write; and what it took besides is not more than a few of them.
    assert longest / 10 < during["max"] / 1e9 < longest + NEAR, text
    # What is shown elsewhere is the sum of both.
    clients = trace_io.select(traced.document["io"]["queries"], kind="client")
    assert trace_io.total(clients, "write_requests") <= row["write_during_requests"] + row["write_outside_requests"], text


def test_windows_are_those_of_the_log(dbtap, volume, server_on):
    server = server_on(volume, settings=SETTINGS)
    server.query("checkpoint")
    since, pid = len(server.log_text()), checkpointer(server)
    late = trace.late_ns(pid)
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        for _ in range(3):
            dirty_pages(server, 20000)
            server.query("checkpoint")
            time.sleep(0.3)
    late = (trace.late_ns(pid) - late) / 1e9
    own, row = logged(server, since), one(traced.io)
    assert row["count"] == len(own) == 3 and not row["count_is_bound"], (row, own)
    for run, logged_one in zip(row["runs"], own):
        assert_as_logged(run, logged_one, late)
    assert abs(row["running_ns"] / 1e9 - sum(end - begin for begin, end, _ in own)) < 3 * NEAR + late, (row, own)
    assert "running_since" not in row
    assert row["write_bytes"] > 3 * MIB, row


def test_restartpoints_are_those_of_the_log(dbtap, volume, make_server, server_on):
    """What the checkpointer of a standby makes of its primary's checkpoints."""
    primary = make_server(settings={**SETTINGS, "wal_level": "replica", "max_wal_senders": 4})
    standby = server_on(volume, start=False)
    standby.become_standby_of(primary, SETTINGS)
    standby.start()
    since, pid = len(standby.log_text()), checkpointer(standby)
    late = trace.late_ns(pid)
    with trace_io.window(dbtap, standby, volume, "--no-connect") as traced:
        for _ in range(2):
            dirty_pages(primary, 20000)
            primary.query("checkpoint")
            # What the standby has not replayed there is no restartpoint for.
            end = primary.query("select pg_current_wal_lsn()")[0][0]
            trace.wait_until(lambda: standby.query("select pg_last_wal_replay_lsn() >= %s::pg_lsn", (end,))[0][0],
                             "the standby to replay")
            standby.query("checkpoint")
    late = (trace.late_ns(pid) - late) / 1e9
    own, row = logged(standby, since), one(traced.io)
    assert row["count"] == len(own) == 2, (row, own)
    for run, logged_one in zip(row["runs"], own):
        assert_as_logged(run, logged_one, late)
        assert run["buffers_written"] > 500, row


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
    since, pid = len(server.log_text()), checkpointer(server)
    late = trace.late_ns(pid)
    deadline = time.monotonic() + 60
    while "checkpoint starting: time" not in server.log_text()[since:] and time.monotonic() < deadline:
        time.sleep(0.1)
    begin = LINE.search(server.log_text()[since:]).group(1)
    with trace.window(dbtap, server, "--no-connect", command="io") as traced:
        time.sleep(1)
    late = (trace.late_ns(pid) - late) / 1e9
    row = one(traced.document["io"])
    assert row["count"] == 1 and row["runs"][0]["phase"] == "writing", row
    assert abs(seconds(row["running_since"]) - seconds(begin.replace(" ", "T") + "Z")) < NEAR + late, (row, begin)
    assert row["running_percent"] > 99 and "end" not in row["runs"][0], row
    assert row["absent"]["read_outside_requests"] == "a checkpoint ran during all of this window", row
