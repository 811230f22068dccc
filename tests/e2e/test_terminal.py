# SPDX-License-Identifier: MIT
"""The prompt on a terminal: editing, history, completion, events that come while a line is edited,
and what Ctrl-C and Ctrl-D do."""

import contextlib
import re

import nodes
import pexpect


@contextlib.contextmanager
def terminal(net, name="h1", program="vhost", flags=()):
    child = pexpect.spawn(str(nodes.BIN / program), ["--config", str(net.lnx[name]), *flags],
                          timeout=15 * nodes.SLOW, encoding="utf-8", dimensions=(24, 200),
                          env={"TERM": "xterm", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
    try:
        child.expect_exact("> ")
        yield child
    finally:
        child.close(force=True)


def test_editing_and_history():
    with nodes.Network("linear-r1h2", skip=["h1"]) as net, terminal(net) as child:
        child.send("lx\x7fi\r")  # backspace
        child.expect(r"Name  Addr/Prefix State\r\n if0  10.0.0.1/24   up\r\n")
        child.expect_exact("> ")
        child.send("xls\x01\x04\x05\r")  # to the front, delete, to the end
        child.expect_exact("SID      LAddr LPort      RAddr RPort       Status\r\n")
        child.send("\x1b[A\x1b[A\r")  # twice up
        child.expect(r"Name  Addr/Prefix State\r\n if0  10.0.0.1/24   up\r\n")


def test_completion():
    with nodes.Network("linear-r1h2", skip=["h1"]) as net, terminal(net) as child:
        child.send("tra\t10.1.0.2\r")
        child.expect_exact(" 1  10.0.0.2")
        child.expect_exact("> ")
        child.send("down i\t\r")
        child.expect_exact("> ")
        child.send("li\r")
        child.expect(r" if0  10.0.0.1/24 down\r\n")


def test_event_while_editing():
    with nodes.Network("linear-r1h2", skip=["h1"]) as net, terminal(net) as child:
        child.send("send 10.1.0.2 half")
        child.expect_exact("half")
        for _ in range(100):
            net["h2"].say("send 10.0.0.1 hello")
            try:
                child.expect(r"Received test packet: [^\r\n]* hello\r?\n", timeout=0.2)
                break
            except pexpect.TIMEOUT:
                pass
        child.expect_exact("> send 10.1.0.2 half")  # drawn again
        child.send(" whole\r")
        net["h2"].expect("Received test packet: .* half whole$")


def test_interrupted_commands():
    with nodes.Network("linear-r1h2", skip=["h1"]) as net:
        with terminal(net, flags=("--time-wait", "0.3")) as child:
            net.nodes["r1"].say("drop 1")
            child.send("c 10.1.0.2 9\r")
            child.expect_exact("c 10.1.0.2 9\r\n")
            child.send("\x03")
            child.expect_exact("VConnect error: interrupted")
            child.expect_exact("> ")
            net.nodes["r1"].say("drop 0")
            net["h2"].ask("a 9")
            child.send("c 10.1.0.2 9\r")
            child.expect_exact("Created new socket with ID 1")
            child.send("r 1 10\r")
            child.expect_exact("r 1 10\r\n")
            child.send("\x03")
            child.expect_exact("VRead error: interrupted")
            child.send("ls\r")
            child.expect(r"  1 +10.0.0.1 +\d+ +10.1.0.2 +9 +ESTABLISHED")
            child.send("s 1 " + "x" * 3000 + "\r")
            child.expect_exact("Wrote 3000 bytes")


def test_ctrl_c_at_the_prompt():
    with nodes.Network("linear-r1h2", skip=["h1"]) as net, terminal(net) as child:
        child.send("half a line")
        child.expect_exact("half a line")
        child.send("\x03")
        child.expect_exact("> ")
        child.send("li\r")
        child.expect_exact("10.0.0.1/24")
        child.expect_exact("> ")
        child.send("\x03")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 0


def test_ctrl_d_and_exit():
    with nodes.Network("linear-r1h2", skip=["h1"]) as net:
        with terminal(net) as child:
            child.send("\x04")
            child.expect(pexpect.EOF)
            child.wait()
            assert child.exitstatus == 0
        with terminal(net) as child:
            child.send("exit\r")
            child.expect_exact("Exiting...")
            child.expect(pexpect.EOF)
            child.wait()
            assert child.exitstatus == 0


def test_progress(make_file, tmp_path):
    with nodes.Network("linear-r1h2", skip=["h1"], nets_options=["--impair", "rate_mbit=20"]) as net:
        with terminal(net) as child:
            net["h2"].say(f"rf {tmp_path}/received 9999")
            net["h2"].sync()
            child.send(f"sf {make_file(3_000_000)} 10.1.0.2 9999\r")
            child.expect(r"\[sf \d+% [\d.]+ MB/s\] > ")
            child.expect_exact("Sent 3000000 total bytes", timeout=30 * nodes.SLOW)
            child.send("li\r")
            child.expect_exact("10.0.0.1/24")
            assert "[sf" not in child.before  # the bar goes with its transfer


def test_no_terminal_output_on_pipes():
    with nodes.Network("linear-r1h2") as net:
        net["h1"].ask("li")
        net["h1"].say("exit")
        net["h1"].wait()
        text = "\n".join(net["h1"].lines)
        assert not re.search(r"\x1b|^> ", text, re.M)
