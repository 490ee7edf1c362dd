# SPDX-License-Identifier: BSD-2-Clause
"""test_smoke.py - the program starts, says who it is, and refuses what it does not know."""
import re

import pytest

COMMANDS = ("doctor", "instances", "queries", "sessions", "waits", "top", "bench", "demo")


@pytest.mark.rootless
def test_version(dbtap):
    outcome = dbtap("--version").ok()
    name, engines, features, libraries = outcome.stdout.splitlines()
    assert re.fullmatch(r"dbtap \d+\.\d+\S*", name)
    assert engines == "engines: postgres mariadb"
    assert {"text", "json", "csv"} <= set(features.removeprefix("features: ").split())
    assert re.fullmatch(r"libraries: libbpf \d+\.\d+ libpq \d+\.\d+ libmariadb \d+\.\d+\.\d+", libraries)
    assert outcome.stderr == ""


@pytest.mark.rootless
def test_help_names_every_command(dbtap):
    outcome = dbtap("--help").ok()
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", outcome.stdout), command
    assert outcome.stderr == ""


@pytest.mark.rootless
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(dbtap, command):
    outcome = dbtap(command, "--help").ok()
    assert "usage" in outcome.stdout.lower()
    assert outcome.stderr == ""


@pytest.mark.rootless
@pytest.mark.parametrize("arguments", (["no-such-command"], ["queries", "--no-such-option"], []))
def test_wrong_usage(dbtap, arguments):
    outcome = dbtap(*arguments).ok(status=2)
    assert outcome.stdout == ""
    assert outcome.stderr.strip()


def test_finds_the_server(dbtap, server):
    document = dbtap("instances", "--format", "json", "--dsn", server.dsn()).ok().json()
    found = [instance for instance in document["instances"] if instance["pid"] == server.pid]
    assert len(found) == 1
    assert found[0]["engine"] == "postgres"
