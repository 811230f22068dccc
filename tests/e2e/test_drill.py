# SPDX-License-Identifier: MIT
"""weir drill as a program: what it prints, and its exit status."""

import os
import pathlib
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

BIN = pathlib.Path(os.environ.get("WEIR_BIN", "build/bin"))
GOOD = "0 close(3) = -1 EBADF (bad)\n"
BAD = "0 close(3) = 0\n"
SKIPPED = "0 socket(..., SOCK_SEQPACKET, 0) = 3\n"
BROKEN = "0 close(3 = 0\n"


def drill(*arguments):
    return subprocess.run([BIN / "weir", "drill", *map(str, arguments)], capture_output=True,
                          text=True, timeout=30, check=False)


@pytest.fixture(name="write")
def fixture_write(tmp_path):
    def write(**scripts):
        for name, text in scripts.items():
            (tmp_path / f"{name}.pkt").write_text(text)
        return tmp_path
    return write


@pytest.mark.parametrize("scripts, status, last", [
    ({"a": GOOD}, 0, "1 passed, 0 failed, 0 skipped"),
    ({"a": GOOD, "b": SKIPPED}, 3, "1 passed, 0 failed, 1 skipped"),
    ({"a": GOOD, "b": SKIPPED, "c": BAD}, 1, "1 passed, 1 failed, 1 skipped"),
    ({"a": BROKEN, "c": BAD}, 2, "0 passed, 2 failed, 0 skipped"),
])
def test_status_and_last_line(write, scripts, status, last):
    for jobs in (1, 3):
        outcome = drill("--jobs", jobs, write(**scripts))
        assert outcome.stdout.splitlines()[-1] == last
        assert outcome.returncode == status


@pytest.mark.parametrize("arguments", [
    [], ["--profile", "nobody", "x"], ["--nothing", "1"], ["-D", "x"], ["--jobs", "0", "x"],
    ["/nonexistent.pkt"], ["--jobs=0", "x"], ["--profile"], ["--tap=1", "x"],
    ["--pcap", "/proc/none/x", "x"],
])
def test_wrong_usage(arguments):
    assert drill(*arguments).returncode == 2


def test_tap(write):
    outcome = drill("--tap", write(a=GOOD, b=BAD, c=SKIPPED))
    lines = outcome.stdout.splitlines()
    assert lines[0] == "1..3"
    assert lines[1].startswith("ok 1 - ")
    assert lines[2].startswith("not ok 2 - ")
    assert any(line.startswith("ok 3 - ") and "# SKIP" in line and "SOCK_SEQPACKET" in line
               for line in lines)


def test_junit(write, tmp_path):
    report = tmp_path / "report.xml"
    assert drill("--junit", report, write(a=GOOD, b=BAD, c=SKIPPED)).returncode == 1
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert len(cases) == 3
    assert ElementTree.parse(report).getroot().attrib["failures"] == "1"
    assert cases[0].find("failure") is None
    assert "EBADF" in cases[1].find("failure").text
    assert cases[2].find("skipped") is not None


def test_define(write):
    folder = write(a="0 close(NUMBER) = RESULT ERROR (bad)\n")
    assert drill("-D", "NUMBER=3", "-D", "RESULT=-1", "-D", "ERROR=EBADF", folder).returncode == 0
    assert drill("-D", "NUMBER=3", "-D", "RESULT=0", "-D", "ERROR=EBADF", folder).returncode == 1


SYN = """0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
0...3 connect(3, ..., ...) = -1 ETIMEDOUT (timed out)
+0 > S 0:0(0) <...>
+1 > S 0:0(0) <...>
"""
COMMAND = "`sysctl -q net.ipv4.tcp_syn_retries=1`\n"


def test_commands_are_settings(write):
    assert drill(write(a=COMMAND + SYN)).returncode == 0
    assert drill(write(a=SYN)).returncode == 1


def test_no_shell_unless_allowed(write):
    folder = write(a="`touch mark`\n" + GOOD)
    outcome = drill(folder)
    assert outcome.returncode == 3
    assert "the command touch" in outcome.stdout
    assert not (folder / "mark").exists()
    assert drill("--allow-shell", folder).returncode == 0
    assert (folder / "mark").exists()


def test_the_profile_is_linux_unless_the_script_or_the_caller_says_else(write):
    # Only Linux acknowledges in the RST of an abort.
    talk = """0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+0.1 < . 1:1(0) ack 1 win 32792
+0 accept(3, ..., ...) = 4
+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
+0 close(4) = 0
"""
    linux, bare = talk + "+0 > R. 1:1(0) ack 1\n", talk + "+0 > R 1:1(0)\n"
    assert drill(write(a=linux)).returncode == 0
    assert drill(write(a=bare)).returncode == 1
    assert drill("--profile", "default", write(a=bare)).returncode == 0
    assert drill("--profile", "default", write(a="--profile=linux\n" + linux)).returncode == 0
    assert drill(write(a="--profile=strict\n" + bare)).returncode == 0


def test_equals_sign(write):
    folder = write(a="0 close(NUMBER) = -1 EBADF (bad)\n")
    assert drill("--define=NUMBER=3", "--profile=strict", "--jobs=2", folder).returncode == 0


def test_pcap(write, tmp_path):
    caps = tmp_path / "caps"
    folder = write(a="0 < icmp echo_request id 5 [raw(4)]\n+0 > icmp echo_reply id 5 [raw(4)]\n")
    assert drill("--pcap", caps, folder).returncode == 0
    [capture] = caps.iterdir()
    assert capture.name.endswith("_a.pcapng") and "/" not in capture.name
    content = capture.read_bytes()
    assert content[:4] == b"\n\r\r\n"
    assert content.count(b"sent: echo-reply (") == 1


def test_allow_code(write):
    folder = write(a=GOOD + "+0 %{ assert 7 / 2.0 == 3.5 }%\n")
    assert drill(folder).returncode == 3
    assert drill("--allow-code", folder).returncode == 0
    folder = write(a=GOOD + "+0 %{ assert 7 / 2.0 == 3, 'why' }%\n")
    outcome = drill("--allow-code", folder)
    assert outcome.returncode == 1
    assert "AssertionError: why" in outcome.stdout


def test_the_same_packets_again():
    scripts = pathlib.Path(__file__).parent.parent / "script"
    first, again = (drill("--hash", "--jobs", jobs, "--profile", "default", scripts).stdout
                    for jobs in (1, 2))
    assert first == again
    assert "# trace " in first
    assert drill("--hash", "--seed", 9, "--profile", "default", scripts).stdout != first


def test_links_lead_nowhere(write):
    """Eight links back to the folder, sixteen folders deep, would be 2^48 ways."""
    folder = write(a=GOOD)
    for i in range(8):
        (folder / f"back{i}.pkt").symlink_to(".")
        (folder / f"up{i}").symlink_to("..")
    outcome = drill(folder)
    assert outcome.returncode == 0
    assert outcome.stdout.splitlines()[-1] == "1 passed, 0 failed, 0 skipped"


def test_links_to_scripts_and_to_nothing(write):
    folder = write(a=GOOD)
    (folder / "same.pkt").symlink_to("a.pkt")
    assert drill(folder).stdout.splitlines()[-1] == "2 passed, 0 failed, 0 skipped"
    (folder / "gone.pkt").symlink_to("nothing")
    (folder / "itself.pkt").symlink_to("itself.pkt")
    outcome = drill(folder)
    assert outcome.returncode == 2
    assert outcome.stdout.splitlines()[-1] == "2 passed, 2 failed, 0 skipped"


@pytest.mark.parametrize("path, said", [
    ("/dev/zero", "at most 16777216 bytes"), ("/dev/null", "expected an event"),
    ("/proc/self/mem", "error"), ("/dev/full", "at most 16777216 bytes"),
])
def test_files_that_are_none(path, said):
    outcome = drill(path)
    assert outcome.returncode == 2
    assert said in outcome.stdout
    assert len(outcome.stdout) < 500


def test_a_pipe(write):
    """What the shell makes of <(…)."""
    read_end, write_end = os.pipe()
    os.write(write_end, GOOD.encode())
    os.close(write_end)
    outcome = subprocess.run([BIN / "weir", "drill", f"/dev/fd/{read_end}"], capture_output=True,
                             text=True, timeout=30, check=False, pass_fds=[read_end])
    os.close(read_end)
    assert outcome.returncode == 0


@pytest.mark.parametrize("content", [
    bytes(range(256)) * 4000, b"\0" * 100, b"0 close(3) = 0\0\n", b"\xff\xfe0\x00", b"\x80" * 100000,
    b"0 close(3) = -1 EBADF (x)\n" * 1000000, b"--define=A=1\n" * 300000 + GOOD.encode(),
    b"--define=A=1\n" * 300 + GOOD.encode(), b"0 %{ " + b"[" * 1000000,
    b"0 < S 0:0(0) win 1 <dss " + b"[" * 1000000, b"0 < udp 1 > ", b"0 < [1:2(1)] ",
], ids=range(12))
def test_no_scripts(tmp_path, content):
    (tmp_path / "a.pkt").write_bytes(content)
    outcome = drill(tmp_path)
    assert outcome.returncode == 2
    assert len(outcome.stdout) < 1000


def test_a_huge_definition(write):
    folder = write(a=GOOD.replace("close", "CALL"))
    assert drill("-D", "CALL=close", "-D", "A=" + "x" * 100000, folder).returncode == 0
    assert drill("-D", "CALL=" + "x" * 100000, folder).returncode == 3
    assert drill("-D", "CALL=", folder).returncode == 3
