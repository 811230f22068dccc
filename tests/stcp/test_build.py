# SPDX-License-Identifier: MIT
"""make stcp TRANSPORT=...: both compilers, both editions, the failure; and what transport.c needs."""

import pathlib
import re
import shutil
import subprocess

import pytest

import raw

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRANSPORT = ROOT / "stcp" / "transport.c"
FLAGS = "-ansi -pthread -D_GNU_SOURCE -DLINUX -g -Wall -W -D_REENTRANT".split()
API = {"stcp_wait_for_event", "stcp_network_recv", "stcp_network_send", "stcp_app_recv",
       "stcp_app_send", "stcp_fin_received", "stcp_unblock_application", "stcp_set_context",
       "stcp_get_context"}


def build(*arguments):
    return subprocess.run([ROOT / "scripts" / "stcp", *map(str, arguments)], capture_output=True,
                          text=True, timeout=raw.LIMIT_S * 6)


@pytest.mark.parametrize("compiler", ["gcc", "g++"])
@pytest.mark.parametrize("edition", [[], ["-DSTCP_RELIABLE"], ["-DDEBUG"], ["-DFIXED_INITNUM"]])
def test_no_warning(compiler, edition, tmp_path):
    done = subprocess.run([compiler, *FLAGS, "-Werror", *edition, "-I", TRANSPORT.parent, "-c", "-o",
                           tmp_path / "transport.o", TRANSPORT], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("compiler", ["gcc", "g++"])
@pytest.mark.parametrize("silence", ["(void)", "if (0) our_dprintf", "no_such_function"])
def test_other_headers(compiler, silence, tmp_path):
    """Not every edition's transport.h has the same macros for messages."""
    ours = (TRANSPORT.parent / "transport.h").read_text()
    theirs = re.sub("#define dprintf 1 .*", f"#define dprintf {silence}", ours)
    assert theirs != ours
    (tmp_path / "transport.h").write_text(theirs)
    shutil.copy(TRANSPORT, tmp_path)
    for name in ("mysock.h", "stcp_api.h"):
        shutil.copy(TRANSPORT.parent / name, tmp_path)
    done = subprocess.run([compiler, *FLAGS, "-Werror", "-I", tmp_path, "-c", "-o", tmp_path / "transport.o",
                           tmp_path / "transport.c"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def symbols(path, *flags):
    listing = subprocess.run(["nm", *flags, path], capture_output=True, text=True, check=True).stdout
    return {re.sub("@.*", "", line.split()[-1]) for line in listing.splitlines()}


@pytest.mark.parametrize("edition", [[], ["-DSTCP_RELIABLE"]])
def test_what_the_transport_needs(edition, tmp_path):
    """Only stcp_api.h and the C library: linked with nothing but a stub of the API, it is whole."""
    subprocess.run(["gcc", *FLAGS, *edition, "-fno-sanitize=all", "-I", TRANSPORT.parent, "-c", "-o",
                    tmp_path / "transport.o", TRANSPORT], check=True)
    undefined = symbols(tmp_path / "transport.o", "-u")
    assert {name for name in undefined if name.startswith("stcp_")} <= API
    assert not {name for name in undefined if name.startswith("my")}
    stub = "".join(f"void {name}(void) {{}}\n" for name in sorted(API)) + "int main(void) { return 0; }\n"
    (tmp_path / "stub.c").write_text(stub)
    subprocess.run(["gcc", "-o", tmp_path / "whole", tmp_path / "stub.c", tmp_path / "transport.o"],
                   check=True)
    assert symbols(tmp_path / "transport.o", "-g", "--defined-only") == {"our_dprintf", "transport_init"}


def test_only_its_headers():
    ours = re.findall(r'#include "(.*)"', TRANSPORT.read_text())
    assert set(ours) <= {"mysock.h", "stcp_api.h", "transport.h"}
    assert "FIXED_INITNUM" in TRANSPORT.read_text()
    assert "stcp_set_context(sd, NULL)" not in TRANSPORT.read_text()  # others may assert that it is one


@pytest.mark.parametrize("compiler", ["gcc", "g++"])
def test_another_transport(compiler, tmp_path, monkeypatch):
    """A file that lies beside headers of its own, which are not taken."""
    for name in ("mysock.h", "stcp_api.h", "transport.h"):
        (tmp_path / name).write_text("#error not this one\n")
    shutil.copy(TRANSPORT, tmp_path / "mine.c")
    done = build("--cc", compiler, "-o", tmp_path / "out", raw.BUILD, tmp_path / "mine.c")
    assert done.returncode == 0, done.stderr
    client, server = done.stdout.splitlines()[-1].split()
    assert (client, server) == (f"{tmp_path}/out/client", f"{tmp_path}/out/server")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["client", "server"]
    (tmp_path / "stcp").symlink_to(tmp_path / "out")
    (tmp_path / "file").write_bytes(b"x" * 20000)
    monkeypatch.setattr(raw, "BUILD", tmp_path)
    running = raw.Server(tmp_path)
    try:
        subprocess.run([client, "-f", "file", f"127.0.0.1:{running.port}"], cwd=tmp_path / "out",
                       check=True, timeout=raw.LIMIT_S)
    finally:
        running.stop()
    assert (tmp_path / "out" / "rcvd").read_bytes() == b"x" * 20000


def test_a_transport_that_does_not_compile(tmp_path):
    (tmp_path / "bad.c").write_text("#include \"transport.h\"\nint broken = ;\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "client").write_text("as before")
    done = build("-o", tmp_path / "out", raw.BUILD, tmp_path / "bad.c")
    assert done.returncode == 2
    assert f"{tmp_path}/bad.c:2" in done.stderr
    assert (tmp_path / "out" / "client").read_text() == "as before"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["client"]


def test_a_transport_that_does_not_link(tmp_path):
    (tmp_path / "bad.c").write_text("int nothing;\n")
    done = build("-o", tmp_path / "out", raw.BUILD, tmp_path / "bad.c")
    assert done.returncode == 2
    assert "transport_init" in done.stderr
    assert build("-o", tmp_path / "out", raw.BUILD, tmp_path / "none.c").returncode == 2


def test_errno_comes_with_the_api(tmp_path):
    """Many set it before stcp_unblock_application, and include nothing for it."""
    (tmp_path / "mine.c").write_text("""
#include "mysock.h"
#include "stcp_api.h"
#include "transport.h"
void transport_init(mysocket_t sd, bool_t is_active)
{
    errno = is_active ? ECONNREFUSED : ECONNABORTED;
    stcp_unblock_application(sd);
}
""")
    done = build("-o", tmp_path / "out", raw.BUILD, tmp_path / "mine.c")
    assert done.returncode == 0, done.stderr


CALLS = """
#include "mysock.h"
int main(void) { mysocket_t one = mysocket(), two = mysocket(FALSE); (void)one; (void)two; return 0; }
"""


@pytest.mark.parametrize("compiler", ["gcc", "g++", "clang", "clang++"])
@pytest.mark.parametrize("standard", [["-ansi"], []])
def test_both_forms_of_mysocket(compiler, standard, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    (tmp_path / "calls.c").write_text(CALLS)
    flags = ["-x", "c++" if compiler.endswith("++") else "c", *FLAGS[1:], *standard, "-Werror"]
    subprocess.run([compiler, *flags, "-I", TRANSPORT.parent, "-fsyntax-only", tmp_path / "calls.c"],
                   check=True)
