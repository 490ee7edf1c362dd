# SPDX-License-Identifier: BSD-2-Clause
"""pg_server.py - throwaway PostgreSQL servers for live tests.

Which server: the installed one, or the one that TAP_PG_SERVER names (a row of pg_versions.py that has been fetched).

A Folder holds everything: data directories, sockets, logs. Servers run as user postgres (initdb refuses root), listen on a
socket in the folder and on an unused port of 127.0.0.1 that gives them a name, and die with the process that started them.
They are stopped by their own process id.
"""
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import psycopg2

import pace
import pg_versions
import server_process

USER = "postgres"
# What a throwaway server has unless the caller says otherwise; tests of reads and writes want real fsyncs, so those stay on.
SETTINGS = {"listen_addresses": "127.0.0.1", "shared_buffers": "64MB", "max_connections": "100", "logging_collector": "off",
            "log_line_prefix": "%m [%p] ", "compute_query_id": "on"}
# Settings that older versions do not know.
SINCE = {"compute_query_id": 14, "io_method": 18, "io_min_workers": 19}


def binaries(version="15"):
    """The folder of the server's programs, or None."""
    chosen = os.environ.get("TAP_PG_SERVER")
    if chosen:
        return pg_versions.binaries(chosen)
    found = sorted(glob.glob(f"/usr/lib/postgresql/{version}/bin")) or sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    found = [folder for folder in found if os.access(os.path.join(folder, "postgres"), os.X_OK)]
    return found[-1] if found else None


def major_of(folder):
    """Major version of the server whose programs are there."""
    text = subprocess.run([os.path.join(folder, "postgres"), "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(re.search(r"PostgreSQL\) (\d+)", text).group(1))


def client(program, folder):
    """A client program: the server's own, or the installed one."""
    for place in (folder, *reversed(sorted(glob.glob("/usr/lib/postgresql/*/bin")))):
        if os.access(os.path.join(place, program), os.X_OK):
            return os.path.join(place, program)
    return program


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Folder:
    """A folder of our own for servers; close() removes it."""

    def __init__(self, version="15"):
        self.binaries = binaries(version)
        if not self.binaries:
            raise RuntimeError("no PostgreSQL server is installed under /usr/lib/postgresql, or TAP_PG_SERVER is not fetched")
        self.path = tempfile.mkdtemp(prefix="dbtap-test-", dir="/tmp")
        os.chmod(self.path, 0o755)
        server_process.give(self.path, [USER])
        self.servers = []
        self.templates = {}
        self.major = major_of(self.binaries)
        self.make_reachable()

    def make_reachable(self):
        """Servers run as another user, who may not look into the folder of this tree."""
        try:
            subprocess.run([os.path.join(self.binaries, "postgres"), "--version"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, cwd="/", check=True, **server_process.credentials([USER]))
        except (OSError, subprocess.CalledProcessError):
            copy = os.path.join(self.path, "server")
            chosen = os.environ.get("TAP_PG_SERVER")
            if chosen:
                self.binaries = pg_versions.copy(chosen, copy)
            else:
                shutil.copytree(os.path.dirname(self.binaries), copy, symlinks=True)
                self.binaries = os.path.join(copy, os.path.basename(self.binaries))

    def template(self, options):
        """A fresh data directory made once per set of initdb options."""
        if options not in self.templates:
            data = os.path.join(self.path, f"template{len(self.templates)}")
            quiet = ["--no-instructions"] if self.major >= 14 else []
            self.run("initdb", "-D", data, "-U", USER, "--auth=trust", "--no-sync", *quiet, "-E", "UTF8",
                     "--locale=C.UTF-8", *options)
            self.templates[options] = data
        return self.templates[options]

    def run(self, program, *arguments, timeout=120, **more):
        """One of the server's programs as USER; its output is in the exception when it fails."""
        result = subprocess.run([os.path.join(self.binaries, program), *map(str, arguments)], cwd=self.path, timeout=timeout,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False, **server_process.credentials([USER]), **more)
        if result.returncode:
            raise RuntimeError(f"{program}: exit status {result.returncode}: {result.stdout}")
        return result.stdout

    def server(self, settings=None, preload=(), initdb=(), start=True, before_exec=None, data=None):
        """
        A new server. preload: libraries for shared_preload_libraries; before_exec: called in the postmaster's process;
        data: where its data folder shall be, if not in this folder.
        """
        server = Server(self, len(self.servers), tuple(initdb), data)
        self.servers.append(server)
        server.configure({**({"shared_preload_libraries": ",".join(preload)} if preload else {}), **(settings or {})})
        if start:
            server.start(before_exec)
        return server

    def close(self):
        server_process.close_folder(self.path, self.servers)


class Server(server_process.Process):
    """One instance. `host`, `port`, `instance` (the name dbtap gives it), `pid` of the postmaster."""

    REFUSED = psycopg2.OperationalError
    # PostgreSQL stops at once on it, all its processes with it.
    PARENT_DIES = signal.SIGQUIT

    def __init__(self, folder, number, initdb, data=None):
        self.folder = folder
        self.data = data or os.path.join(folder.path, f"data{number}")
        self.host = os.path.join(folder.path, f"socket{number}")
        self.log = os.path.join(folder.path, f"log{number}")
        self.port = unused_port()
        subprocess.run(["cp", "-a", folder.template(initdb), self.data], check=True)
        os.mkdir(self.host)
        server_process.give(self.host, [USER])

    @property
    def instance(self):
        return f"postgres-{self.port}"

    def conninfo(self, database="postgres", user=USER):
        return f"host={self.host} port={self.port} dbname={database} user={user}"

    def dsn(self, database="postgres", user=USER):
        """The value of dbtap's --dsn."""
        return f"{self.instance}={self.conninfo(database, user)}"

    def configure(self, settings):
        """Settings for the next start (or reload); later ones win."""
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            for name, value in {**SETTINGS, **settings}.items():
                if name in SINCE and self.folder.major < SINCE[name]:
                    continue
                text = str(value).replace("'", "''")
                file.write(f"{name} = '{text}'\n")
            file.write(f"port = {self.port}\nunix_socket_directories = '{self.host}'\n")

    def start(self, before_exec=None):
        self.spawn([os.path.join(self.folder.binaries, "postgres"), "-D", self.data], self.data, [USER], before_exec)

    def stop(self, how=signal.SIGINT):
        """how: SIGTERM smart, SIGINT fast, SIGQUIT immediate; harder ones follow when it takes too long."""
        self.end(((how, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)))

    def restart(self, how=signal.SIGINT):
        self.stop(how)
        self.start()

    def become_standby_of(self, primary, settings=None):
        """Before the first start: the data of `primary`, which runs, and its WAL from then on."""
        shutil.rmtree(self.data)
        os.mkdir(self.data, 0o700)
        server_process.give(self.data, [USER])
        self.folder.run("pg_basebackup", "-D", self.data, "-h", primary.host, "-p", primary.port, "-U", USER, "-c", "fast", "--no-sync")
        with open(os.path.join(self.data, "standby.signal"), "w", encoding="ascii"):
            pass
        server_process.give(os.path.join(self.data, "standby.signal"), [USER])
        self.configure({"primary_conninfo": primary.conninfo(), **(settings or {})})

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def connect(self, database="postgres", user=USER, autocommit=True, **more):
        """A psycopg2 connection whose statements are all seen to end, see pace.py; the caller closes it."""
        connection = psycopg2.connect(self.conninfo(database, user), connection_factory=pace.Connection, **more)
        connection.autocommit = autocommit
        return connection

    def query(self, sql, parameters=None, database="postgres"):
        """Rows of one statement on a connection of its own."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def pids(self):
        """The postmaster and its living children."""
        if self.process is None:
            return []
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            return [self.pid, *map(int, file.read().split())]
