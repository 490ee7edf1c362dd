# SPDX-License-Identifier: BSD-2-Clause
"""mariadb.py - throwaway MariaDB servers for live tests.

A Folder holds everything: data directories, sockets, logs. Servers run as an unprivileged user, listen on a socket in the
folder only, read no configuration of the host, and die with the process that started them.
"""
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import pg_server

try:
    import pymysql
except ImportError:  # the tests are skipped then
    pymysql = None

PROGRAM = "/usr/sbin/mariadbd"
START_SECONDS = 60
# Small, and with real flushes: tests of waits want them.
SETTINGS = {"innodb_buffer_pool_size": "64M", "innodb_log_file_size": "16M", "skip-networking": "ON",
            "performance_schema": "OFF"}


def missing():
    """Why no server can be had, or None."""
    if not os.access(PROGRAM, os.X_OK):
        return "no MariaDB server is installed"
    return None if pymysql else "python3-pymysql is not installed"


def user():
    """The user that servers run as when we are root."""
    for name in ("mysql", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise RuntimeError("neither user mysql nor nobody is there")


def credentials():
    if os.geteuid() != 0:
        return {}
    entry = user()
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def die_with_parent():
    pg_server.LIBC.prctl(pg_server.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Folder:
    """A folder of our own for servers; close() removes it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="dbtap-my-", dir="/tmp")
        os.chmod(self.path, 0o755)
        if os.geteuid() == 0:
            os.chown(self.path, user().pw_uid, user().pw_gid)
        self.servers = []
        self.template = None

    def make_template(self):
        """A fresh data directory, made once."""
        if not self.template:
            data = os.path.join(self.path, "template")
            os.mkdir(data)
            if os.geteuid() == 0:
                os.chown(data, user().pw_uid, user().pw_gid)
            result = subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
                                     "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M"],
                                    cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, timeout=120, check=False, **credentials())
            if result.returncode:
                raise RuntimeError(f"mariadb-install-db: exit status {result.returncode}: {result.stdout}")
            self.template = data
        return self.template

    def server(self, settings=None, start=True):
        server = Server(self, len(self.servers), settings or {})
        self.servers.append(server)
        if start:
            server.start()
        return server

    def close(self):
        try:
            for server in self.servers:
                server.stop()
        finally:
            shutil.rmtree(self.path, ignore_errors=True)


class Server:
    """One instance. `socket`, `data`, `pid`, `instance` (the name dbtap gives it: it listens on no port)."""

    def __init__(self, folder, number, settings):
        self.folder = folder
        self.data = os.path.join(folder.path, f"data{number}")
        self.socket = os.path.join(folder.path, f"s{number}.sock")
        self.log = os.path.join(folder.path, f"log{number}")
        self.settings = {**SETTINGS, **settings}
        self.process = None
        subprocess.run(["cp", "-a", folder.make_template(), self.data], check=True)

    @property
    def instance(self):
        return f"mariadb-pid-{self.pid}"

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def start(self):
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}",
                 f"--pid-file={self.data}/server.pid", f"--tmpdir={self.folder.path}", *options],
                cwd=self.data, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_parent, **credentials())
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except pymysql.err.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    text = self.log_text()
                    self.stop()
                    raise RuntimeError(f"the server did not start: {error}\n{text}") from error
                time.sleep(0.05)

    def stop(self):
        process, self.process = self.process, None
        if process is None:
            return
        for number, seconds in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
            if process.poll() is not None:
                return
            process.send_signal(number)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass

    def connect(self, database=None, autocommit=True, **more):
        """A pymysql connection; the caller closes it."""
        return pymysql.connect(unix_socket=self.socket, user="root", database=database, autocommit=autocommit, **more)

    def query(self, sql, parameters=None, database=None):
        """Rows of one statement on a connection of its own."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def tids(self):
        """Every thread of the server."""
        return sorted(map(int, os.listdir(f"/proc/{self.pid}/task")))

    def pids(self):
        """What may come and go, for trace.settled_pids."""
        return self.tids()

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-10000:]
