"""A device on the bench for what measures the program from outside: campaigns/budgets/run and benches/run."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def cargo_target():
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, check=True, capture_output=True
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"])


def program(variable, build, path):
    """The program that an environment variable names, else built and found in Cargo's target directory."""
    if variable in os.environ:
        return pathlib.Path(os.environ[variable])
    subprocess.run(["cargo", "build", "--quiet", "--locked", *build], cwd=ROOT, check=True)
    return cargo_target() / path


def programs():
    """The daemon as it is shipped, a hub, a netifyd."""
    return (
        program("NETIFY_LICENSED_BINARY", ["--release"], "release/netify-licensed"),
        program("HUB_EMULATOR", ["-p", "hub-emulator"], "debug/hub-emulator"),
        program("NETIFYD_STANDIN", ["-p", "netifyd-standin"], "debug/netifyd"),
    )


class Gateway:
    """A hub, a netifyd and a device with a license, in a temporary directory."""

    serial = "2026-0001-00000001"
    hub_arguments = []

    def __init__(self, daemon, hub, netifyd):
        self.daemon = daemon
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gateway-"))
        self.processes = []
        for name in ["etc", "run", "state"]:
            (self.directory / name).mkdir()
        license = f"serial={self.serial},duid=budget,expires-in=7d"
        arguments = ["--dir", self.path("hub"), "--license", license, *self.hub_arguments]
        self.hub_url = self.start([hub, *arguments], line=True)
        (self.directory / "netifyd.pid").touch()
        self.start(
            [netifyd, "--license", self.path("etc/license.json"), "--pid-file", self.path("netifyd.pid")], line=True
        )
        (self.directory / "config.toml").write_text(
            f"""
            [license]
            path = "{self.path("etc/license.json")}"
            serial = "{self.serial}"
            [device]
            duid = "budget"
            [trust]
            keys = ["{self.path("hub/keys.d")}"]
            [hub]
            {self.hub_section()}
            [reload]
            method = "signal"
            pid-file = "{self.path("netifyd.pid")}"
            """
        )
        self.environment = os.environ | {
            "RUNTIME_DIRECTORY": self.path("run"),
            "STATE_DIRECTORY": self.path("state"),
        }

    def hub_section(self):
        """How the device asks the hub."""
        key = self.path("hub/api-key")
        os.chmod(key, 0o600)
        return f'''
            url = "{self.hub_url}"
            api-key-file = "{key}"
        '''

    def path(self, name):
        return str(self.directory / name)

    def start(self, command, line=False):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process.stdout.readline().strip() if line else process

    def command(self, *arguments):
        return [str(self.daemon), "--config", self.path("config.toml"), *arguments]

    def measure(self, *arguments):
        """Wall and CPU milliseconds of one command."""
        return measure(self.command(*arguments), self.environment)

    def close(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            process.wait()
        shutil.rmtree(self.directory)


def measure(command, environment):
    """Wall and CPU milliseconds of one process that must succeed."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    began = time.perf_counter()
    pid = os.posix_spawn(command[0], command, environment, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    os.close(null)
    if os.waitstatus_to_exitcode(status) != 0:
        subprocess.run(command, env=environment)
        sys.exit(f"{' '.join(command)} failed")
    return wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000


def wait_for(what, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    sys.exit(f"waited {seconds} s for {what}")


def memory(pid, field):
    """A field of /proc/PID/smaps_rollup (proc_pid_smaps(5)), in KiB."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{field}:"))
