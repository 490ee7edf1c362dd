# SPDX-License-Identifier: BSD-2-Clause
"""block_events.py - the kernel's own list of a disk's requests, from tracefs: what biosnoop prints, where biosnoop cannot run.

tracefs is mounted for the recorder alone, and the events go to a trace instance of its own: nobody's tracing is touched.
"""
import collections
import os
import re
import subprocess
import tempfile
import time

SCRIPT = """
mount -t tracefs none /sys/kernel/tracing || exit 3
own=/sys/kernel/tracing/instances/$1
mkdir "$own" || exit 3
trap 'rmdir "$own"' EXIT
trap : TERM INT
echo 8192 >"$own/buffer_size_kb"
for event in $3; do
	[ -d "$own/events/block/$event" ] || continue
	echo "dev == $2" >"$own/events/block/$event/filter" && echo 1 >"$own/events/block/$event/enable" || exit 3
done
echo recording
read -r end
cat "$own/trace"
echo 0 >"$own/events/block/enable"
"""
EVENTS = ("block_io_start", "block_rq_issue", "block_rq_complete")
EVENT = re.compile(r"\s(\d+\.\d+): block_(?:rq|io)_(start|issue|complete): \d+,\d+ (\S+) (?:\d+ )?\(.*?\) (\d+) \+ (\d+) ")
LOST = re.compile(r"entries-in-buffer/entries-written: (\d+)/(\d+)")
SECTOR = 512

# device_ns: issued to completed; ns: submitted to completed; -1 where the recorder saw no beginning.
Request = collections.namedtuple("Request", ("operation", "offset", "bytes", "device_ns", "ns"))


class Unavailable(Exception):
    """Why there is no list here."""


def percentile(values, percent):
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]


class Recorder:
    """Records from the start until requests() is called; close() in any case."""

    def __init__(self, volume):
        # st_dev is the encoding that user programs see; the kernel's has 20 bits for the minor number.
        number = os.major(volume.number) << 20 | os.minor(volume.number)
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", SCRIPT, "events", f"dbtap-test-{os.getpid()}", str(number),
                                         " ".join(EVENTS)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        if self.process.stdout.readline().strip() != "recording":
            self.close()
            self.errors.seek(0)
            raise Unavailable(f"no block events from tracefs: {self.errors.read().strip()}")

    def requests(self):
        """What completed, in order."""
        text = self.process.communicate("end\n", timeout=60)[0]
        kept, written = LOST.search(text).groups()
        assert kept == written, f"the kernel's list is cut: {kept} of {written} events"
        began, found = {"start": {}, "issue": {}}, []
        for seconds, event, flags, sector, sectors in EVENT.findall(text):
            moment = round(float(seconds) * 1e9)
            if event != "complete":
                began[event][sector] = moment
                continue
            device_ns, ns = (moment - began[event].pop(sector, moment + 1) for event in ("issue", "start"))
            found.append(Request("".join(letter for letter in flags if letter in "RWDF")[:1], int(sector) * SECTOR,
                                 int(sectors) * SECTOR, device_ns, ns))
        return found

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            deadline = time.monotonic() + 10
            while self.process.poll() is None and time.monotonic() < deadline:
                self.process.stdout.read(1 << 16)
            self.process.kill()
        self.process.wait()
