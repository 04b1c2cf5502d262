"""Verification, as benches/verification measures it."""

import re
import subprocess

from report import Group, Series

MICROSECONDS = {"ns": 0.001, "µs": 1, "ms": 1000, "s": 1_000_000}


def measured(program, rounds):
    check, floor = [], []
    for _ in range(rounds):
        command = [program, "--bench", "--color", "never", "--sample-count", "200"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        check.append(median(output, "check"))
        floor.append(median(output, "floor"))
    series = [Series("Ed25519 and JSON parse alone", floor), Series("netify-licensed", check)]
    return Group("Verification", "µs", series)


def median(output, name):
    """The third column of divan's table, in microseconds."""
    line = next(line for line in output.splitlines() if re.search(rf"[├╰]─ {name} ", line))
    value, unit = line.split("│")[2].split()
    return float(value) * MICROSECONDS[unit]
