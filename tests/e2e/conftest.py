# SPDX-License-Identifier: MIT
"""Lets the end-to-end tests import scripts/nodes.py, and gives them files to send."""

import hashlib
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))


@pytest.fixture
def make_file(tmp_path):
    """make_file(size): a file of bytes that look random and are the same in every run."""
    def make(size, name="sent"):
        path = tmp_path / f"{name}-{size}.bin"
        path.write_bytes(random.Random(size).randbytes(size))
        return path
    return make


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


@pytest.fixture
def same_file():
    """same_file(a, b): asserts that both files hold the same bytes."""
    def same(left, right):
        assert sha256(left) == sha256(right)
    return same
