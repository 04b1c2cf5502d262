"""Figures, their ratios, and the page that shows them."""

import os
import pathlib
import platform
import statistics
import subprocess
import textwrap


class Series:
    """What one program did in every round."""

    def __init__(self, name, values):
        self.name = name
        self.values = values

    @property
    def median(self):
        return statistics.median(self.values)


class Group:
    """Programs that do the same; the first is what the others are compared with."""

    def __init__(self, title, unit, series):
        self.title = title
        self.unit = unit
        self.series = series

    def ratio(self, series):
        """Median of the ratios within each round: what disturbed a round disturbed both."""
        return statistics.median(theirs / first for theirs, first in zip(series.values, self.series[0].values))

    def rows(self):
        for series in self.series:
            low, high = (figure(value) for value in (min(series.values), max(series.values)))
            ratio = figure(self.ratio(series)) if len(self.series) > 1 else ""
            yield series.name, f"{figure(series.median)} {self.unit}", f"{low}–{high}", ratio


def figure(value):
    """Three digits that mean something."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def plain(groups):
    rows = [(group.title, *row) for group in groups for row in group.rows()]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = []
    for row in rows:
        lines.append("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    return "\n".join(lines)


def table(groups):
    lines = ["| | | median | from–to | ratio |", "|---|---|--:|--:|--:|"]
    for group in groups:
        title = group.title
        for name, median, span, ratio in group.rows():
            lines.append(f"| {title} | {name} | {median} | {span} | {ratio} |")
            title = ""
    return "\n".join(lines)


def machine():
    """The processor, and nothing that tells one installation from another."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else "processor without a name"
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} {'core' if cores == 1 else 'cores'}, {platform.machine()}, Linux"


PAGE = """# Benchmarks

What the program costs, beside what it is made of and what one would use instead.

![Bars of the medians below](pictures/benchmarks.svg)

{table}

The ratio is to the first line of each group: the median of the ratios within each round. The programs of a group took
turns in one run. This page and its picture are made by

    benches/run --write

and `benches/run` only prints. Measured on: {machine}. With {version}, built as it is shipped (`opt-level = "z"`, LTO,
panic = abort); {versions}.

## What is compared

- **Verification**: the whole judgement of a signed license, from bytes to an authentic license, beside one strict
  Ed25519 verification and one JSON parse of the same document by the same crates, both with the profile that is
  shipped: size first. {extent.verifications} rounds.
- **Renewal**: `netify-licensed renew` as a process, without a daemon: it asks a relay over TLS, verifies, accepts and
  installs, with every fsync, so that the disk counts. The script imports `requests` and sends the same request; it
  verifies and installs nothing, so it is the floor under any script in Python. Both trust the system's certificates and
  the emulator's. {extent.renewals} pairs. With a reload to confirm, the same command watches for three seconds whether
  netifyd survives it.
- **Start to ready**: from the start of the process to its `READY=1`; the license is read and verified by then.
  {extent.starts} rounds.
- **Idle daemon**: {extent.idle_seconds} s after a start, a verified license and a renewal over TLS, from the kernel's
  `smaps_rollup`. PSS counts shared pages in parts; private dirty is what nobody else can use. Rounds:
  {extent.idle_rounds}.

The daemons in Python (`requests`, `cryptography`) and Go (standard library) are in `benches/peers`: they read a
configuration, verify the license, fetch, verify and install a new one, sleep until the next is due and know SIGHUP.
They neither reload netifyd nor watch the file, nor have they a control socket, a status or a log.
"""


def page(groups, extent, others, daemon):
    version = subprocess.run([daemon, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    facts = {"table": table(groups), "machine": machine(), "version": version, "versions": others.versions()}
    blocks = PAGE.format(extent=extent, **facts).split("\n\n")
    return "\n\n".join(wrapped(block) if block[0].isalpha() or block[0] == "-" else block for block in blocks) + "\n"


def wrapped(block):
    """Paragraph or list at the width of all pages. Code in it stays on one line."""
    parts = " ".join(block.split()).split("`")
    parts[1::2] = [code.replace(" ", "\0") for code in parts[1::2]]
    items = "`".join(parts).replace(" - **", "\n- **").splitlines()
    options = {"width": 120, "break_long_words": False, "break_on_hyphens": False}
    filled = [textwrap.fill(item, subsequent_indent="  " if item.startswith("-") else "", **options) for item in items]
    return "\n".join(filled).replace("\0", " ")
