# SPDX-License-Identifier: MIT
"""Lets the tests import raw.py, and gives them files, servers and clients."""

import pathlib
import random
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import raw  # noqa: E402


@pytest.fixture
def make_file(tmp_path):
    """make_file(size): bytes that look random and are the same in every run, in the server's folder."""
    def make(size, name="file"):
        data = random.Random(size).randbytes(size)
        (tmp_path / name).write_bytes(data)
        return data
    return make


@pytest.fixture
def start_server(tmp_path):
    """start_server(flags..., how to start it): a server in tmp_path, ended at the test's end."""
    servers = []

    def start(*flags, **popen):
        servers.append(raw.Server(tmp_path, *flags, **popen))
        return servers[-1]
    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture
def run_client(tmp_path):
    """run_client(arguments..., input=""): the finished client, which ran in a folder of its own."""
    directory = tmp_path / "client"
    directory.mkdir()

    def run(*arguments, **more):
        done = subprocess.run([raw.BUILD / "stcp" / "client", *map(str, arguments)], cwd=directory,
                              capture_output=True, text=True,
                              **{"input": "", "timeout": raw.LIMIT_S * 3, **more})
        received = directory / "rcvd"
        done.received = received.read_bytes() if received.exists() else None
        received.unlink(missing_ok=True)
        return done
    return run


@pytest.fixture
def good_client(run_client, make_file):
    """good_client(server): asks for a file, and must get it whole."""
    data = make_file(20000, "good")

    def ask(server, *flags):
        done = run_client(*flags, "-f", "good", f"127.0.0.1:{server.port}")
        assert done.returncode == 0, done.stderr
        assert done.received == data
    return ask
