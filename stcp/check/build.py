# SPDX-License-Identifier: MIT
"""Compiles a transport with our layers and the driver, with the course's flags."""

import hashlib
import os
import pathlib
import re
import subprocess
import tempfile

COURSE_FLAGS = ["-ansi", "-pthread", "-D_GNU_SOURCE", "-DLINUX", "-g", "-Wall", "-W",
                "-D_REENTRANT"]
SOURCES = re.compile(r"^set\(stcp_sources\s([^)]*)\)", re.MULTILINE)


class BuildError(Exception):
    """The compiler's message."""


def run(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)
    except OSError as error:
        raise BuildError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise BuildError(done.stdout.decode("utf-8", "replace").rstrip())


def is_older(target, sources):
    return not target.exists() or any(path.stat().st_mtime > target.stat().st_mtime
                                      for path in sources)


def our_sources(root):
    """All of our layers but the transport, and the driver."""
    names = SOURCES.search((root / "CMakeLists.txt").read_text())[1].split()
    return [root / f"{name}.c" for name in names if name != "transport"] + [
        root / "check" / "driver.c"]


def build(root, transport, compiler, flags, edition_flags, place):
    """The driver with `transport` in it; a path. Our objects in `place` are used again."""
    root = pathlib.Path(root)
    command = [compiler, *COURSE_FLAGS, *flags, f"-I{root}", "-c"]
    place = pathlib.Path(place, hashlib.sha256(" ".join(command).encode()).hexdigest()[:12])
    place.mkdir(parents=True, exist_ok=True)
    headers = sorted(root.glob("*.h"))
    objects = []
    for source in our_sources(root):
        target = place / f"{source.stem}.o"
        objects.append(str(target))
        if is_older(target, headers + [source]):
            compile_into(target, [*command, str(source)])
    with tempfile.TemporaryDirectory(dir=place) as own:
        target = pathlib.Path(own, "transport.o")
        run([*command, *edition_flags, f"-I{os.path.dirname(transport) or '.'}",
             str(copy_transport(transport, own)), "-o", str(target)])
        program = pathlib.Path(own, "driver")
        run([compiler, "-pthread", "-o", str(program), str(target), *objects, "-lm"])
        final = tempfile.NamedTemporaryFile(dir=place, prefix="driver-", delete=False)
        final.close()
        os.replace(program, final.name)
        return final.name


def copy_transport(transport, directory):
    """A copy elsewhere: #include "mysock.h" would take a header beside the file before ours."""
    try:
        text = pathlib.Path(transport).read_bytes()
    except OSError as error:
        raise BuildError(f"{transport}: {error.strerror}") from error
    name = str(transport).replace("\\", "\\\\").replace('"', '\\"')
    path = pathlib.Path(directory, "transport.c")
    path.write_bytes(f'#line 1 "{name}"\n'.encode() + text)
    return path


def compile_into(target, command):
    """Two of us may do it at once: the result appears in one step."""
    with tempfile.TemporaryDirectory(dir=target.parent) as own:
        result = pathlib.Path(own, target.name)
        run([*command, "-o", str(result)])
        os.replace(result, target)
