"""Start and idle memory of daemons: ours, one in Go, one in Python."""

import json
import os
import pathlib
import signal
import socket
import sys
import time

from gateway import memory, wait_for
from report import Group, Series

FIELDS = {"PSS": "Pss", "private dirty": "Private_Dirty", "RSS": "Rss"}
OURS = "netify-licensed"
RUNNING = set()


def end_all():
    """Nothing outlives a measurement that failed or was interrupted."""
    for daemon in list(RUNNING):
        daemon.end()


class Daemon:
    """A daemon from its start to READY=1 (sd_notify(3)), which is `taken` milliseconds."""

    def __init__(self, name, command, gateway):
        self.name = name
        path = gateway.path(f"{name}.notify")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(path)
        self.manager.settimeout(20)
        environment = gateway.environment | {"NOTIFY_SOCKET": path}
        null = os.open(os.devnull, os.O_RDWR)
        log = os.open(gateway.path(f"{name}.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        actions = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
        began = time.perf_counter()
        self.pid = os.posix_spawn(command[0], command, environment, file_actions=actions)
        os.close(null)
        os.close(log)
        RUNNING.add(self)
        self.log = pathlib.Path(gateway.path(f"{name}.log"))
        self.hear("READY=1")
        self.taken = (time.perf_counter() - began) * 1000

    def hear(self, line):
        try:
            while line not in self.manager.recv(4096).decode().splitlines():
                pass
        except TimeoutError:
            sys.exit(f"{self.name} did not say {line}: {self.end()[1]}")

    def stop(self):
        status, log = self.end()
        if status != 0:
            sys.exit(f"{self.name} ended with {status}: {log}")

    def end(self):
        """Its exit code and what it said."""
        RUNNING.discard(self)
        os.kill(self.pid, signal.SIGTERM)
        _, status = os.waitpid(self.pid, 0)
        path = self.manager.getsockname()
        self.manager.close()
        os.unlink(path)
        return os.waitstatus_to_exitcode(status), self.log.read_text()


def commands(gateway, others):
    """Ours first. A license is installed, so that it is read and verified at each start."""
    gateway.forget_requests()
    gateway.measure("renew")
    yield OURS, gateway.command("run")
    for name, command in others.daemons():
        yield name, [*command, gateway.peer_configuration(name)]


def started(gateway, others, rounds):
    """The first round warms the caches and is not counted."""
    times = {}
    started = list(commands(gateway, others))
    for _ in range(rounds + 1):
        for name, command in started:
            daemon = Daemon(name, command, gateway)
            times.setdefault(name, []).append(daemon.taken)
            daemon.stop()
    return Group("Start to ready", "ms", [Series(name, taken[1:]) for name, taken in times.items()])


def idle(gateway, others, rounds, seconds):
    found = {field: {} for field in FIELDS}
    idling = list(commands(gateway, others))
    for _ in range(rounds):
        gateway.forget_requests()
        running = []
        for name, command in idling:
            running.append(Daemon(name, command, gateway))
            renew(running[-1], gateway)
        time.sleep(seconds)  # This is the measurement.
        for field, kernels in FIELDS.items():
            for daemon in running:
                found[field].setdefault(daemon.name, []).append(memory(daemon.pid, kernels) / 1024)
        for daemon in running:
            daemon.stop()
    return [
        Group(f"Idle daemon, {field}", "MiB", [Series(*entry) for entry in series.items()])
        for field, series in found.items()
    ]


def renew(daemon, gateway):
    """Waits for its renewal over TLS: whatever that leaves behind in memory is a part of its idleness."""
    if daemon.name != OURS:
        daemon.hear("STATUS=renewed")
        return
    # Licenses of one second are one license.
    time.sleep(1 - time.time() % 1)
    status = pathlib.Path(gateway.path("run/status.json"))
    before = json.loads(status.read_text())["license"]["sha256"]
    os.kill(daemon.pid, signal.SIGUSR1)

    def done():
        now = json.loads(status.read_text())
        return now["license"]["sha256"] != before and not now["reload"]["pending"]

    wait_for("the daemon to renew and reload", done)
