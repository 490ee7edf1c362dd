# SPDX-License-Identifier: BSD-2-Clause
"""dbtap_process.py - runs the built dbtap (or the one that the environment's DBTAP names) and checks what it leaves.

Every process started here carries MARK in its environment, so that leftovers are told from other people's processes.
"""
import dataclasses
import glob
import json
import os
import re
import signal
import subprocess
import time
import uuid

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
MARK = f"DBTAP_TEST_RUN={uuid.uuid4()}"
NAME_BYTES = 15  # of a BPF program's name as the kernel keeps it
GRACE_SECONDS = 15  # the kernel frees programs some time after their last holder, on a busy machine seconds


def binary():
    return os.environ.get("DBTAP", os.path.join(TOP, "dbtap"))


@dataclasses.dataclass
class Outcome:
    """A finished run."""
    command: list
    status: int  # exit status; negative: the signal that ended it
    stdout: str
    stderr: str
    seconds: float

    def json(self):
        """stdout as JSON; strict: no duplicate keys, no NaN."""
        def pairs(items):
            keys = [key for key, _ in items]
            assert len(keys) == len(set(keys)), f"duplicate keys in {keys}"
            return dict(items)

        def refuse(word):
            raise AssertionError(f"{word} is not JSON")

        return json.loads(self.stdout, object_pairs_hook=pairs, parse_constant=refuse)

    def ok(self, status=0):
        """Itself, once the exit status is the expected one."""
        assert self.status == status, f"{self.command}: exit status {self.status}, not {status}\n{self.stderr}"
        return self


class Running:
    """A dbtap that runs; used through Launcher.start."""

    def __init__(self, command, environment, cwd, stdout, preexec_fn):
        self.command = command
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, cwd=cwd,
                                        env=environment, start_new_session=True, preexec_fn=preexec_fn)

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number=signal.SIGINT):
        self.process.send_signal(number)

    def wait(self, timeout=60):
        """The Outcome; a run that takes longer than timeout seconds is killed and fails the test."""
        try:
            stdout, stderr = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command}: still running after {timeout} s") from None
        return Outcome(self.command, self.process.returncode, (stdout or b"").decode("utf-8", "backslashreplace"),
                       stderr.decode("utf-8", "backslashreplace"), time.monotonic() - self.started)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Launcher:
    """The `dbtap` fixture: dbtap("queries", "--format", "json") runs and waits, dbtap.start(...) only starts."""

    def __init__(self):
        self.running = []

    def start(self, *arguments, env=None, cwd=None, stdout=subprocess.PIPE, preexec_fn=None):
        name, value = MARK.split("=", 1)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        environment.update({name: value, "LC_ALL": "C.UTF-8", **(env or {})})
        run = Running([binary(), *map(str, arguments)], environment, cwd or TOP, stdout, preexec_fn)
        self.running.append(run)
        return run

    def __call__(self, *arguments, timeout=60, **more):
        return self.start(*arguments, **more).wait(timeout)

    def close(self):
        for run in self.running:
            run.kill()
        self.running.clear()


def marked_processes():
    """{pid: command line} of what we started and what that started, without this process."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if MARK.encode() not in file.read().split(b"\0"):
                    continue
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            continue
        if command:  # empty: a zombie
            found[int(entry)] = command
    return found


def processes_inside(folder):
    """{pid: working directory} of processes at work under a folder: PostgreSQL's overwrite their environment."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                where = os.readlink(f"/proc/{entry}/cwd")
            except OSError:
                continue
            if where.startswith(folder):
                found[int(entry)] = where
    return found


def own_program_names():
    """Names of our BPF programs, as the kernel cuts them."""
    try:
        with open(os.path.join(TOP, "build/tracer.skel.h"), encoding="utf-8") as file:
            names = re.findall(r'->progs\[\d+\]\.name = "(\w+)"', file.read())
    except OSError:
        return set()
    return {name[:NAME_BYTES] for name in names}


def bpftool(*words):
    result = subprocess.run(["bpftool", "-j", *words], capture_output=True, text=True, check=True,
                            env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})
    return json.loads(result.stdout or "[]")


def program_holders():
    """{program id: set of pids that hold it or a link of it}, from the file descriptors of all processes."""
    holders = {}
    for path in glob.iglob("/proc/[0-9]*/fdinfo/*"):
        try:
            with open(path, encoding="ascii") as file:
                found = re.search(r"^prog_id:\s*(\d+)", file.read(), re.MULTILINE)
        except (OSError, UnicodeDecodeError):
            continue
        if found:
            holders.setdefault(int(found.group(1)), set()).add(int(path.split("/")[2]))
    return holders


def program_ids():
    """Ids of loaded programs with one of our names that nobody holds (pinned, leaked) or that our processes hold."""
    names = own_program_names()
    named = [program["id"] for program in bpftool("prog", "show") if program.get("name", "")[:NAME_BYTES] in names]
    if not named:
        return set()
    holders, mine = program_holders(), set(marked_processes()) | {os.getpid()}
    return {number for number in named if not holders.get(number) or holders[number] & mine}


def link_ids(programs):
    return {link["id"] for link in bpftool("link", "show") if link.get("prog_id") in programs}


def wait_for_none(find):
    """What find() still finds after the grace time; empty is good."""
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        found = find()
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)
