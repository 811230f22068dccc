# SPDX-License-Identifier: MIT
"""Compiles a transport with our layers and the driver, with the course's flags."""

import os
import pathlib
import subprocess
import tempfile

COURSE_FLAGS = ["-ansi", "-pthread", "-D_GNU_SOURCE", "-DLINUX", "-g", "-Wall", "-W",
                "-D_REENTRANT"]
LAYERS = ("checksum", "glue", "listen", "mysock", "net_tcp", "queue", "table", "unreliable")


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


def build(root, transport, compiler, flags, place):
    """The driver with `transport` in it; a path. Our objects in `place` are used again."""
    place = pathlib.Path(place)
    root = pathlib.Path(root)
    transport = pathlib.Path(transport)
    place.mkdir(parents=True, exist_ok=True)
    headers = sorted(root.glob("*.h"))
    if not os.access(transport, os.R_OK):
        raise BuildError(f"{transport}: cannot be read")
    objects = []
    for source in [root / f"{name}.c" for name in LAYERS] + [root / "check" / "driver.c"]:
        target = place / f"{source.stem}.o"
        objects.append(str(target))
        if is_older(target, headers + [source]):
            compile_into(target, [compiler, *COURSE_FLAGS, *flags, f"-I{root}", "-c", str(source)])
    with tempfile.TemporaryDirectory(dir=place) as own:
        target = pathlib.Path(own, "transport.o")
        run([compiler, *COURSE_FLAGS, *flags, f"-I{root}", "-c", str(transport), "-o", str(target)])
        program = pathlib.Path(own, "driver")
        run([compiler, "-pthread", "-o", str(program), str(target), *objects])
        final = tempfile.NamedTemporaryFile(dir=place, prefix="driver-", delete=False)
        final.close()
        os.replace(program, final.name)
        return final.name


def compile_into(target, command):
    """Two of us may do it at once: the result appears in one step."""
    with tempfile.TemporaryDirectory(dir=target.parent) as own:
        result = pathlib.Path(own, target.name)
        run([*command, "-o", str(result)])
        os.replace(result, target)
