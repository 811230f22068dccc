# SPDX-License-Identifier: MIT
"""What tshark makes of a capture, for the tests that write some."""

import shutil
import subprocess

import pytest

needs_tshark = pytest.mark.skipif(not shutil.which("tshark"),
                                  reason="tshark is not installed (scripts/install-deps test)")
SUMS = [option for protocol in ("ip", "tcp", "udp")
        for option in ("-o", f"{protocol}.check_checksum:TRUE")]
FIELDS = ["frame.interface_name", "frame.packet_flags_direction", "frame.comment", "ip.proto",
          "_ws.expert.message", "_ws.col.Info"]


def tshark(path, *options):
    """What it prints, as lines; it must be content with the file."""
    outcome = subprocess.run(["tshark", "-n", "-r", str(path), *SUMS, *options],
                             capture_output=True, text=True, timeout=120, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert "cut short" not in outcome.stderr
    return outcome.stdout.splitlines()


class Frame:
    """One packet: which interface, whether we sent it, what its comments say."""

    def __init__(self, line):
        self.interface, direction, comments, self.protocol, self.expert, self.info = \
            line.split("\t")
        self.is_sent = int(direction, 0) == 2
        self.why = self.drop = None
        for comment in comments.split("|"):
            kind, _, rest = comment.partition(": ")
            if kind == "sent":
                self.why = rest.split(" ", 1)[0]
            elif kind == "dropped":
                self.drop = rest.split(" ", 1)[0]
            else:
                assert not comment, comment


def frames(path, condition=""):
    """All packets of a capture that a display filter lets through."""
    options = ["-T", "fields", "-E", "aggregator=|"]
    for field in FIELDS:
        options += ["-e", field]
    return [Frame(line) for line in tshark(path, "-Y", condition, *options)]


def check_sums(found):
    """Nothing that we sent, and nothing that we took, has a bad checksum."""
    for frame in found:
        if frame.drop is None:
            assert "ad checksum" not in frame.expert, (frame.info, frame.expert)


def check_reasons(found):
    """Everything that we sent says why, and nothing else does."""
    for frame in found:
        assert (frame.why not in (None, "none")) == frame.is_sent, frame.info
