# SPDX-License-Identifier: BSD-2-Clause
"""
test_io_peers.py - beside biosnoop and biopattern (Debian's libbpf-tools) on the same load in the same window.

biosnoop needs fentry or kprobes; where the kernel has neither, its list is taken from the kernel's own tracing instead. Bytes and
requests agree. Labels do not have to: biopattern knows one last position per disk, so several streams that each go forward look random
to it, and an owner's two requests with another's between them too. fio, which was told what to do, says who is right.
"""
import os
import re
import shutil
import signal
import subprocess
import time

import block_events
import fio
import page_cache
import pytest
import trace
import trace_io

MIB = 1 << 20
WARM_SECONDS = 20
WITH_TRACEFS = 'mount -t tracefs none /sys/kernel/tracing; exec stdbuf -oL "$0" "$@"'


@pytest.fixture(scope="module")
def disk(module_disk):
    if fio.missing():
        pytest.skip(fio.missing())
    volume, server = module_disk("ext4", settings=trace_io.SETTINGS)
    path = fio.make_file(os.path.join(server.data, "fio"), 128 * MIB)
    server.query("create table t as select i, repeat('x', 200) as filler from generate_series(1, 200000) i")
    server.query("vacuum freeze")
    return volume, server, path


class Peer:
    """One of the tools, running; text() ends it and gives what it printed."""

    def __init__(self, name, *arguments):
        path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if not path:
            pytest.skip(f"{name} of libbpf-tools is not installed")
        self.name = name
        # Line by line, or what it printed last would be lost with its buffer.
        # tracefs, which they need, is mounted for them alone.
        self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", WITH_TRACEFS, path, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def wait_until_warm(self):
        """It prints its header once its programs are attached."""
        deadline = time.monotonic() + WARM_SECONDS
        said = []
        self.head = self.process.stdout.readline()
        while "TIME" not in self.head and "Tracing" not in self.head:
            said.append(self.head)
            if self.process.poll() is not None:
                said = [line.strip() for line in (said + self.process.stdout.readlines()) if line.strip()]
                pytest.skip(f"{self.name} does not run on this kernel: {said[0] if said else 'no output'}")
            assert time.monotonic() < deadline
            self.head = self.process.stdout.readline()
        time.sleep(0.2)
        return self

    def text(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=20)[0]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def peer():
    started = []

    def start(name, *arguments):
        started.append(Peer(name, *arguments))
        return started[-1].wait_until_warm()

    yield start
    for one in started:
        if not one.process.stdout.closed:
            one.close()


# TIME(s) COMM PID DISK T SECTOR BYTES LAT(ms)
SNOOP = re.compile(r"^\s*[\d.]+\s+(.{1,16}?)\s+(\d+)\s+(\S+)\s+(\S+)\s+(\d+)\s+(\d+)\s+([\d.]+)\s*$", re.MULTILINE)


class Snoop:
    """biosnoop, seen as block_events.Recorder."""

    def __init__(self, peer, volume):
        self.tool = peer("biosnoop", "-d", volume.name)

    def requests(self):
        return [block_events.Request("".join(letter for letter in row[3] if letter in "RWDF")[:1], int(row[4]) * 512, int(row[5]),
                                     round(float(row[6]) * 1e6), -1) for row in SNOOP.findall(self.tool.text())]


@pytest.fixture(params=("biosnoop", "kernel-events"))
def recorder(request, disk, peer, block_recorder):
    """Starts one when it is called: the disk is at rest then."""
    return lambda: Snoop(peer, disk[0]) if request.param == "biosnoop" else block_recorder(disk[0])


def test_request_by_request(dbtap, disk, recorder):
    """The same requests, bytes and device times, by direction."""
    volume, server, path = disk
    trace_io.make_cold(server, "t")
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        recorded = recorder()
        trace_io.run_all(server, "select count(*) from t")
        fio.run(path, rw="randrw", bs="8k", io_size="16m", direct=1)
        fio.run(path, rw="write", bs="64k", size="16m", end_fsync=1)
        server.query("checkpoint")
    seen = [request for request in recorded.requests() if request.bytes]
    device = trace_io.one(traced.io["devices"], device=volume.name)
    for letter, direction in (("R", "read"), ("W", "write")):
        theirs = [request for request in seen if request.operation == letter]
        text = f"{direction}: {len(theirs)} requests, disk {traced.counted}" + trace_io.describe(traced)
        trace.assert_near(sum(request.bytes for request in theirs), device[f"{direction}_bytes"], 0.01, what=text)
        trace.assert_near(len(theirs), device[f"{direction}_requests"], 0.01, slack=3, what=text)
        times = [request.device_ns for request in theirs if request.device_ns >= 0]
        for percent in (50, 95):
            # One of 100 more or less: they do not have quite the same requests, and where times jump that is much.
            low, high = (block_events.percentile(times, percent + one) for one in (-1, 1))
            ours = device[f"{direction}_device_latency_ns"][f"p{percent}"]
            assert 0.9 * low - 2000 <= ours <= 1.1 * high + 2000, f"{direction} p{percent}: {ours}, not {low} to {high}"


# DISK %RND %SEQ COUNT KBYTES
PATTERN = re.compile(r"^(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*$", re.MULTILINE)


def patterns(text, name):
    """(random percent, sequential percent, requests, KiB) over all lines of a run."""
    found = [row for row in PATTERN.findall(text) if row[0] == name and int(row[3])]
    count = sum(int(row[3]) for row in found)
    assert count, text
    return (sum(int(row[1]) * int(row[3]) for row in found) / count, sum(int(row[2]) * int(row[3]) for row in found) / count,
            count, sum(int(row[4]) for row in found))


@pytest.mark.parametrize("name,options,label,agrees", (
    ("sequential", {"rw": "read", "bs": "64k", "size": "64m"}, "seq", True),
    ("random", {"rw": "randread", "bs": "8k", "io_size": "16m"}, "rand", True),
    # fio: sequential, all of them. biopattern has one position for the whole disk.
    ("eight-streams", {"rw": "read", "bs": "64k", "numjobs": 8, "offset_increment": "16m", "size": "16m", "io_size": "8m"},
     "seq", False)), ids=lambda value: value if isinstance(value, str) else "")
def test_biopattern(dbtap, disk, peer, name, options, label, agrees):
    volume, server, path = disk
    page_cache.drop(path)
    pattern = peer("biopattern", "-d", volume.name)
    with trace_io.window(dbtap, server, volume, "--no-connect") as traced:
        result = fio.run(path, direct=1, **options)
    text = pattern.text()
    random, sequential, count, kib = patterns(text, volume.name)
    rows = trace_io.select(traced.io["queries"], kind="other")
    assert trace_io.share(rows, label) >= 0.95, trace_io.describe(traced)
    trace.assert_near(kib * 1024, result.read_bytes, 0.02, slack=MIB // 4, what=text)
    trace.assert_near(kib * 1024, traced.counted.read_bytes + traced.counted.write_bytes, 0.02, slack=MIB // 4, what=text)
    theirs = {"rand": random, "seq": sequential}[label]
    if agrees:
        assert theirs >= 90, text
    else:
        assert theirs < 50, text
