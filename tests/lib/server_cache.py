# SPDX-License-Identifier: BSD-2-Clause
"""server_cache.py - where servers of other versions are kept once they are fetched; what pg_versions.py and my_versions.py share."""
import argparse
import os
import shutil
import subprocess
import sys
import tarfile

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
FETCH_SECONDS = 600
COMPLETE = ".complete"  # written last


class Missing(Exception):
    """A server that cannot be had, and why."""


def run(command, folder=None):
    """What the command prints."""
    try:
        result = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, timeout=FETCH_SECONDS, check=False, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError as error:
        raise Missing(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{' '.join(command)}: no answer in {FETCH_SECONDS} s") from error
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise Missing(f"{' '.join(command)}: {lines[-1] if lines else result.returncode}")
    return result.stdout.strip()


def cache():
    return os.environ.get("TAP_SERVERS") or os.path.abspath(os.path.join(TREE, "build/servers"))


def find(name):
    """The folder of a server that has been fetched, else None."""
    folder = os.path.join(cache(), name)
    return folder if os.path.exists(os.path.join(folder, COMPLETE)) else None


def keep(name, made, text):
    """Moves a whole server into the cache, marked with a line about it. Its folder there."""
    with open(os.path.join(made, COMPLETE), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    target = os.path.join(cache(), name)
    shutil.rmtree(target, ignore_errors=True)
    os.chmod(made, 0o755)
    os.rename(made, target)
    return target


def command_line(description, servers, fetch):
    """Fetches those that are named, or all. The exit status."""
    parser = argparse.ArgumentParser(description=description.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(servers))
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(servers)
    if unknown:
        parser.error(f"no such server: {', '.join(sorted(unknown))}")
    failed = 0
    for name in arguments.names or servers:
        try:
            print(f"{name}: {fetch(name)}")
        except (Missing, OSError, ValueError, tarfile.TarError, subprocess.TimeoutExpired) as error:
            print(f"{name}: cannot be had: {error}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0
