"""A renewal as a whole process, against the script that it replaces."""

import pathlib
import sys
import time

from gateway import measure
from report import Group, Series


RELOADS = 5


def measured(gateway, others, pairs):
    """Wall and CPU time. The first pair warms the caches and is not counted."""
    command = gateway.command_without_reload("renew")
    ours, theirs = [], []
    for _ in range(pairs + 1):
        ours.append(renewed(gateway, command))
        if others.python:
            theirs.append(measure([others.python, others.fetch, gateway.relay, gateway.roots], gateway.environment))
    groups = []
    for column, title in enumerate(["Renewal, wall", "Renewal, CPU"]):
        series = [Series("netify-licensed renew", [pair[column] for pair in ours[1:]])]
        if theirs:
            series.append(Series("Python, importing and asking only", [pair[column] for pair in theirs[1:]]))
        groups.append(Group(title, "ms", series))
    confirmed = [renewed(gateway, gateway.command("renew"))[0] for _ in range(min(pairs, RELOADS))]
    groups.append(Group("Renewal, reload confirmed", "ms", [Series("netify-licensed renew", confirmed)]))
    return groups


def renewed(gateway, command):
    """One renewal; a new license must be in place afterwards."""
    installed = pathlib.Path(gateway.path("etc/license.json"))
    before = installed.read_bytes() if installed.exists() else b""
    gateway.forget_requests()
    # Licenses of one second are one license.
    time.sleep(1 - time.time() % 1)
    taken = measure(command, gateway.environment)
    if installed.read_bytes() == before:
        sys.exit("the renewal installed nothing new")
    return taken
