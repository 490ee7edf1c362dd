# SPDX-License-Identifier: BSD-2-Clause
"""checks.py - what each step on a kernel must have left; a check takes a Run and fails by an assertion.

CHECKS is in the order of docs/support.md's columns. What the kernel lacks is read from what doctor says there.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../live"))

import trace  # noqa: E402

COUNTED, SLEPT, SLEEP_NS = 100, 20, 20e6  # as steps.sh has them
SECTOR = 512
MIB = 1 << 20
# A machine without hardware of its own: what its two CPUs do not get from the host looks like theirs.
CPU_SHARE, CPU_SLACK_NS = 0.1, 50e6


def lacking(run):
    """[(feature, sentence)] of what doctor finds missing, required or not."""
    return [tuple(found) for found in re.findall(r"^  (?:MISS|no  ) (.*?): (.*)$", run.steps["doctor"].stdout.split("instances\n")[0],
                                                re.MULTILINE)]


def refuses(run):
    """One line that says which kernel it takes, and nothing else."""
    for name in ("refused",):
        step = run.steps[name]
        assert step.status == 1 and step.stdout == "", step
        lines = step.stderr.splitlines()
        assert len(lines) == 1 and "kernel 5.15 or newer" in lines[0], step.stderr
    assert "MISS kernel 5.15 or newer" in run.steps["doctor"].stdout, run.steps["doctor"].stdout


def doctor(run):
    step = run.steps["doctor"]
    assert step.status in (0, 3) and step.stdout.startswith("host "), step
    assert "MISS" not in step.stdout, step.stdout


def instances(run):
    found = run.json("instances")["instances"]
    assert [(one["id"], one["engine"]) for one in found] == [("postgres-5432", "postgres")], found


def calls_of(run, name):
    """{text: calls} as pg_stat_statements has them."""
    return {text: int(calls) for calls, text in (line.split("|", 1) for line in run.files[f"{name}.truth"].splitlines())}


def statements(run, name):
    """Conservation, calls, sleeps and CPU time of the session's statements."""
    document = run.json(name)
    trace.check(document)
    truth = calls_of(run, name)
    for text, calls in (("generate_series", COUNTED), ("pg_sleep", SLEPT)):
        row = trace.one(document, text, kind="client")
        assert row["calls"] == calls == next(count for query, count in truth.items() if text in query), trace.describe(document)
    slept = trace.waited(trace.one(document, "pg_sleep", kind="client"), "Timeout:PgSleep")
    assert SLEPT * SLEEP_NS <= slept <= document["window"]["seconds"] * 1e9, slept
    return document


def queries(run):
    document = statements(run, "queries")
    before, after = (int(line.split()[0]) for line in re.findall(r"^\d+ \d+ \d+$", run.files["queries.session"], re.MULTILINE))
    counted = sum(row["cpu_ns"] for row in trace.rows(document, "generate_series") + trace.rows(document, "pg_sleep"))
    counted += sum(row["cpu_ns"] for row in trace.rows(document, kind="idle"))
    trace.assert_near(counted, after - before, CPU_SHARE, CPU_SLACK_NS, what="CPU time of the session")


def statement_depth(run):
    statements(run, "statement")


def sessions(run):
    found = run.json("sessions")["sessions"]
    assert {"checkpointer", "walwriter"} <= {row["kind"] for row in found}, found


def waits(run):
    text = run.steps["waits"].stdout
    assert run.steps["waits"].status == 0 and "PgSleep" in text and "ClientRead" in text, text


def top(run):
    step = run.steps["top"]
    assert step.status == 0 and "postgres-5432" in step.stdout, step


def locks(run):
    locks_found = run.json("locks")["locks"]
    waiter, blockers = run.files["locks.truth"].strip().split("|")
    found = [(wait["pid"], wait["blocked_by"]) for wait in locks_found["waits"]]
    assert found == [(int(waiter), [int(pid) for pid in blockers.strip("{}").split(",")])], (found, waiter, blockers)


def disk_bytes(text):
    """{disk: (bytes read, bytes written)} of /proc/diskstats"""
    rows = [line.split() for line in text.splitlines()]
    return {row[2]: (int(row[5]) * SECTOR, int(row[9]) * SECTOR) for row in rows}


def moved(run, name):
    before, after = (disk_bytes(run.files[f"{name}.{when}"]) for when in ("before", "after"))
    return {disk: tuple(now - then for now, then in zip(after[disk], before[disk])) for disk in after}


def requests(run, name, disks):
    """Bytes of each disk are the kernel's own; the scan has its own bytes, read once."""
    document = run.json(name)
    io = document["io"]
    own = moved(run, name)
    assert {row["device"] for row in io["devices"]} == set(disks), io["devices"]
    for row in io["devices"]:
        for direction, counted in zip(("read", "write"), own[row["device"]]):
            text = f"{name} {row['device']} {direction}: {counted} {row} {document['loss']}"
            assert row[f"{direction}_bytes"] + row[f"residual_{direction}_bytes"] == row[f"counted_{direction}_bytes"], text
            assert counted <= row[f"counted_{direction}_bytes"] <= counted + MIB // 4, text
            assert abs(row[f"residual_{direction}_bytes"]) <= 0.01 * max(counted, 4 * MIB), text
    scans = [row for row in io["queries"] if "from big" in row.get("query", "")]
    assert len(scans) == 1, io["queries"]
    assert 12 * MIB < scans[0]["read_bytes"] <= sum(own[disk][0] for disk in disks), scans
    assert scans[0]["read_seq_bytes"] > 0.9 * scans[0]["read_bytes"], scans
    relations = {row.get("relation"): row["read_bytes"] for row in io["relations"]}
    assert relations.get("public.big", 0) > 12 * MIB, relations
    return document


def block_io(run):
    requests(run, "io", ["vdb"])


def linear(run):
    """Bytes of the file system's device are those of the two disks below: each once."""
    requests(run, "linear", ["vdc", "vdd"])
    own = moved(run, "linear")
    assert [a + b for a, b in zip(own["vdc"], own["vdd"])] == list(own["dm-0"]), own


def mirror(run):
    """Read from one of them, written to both: the disks' own counters say the same."""
    requests(run, "mirror", ["vde", "vdf"])


def detach(run):
    step = run.steps["programs"]
    assert step.status == 0 and step.stdout.strip() in ("", "[]"), step.stdout


CHECKS = {"doctor": doctor, "instances": instances, "queries": queries, "queries --depth statement": statement_depth,
          "sessions": sessions, "waits": waits, "io": block_io, "locks": locks, "top": top, "io on device-mapper linear": linear,
          "io on an md mirror": mirror, "nothing left after detach": detach}
