# SPDX-License-Identifier: BSD-2-Clause
"""fio.py - reads and writes whose pattern is known, and what fio itself measured of them."""
import json
import os
import shutil
import subprocess

# In time for each completion, whatever else runs: without it fio's figures have the time in them until the scheduler lets it look.
PROMPTLY = ("chrt", "-f", "10")
PERCENTILES = ("50.000000", "95.000000", "99.000000")


def missing():
    return None if shutil.which("fio") else "fio is not installed"


def make_file(path, size):
    """A file whose blocks are written and on the device."""
    chunk = os.urandom(1 << 20)
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(chunk)
        file.write(chunk[:size & ((1 << 20) - 1)])
        file.flush()
        os.fsync(file.fileno())
    return path


class Result:
    """`read_bytes`, `write_bytes`, `percentiles(direction)` in ns, and `issued`: [(operation, offset, bytes)] of its log."""

    def __init__(self, document, issued):
        self.jobs = document["jobs"]
        self.issued = issued

    @property
    def read_bytes(self):
        return sum(job["read"]["io_bytes"] for job in self.jobs)

    @property
    def write_bytes(self):
        return sum(job["write"]["io_bytes"] for job in self.jobs)

    def percentiles(self, direction="read"):
        """Submitted to completed as the job saw it: {50: ns, 95: ns, 99: ns}; of runs with one job."""
        assert len(self.jobs) == 1
        found = self.jobs[0][direction]["lat_ns"]["percentile"]
        return {round(float(name)): found[name] for name in PERCENTILES}


def command(path, options):
    return ["fio", "--output-format=json", "--lat_percentiles=1", "--clat_percentiles=0",
            f"--percentile_list={':'.join(name.rstrip('0').rstrip('.') for name in PERCENTILES)}", "--group_reporting",
            "--allow_file_create=0", "--invalidate=0", "--randrepeat=1", "--name=job", f"--filename={path}",
            *(f"--{name}={value}" for name, value in options.items())]


def run(path, log=None, timeout=60, before=(), **options):
    """Runs fio on files that are there. log: a new file for its own list of what it issued; before: words before the command."""
    if log:
        options["write_iolog"] = log
    result = subprocess.run([*before, *command(path, options)], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=timeout, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    # Notes may stand before the document.
    document = json.loads(result.stdout[result.stdout.index("{"):])
    assert not any(job.get("error") for job in document["jobs"]), result.stdout
    return Result(document, read_log(log) if log else None)


def read_log(path):
    """fio's log, version 2 or 3: `[time] file read|write offset length`"""
    issued = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words and words[0].isdigit():
                words = words[1:]
            if len(words) == 4 and words[1] in ("read", "write"):
                issued.append((words[1], int(words[2]), int(words[3])))
    return issued
