# SPDX-License-Identifier: MIT
"""STCP over weir: client and server are hosts of a virtual network, files arrive whole over routers
that lose packets and links that go down, and what cannot work is said."""

import os
import pathlib
import random
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import nodes  # noqa: E402  (needs the path)

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
CLIENT, SERVER = BUILD / "stcp" / "client", BUILD / "stcp" / "server"
MANY = BUILD / "tests" / "stcp" / "many"


class Lab:
    """Routers of a network of nets/, a server as its host `at`, and a folder for each host."""

    def __init__(self, tmp_path, name="linear-r2h2", at="h2", server_options=(), **options):
        # All hosts are ours: they are processes of STCP.
        self.network = nodes.Network(name, skip=[f"h{n}" for n in range(1, 9)], **options)
        self.at, self.server_options, self.path = at, server_options, tmp_path
        self.clients = []

    def __enter__(self):
        self.network.__enter__()
        try:
            self.path.joinpath(self.at).mkdir(exist_ok=True)
            self.server = nodes.Process("server", [SERVER, *self.server_options, "--net",
                                                   self.network.lnx[self.at]],
                                        cwd=self.path / self.at)
            self.address = self.server.expect(r"Server's address is ([\d.]+:\d+)$").group(1)
        except BaseException:
            self.network.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in [*self.clients, self.server]:
            process.kill()
        self.network.__exit__()

    def offer(self, size, name="file"):
        """A file for the server to give, of bytes that are the same in every run."""
        content = random.Random(size).randbytes(size)
        (self.path / self.at / name).write_bytes(content)
        return content

    def client(self, *options, host="h1", server=None):
        folder = self.path / host
        folder.mkdir(exist_ok=True)
        process = nodes.Process(host, [CLIENT, *options, "--net", self.network.lnx[host],
                                       server or self.address], cwd=folder)
        self.clients.append(process)
        return process

    def wait_for(self, condition, what, timeout=20):
        """Asks again and again, each time when a router has answered a question."""
        deadline = time.monotonic() + timeout * nodes.SLOW
        while not condition():
            assert time.monotonic() < deadline, f"never came: {what}"
            self.network["r1"].sync()

    def received(self, host="h1"):
        try:
            return (self.path / host / "rcvd").read_bytes()
        except FileNotFoundError:
            return b""


LOSS = ["--drop", "0.02"]


# The unreliable mode loses so much that a long file now and then meets six losses in a row.
@pytest.mark.parametrize("options,size,router_flags", [([], 1_000_000, LOSS), (["-U"], 200_000, [])])
def test_loss(options, size, router_flags, tmp_path):
    with Lab(tmp_path, server_options=options, router_flags=router_flags) as lab:
        content = lab.offer(size)
        client = lab.client(*options, "-f", "file")
        assert client.wait(120) == 0
        assert client.lines == [f"server: file,{size},Ok"]
        assert lab.received() == content
        lab.server.expect(rf"connected to {lab.network.address('h1')} at port (49[1-9]|[56])\d+$")
        assert lab.address.startswith(lab.network.address("h2") + ":")


def test_prompt(tmp_path):
    with Lab(tmp_path, "linear-r1h2") as lab:
        content = lab.offer(5000, "one"), lab.offer(7000, "two")
        client = lab.client()
        client.say("one")
        client.expect(r"client> server: one,5000,Ok$")
        lab.wait_for(lambda: lab.received() == content[0], "the first file")
        client.say("none", "two")
        client.expect(r"client> server: none,-1,File does not exist or access denied$")
        client.expect(r"client> server: two,7000,Ok$")
        client.end_input()
        assert client.wait() == 1  # one file could not be had
        assert lab.received() == content[1]


def test_link_down_for_a_while(tmp_path):
    """The sender's time-out is some 100 ms here, and it gives up after 63 of them at the earliest."""
    with Lab(tmp_path, nets_options=["--impair", "delay_ms=20"]) as lab:
        content = lab.offer(150_000)
        client = lab.client("-f", "file")
        lab.wait_for(lambda: len(lab.received()) > 30_000, "a part of the file")
        router = lab.network["r2"]
        router.ask("down if1")
        lost = len(lab.received())
        assert lost < len(content)
        lab.wait_for(lambda: sends_in_vain(router) >= 6, "segments to a link that is down")
        router.ask("up if1")
        assert client.wait(60) == 0
        assert lab.received() == content


def sends_in_vain(router):
    """Packets of the client's, or about the server's, that the router had to drop."""
    dropped = 0
    counting = False
    for line in router.ask("stats"):
        counting = line.startswith("Dropped") or (counting and line.startswith(" "))
        words = line.split()
        if counting and len(words) > 1 and words[1].isdigit():
            dropped += int(words[1])
    return dropped


def test_killed_client(tmp_path):
    """Nobody tells the server; its transport gives up, and others are served all the while."""
    with Lab(tmp_path, router_flags=LOSS) as lab:
        content = lab.offer(1_000_000)
        first = lab.client("-f", "file")
        lab.wait_for(lambda: len(lab.received()) > 0, "a part of the file")
        first.kill()
        assert len(lab.received()) < len(content)
        second = lab.client("-f", "file")
        assert second.wait(60) == 0
        assert lab.received() == content


def test_many_from_one_node(tmp_path):
    with Lab(tmp_path, router_flags=LOSS) as lab:
        lab.offer(50_000)
        done = subprocess.run([MANY, lab.network.lnx["h1"], lab.address, "20", "file"],
                              cwd=tmp_path / "h2", stdout=subprocess.PIPE, check=False,
                              timeout=120 * nodes.SLOW)
        assert (done.stdout, done.returncode) == (b"20 right\n", 0)


def test_many_nodes(tmp_path):
    with Lab(tmp_path, "star-r1h6", router_flags=LOSS) as lab:
        content = lab.offer(200_000)
        hosts = ["h1", "h3", "h4", "h5", "h6"]
        clients = [lab.client("-f", "file", host=host) for host in hosts]
        assert [client.wait(90) for client in clients] == [0] * len(hosts)
        assert all(lab.received(host) == content for host in hosts)


def test_address_of_nobody(tmp_path):
    """A network that no router knows, and a node that has no STCP: a router says so."""
    with Lab(tmp_path) as lab:
        for address in ["10.99.0.1:5000", lab.network.address("r1") + ":5000"]:
            client = lab.client("-f", "file", server=address)
            assert client.wait(30) == 1, client.lines
            assert client.lines == ["myconnect: Connection refused"]


@pytest.mark.parametrize("program,rest", [(CLIENT, ["10.0.0.1:5000"]), (SERVER, [])])
def test_wrong_files(program, rest, tmp_path):
    wrong = tmp_path / "wrong.lnx"
    cases = [(tmp_path / "none.lnx", "No such file"), (wrong, "wrong.lnx:2: "),
             (tmp_path, "")]
    wrong.write_text("# a host\ninterface if0 10.0.0.1\n")
    for path, text in cases:
        done = subprocess.run([program, "--net", path, *rest], stderr=subprocess.PIPE, check=False,
                              stdout=subprocess.DEVNULL, timeout=20 * nodes.SLOW, text=True)
        assert done.returncode == 1
        assert text.lower() in done.stderr.lower() and done.stderr.count("\n") == 1
    done = subprocess.run([program, *rest, "--net"], stderr=subprocess.PIPE, check=False,
                          timeout=20 * nodes.SLOW, text=True)
    assert done.returncode == 1 and "[--net LNX]" in done.stderr


def test_address_in_use(tmp_path):
    with Lab(tmp_path) as lab:
        done = subprocess.run([SERVER, "--net", lab.network.lnx["h2"]], stderr=subprocess.PIPE,
                              check=False, timeout=20 * nodes.SLOW, text=True)
        assert done.returncode == 1
        assert "cannot bind UDP address" in done.stderr


def test_no_interface(tmp_path):
    path = tmp_path / "empty.lnx"
    path.write_text("# nothing\n")
    done = subprocess.run([SERVER, "--net", path], stderr=subprocess.PIPE, check=False,
                          timeout=20 * nodes.SLOW, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
