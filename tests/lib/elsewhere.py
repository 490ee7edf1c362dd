#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""elsewhere.py - a server in namespaces of its own: mounts, pids, network and users, below another root, as in a container.

    place = elsewhere.Place(server, port=5432)      # server: one of pg_server.py that is not started
    place.start()                                    # its data folder is DATA there, its sockets are in SOCKETS
    place.connect(), place.query(sql)                # through /proc/PID/root
    place.stop()

Started by Place as a program, it makes the namespaces, lets its parent write the map of users, mounts, and starts the server as
process 1 of its pid namespace; it ends when that does, and with its parent.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

DATA, SOCKETS = "/srv", "/mnt"  # empty folders of every Debian
INNER_USER = 70  # what the server's user is called there
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
NAMESPACES = {"mount": 0x20000, "pid": 0x20000000, "user": 0x10000000, "net": 0x40000000, "uts": 0x04000000}
START_SECONDS = 60
LIBC = ctypes.CDLL(None, use_errno=True)


def must(result, what):
    if result:
        raise OSError(ctypes.get_errno(), what)


def mount(source, target, kind=None, flags=0):
    must(LIBC.mount(source.encode(), target.encode(), kind and kind.encode(), flags, None), f"mount {source} at {target}")


def loopback_up():
    """In a new network namespace it is down, and has no address."""
    with socket.socket() as any_socket:
        request = struct.pack("16sH14x", b"lo", 0x1)  # IFF_UP
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


def make_place(options):
    """Mounts: the whole host again below the new root, with the data and a folder for sockets where they are there."""
    root = options["root"]
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("/", root, flags=MS_BIND | MS_REC)
    mount(options["data"], root + DATA, flags=MS_BIND)
    mount("none", root + SOCKETS, "tmpfs")
    os.chmod(root + SOCKETS, 0o777)


def become_server(options):
    os.chroot(options["root"])
    os.chdir(DATA)
    os.setgroups([]) if options["groups"] else None
    os.setresgid(options["gid"], options["gid"], options["gid"])
    os.setresuid(options["uid"], options["uid"], options["uid"])
    LIBC.prctl(1, signal.SIGQUIT, 0, 0, 0)  # PR_SET_PDEATHSIG
    os.execv(options["command"][0], options["command"])


def main():
    options = json.loads(sys.argv[1])
    LIBC.prctl(1, signal.SIGTERM, 0, 0, 0)
    flags = 0
    for name in options["namespaces"]:
        flags |= NAMESPACES[name]
    must(LIBC.unshare(flags), "unshare")
    print("unshared", flush=True)
    sys.stdin.readline()  # the maps are written
    make_place(options)
    if "net" in options["namespaces"]:
        loopback_up()
    child = os.fork()
    if child == 0:
        become_server(options)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGQUIT))
    print(child, flush=True)
    os.waitpid(child, 0)


class Place:
    """A server that runs elsewhere; `pid` is its postmaster's as the host sees it."""

    def __init__(self, server, port, namespaces=("mount", "pid", "user", "net", "uts"), arguments=()):
        self.server, self.port, self.namespaces, self.arguments = server, port, namespaces, arguments
        self.root = os.path.join(server.folder.path, f"root{os.path.basename(server.data)}")
        os.makedirs(self.root, exist_ok=True)
        self.process = self.pid = None

    def options(self):
        owner = os.stat(self.server.data)
        self.owner = owner.st_uid, owner.st_gid
        user = "user" in self.namespaces
        return {"namespaces": self.namespaces, "root": self.root, "data": self.server.data, "groups": not user,
                "uid": INNER_USER if user else owner.st_uid, "gid": INNER_USER if user else owner.st_gid,
                "command": [os.path.join(self.server.folder.binaries, "postgres"), "-D", DATA, "-c", f"port={self.port}",
                            "-c", f"unix_socket_directories={SOCKETS}", *self.arguments]}

    def write_maps(self):
        for name, outer in zip(("uid_map", "gid_map"), self.owner):
            with open(f"/proc/{self.process.pid}/{name}", "w", encoding="ascii") as file:
                file.write(f"0 0 1\n{INNER_USER} {outer} 1\n")

    def start(self, wait=True):
        with open(self.server.log, "ab") as log:
            self.process = subprocess.Popen([sys.executable, "-B", os.path.abspath(__file__), json.dumps(self.options())], cwd="/",
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        if self.process.stdout.readline().strip() != "unshared":
            raise RuntimeError(f"no namespaces to be had: {self.log()}")
        if "user" in self.namespaces:
            self.write_maps()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        if not self.process.stdout.readline().strip().isdigit():
            raise RuntimeError(self.log())
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            self.pid = int(file.read().split()[0])
        if wait:
            self.wait()

    def wait(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.connect().close()
            except self.server.REFUSED as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"the server did not start: {error}\n{self.log()}") from error
                time.sleep(0.05)

    def stop(self, how=signal.SIGINT):
        if self.process is None:
            return
        for number in (how, signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid or self.process.pid, number)
            try:
                self.process.wait(20)
                break
            except subprocess.TimeoutExpired:
                pass
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = self.pid = None

    def connect(self):
        # A path through the root is longer than a socket's name may be: the folder goes by its descriptor.
        folder = os.open(f"/proc/{self.pid}/root{SOCKETS}", os.O_PATH)
        try:
            import psycopg2
            connection = psycopg2.connect(f"host=/proc/self/fd/{folder} port={self.port} dbname=postgres user=postgres")
        finally:
            os.close(folder)
        connection.autocommit = True
        return connection

    def query(self, sql):
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def pids(self):
        """The postmaster and its living children."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            return [self.pid, *map(int, file.read().split())]

    def log(self):
        return self.server.log_text()


if __name__ == "__main__":
    main()
