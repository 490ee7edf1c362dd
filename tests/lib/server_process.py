# SPDX-License-Identifier: BSD-2-Clause
"""server_process.py - a throwaway server's process, whatever its engine: started as another user, asked until it answers, stopped.

A class for an engine derives from Process and has `log` (a path), `connect()` and REFUSED, which connect raises until it answers.
It dies with the process that started it, by PARENT_DIES.
"""
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
START_SECONDS = 60
LIBC = ctypes.CDLL(None, use_errno=True)


def user(names):
    """The first of these users that the host has."""
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise RuntimeError(f"no user {' or '.join(names)} is there")


def credentials(names):
    """Arguments for subprocess: run as the first of these users when we are root; without any: as we are."""
    if os.geteuid() != 0 or not names:
        return {}
    entry = user(names)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def give(path, names):
    """Makes it the first of these users' when we are root."""
    if os.geteuid() == 0:
        entry = user(names)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def die_with_parent(number=signal.SIGKILL):
    """In the child, after it changed its user, which takes the signal back."""
    LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def close_folder(path, servers):
    try:
        for server in servers:
            server.stop()
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Process:
    process = None
    PARENT_DIES = signal.SIGKILL

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def spawn(self, command, folder, users, before_exec=None):
        """Starts it in `folder` and returns once it answers."""
        def prepare():
            die_with_parent(self.PARENT_DIES)
            if before_exec:
                before_exec()

        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, preexec_fn=prepare, **credentials(users))
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except self.REFUSED as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    text = self.log_text()
                    self.stop()
                    raise RuntimeError(f"the server did not start: {error}\n{text}") from error
                time.sleep(0.05)

    def end(self, signals):
        """Sends one after the other, each when the one before did not do within its seconds."""
        process, self.process = self.process, None
        if process is None:
            return
        for number, seconds in signals:
            if process.poll() is not None:
                return
            process.send_signal(number)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-10000:]
