# SPDX-License-Identifier: BSD-2-Clause
"""test_cli.py - the bad cases, each one clear line and the right exit status; and the three formats of every view."""
import csv
import fcntl
import io
import os
import pty
import re
import shutil
import signal
import stat
import struct
import subprocess
import termios
import time

import dbtap_process
import pytest
import trace

VIEWS = ("queries", "sessions", "waits", "io", "locks", "instances")
OK, FAILED, USAGE, PARTIAL = 0, 1, 2, 3


def one_line(outcome, status, *words, stdout=""):
    """It failed as it should: status, one line on stderr that has the words, nothing half printed."""
    assert outcome.status == status, f"{outcome.command}: {outcome.status}\n{outcome.stderr}"
    lines = outcome.stderr.splitlines()
    assert len(lines) == 1, outcome.stderr
    assert lines[0].startswith("dbtap: ")
    for word in words:
        assert word in lines[0], lines[0]
    if stdout is not None:
        assert outcome.stdout == stdout
    return lines[0]


@pytest.mark.parametrize("arguments, words", (
    ((), ("no command",)), (("bogus",), ("unknown command",)), (("queries", "--bogus"), ("--bogus",)), (("queries", "-Z"), ("-Z",)),
    (("queries", "what"), ("what",)), (("queries", "--duration"), ("--duration",)), (("queries", "--duration", "0"), ("--duration",)),
    (("queries", "--duration", "-1"), ("--duration",)), (("queries", "--duration", "nan"), ("--duration",)),
    (("queries", "--duration", "inf"), ("--duration",)), (("queries", "--duration", "1e9"), ("--duration",)),
    (("queries", "--duration", "1x"), ("--duration",)), (("queries", "--duration", ""), ("--duration",)),
    (("queries", "--interval", "0"), ("--interval",)), (("queries", "--limit", "-1"), ("--limit",)),
    (("queries", "--limit", "1.5"), ("--limit",)), (("queries", "--limit", "99999999999999999999"), ("--limit",)),
    (("queries", "--format", "xml"), ("--format", "json")), (("queries", "--sort", "beauty"), ("--sort", "cpu_ns")),
    (("io", "--sort", "beauty"), ("--sort", "dirtied_bytes", "beauty")), (("io", "--by", "stream", "--sort", "flushes"), ("--sort",)),
    (("queries", "--depth", "deep"), ("--depth",)), (("queries", "--depth", "9"), ("--depth",)),
    (("queries", "--budget", "0"), ("--budget",)), (("queries", "--budget", "101"), ("--budget",)),
    (("queries", "--instance", ""), ("--instance",)), (("queries", "--database="), ("--database",)),
    (("queries", "--dsn", "nothing"), ("--dsn",)), (("queries", "--dsn", "=host=x"), ("--dsn",)),
    (("queries", "--max-rows", "1"), ("--max-rows",)), (("queries", "--max-waits", "99999999"), ("--max-waits",)),
    (("queries", "--raw-text=1"), ("--raw-text",)), (("top", "--duration", "1"), ("--duration",)),
    (("bench", "overhead", "--pairs", "0"), ("--pairs",)), (("bench", "--load", "all"), ("--load",)),
), ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else None)
@pytest.mark.rootless
def test_wrong_usage(dbtap, arguments, words):
    one_line(dbtap(*arguments), USAGE, *words)


def test_control_characters_in_an_option_are_not_echoed(dbtap):
    line = one_line(dbtap("queries", "--format", "\x1b[31mred\x07"), USAGE, "--format")
    assert not re.search(r"[\x00-\x1f\x7f]", line), repr(line)


@pytest.mark.parametrize("command", VIEWS + ("top",))
def test_no_such_instance(dbtap, server, command):
    one_line(dbtap(command, "--instance", "postgres-nowhere"), FAILED, "postgres-nowhere", "dbtap instances")


HIDE = """set -e
for exe in /proc/[0-9]*/exe; do
    case "$(readlink "$exe" 2>/dev/null)" in */postgres*) mount --bind "$0" "${exe%/exe}" || true ;; esac
done
exec "$@"
"""


def test_no_instance_at_all(dbtap, tmp_path):
    """The host's servers are hidden from it, in a mount namespace of its own."""
    name, value = dbtap_process.MARK.split("=", 1)
    for _ in range(3):  # other people's servers may start at this moment
        result = subprocess.run(["unshare", "--mount", "sh", "-c", HIDE, str(tmp_path), dbtap_process.binary(), "queries", "--duration", "1"],
                                capture_output=True, text=True, timeout=60, env={**os.environ, name: value}, check=False)
        if result.stderr.startswith("unshare"):
            pytest.skip(f"no namespace to be had: {result.stderr}")
        if result.returncode:
            break
    assert result.returncode == FAILED and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and "no database instance found" in result.stderr


def as_nobody(dbtap, *arguments):
    """The same binary where another user can read it."""
    folder = "/tmp/dbtap-test-nobody-" + str(os.getpid())
    os.mkdir(folder, 0o755)
    # Where a coverage build may write its counts: it complains on stderr when it may not.
    counts = os.path.join(folder, "counts")
    os.mkdir(counts)
    os.chmod(counts, 0o777)
    try:
        copy = shutil.copy(dbtap_process.binary(), folder)
        os.chmod(copy, 0o755)
        result = subprocess.run(["runuser", "-u", "nobody", "--", copy, *arguments], capture_output=True, text=True, timeout=60, cwd="/",
                                env={**os.environ, "GCOV_PREFIX": counts}, check=False)
        return dbtap_process.Outcome(arguments, result.returncode, result.stdout, result.stderr, 0)
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("command", VIEWS + ("top",))
def test_not_root(dbtap, server, command):
    one_line(as_nobody(dbtap, command), FAILED, "root")


def test_doctor_without_root_says_what_is_missing(dbtap, server):
    outcome = as_nobody(dbtap, "doctor")
    assert outcome.status in (FAILED, PARTIAL) and "root" in outcome.stdout + outcome.stderr


def test_missing_capabilities(dbtap, server):
    """Root in name, without the right to load programs."""
    result = subprocess.run(["setpriv", "--bounding-set=-bpf,-sys_admin,-perfmon", "--inh-caps=-bpf,-sys_admin,-perfmon",
                             dbtap_process.binary(), "queries", "--duration", "1"], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == FAILED, result.stderr
    assert len(result.stderr.splitlines()) == 1 and re.search("root|CAP_", result.stderr)


@pytest.mark.parametrize("command", VIEWS + ("top",))
def test_no_btf(dbtap, server, command):
    one_line(dbtap(command, env={"DBTAP_TEST_BTF": "/nonexistent"}), FAILED, "BTF")


def test_doctor_without_btf(dbtap, server):
    outcome = dbtap("doctor", env={"DBTAP_TEST_BTF": "/nonexistent"})
    assert outcome.status == FAILED and re.search(r"MISS.*BTF", outcome.stdout)


@pytest.mark.parametrize("where, words", (("/nonexistent/file", ("/nonexistent/file",)), ("/", ("/",)), ("/dev/full", ("/dev/full",))))
def test_output_that_cannot_be_written(dbtap, server, where, words):
    began = time.monotonic()
    one_line(dbtap("queries", "--duration", 1 if where == "/dev/full" else 40, "--instance", server.instance, "-o", where), FAILED, *words)
    # Found before the wait, not after it, where that can be known.
    assert where == "/dev/full" or time.monotonic() - began < 20


def test_output_is_private_and_never_through_a_link(dbtap, server, tmp_path):
    outcome = dbtap("queries", "--duration", 0.2, "--instance", server.instance, "--format", "json", "-o", tmp_path / "out").ok()
    assert outcome.stdout == "" and (tmp_path / "out").read_text().startswith("{")
    assert stat.S_IMODE(os.stat(tmp_path / "out").st_mode) == 0o600
    (tmp_path / "victim").write_text("precious")
    os.symlink(tmp_path / "victim", tmp_path / "link")
    one_line(dbtap("queries", "--duration", 0.2, "--instance", server.instance, "-o", tmp_path / "link"), FAILED, "link")
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("command", ("queries", "sessions", "waits", "instances", "doctor"))
def test_full_device(dbtap, server, command):
    with open("/dev/full", "wb") as full:
        duration = ["--duration", 0.2] if command in ("queries", "sessions", "waits") else []
        outcome = dbtap(command, *duration, "--instance", server.instance, stdout=full)
    one_line(outcome, FAILED, "standard output", "No space left")


@pytest.mark.rootless
@pytest.mark.parametrize("arguments", (["--help"], ["--version"], ["queries", "--help"]))
def test_help_on_a_full_device(dbtap, arguments):
    with open("/dev/full", "wb") as full:
        assert dbtap(*arguments, stdout=full).status == FAILED


@pytest.mark.parametrize("output", ("text", "json", "csv"))
def test_reader_that_went_away(dbtap, server, output):
    """A closed pipe is no crash and no endless loop."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        outcome = dbtap("queries", "--duration", 0.2, "--format", output, "--instance", server.instance, stdout=pipe)
    assert outcome.status == FAILED, outcome
    assert "standard output" in outcome.stderr and "Broken pipe" in outcome.stderr
    if output != "csv":  # which has its footer there
        assert len(outcome.stderr.splitlines()) == 1


def test_stdout_closed(dbtap, server):
    """Also not into whatever file got the number of standard output."""
    outcome = dbtap("queries", "--duration", 0.2, "--format", "json", "--instance", server.instance, preexec_fn=lambda: os.close(1))
    assert outcome.status == FAILED and "standard output" in outcome.stderr


def test_top_whose_reader_goes_away(dbtap, server):
    run = dbtap.start("top", "--interval", 0.2, "--instance", server.instance)
    assert run.process.stdout.read(100)
    run.process.stdout.close()
    run.process.stdout = None
    assert run.wait(20).status == FAILED


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
@pytest.mark.parametrize("command", ("queries", "sessions", "waits"))
def test_signal_gives_the_partial_result(dbtap, server, command, number):
    run = trace.start(dbtap, server, command=command)
    time.sleep(0.3)
    run.signal(number)
    signalled = time.monotonic()
    document = run.wait().ok().json()
    assert time.monotonic() - signalled < 5
    assert 0.2 < document["window"]["seconds"] < 30 and document[command]


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_signal_at_any_moment(dbtap, server, number):
    """In the middle of loading, attaching, printing: done or a clean end, never a crash; what is left is looked at after."""
    for delay in (0, 0.005, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3):
        run = dbtap.start("queries", "--duration", 0.15, "--format", "json", "--instance", server.instance)
        time.sleep(delay)
        if run.process.poll() is None:
            run.signal(number)
        outcome = run.wait()
        # Before its handlers are there it may be ended by the signal itself.
        assert outcome.status in (OK, -number), outcome
        if outcome.status == OK:
            assert outcome.json()["queries"]
        assert outcome.stderr == ""


@pytest.mark.parametrize("depth", ("ambient", "statement"))
def test_kill_leaves_nothing(dbtap, server, depth):
    """No program, no link, no probe in the server: it works on, and the next run starts as ever. (See nothing_is_left.)"""
    run = trace.start(dbtap, server, "--depth", depth)
    assert dbtap_process.program_ids()
    run.process.kill()
    run.wait()
    assert not dbtap_process.wait_for_none(dbtap_process.program_ids)
    assert server.query("select 1") == [(1,)]
    with trace.window(dbtap, server, "--depth", depth) as traced:
        server.query("select 2 as alive, 3")
    assert trace.one(traced.document, "alive")["calls"] == 1


def test_kill_at_any_moment(dbtap, server):
    for delay in (0.01, 0.05, 0.1, 0.15, 0.25):
        run = dbtap.start("queries", "--duration", 5, "--depth", "statement", "--instance", server.instance)
        time.sleep(delay)
        run.process.kill()
        run.wait()
    assert not dbtap_process.wait_for_none(dbtap_process.program_ids)


@pytest.fixture
def strange_build(make_server, server_folder):
    """A server whose binary lacks a variable dbtap looks for: one letter of its name in the symbol table is another."""
    folder = os.path.join(server_folder.path, "strange")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.dirname(server_folder.binaries), os.path.join(folder, "15"), symlinks=True)
    binary = os.path.join(folder, "15/bin/postgres")
    with open(os.path.join(server_folder.binaries, "postgres"), "rb") as file:
        content = file.read()
    assert content.count(b"\0MyBEEntry\0") >= 1
    with open(binary, "wb") as file:
        file.write(content.replace(b"\0MyBEEntry\0", b"\0MyBEEntrX\0"))
    original = server_folder.binaries
    server_folder.binaries = os.path.join(folder, "15/bin")
    try:
        yield make_server()
    finally:
        server_folder.binaries = original


def test_unknown_build_is_refused(dbtap, strange_build):
    one_line(dbtap("queries", "--duration", 1, "--instance", strange_build.instance), FAILED, "MyBEEntry")
    doctor = dbtap("doctor", "--instance", strange_build.instance)
    assert doctor.status == PARTIAL and "MISS" in doctor.stdout


def test_unknown_build_beside_a_known_one(dbtap, server, strange_build):
    """The one that can be traced is; the other is said, and the status is partial."""
    outcome = dbtap("queries", "--duration", 0.3, "--format", "json")
    assert outcome.status == PARTIAL
    assert len(outcome.stderr.splitlines()) == 1 and "MyBEEntry" in outcome.stderr
    assert server.instance in {instance["id"] for instance in outcome.json()["instances"]}


def test_window_opens_within_two_seconds(dbtap, server):
    """On a busy machine the best of three."""
    late = []
    for _ in range(3):
        began = time.time()
        document = dbtap("queries", "--duration", 0.2, "--format", "json", "--instance", server.instance).ok().json()
        late.append(trace.seconds_of(document["window"]["start"]) - began)
        if late[-1] < 1:
            break
    assert 0 < min(late) < 2, late


def test_window_is_as_long_as_asked(dbtap, server):
    for seconds in (0.3, 1.2):
        document = dbtap("queries", "--duration", seconds, "--format", "json", "--instance", server.instance).ok().json()
        window = document["window"]
        assert seconds <= window["seconds"] < seconds + 1.5
        spans = trace.seconds_of(window["end"]) - trace.seconds_of(window["start"])
        trace.assert_near(spans, window["seconds"], 0.001, 0.001)


def asleep(server, load, statement):
    """A session in its pg_sleep."""
    session = load.session(server, statement)
    trace.wait_for_state(server, session.pid, "wait_event = 'PgSleep'")


@pytest.mark.parametrize("command", ("queries", "sessions", "waits"))
def test_formats_show_the_same(dbtap, server, load, command):
    """Rows that do not move are the same in JSON, CSV and text."""
    asleep(server, load, "select pg_sleep(300) as \"a,b\"\"c\"")
    common = (command, "--duration", 0.3, "--instance", server.instance, "--no-connect")
    document = dbtap(*common, "--format", "json").ok().json()
    table = dbtap(*common, "--format", "csv").ok()
    text = dbtap(*common, env={"COLUMNS": "300"}).ok()
    rows = list(csv.DictReader(io.StringIO(table.stdout), strict=True))
    assert rows and document[command]
    assert None not in rows[0] and all(None not in row.values() for row in rows)
    names = {name for row in document[command] for name, value in row.items() if not isinstance(value, (dict, list))}
    assert names <= set(rows[0]), f"only in JSON: {names - set(rows[0])}"
    marks = {"queries": ("kind", {"client", "checkpointer", "postmaster"}), "sessions": ("kind", {"client", "checkpointer"}),
             "waits": ("event", {"PgSleep", "CheckpointerMain"})}
    field, expected = marks[command]
    for shown in (rows, document[command]):
        assert expected <= {row.get(field) for row in shown}
    for word in expected:
        assert word in text.stdout
    assert "loss" in text.stdout and server.instance in text.stdout
    assert "loss" in table.stderr


def test_limit_and_sort(dbtap, server):
    common = ("queries", "--duration", 0.3, "--instance", server.instance, "--format", "json")
    document = dbtap(*common, "--limit", 2, "--sort", "wait_ns").ok().json()
    assert len(document["queries"]) == 2
    everything = dbtap(*common, "--sort", "wait_ns").ok().json()["queries"]
    figures = [row["wait_ns"] for row in everything]
    assert figures == sorted(figures, reverse=True) and len(figures) > 4
    # Totals are those of all rows, shown or not.
    assert document["totals"]["elapsed_ns"] > sum(row["elapsed_ns"] for row in document["queries"])


def test_instances(dbtap, server):
    document = dbtap("instances", "--format", "json").ok().json()
    found = [instance for instance in document["instances"] if instance["pid"] == server.pid]
    assert len(found) == 1
    assert found[0]["id"] == server.instance and found[0]["port"] == server.port
    assert os.path.samefile(found[0]["data_dir"], server.data)
    assert found[0]["version"] == server.query("show server_version")[0][0].split()[0]
    rows = list(csv.DictReader(io.StringIO(dbtap("instances", "--format", "csv").ok().stdout), strict=True))
    assert server.instance in {row["id"] for row in rows}
    assert server.instance in dbtap("instances").ok().stdout


def test_doctor(dbtap, server):
    outcome = dbtap("doctor", "--instance", server.instance).ok()
    assert server.instance in outcome.stdout and "MISS" not in outcome.stdout
    assert f"pid {server.pid}" in outcome.stdout
    # What each depth is to be expected to cost, and all of it on one screen.
    assert re.search(r"cost: ambient .* a context switch, now \d+ a second: [\d.]+ to [\d.]+ % of one core; "
                     r"--depth statement counts statements besides, for \S+ to \S+ us each", outcome.stdout), outcome.stdout
    assert len(outcome.stdout.splitlines()) <= 24, outcome.stdout


def test_doctor_of_no_such_instance(dbtap, server):
    outcome = dbtap("doctor", "--instance", "postgres-1").ok(FAILED)
    assert "MISS no instance is called postgres-1" in outcome.stdout


def test_doctor_advises(dbtap, make_server):
    """What is worth changing, as a role that sees little of a server that tells little."""
    server = make_server(settings={"compute_query_id": "off", "track_activities": "off"})
    server.query("create role plain login")
    outcome = dbtap("doctor", "--instance", server.instance, "--dsn", server.dsn(user="plain")).ok()
    for words in ("query ids: own fingerprints", "connection: yes", "compute_query_id = on", "track_activities = on",
                  "pg_stat_statements is not installed", "grant pg_monitor"):
        assert words in outcome.stdout, words
    outcome = dbtap("doctor", "--instance", server.instance, "--no-connect").ok()
    assert "connection" not in outcome.stdout
    outcome = dbtap("doctor", "--instance", server.instance, "--dsn", server.dsn(user="nobody-at-all")).ok()
    assert "connection: none, memory only" in outcome.stdout and "nobody-at-all" in outcome.stdout


@pytest.mark.parametrize("charset, ascii_only", (("C", True), ("C.UTF-8", False)))
def test_terminal(dbtap, server, load, charset, ascii_only):
    """As wide as the terminal is; no byte above ASCII on one that speaks nothing else."""
    asleep(server, load, "select pg_sleep(300), '" + "wide \u00e9\u2026 " * 30 + "'")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
    run = dbtap.start("sessions", "--duration", 0.5, "--instance", server.instance, "--raw-text", env={"LC_ALL": charset}, stdout=slave)
    os.close(slave)
    output = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # all ends are closed
            break
        if not piece:
            break
        output += piece
    os.close(master)
    run.wait().ok()
    text = output.decode("utf-8")
    assert "pg_sleep" in text
    assert text.isascii() == ascii_only
    assert max(map(len, text.splitlines())) <= 100


def test_top_once(dbtap, server, load):
    asleep(server, load, "select pg_sleep(300) as topmost")
    began = time.monotonic()
    outcome = dbtap("top", "--once", "--interval", 0.5, "--instance", server.instance).ok()
    assert time.monotonic() - began < 10
    assert "pg_sleep" in outcome.stdout and server.instance in outcome.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", outcome.stdout)


def test_top_refreshes_until_told(dbtap, server):
    run = trace.wait_until_open(dbtap.start("top", "--interval", 0.2, "--instance", server.instance))
    time.sleep(3)
    run.signal(signal.SIGINT)
    outcome = run.wait().ok()
    assert outcome.stdout.count("depth ambient") >= 3


def test_unused_port_names_are_not_confused(dbtap, make_server):
    """A server that listens nowhere but on its socket has a name too."""
    server = make_server(settings={"listen_addresses": ""})
    document = dbtap("instances", "--format", "json").ok().json()
    assert [one["id"] for one in document["instances"] if one["pid"] == server.pid] == [server.instance]
