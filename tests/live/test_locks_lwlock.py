# SPDX-License-Identifier: BSD-2-Clause
"""test_locks_lwlock.py - waits for lightweight locks, by tranche, beside what pg_wait_sampling saw of the same sessions."""
import collections
import math
import os

import pytest
import trace

PERIOD_MS = 10
SIGMAS = 4
CLIENTS = 12


@pytest.fixture
def sampled_server(make_server, server_folder):
    library = os.path.join(os.path.dirname(server_folder.binaries), "lib", "pg_wait_sampling.so")
    if not os.path.exists(library):
        pytest.skip("pg_wait_sampling is not installed")
    server = make_server(preload=["pg_wait_sampling"], settings={
        "pg_wait_sampling.profile_period": PERIOD_MS, "pg_wait_sampling.profile_queries": "on", "autovacuum": "off",
        "synchronous_commit": "on", "bgwriter_lru_maxpages": 0})
    server.query("create extension pg_wait_sampling")
    server.query("create table busy (id int, filler text)")
    return server


SLEEP_SECONDS = 4
SAMPLES = """select event_type, event, sum(count) from pg_wait_sampling_profile
              where pid in (select pid from pg_stat_activity where application_name = 'pgbench')
                and event_type = 'LWLock' group by 1, 2"""
# A session that sleeps all the time is seen at every look: how many looks there were.
LOOKS = "select coalesce(sum(count), 0) from pg_wait_sampling_profile where event = 'PgSleep'"


def error(samples):
    """Of a number of samples."""
    return SIGMAS * math.sqrt(max(samples, 1))


def test_lwlock_time_by_tranche(dbtap, sampled_server, load):
    """
    Many sessions commit at once and wait for WALWrite and its like. Who has been woken and waits for a CPU still shows
    his wait event to a sampler; dbtap calls that run queue: the samples lie between the waits, and both together.
    """
    server = sampled_server
    load.pgbench(server, "-c", CLIENTS, "-j", 2, "-T", 120, script="insert into busy values (1, repeat('x', 500));\n")
    trace.wait_until(lambda: server.query("select count(*) > 1000 from busy")[0][0], "pgbench is at work")
    with trace.window(dbtap, server) as traced:
        server.query("select pg_wait_sampling_reset_profile()")
        server.query(f"select pg_sleep({SLEEP_SECONDS})")
        samples = collections.Counter({event: int(count) for _, event, count in server.query(SAMPLES)})
        looks = int(server.query(LOOKS)[0][0])
    load.close()
    assert looks > 100 and sum(samples.values()) > 200, (looks, samples)
    row = trace.one(traced.document, "insert into busy", kind="client")
    ours = collections.Counter({wait["event"]: wait["ns"] for wait in row["waits"] if wait["class"] == "LWLock"})
    # In looks, of which the window has as many a second as the sleep had.
    look_ns = traced.document["window"]["seconds"] / looks * 1e9
    runq = row["runq_ns"] / look_ns
    for name in {*ours, *samples}:
        waited = ours[name] / look_ns
        assert waited - error(waited) - 0.05 * waited <= samples[name] <= (waited + runq) * 1.05 + error(waited + runq), (
            name, waited, runq, samples, ours)
        assert name and not name.isdigit(), f"the tranche has no name: {name}"
    total = sum(ours.values()) / look_ns
    assert total - error(total) - 0.05 * total <= sum(samples.values()) <= (total + runq) * 1.05 + error(total + runq)
