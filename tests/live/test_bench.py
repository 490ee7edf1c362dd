# SPDX-License-Identifier: BSD-2-Clause
"""test_bench.py - `bench overhead` on a throwaway server of its own: short runs, whose figures say nothing but have their shape."""
import csv
import io
import signal
import time

import mariadb
import pytest
import trace

INTERVALS = ("overhead_percent", "null_percent")
SHORT = ("--pairs", 4, "--window", 50, "--clients", 2)


def check_load(load):
    for name in INTERVALS:
        assert load[name]["low"] <= load[name]["value"] <= load[name]["high"], load
    assert load["pairs"] >= 4
    assert load["off_per_second"] > 0 and load["on_per_second"] > 0
    assert load["empty_switch_ns"] > 0
    assert 0 < load["tracked_share"] <= 1.5  # two readings of a busy machine, not of one moment


def test_both_loads(dbtap):
    document = dbtap("bench", "overhead", *SHORT, "--format", "json", timeout=180).ok().json()
    assert document["program"] == "tracer"
    assert [load["load"] for load in document["loads"]] == ["select", "tpcb"]
    for load in document["loads"]:
        check_load(load)
    # The same work in every switch: it can be had in both, and costs something.
    assert all(load["tracked_switch_ns"] > 0 for load in document["loads"])


def test_floor(dbtap):
    outcome = dbtap("bench", "overhead", *SHORT, "--load", "select", "--floor", timeout=120).ok()
    assert outcome.stdout.startswith("select: ") and "with an empty program" in outcome.stdout
    assert "overhead" in outcome.stdout and "null run" in outcome.stdout


@pytest.mark.skipif(mariadb.Build().missing() is not None, reason=str(mariadb.Build().missing()))
def test_mariadb(dbtap):
    """The same bench on the other engine, which has this load alone."""
    document = dbtap("bench", "overhead", *SHORT, "--engine", "mariadb", "--protocol", "prepared", "--format", "json",
                     timeout=180).ok().json()
    assert (document["engine"], document["protocol"]) == ("mariadb", "prepared")
    assert [load["load"] for load in document["loads"]] == ["select"]
    check_load(document["loads"][0])
    assert document["loads"][0]["tracked_switch_ns"] > 0


def test_csv(dbtap):
    outcome = dbtap("bench", "overhead", *SHORT, "--load", "tpcb", "--format", "csv", timeout=120).ok()
    rows = list(csv.DictReader(io.StringIO(outcome.stdout)))
    assert [row["load"] for row in rows] == ["tpcb"]
    assert float(rows[0]["overhead_percent_low"]) <= float(rows[0]["overhead_percent"]) <= float(rows[0]["overhead_percent_high"])
    assert int(rows[0]["pairs"]) >= 4


@pytest.mark.parametrize("seconds", (0.3, 6))
def test_interrupted(dbtap, seconds):
    """While its server starts, and later on: one line, and nothing is left (see conftest)."""
    run = dbtap.start("bench", "overhead", "--pairs", 100000)
    trace.wait_until_caught(run)
    time.sleep(seconds)
    run.signal(signal.SIGINT)
    outcome = run.wait(30)
    assert outcome.status == 1 and outcome.stdout == ""
    assert "interrupted" in outcome.stderr.splitlines()[-1]


@pytest.mark.rootless
@pytest.mark.parametrize("arguments", (("bench",), ("bench", "else"), ("bench", "overhead", "--pairs", "3"), ("bench", "overhead", "more"),
                                       ("bench", "overhead", "--load", "none"), ("bench", "overhead", "--engine", "none"),
                                       ("bench", "overhead", "--protocol", "none"),
                                       ("bench", "overhead", "--engine", "mariadb", "--load", "tpcb"),
                                       ("bench", "overhead", "--engine", "mariadb", "--protocol", "extended")))
def test_wrong_usage(dbtap, arguments):
    outcome = dbtap(*arguments).ok(status=2)
    assert outcome.stdout == "" and len(outcome.stderr.splitlines()) == 1
