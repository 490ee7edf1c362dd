#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""with_postgres.py COMMAND... - runs a command beside a throwaway PostgreSQL.

In the arguments {instance}, {dsn}, {host}, {port} and {conninfo} stand for the server's. Called by `make bench`.
"""
import os
import subprocess
import sys

import pg_server


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = pg_server.Folder()
    try:
        server = folder.server(preload=["pg_stat_statements"])
        names = {"instance": server.instance, "dsn": server.dsn(), "host": server.host, "port": str(server.port),
                 "conninfo": server.conninfo()}
        command = sys.argv[1:]
        for name, value in names.items():
            command = [word.replace("{" + name + "}", value) for word in command]
        environment = {**os.environ, "PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": pg_server.USER}
        return subprocess.run(command, env=environment, check=False).returncode
    except KeyboardInterrupt:
        return 130
    finally:
        folder.close()


if __name__ == "__main__":
    sys.exit(main())
