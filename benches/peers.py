"""What is measured beside the program, and the device that all of them run on."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

from gateway import Gateway, cargo_target

SOURCES = pathlib.Path(__file__).resolve().parent / "peers"
PACKAGES = ["requests", "cryptography"]
SYSTEM_ROOTS = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


class RelayGateway(Gateway):
    """A device behind a relay that speaks TLS and has a new license for every request."""

    hub_arguments = ["--tls", "--lifetime", "7d", "--relay-renew-before", "8d"]

    def __init__(self, *programs):
        super().__init__(*programs)
        # A proxy or another set of certificates in the environment would change what is measured, and for some only.
        kept = {"PATH", "HOME", "RUNTIME_DIRECTORY", "STATE_DIRECTORY"}
        self.environment = {name: value for name, value in self.environment.items() if name in kept}

    def hub_section(self):
        url = urlsplit(self.hub_url)
        self.relay = f"{url.scheme}://{url.netloc}/api/netifyd/license"
        # Everybody trusts as much as on a real device: reading the certificates is a part of the work.
        self.roots = self.path("roots.pem")
        system = SYSTEM_ROOTS.read_text() if SYSTEM_ROOTS.exists() else ""
        pathlib.Path(self.roots).write_text(system + pathlib.Path(self.path("hub/ca.pem")).read_text())
        return f"""
            kind = "relay"
            url = "{self.relay}"
            ca-file = "{self.roots}"
        """

    def command_without_reload(self, *arguments):
        """The same device, on which somebody else tells netifyd."""
        path = pathlib.Path(self.path("without-reload.toml"))
        path.write_text(pathlib.Path(self.path("config.toml")).read_text().replace('"signal"', '"none"'))
        return [str(self.daemon), "--config", str(path), *arguments]

    def forget_requests(self):
        """Ten renewals by hand in a row are allowed; a benchmark wants more."""
        pathlib.Path(self.path("run/session.json")).unlink(missing_ok=True)

    def peer_configuration(self, name):
        """The configuration of another daemon, beside its own copy of the license."""
        license = self.path(f"{name}-license.json")
        shutil.copy(self.path("etc/license.json"), license)
        key = next(pathlib.Path(self.path("hub/keys.d")).glob("*.pem"))
        members = {"license": license, "key": str(key), "duid": "budget", "url": self.relay}
        members |= {"ca_file": self.roots, "renew_before": 3 * 86400}
        path = pathlib.Path(self.path(f"{name}.json"))
        path.write_text(json.dumps(members))
        return str(path)


class Peers:
    """The other programs; None is not to be had here."""

    def __init__(self, directory):
        self.fetch = str(SOURCES / "fetch.py")
        self.missing = []
        self.python = self.attempt("Python's part", lambda: virtual_environment(directory / "venv"))
        self.go = self.attempt("Go's part", lambda: go_daemon(directory))

    def attempt(self, what, make):
        try:
            return make()
        except (OSError, subprocess.CalledProcessError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            print(f"SKIPPED: {what}: {said[-1] if said else error}")
            self.missing.append(what)
            return None

    def daemons(self):
        """Names of the other daemons, and how each is started before its configuration."""
        if self.go:
            yield "Go", [self.go]
        if self.python:
            yield "Python", [self.python, str(SOURCES / "daemon.py")]

    def versions(self):
        """Of what they are made of."""
        parts = []
        if self.python:
            listed = output([self.python, "-m", "pip", "list", "--format", "freeze"]).split()
            parts += [f"Python {sys.version.split()[0]}"]
            parts += [line.replace("==", " ") for line in listed if line.split("==")[0] in PACKAGES]
        if self.go:
            parts.append(f"Go {output(['go', 'env', 'GOVERSION']).strip().removeprefix('go')}")
        return ", ".join(parts)


def prepare():
    directory = cargo_target() / "benches"
    directory.mkdir(parents=True, exist_ok=True)
    return Peers(directory)


def output(command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def virtual_environment(directory):
    """Its interpreter itself: a starter script in front of it would be measured, too."""
    python = directory / "bin/python"
    marker = directory / "complete"
    if not marker.exists():
        shutil.rmtree(directory, ignore_errors=True)
        output([sys.executable, "-m", "venv", str(directory)])
        output([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES])
        marker.touch()
    output([str(python), "-c", f"import {', '.join(PACKAGES)}"])
    return str(python)


def go_daemon(directory):
    """Without cgo: smaller and quicker to start, and no C compiler is needed."""
    program = directory / "daemon-go"
    settings = {"CGO_ENABLED": "0", "GO111MODULE": "off", "GOCACHE": str(directory / "go"), "GOFLAGS": ""}
    command = ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", str(program), str(SOURCES / "daemon.go")]
    output(command, env=os.environ | settings)
    return str(program)
