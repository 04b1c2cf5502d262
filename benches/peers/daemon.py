#!/usr/bin/env python3
"""A license daemon as one writes it in Python: daemon.py CONFIG

It reads its configuration and the license, verifies it, says that it is ready, fetches a license, verifies and installs
that one, and sleeps until the next is due. SIGHUP reads configuration and license again.
"""

import base64
import json
import os
import signal
import socket
import sys
import time

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

SIGNALS = {signal.SIGHUP, signal.SIGTERM}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def verify(data, key, duid):
    """What the license says, if it is genuine and this device's."""
    license = json.loads(data)
    signature = base64.b64decode(license.pop("signature"), validate=True)
    # Canonical enough for names in ASCII and numbers without fractions (RFC 8785).
    signed = json.dumps(license, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    key.verify(signature, signed)
    if license.get("duid", duid) != duid:
        raise ValueError("the license is for another device")
    return license


def due(license, before):
    return license["expire_at"]["unix"] - before


def notify(text):
    """sd_notify(3)"""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(text.encode(), path)


class Daemon:
    def __init__(self, path):
        self.path = path
        self.load()

    def load(self):
        self.config = json.loads(read(self.path))
        self.key = load_pem_public_key(read(self.config["key"]))
        self.session = requests.Session()
        self.session.verify = self.config["ca_file"]
        self.license = verify(read(self.config["license"]), self.key, self.config["duid"])

    def renew(self):
        answer = self.session.get(self.config["url"], timeout=30)
        answer.raise_for_status()
        self.license = verify(answer.content, self.key, self.config["duid"])
        temporary = self.config["license"] + ".new"
        with open(temporary, "wb") as file:
            file.write(answer.content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, self.config["license"])
        notify("STATUS=renewed")

    def run(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        notify("READY=1")
        self.renew()
        while True:
            wait = due(self.license, self.config["renew_before"]) - time.time()
            caught = signal.sigtimedwait(SIGNALS, max(wait, 60))
            if caught and caught.si_signo == signal.SIGTERM:
                return
            try:
                self.load() if caught else self.renew()
            except (OSError, ValueError, LookupError, InvalidSignature) as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)


Daemon(sys.argv[1]).run()
