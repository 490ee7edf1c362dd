# SPDX-License-Identifier: BSD-2-Clause
"""results.py - the results of a test run: collected, printed, written to test_results.json.

Knows nothing about how tests are run; run_tests.py and coverage.py fill it.
"""
import json
import re
import time
import xml.etree.ElementTree

OUTPUT_MAX = 20000  # characters kept of one test's output: the beginning and the end
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def shorten(text):
    text = CONTROL.sub("?", text)
    if len(text) <= OUTPUT_MAX:
        return text
    half = OUTPUT_MAX // 2
    return text[:half] + f"\n[... {len(text) - OUTPUT_MAX} characters left out ...]\n" + text[-half:]


class Results:
    def __init__(self):
        self.started = time.time()
        self.tests = []
        self.groups = []

    def add(self, group, name, outcome, seconds, reason=None, output=None):
        """outcome: passed, failed or skipped; `reason` says why it was skipped or failed, or what the first of two tries said"""
        test = {"group": group, "name": name, "outcome": outcome, "seconds": round(seconds, 3)}
        if reason:
            test["reason"] = shorten(reason)
        if output and outcome == "failed":
            test["output"] = shorten(output)
        self.tests.append(test)

    def count(self, outcome):
        return sum(test["outcome"] == outcome for test in self.tests)

    def close_group(self, group):
        """All of this group's tests are there: the summary has a line of its own for it."""
        rows = [test for test in self.tests if test["group"] == group]
        counts = ", ".join(f"{sum(test['outcome'] == outcome for test in rows)} {outcome}" for outcome in ("passed", "failed", "skipped"))
        self.groups.append(f"{group}: {counts}, {sum(test['seconds'] for test in rows):.0f} s")

    def ok(self):
        return self.count("failed") == 0 and self.count("passed") > 0

    def closing_line(self):
        return f"{self.count('passed')} passed, {self.count('failed')} failed, {self.count('skipped')} skipped"

    def write(self, path):
        content = {"schema": 1, "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
                   "seconds": round(time.time() - self.started, 1), "passed": self.count("passed"),
                   "failed": self.count("failed"), "skipped": self.count("skipped"), "tests": self.tests}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.write("\n")

    def print_summary(self):
        for test in self.tests:
            if test["outcome"] == "failed":
                print(f"\nFAILED {test['group']}: {test['name']}: {test.get('reason', '')}")
                if test.get("output"):
                    print(test["output"].rstrip())
        for outcome, word in (("passed", "PASSED AT THE SECOND TRY"), ("skipped", "SKIPPED")):
            told = [test for test in self.tests if test["outcome"] == outcome and (outcome == "skipped" or "reason" in test)]
            if told:
                print()
            for test in told:
                print(f"{word} {test['group']}: {test['name']}: {test.get('reason', 'no reason given')}")
        for line in ["", *self.groups, self.closing_line()]:
            print(line, flush=True)


def parse_xml(path):
    """The root of a log, namespaces taken off; None when it is missing or broken off."""
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8", "replace")
        text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", CONTROL.sub("?", text), count=1)
        return xml.etree.ElementTree.fromstring(text)
    except (OSError, xml.etree.ElementTree.ParseError):
        return None


def read_check_log(path):
    """[(name, passed, seconds, message)] of a log in Check's XML, or None when there is no whole one."""
    root = parse_xml(path)
    if root is None:
        return None
    tests = []
    for test in root.iter("test"):
        name = test.findtext("id", "?")
        if test.findtext("iteration", "0") != "0":
            name += f"[{test.findtext('iteration')}]"
        message = f"{test.findtext('fn', '?')}: {test.findtext('message', '')}"
        tests.append((name, test.get("result") == "success", max(0.0, float(test.findtext("duration", "0"))), message))
    return tests


def read_junit_log(path):
    """[(name, outcome, seconds, reason, output)] of pytest's JUnit XML, or None when there is no whole one."""
    root = parse_xml(path)
    if root is None:
        return None
    tests = []
    for case in root.iter("testcase"):
        name = f"{case.get('classname', '').replace('.', '/')}::{case.get('name')}"
        first_try = case.find("properties/property[@name='first_try']")
        outcome, reason, output = "passed", None if first_try is None else first_try.get("value"), None
        for kind, means in (("skipped", "skipped"), ("failure", "failed"), ("error", "failed")):
            found = case.find(kind)
            if found is not None:
                outcome, reason = means, found.get("message", "").split("\n", 1)[0]
                output = "\n".join([found.text or ""] + [case.findtext(s, "") for s in ("system-out", "system-err")])
        tests.append((name, outcome, float(case.get("time", "0")), reason, output))
    return tests
