# SPDX-License-Identifier: MIT
"""weir lab: every verb, on every network, twice at once; what is left when anything is killed; other
people's programs; impairments counted by somebody else; the form with panes of tmux.

Labs are kept in a directory of the test's own (XDG_RUNTIME_DIR), and so is tmux's socket."""

import ipaddress
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import nodes
import pexpect
import pytest

WEIR = str(nodes.BIN / "weir")
NETS = sorted((nodes.ROOT / "nets").glob("*.json"))
THEIRS = str(pathlib.Path(__file__).resolve().parent / "theirs.py")
H1R1H2 = nodes.ROOT / "nets" / "linear-r1h2.json"


class Labs:
    """Runs `weir lab` with a place of its own."""

    def __init__(self, path):
        self.path = path
        self.env = {**os.environ, "XDG_RUNTIME_DIR": str(path), "TMUX_TMPDIR": str(path),
                    "SHELL": "/bin/sh"}
        self.env.pop("TMUX", None)

    def popen(self, *words, **options):
        return subprocess.Popen([WEIR, "lab", *map(str, words)], env=self.env, text=True,
                                stdin=options.pop("stdin", subprocess.DEVNULL),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def run(self, *words, status=0, typed=None):
        """Standard output; standard error is in .errors."""
        with self.popen(*words, stdin=subprocess.PIPE) as process:
            out, self.errors = process.communicate(typed or "", timeout=60 * nodes.SLOW)
        if status is not None:
            assert process.returncode == status, (words, out, self.errors)
        return out

    def up(self, source, *options, status=0):
        return self.run("up", source, "--detach", "--base-port", nodes.free_ports(64), *options,
                        status=status)

    def rows(self, *options, status=None):
        return {row["name"]: row for row in
                json.loads(self.run("status", "--json", *options, status=status))["nodes"]}

    def ask(self, node, command, *options, status=0):
        return self.run("exec", *options, node, command, status=status).splitlines()

    def until(self, true, what, timeout=20):
        deadline = time.monotonic() + timeout * nodes.SLOW
        while not true():
            assert time.monotonic() < deadline, what
            self.run("status", status=None)  # takes a moment, and so spares the processor

    def ping_until(self, node, address, *options):
        """The routers have found the way."""
        self.until(lambda: "1 received" in self.run("exec", *options, node, f"ping {address} 1",
                                                    status=None), f"{node} to {address}")

    def processes(self):
        """Those that have a file of ours among their words."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if str(self.path).encode() in words and b"/lab\0" not in words[:0]:
                    found.append(int(entry.name))
        return found

    def nothing_left(self):
        self.until(lambda: not self.processes(), "a process is left")
        assert [entry.name for entry in (self.path / "weir").iterdir()] in ([], [".lock"])


@pytest.fixture
def labs(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    made = Labs(path)
    yield made
    made.run("down", "--all", status=None)
    if shutil.which("tmux"):
        subprocess.run(["tmux", "kill-server"], env={**os.environ, "TMUX_TMPDIR": str(path)},
                       check=False, capture_output=True)


def addresses(directory):
    return {path.stem: re.search(r"^interface if0 ([\d.]+)/", path.read_text(), re.M).group(1)
            for path in pathlib.Path(directory).glob("*.lnx")}


# ---- The generator ------------------------------------------------------------------------------------


def rules(description, base=5000):
    """What the files must say, by the course's rules and from nothing but the description."""
    kinds = {node["name"]: node["type"] for node in description["nodes"]}
    files = {name: {"interface": [], "neighbor": [], "rip": [], "tcp": [], "route": [],
                    "routing": ["rip" if kind == "router" else "static"]}
             for name, kind in kinds.items()}
    k, port, places = 0, base, []
    for network in description["networks"]:
        if "prefix" in network:
            prefix = ipaddress.ip_network(network["prefix"])
        else:
            prefix, k = ipaddress.ip_network(f"10.{k}.0.0/24"), k + 1
        place = []
        for number, name in enumerate(network["links"], 1):
            iface = f"if{len(files[name]['interface'])}"
            address = prefix.network_address + number
            files[name]["interface"].append(f"{iface} {address}/{prefix.prefixlen} 127.0.0.1:{port}")
            place.append((name, iface, address, port))
            port += 1
        places.append(place)
    for place in places:
        for name, iface, _, _ in place:
            for other, _, address, other_port in place:
                if other == name:
                    continue
                files[name]["neighbor"].append(f"{address} at 127.0.0.1:{other_port} via {iface}")
                if kinds[other] != "router":
                    continue
                if kinds[name] == "router":
                    files[name]["rip"].append(f"advertise-to {address}")
                elif not files[name]["route"]:
                    files[name]["route"].append(f"0.0.0.0/0 via {address}")
    for name, kind in kinds.items():
        if kind == "router":
            files[name]["rip"] += ["periodic-update-rate 5000", "route-timeout-threshold 12000"]
        else:
            files[name]["tcp"] += ["rto-min 1000", "rto-max 5000000"]
    return kinds, files


def read_lnx(path):
    """{directive: what follows, line by line}."""
    found = {key: [] for key in ("interface", "neighbor", "rip", "tcp", "route", "routing")}
    for line in path.read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            found[words[0]].append(" ".join(words[1:]))
    return found


def random_description(rng):
    """A connected network of routers with hosts here and there."""
    names = [f"r{n}" for n in range(rng.randint(1, 6))]
    kinds = {name: "router" for name in names}
    networks, automatic = [], 0
    for number in range(rng.randint(1, 8)):
        links = rng.sample(names, rng.randint(1, min(3, len(names))))
        for _ in range(rng.randint(0, 3)):
            host = f"h{len(kinds)}"
            kinds[host] = "host"
            links.insert(rng.randint(0, len(links)), host)
        network = {"name": f"n{number}", "links": links}
        if rng.random() < 0.3:
            network["prefix"] = f"172.{16 + number}.{rng.randrange(256)}.0/{rng.choice([24, 26, 28])}"
        else:
            automatic += 1
        networks.append(network)
    networks.append({"name": "rest", "links": names})
    items = list(kinds.items())
    rng.shuffle(items)
    return {"nodes": [{"name": name, "type": kind} for name, kind in items], "networks": networks}


def check_generated(directory, description, base=5000):
    kinds, files = rules(description, base)
    assert json.loads((directory / "nodes.json").read_text()) == kinds
    binaries = json.loads((directory / "binaries.example.json").read_text())
    assert set(binaries) == set(kinds)
    assert all(set(entry) == {"binary_path"} for entry in binaries.values())
    assert {path.stem for path in directory.glob("*.lnx")} == set(kinds)
    for name, expected in files.items():
        assert read_lnx(directory / f"{name}.lnx") == expected, name


@pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
def test_generated_fields(labs, path, tmp_path):
    labs.run("generate", path, tmp_path / "out")
    check_generated(tmp_path / "out", json.loads(path.read_text()))


def test_generated_at_random(labs, tmp_path):
    seed = 4711
    print("seed", seed)
    rng = random.Random(seed)
    for number in range(60):
        description = random_description(rng)
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(description))
        base = rng.randint(1, 60000)
        labs.run("generate", path, tmp_path / str(number), "--base-port", base)
        check_generated(tmp_path / str(number), description, base)


def test_no_timing(labs, tmp_path):
    labs.run("generate", "--no-timing", H1R1H2, tmp_path / "out")
    for path in (tmp_path / "out").glob("*.lnx"):
        found = read_lnx(path)
        assert not found["tcp"] and not [line for line in found["rip"] if "advertise" not in line]


BAD = [
    ('{"nodes": [\n{"name": "h1", "type": "host"},\n{"name": "h1", "type": "host"}],\n"networks": []}',
     3, "two nodes"),
    ('{"nodes": [{"name": "h1", "type": "host"}],\n"networks": [\n{"name": "a", "links": ["h1"]}]}',
     1, "no router"),
    ('{"nodes": [{"name": "r1", "type": "router"}],\n"networks": [\n{"name": "a", "links": ["r2"]}]}',
     3, "unknown node"),
    ('{"nodes": [{"name": "r1", "type": "router"}],\n"networks": [\n{"name": "a",\n'
     '"prefix": "10.0.0.0", "links": ["r1"]}]}', 4, "expected an IPv4 network"),
    ('{"nodes": [{"name": "r1", "type": "router"},\n]}', 2, "']'"),
    ('{"nodes": [{"name": "r1", "type": "router"}],\n"networks": [{"name": "a", "links": ["r1"],\n'
     '"los": 0.1}]}', 3, "unknown key"),
]


@pytest.mark.parametrize("text,line,what", BAD)
def test_bad_descriptions(labs, tmp_path, text, line, what):
    path = tmp_path / "bad.json"
    path.write_text(text)
    labs.run("generate", path, tmp_path / "out", status=1)
    assert f"bad.json:{line}: " in labs.errors and what in labs.errors
    labs.up(path, status=1)
    assert f"bad.json:{line}: " in labs.errors
    assert not (tmp_path / "out").exists()


# ---- Every verb, every network, twice at once -----------------------------------------------------------


@pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
def test_twice_at_once(labs, path, tmp_path):
    places = [tmp_path / "one", tmp_path / "two"]
    ups = [labs.popen("up", path, "--detach", "--dir", place) for place in places]
    for up in ups:
        assert up.wait(60 * nodes.SLOW) == 0, up.stderr.read()
    labs.run("status", status=2)
    assert str(places[0]) in labs.errors or "one" in labs.errors
    description = json.loads(path.read_text())
    hosts = [node["name"] for node in description["nodes"] if node["type"] == "host"]
    for place in places:
        at = ("--dir", place)
        table = labs.run("status", *at).splitlines()
        assert len(table) == 2 + len(description["nodes"])
        assert all(row["up"] for row in labs.rows(*at).values())
        where = addresses(place)
        for source, target in zip(hosts, hosts[1:] + hosts[:1]):
            labs.ping_until(source, where[target], *at)
            labs.ask(source, f"send {where[target]} from {source} in {place.name}", *at)
        for source, target in zip(hosts, hosts[1:] + hosts[:1]):
            log = place / f"{target}.log"
            labs.until(lambda l=log, s=source: f"from {s} in {place.name}\n" in l.read_text(), "test")
        typed = labs.run("attach", *at, hosts[0], typed="li\nls\n")
        assert typed.count("Name  Addr/Prefix State") == 1 and "SID      LAddr" in typed
    assert not any(f"in {places[1].name}" in (places[0] / f"{host}.log").read_text()
                   for host in hosts)
    labs.run("down", "--dir", places[0])
    labs.run("status")  # the other one is the only one now
    labs.run("down")
    assert not places[0].exists() and not places[1].exists()
    labs.nothing_left()


# ---- exec, attach, status -------------------------------------------------------------------------------


def test_exec(labs):
    labs.run("exec", "h1", "li", status=2)
    assert "no lab is up" in labs.errors
    labs.up(H1R1H2)
    assert labs.ask("h1", "li") == ["Name  Addr/Prefix State", " if0  10.0.0.1/24   up"]
    assert labs.run("exec", "h1", "send", "10.1.0.2", "several words") == "Sent 33 bytes\n"
    assert labs.ask("h1", "up if7", status=1) == ['error: "if7": no such interface']
    assert labs.ask("h1", "up", status=1) == ["Usage: up <interface>"]
    assert labs.ask("h1", "nonsense", status=1)[0] == "Invalid command: nonsense"
    assert labs.ask("h1", "r 0 10", status=1) == ["socket not found"]
    assert labs.ask("h1", "sf /nowhere 10.1.0.2 9", status=1)[0].startswith("sendfile error")
    assert labs.ask("h1", "c 10.1.0.2 9", status=1) == [
        "VConnect error: destination port does not exist"]
    labs.run("exec", "h9", "li", status=2)
    assert 'no node "h9"' in labs.errors and "h1 r1 h2" in labs.errors
    labs.run("exec", "h1", status=2)
    labs.run("exec", "h1", "li\nls", status=2)
    labs.ask("h2", "exit")
    labs.until(lambda: not labs.rows()["h2"]["up"], "h2 goes on")
    labs.run("exec", "h2", "li", status=2)
    assert "h2 does not answer" in labs.errors
    assert re.search(r"^h2 +host +dead +- ", labs.run("status", status=1), re.M)


def test_attach_shows_events(labs):
    labs.up(H1R1H2)
    with labs.popen("attach", "h2", stdin=subprocess.PIPE) as process:
        process.stdin.write("a 9000\n")
        process.stdin.flush()
        assert process.stdout.readline() == "Created listen socket with ID 0\n"
        labs.ask("h1", "c 10.1.0.2 9000")
        assert process.stdout.readline().startswith("New connection on socket 0 => created new")
        labs.ask("h1", "send 10.1.0.2 hello")
        assert process.stdout.readline().endswith("Data:  hello\n")
        out, _ = process.communicate("exit\n", timeout=20)
        assert "Exiting..." in out
        assert process.returncode == 0


def test_file(labs, make_file, same_file, tmp_path):
    labs.up(H1R1H2)
    source, target = make_file(1000000), tmp_path / "received"
    labs.ask("h2", f"rf {target} 9000")
    labs.ask("h1", f"sf {source} 10.1.0.2 9000")
    log = pathlib.Path(labs.rows()["h2"]["log"])
    labs.until(lambda: "read 1000000 bytes total" in log.read_text(), "the file")
    same_file(source, target)


def test_blocked_command_ends_with_its_client(labs):
    labs.up(H1R1H2)
    labs.ask("h2", "a 9000")
    labs.ask("h1", "c 10.1.0.2 9000")
    control = labs.rows()["h1"]["control"]
    blocked = labs.popen("exec", "h1", "r 0 10")
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(control)
        other.settimeout(0.3)
        try:
            deadline = time.monotonic() + 20 * nodes.SLOW
            while time.monotonic() < deadline:  # until the other one's command runs
                other.sendall(b"up if9\n")
                other.recv(100)
            pytest.fail("two commands at a time")
        except TimeoutError:
            pass
        finally:
            blocked.kill()
            blocked.communicate()
        other.settimeout(20 * nodes.SLOW)
        assert other.recv(100).startswith(b"-error")
    labs.ask("h2", "s 1 hello")
    assert labs.ask("h1", "r 0 10") == ["Read 5 bytes: hello"]


def test_hostile_clients(labs):
    """Garbage, lines without an end, answers that nobody reads: the node lives, and stays small."""
    labs.up(H1R1H2)
    row = labs.rows()["h1"]
    rng = random.Random(99)
    for _ in range(30):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(row["control"])
            client.settimeout(5)
            try:
                client.sendall(rng.randbytes(rng.choice([1, 100, 100000])))
            except OSError:
                pass
    greedy = []

    def is_full():
        """One more, since some may have been refused for the sake of those before."""
        client = socket.socket(socket.AF_UNIX)
        greedy.append(client)
        client.connect(row["control"])
        client.setblocking(False)
        try:
            client.send(b"help\n" * 20000)
        except OSError:
            pass
        return not labs.run("exec", "h1", "li", status=None).startswith("Name")

    labs.until(is_full, "too many clients are let in")
    for client in greedy:
        client.close()
    labs.until(lambda: labs.run("exec", "h1", "li", status=None).startswith("Name"), "h1 answers")
    status = pathlib.Path(f"/proc/{row['pid']}/status").read_text()
    limit = 400 << 10 if nodes.SLOW == 1 else 4 << 20
    assert int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) < limit
    assert (os.stat(row["control"]).st_mode & 0o777) == 0o600


def test_idle_nodes_rest(labs):
    """A control socket costs nothing while nobody uses it, or somebody just holds it."""
    labs.up(H1R1H2)
    row = labs.rows()["h1"]

    def ticks():
        fields = pathlib.Path(f"/proc/{row['pid']}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    with socket.socket(socket.AF_UNIX) as holder:
        holder.connect(row["control"])
        holder.sendall(b".events\nli")
        labs.ask("h1", "li")
        before = ticks()
        labs.ask("h2", "ping 10.0.0.1 2")  # about a second
        assert ticks() - before <= 10 * nodes.SLOW


# ---- Killed ------------------------------------------------------------------------------------------------


def test_killed_nodes(labs):
    labs.up(H1R1H2)
    pids = {name: row["pid"] for name, row in labs.rows().items()}
    os.kill(pids["r1"], signal.SIGKILL)
    labs.until(lambda: not labs.rows()["r1"]["up"], "r1 is dead")
    labs.rows(status=1)
    labs.up(H1R1H2, status=1)
    assert "is up already" in labs.errors
    for name in ("h1", "h2"):
        os.kill(pids[name], signal.SIGKILL)
    labs.until(lambda: not any(row["up"] for row in labs.rows().values()), "all are dead")
    labs.up(H1R1H2)  # nothing is in the way
    assert all(row["up"] for row in labs.rows().values())
    for row in labs.rows().values():
        os.kill(row["pid"], signal.SIGSTOP)  # does not listen to SIGTERM
    labs.run("down")
    labs.nothing_left()


def big_description(count):
    """Routers in a line, each with nine hosts."""
    described, networks = [], []
    for r in range(count // 10):
        hosts = [f"h{r}x{h}" for h in range(9)]
        described += [{"name": f"r{r}", "type": "router"}]
        described += [{"name": host, "type": "host"} for host in hosts]
        networks.append({"name": f"lan{r}", "links": [f"r{r}", *hosts]})
        if r:
            networks.append({"name": f"line{r}", "links": [f"r{r - 1}", f"r{r}"]})
    return {"nodes": described, "networks": networks}


def test_killed_runner(labs, tmp_path):
    """Killed when it has started some of the nodes, at ever later moments."""
    path = tmp_path / "big.json"
    path.write_text(json.dumps(big_description(60)))
    place = labs.path / "weir" / "big"
    for number in (0, 1, 7, 30, 59):
        with labs.popen("up", path, "--detach") as runner:
            labs.until(lambda: runner.poll() is not None or
                       (place.is_dir() and len(list(place.glob("*.pid"))) >= number), "pids")
            runner.kill()
            runner.communicate()
        if number % 2:
            labs.run("down")
            labs.nothing_left()
    labs.run("up", path, "--detach")
    assert sum(row["up"] for row in labs.rows().values()) == 60
    labs.run("down")
    labs.nothing_left()


def test_up_again_after_a_killed_up(labs, tmp_path):
    """What runs of a lab that was never up is in nobody's way."""
    labs.up(H1R1H2, "--dir", tmp_path / "place")
    rows = labs.rows()
    path = tmp_path / "place" / "lab.json"
    text = json.loads(path.read_text())
    assert text["complete"] is True
    labs.up(H1R1H2, "--dir", tmp_path / "place", status=1)
    assert "is up already" in labs.errors
    path.write_text(json.dumps({**text, "complete": False}))  # as if killed before the last node
    labs.up(H1R1H2, "--dir", tmp_path / "place")
    assert not {row["pid"] for row in rows.values()} & {row["pid"] for row in labs.rows().values()}
    labs.run("down")
    labs.nothing_left()


def test_other_peoples_files_are_spared(labs, tmp_path, monkeypatch):
    """A directory that is no lab's, and one that a lab shares with other things."""
    place = tmp_path / "project"
    place.mkdir()
    theirs = {"Makefile.in": "all:", "build.log": "x", "server.pid": "17", "lab.json": "{}"}
    for name, text in theirs.items():
        (place / name).write_text(text)
    before = sorted(place.iterdir())
    monkeypatch.chdir(place)
    for words, what in ((["up", H1R1H2, "--detach", "--dir", "."], "is not empty"),
                        (["down", "--dir", "."], "there is no lab"),
                        (["status", "--dir", "."], None)):
        labs.run(*words, status=2 if words[0] == "status" else 1)
        assert not what or what in labs.errors
        assert sorted(place.iterdir()) == before
    labs.run("generate", H1R1H2, place, "--base-port", nodes.free_ports(32))
    labs.run("up", place, "--detach", "--dir", ".", status=1)
    assert "lab.json is in the way" in labs.errors
    (place / "lab.json").unlink()
    (place / "r1.log").write_text("mine")
    labs.run("up", place, "--detach", "--dir", ".", status=1)
    assert "r1.log is in the way" in labs.errors
    (place / "r1.log").unlink()
    before = sorted(place.iterdir())
    labs.run("up", place, "--detach", "--dir", ".")
    labs.run("down")
    assert sorted(place.iterdir()) == before
    labs.nothing_left()


def test_down_sweeps(labs, tmp_path):
    """Directories without a lab.json, links to nothing: gone with the next `down`, if it has a lab or not."""
    labs.run("down", "--all")
    base = labs.path / "weir"
    for words, status in ((["down"], 1), (["down", "--all"], 0)):
        (base / "early").mkdir()
        (base / "early" / "h1.log").write_text("")
        (base / "gone").symlink_to(tmp_path / "nowhere")
        labs.run(*words, status=status)
        labs.nothing_left()


def test_somebody_elses_process_is_spared(labs):
    """A number in a file that now belongs to another process; a lab of before the last boot."""
    labs.up(H1R1H2)
    rows = labs.rows()
    for row in rows.values():
        os.kill(row["pid"], signal.SIGKILL)
    place = labs.path / "weir" / "linear-r1h2"
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = pathlib.Path(f"/proc/{bystander.pid}/stat").read_text()
    started = int(stat.rsplit(")", 1)[1].split()[19])
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (place / "h1.pid").write_text(f"{bystander.pid} {started + 1} {boot}\n")
    (place / "h2.pid").write_text(f"{bystander.pid} {started} 00000000-0000-0000-0000-000000000000\n")
    (place / "r1.pid").write_text("1 1 x\n")
    assert not any(row["up"] for row in labs.rows().values())
    labs.run("down")
    assert bystander.poll() is None
    bystander.communicate(b"\n", timeout=10)
    labs.nothing_left()


def test_leftovers_are_cleared(labs, tmp_path):
    """What a machine that went away leaves: files without processes, a broken lab.json, a link."""
    place = tmp_path / "place"
    labs.up(H1R1H2, "--dir", place)
    for row in labs.rows().values():
        os.kill(row["pid"], signal.SIGKILL)
    labs.until(lambda: not labs.processes() and not any(row["up"] for row in labs.rows().values()),
               "dead")
    (place / ".h1.sock.77").write_text("")
    (place / "mine.txt").write_text("mine")
    (place / "lab.json").write_text('{"name": ')
    labs.run("status", "--dir", place, status=2)
    assert "not what a lab has written" in labs.errors
    labs.run("down", "--dir", place)
    assert {entry.name for entry in place.iterdir()} - {"mine.txt"} <= {
        f"{node}.lnx" for node in ("h1", "r1", "h2")} | {"nodes.json", "binaries.example.json"}
    labs.up(H1R1H2, "--dir", place, status=1)
    assert "is not empty" in labs.errors
    shutil.rmtree(place)
    labs.up(H1R1H2, "--dir", place)
    labs.run("down")


@pytest.mark.parametrize("text", ["", "{", "[]", None])
def test_lab_file_lost(labs, text):
    """A disk that forgot what lab.json said, or that there was one, while nodes still run."""
    labs.up(H1R1H2)
    pids = [row["pid"] for row in labs.rows().values()]
    place = labs.path / "weir" / "linear-r1h2"
    if text is None:
        (place / "lab.json").unlink()
    else:
        (place / "lab.json").write_text(text)
    labs.up(H1R1H2, status=1)
    assert "is up already" in labs.errors
    for pid in pids[:2]:
        os.kill(pid, signal.SIGKILL)
    labs.run("down", "--dir", place)
    assert not place.exists()
    labs.nothing_left()
    labs.up(H1R1H2)
    for row in labs.rows().values():
        os.kill(row["pid"], signal.SIGKILL)
    labs.until(lambda: not any(row["up"] for row in labs.rows().values()), "dead")
    (place / "lab.json").write_text("lost")
    labs.up(H1R1H2)
    assert all(row["up"] for row in labs.rows(status=0).values())


def test_place_of_somebody_else(labs):
    (labs.path / "weir").mkdir(mode=0o777)
    os.chmod(labs.path / "weir", 0o777)
    labs.up(H1R1H2, status=1)
    assert "not a directory of this user alone" in labs.errors
    os.chmod(labs.path / "weir", 0o700)


# ---- Ports, programs, places -------------------------------------------------------------------------------


def test_taken_ports(labs):
    base = nodes.free_ports(64)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", base + 2))
        labs.run("up", H1R1H2, "--detach", "--base-port", base, status=1)
        assert f"UDP port {base + 2} on 127.0.0.1" in labs.errors
        assert "--base-port" in labs.errors
        labs.nothing_left()


def test_ports_that_another_lab_takes_meanwhile(labs, tmp_path):
    """Labs of several users begin at the same moment: they know nothing of each other's locks."""
    ups = []
    for number in range(4):
        other = Labs(tmp_path / f"user{number}")
        other.path.mkdir()
        ups.append((other, other.popen("up", H1R1H2, "--detach")))
    results = [(other, up.wait(60 * nodes.SLOW), up.stderr.read()) for other, up in ups]
    try:
        assert all(status == 0 for _, status, _ in results), results
        for other, _, _ in results:
            other.ping_until("h1", "10.1.0.2")
    finally:
        for other, _, _ in results:
            other.run("down", status=None)


def test_files_of_a_directory(labs, tmp_path):
    base = nodes.free_ports(64)
    labs.run("generate", H1R1H2, tmp_path / "files", "--base-port", base)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", base + 2))
        labs.run("up", "--detach", tmp_path / "files", status=1)
        assert re.search(rf"r1\.lnx:\d+: UDP port {base + 2}", labs.errors)
    labs.run("up", "--detach", tmp_path / "files")
    labs.ping_until("h1", "10.1.0.2")
    labs.run("down")
    assert len(list((tmp_path / "files").iterdir())) == 5  # what was there, and no more
    (tmp_path / "files" / "nodes.json").unlink()
    labs.run("up", "--detach", tmp_path / "files", "--dir", tmp_path / "files")
    assert {name: row["type"] for name, row in labs.rows().items()} == {
        "h1": "host", "h2": "host", "r1": "router"}
    labs.run("down")
    assert len(list((tmp_path / "files").iterdir())) == 4


def test_long_directory(labs, tmp_path):
    place = tmp_path / ("long" * 30) / ("longer" * 20)
    place.parent.mkdir()
    labs.up(H1R1H2, "--dir", place)
    assert labs.ask("h1", "li")[1] == " if0  10.0.0.1/24   up"
    labs.run("down")


def test_words_for_every_node(labs):
    labs.up(H1R1H2, "--", "--profile", "nonsense", status=1)
    assert "profile" in labs.errors
    labs.up(H1R1H2, "--", "--drop", "1")
    labs.ask("h1", "ping 10.1.0.2 1", status=1)


def test_wrong_usage(labs, tmp_path):
    for words in ([], ["up"], ["up", "--host", "x", H1R1H2], ["nonsense"], ["generate", H1R1H2],
                  ["up", "--nonsense", H1R1H2], ["attach"], ["down", "x"], ["status", "x"],
                  ["up", "--bin-dir", "x", "--bin-config", "y", H1R1H2],
                  ["generate", "--base-port", "70000", H1R1H2, tmp_path / "x"],
                  ["generate", "--loss", "2", H1R1H2, tmp_path / "x"]):
        labs.run(*words, status=2)
        assert labs.errors
    for verb in ("generate", "up", "attach", "exec", "status", "down"):
        assert labs.run(verb, "--help").startswith(f"usage: weir lab {verb}")
        labs.run(verb, "--nonsense", status=2)
        assert f"weir lab {verb}: " in labs.errors
    labs.run("down", status=1)
    labs.run("up", tmp_path / "nothing.json", "--detach", status=1)
    labs.run("up", H1R1H2, "--detach", "--bin-dir", "/", status=1)
    assert "h1: there is no program vhost in /" in labs.errors
    labs.run("up", H1R1H2, "--detach", "--bin-config", "/nowhere.json", status=1)
    assert "No such file" in labs.errors and ":0:" not in labs.errors
    labs.nothing_left()


def test_options_anywhere(labs, tmp_path):
    for name in ("one", "two"):
        labs.up(H1R1H2, "--dir", tmp_path / name)
    place = tmp_path / "two"
    labs.run("exec", "h1", "down if0", "--dir", place)
    labs.run("exec", "h2", "--dir", place, "down if0")
    assert "down" in labs.run("exec", "--dir", place, "h1", "li")
    assert "down" not in labs.run("exec", "--dir", tmp_path / "one", "h1", "li")
    assert "if0" in labs.run("attach", "h1", "--dir", place, typed="li\n")
    labs.run("exec", "h1", "--dir", place, "--", "a", "--dir", status=1)


def test_unimpaired_directions_are_told(labs, tmp_path):
    """Two of others beside one of ours: what they send to each other stays good, by the file or by --loss."""
    description = {"nodes": [{"name": name, "type": "host"} for name in ("h1", "h2", "h3")],
                   "networks": [{"name": "lan", "links": ["h1", "h2", "h3"]}]}
    config = binaries(tmp_path, h2={}, h3={})
    for loss, options in ((0, ["--loss", "0.1"]), (0.1, [])):
        path = tmp_path / "lan.json"
        if loss:
            description["networks"][0]["loss"] = loss
        path.write_text(json.dumps(description))
        labs.up(path, "--bin-config", config, *options)
        assert "2 directions between somebody else's programs stay unimpaired" in labs.errors
        labs.run("down")


def test_labs_are_called_as_they_were_named(labs, tmp_path):
    places = [tmp_path / name for name in ("one", "two")]
    for place in places:
        labs.up(H1R1H2, "--dir", place)
    labs.run("status", status=2)
    assert labs.errors.rstrip().endswith(f"choose one with --dir: {places[0]}, {places[1]}")
    out = labs.run("down", "--all")
    assert out.splitlines() == [f"{place}: down, 3 processes were running" for place in places]


def test_seeds(labs, tmp_path):
    """A seed of 0 is one; that of --impair is another for each interface."""
    path = impaired(tmp_path, net0={"loss": 0.1, "seed": 0}, net1={"loss": 0.1, "seed": 0})
    for options, expected in (([], [2**64 - 1, 1, 2, 3]),
                              (["--impair", "delay_ms=1 seed=7"], [7, 8, 9, 10])):
        labs.run("generate", path, tmp_path / "out", *options)
        text = "".join((tmp_path / "out" / f"{node}.lnx").read_text() for node in ("h1", "r1", "h2"))
        assert [int(seed) for seed in re.findall(r"# weir: impair .*\bseed=(\d+)", text)] == expected


def test_constants_file(labs, tmp_path):
    path = tmp_path / "constants.json"
    labs.run("generate", "--constants-file", path, H1R1H2, tmp_path / "out")
    assert json.loads(path.read_text()) == {
        "rip_periodic_update_rate_ms": 5000, "rip_timeout_threshold_ms": 12000,
        "tcp_rto_min_us": 1000, "tcp_rto_max_us": 5000000}
    check_generated(tmp_path / "out", json.loads(H1R1H2.read_text()))
    path.write_text('{"tcp_rto_min_us": 2000, "rip_periodic_update_rate_ms": 1}')
    labs.run("generate", "--constants-file", path, H1R1H2, tmp_path / "out")
    assert read_lnx(tmp_path / "out" / "h1.lnx")["tcp"] == ["rto-min 2000", "rto-max 5000000"]
    assert read_lnx(tmp_path / "out" / "r1.lnx")["rip"] == [
        "periodic-update-rate 1", "route-timeout-threshold 12000"]
    labs.run("generate", "--constants-file", tmp_path / "no" / "c.json", H1R1H2, tmp_path / "out",
             status=2)
    assert "No such file" in labs.errors


def test_two_hosts(labs, tmp_path):
    path = tmp_path / "pair.json"
    path.write_text(json.dumps({
        "nodes": [{"name": "a", "type": "host"}, {"name": "b", "type": "host"}],
        "networks": [{"name": "wire", "links": ["a", "b"]}]}))
    labs.up(path)
    labs.ping_until("a", "10.0.0.2")
    assert not [row for row in labs.ask("a", "lr") if row.startswith("S")]


def test_200_nodes(labs, tmp_path):
    path = tmp_path / "big.json"
    path.write_text(json.dumps(big_description(200)))
    started = time.monotonic()
    labs.run("up", path, "--detach")
    seconds = time.monotonic() - started
    print(f"200 nodes in {seconds:.2f} s")
    assert sum(row["up"] for row in labs.rows(status=0).values()) == 200
    assert seconds < 15 * nodes.SLOW  # 3 s on two cores that do nothing else
    labs.run("down")
    labs.nothing_left()


# ---- Somebody else's programs -------------------------------------------------------------------------------


def impaired(tmp_path, **networks):
    """linear-r1h2 with keys for net0 and net1."""
    description = json.loads(H1R1H2.read_text())
    for network in description["networks"]:
        network.update(networks.get(network["name"], {}))
    path = tmp_path / "impaired.json"
    path.write_text(json.dumps(description))
    return path


def binaries(tmp_path, **entries):
    path = tmp_path / "binaries.json"
    path.write_text(json.dumps({name: {"binary_path": THEIRS, **entry}
                                for name, entry in entries.items()}))
    return path


def test_their_router(labs, tmp_path):
    labs.up(H1R1H2, "--bin-config", binaries(tmp_path, r1={}))
    rows = labs.rows()
    assert not rows["r1"]["ours"] and rows["h1"]["ours"] and "control" not in rows["r1"]
    labs.ping_until("h1", "10.1.0.2")
    labs.run("exec", "r1", "li", status=2)
    assert "somebody else's program" in labs.errors
    assert "if1 10.1.0.1/24 theirs" in labs.run("attach", "r1", typed="li\n")
    labs.run("down")
    labs.nothing_left()


def test_bin_dir_and_host_router(labs, tmp_path):
    place = tmp_path / "bin"
    place.mkdir()
    for program in ("vhost", "vrouter"):
        shutil.copy(nodes.BIN / program, place)
    labs.up(H1R1H2, "--bin-dir", place)
    assert all(row["program"].startswith(str(place)) and row["ours"] for row in labs.rows().values())
    labs.run("down")
    labs.up(H1R1H2, "--host", place / "vhost", "--router", THEIRS)
    assert [row["ours"] for row in labs.rows().values()] == [True, False, True]
    labs.run("down")
    for entry in ({"extra_args": ["--more"]}, {"extra_args": "--more"}, {"skip_config": True}):
        # Of theirs nothing is known but that it runs: this one may end before or after `up`.
        labs.up(H1R1H2, "--bin-config", binaries(tmp_path, r1=entry), status=None)
        if "r1 ended at once: Usage: theirs" not in labs.errors:
            labs.until(lambda: not labs.rows()["r1"]["up"], "r1 took a flag that it does not know")
            assert "Usage: theirs" in pathlib.Path(labs.rows()["r1"]["log"]).read_text()
            labs.run("down")
        labs.nothing_left()
    labs.up(H1R1H2, "--bin-config", binaries(tmp_path, r9={}), status=1)
    assert 'unknown node "r9"' in labs.errors
    labs.up(H1R1H2, "--bin-config", binaries(tmp_path, r1={"binary_path": "/nowhere"}), status=1)
    assert "r1: there is no program /nowhere" in labs.errors


def test_impaired_beside_theirs(labs, tmp_path):
    """Theirs sends on net1: h2, which receives, does it. None of ours: nobody can."""
    path = impaired(tmp_path, net1={"loss": 1})
    config = binaries(tmp_path, r1={})
    labs.up(path, "--bin-config", config)
    place = labs.path / "weir" / "impaired"
    assert "# weir:" not in (place / "r1.lnx").read_text()
    assert re.search(r"^# weir: impair if0 from 10.1.0.1 loss=1$", (place / "h2.lnx").read_text(),
                     re.M)
    labs.ask("h1", "ping 10.0.0.2 1", status=1)  # theirs answers no ping
    labs.ask("h1", "ping 10.1.0.2 1", status=1)
    labs.run("down")
    labs.up(path, "--bin-config", binaries(tmp_path, r1={}, h2={}), status=1)
    assert labs.errors == ('weir lab: network "net1" cannot be impaired: none of its nodes is one of '
                           'ours\n')
    labs.run("generate", path, tmp_path / "files", "--base-port", nodes.free_ports(32))
    labs.run("up", "--detach", tmp_path / "files", "--bin-config", config, status=1)
    assert "does not impair what it sends" in labs.errors
    labs.nothing_left()


# ---- Impairments, counted -----------------------------------------------------------------------------------


def send_many(labs, count, text="x"):
    """h1 sends test packets to h2, numbered; returns the numbers in the order in which they came."""
    labs.ping_until("h1", "10.1.0.2")
    log = labs.path / "weir" / "impaired" / "h2.log"
    batch = 100
    for start in range(0, count, batch):
        labs.run("attach", "h1", typed="".join(f"send 10.1.0.2 {text} {number}\n" for number in
                                               range(start, start + batch)))
    labs.ask("h1", "link if0 off")
    labs.ask("r1", "link if1 off")
    labs.until(lambda: labs.ask("h1", "send 10.1.0.2 last") and "last\n" in log.read_text(errors="replace"), "last")
    return [int(number) for number in re.findall(rf"{text} (\d+)$",
                                                      log.read_text(errors="replace"), re.M)]


def bounds(count, probability):
    """Five standard deviations to both sides of the mean of so many trials."""
    mean = count * probability
    width = 5 * math.sqrt(count * probability * (1 - probability)) + 1
    return mean - width, mean + width


@pytest.mark.parametrize("theirs", [False, True], ids=["ours", "theirs"])
def test_loss(labs, tmp_path, theirs):
    """10 % on net0 and 2 % on net1, each once, whoever runs r1."""
    count = 4000
    path = impaired(tmp_path, net0={"loss": 0.1, "seed": 5}, net1={"loss": 0.02, "seed": 6})
    labs.up(path, *(["--bin-config", binaries(tmp_path, r1={})] if theirs else []))
    if theirs:
        labs.ask = keep_links(labs)
    came = send_many(labs, count)
    low, high = bounds(count, 0.9 * 0.98)
    assert low <= len(came) <= high and len(set(came)) == len(came)
    assert came == sorted(came)


def keep_links(labs):
    """What is theirs has no `link`: its direction stays bad."""
    ask = labs.ask

    def asking(node, command, *options, **more):
        return ask(node, command, *options, **more) if node != "r1" else []
    return asking


def test_burst_loss(labs, tmp_path):
    count = 6000
    labs.up(impaired(tmp_path, net0={"burst_loss": 0.01, "burst_length": 5, "seed": 8}))
    came = send_many(labs, count)
    lost = count - len(came)
    gaps = [b - a - 1 for a, b in zip([-1] + came, came + [count]) if b - a > 1]
    # A burst begins with 0.01 a packet outside of one and lasts 5 on average: 4.8 % are lost.
    assert 0.03 * count < lost < 0.07 * count
    assert 3.5 < lost / len(gaps) < 7


def test_duplicates_and_reordering(labs, tmp_path):
    count = 3000
    labs.up(impaired(tmp_path, net0={"duplicate": 0.1, "seed": 3},
                     net1={"reorder": 0.05, "reorder_ms": 2, "seed": 4}))
    came = send_many(labs, count)
    low, high = bounds(count, 0.1)
    assert set(came) == set(range(count))
    assert low <= len(came) - count <= high
    late = sum(1 for a, b in zip(came, came[1:]) if b < a)
    assert 0 < late <= bounds(len(came), 0.05)[1]


def test_corruption(labs, tmp_path):
    """A flipped bit in 48 bytes: where it hits the header it is noticed, and the packet dropped."""
    count = 3000
    text = "y" * 22
    labs.up(impaired(tmp_path, net0={"corrupt": 0.3, "seed": 3}))
    came = send_many(labs, count, text)
    good = len(came)
    length = 20 + len(text) + 5  # header, text, blank, up to four digits
    assert bounds(count, 0.7)[0] <= good <= bounds(count, 0.7 + 0.3 * 5 / length)[1]


def test_delay_and_jitter(labs, tmp_path):
    labs.up(impaired(tmp_path, net0={"delay_ms": 40}, net1={"delay_ms": 10, "jitter_ms": 20}))
    labs.ping_until("h1", "10.1.0.2")
    times = [float(line) for line in
             re.findall(r"time=([\d.]+) ms", labs.run("exec", "h1", "ping 10.1.0.2 6"))]
    assert len(times) == 6 and min(times) >= 100
    if nodes.SLOW == 1:
        assert min(times) < 160  # 100 + 2 jitters, and what a busy machine adds


def test_rate(labs, tmp_path, make_file):
    """200 kB through 4 Mbit/s take 0.4 s and the headers' share; nothing may be faster."""
    labs.up(impaired(tmp_path, net1={"rate_mbit": 4}))
    labs.ping_until("h1", "10.1.0.2")
    source, target = make_file(200000), tmp_path / "received"
    log = labs.path / "weir" / "impaired" / "h2.log"
    labs.ask("h2", f"rf {target} 9000")
    started = time.monotonic()
    labs.ask("h1", f"sf {source} 10.1.0.2 9000")
    labs.until(lambda: "bytes total" in log.read_text(), "the file")
    seconds = time.monotonic() - started
    assert seconds >= 200000 * 1400 / 1360 * 8 / 4e6
    if nodes.SLOW == 1:
        assert seconds < 3


def test_queue(labs, tmp_path):
    """Eight packets may wait for a slow line: of a hundred at once most are lost, and counted."""
    labs.up(impaired(tmp_path, net0={"rate_mbit": 0.01, "queue_packets": 8}))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(labs.rows()["h1"]["control"])
        client.sendall(b"send 10.1.0.2 z\n" * 100)
        reader = client.makefile("rb")
        for _ in range(100):
            assert reader.readline() == b"-Sent 21 bytes\n" and reader.readline() == b"=0\n"
    counts = labs.ask("h1", "link if0")[1].split()
    assert int(counts[counts.index("queue_drops") + 1]) >= 60


def test_link_live(labs):
    labs.up(H1R1H2)
    labs.ping_until("h1", "10.1.0.2")
    assert labs.ask("h1", "link if0")[0] == "if0: off"
    labs.ask("h1", "link if0 loss=1 delay_ms=2.5")
    assert labs.ask("h1", "link if0")[0] == "if0: loss=1 delay_ms=2.5"
    labs.ask("h1", "ping 10.1.0.2 1", status=1)
    labs.ask("h1", "link if0 loss=0")
    assert labs.ask("h1", "link if0")[0] == "if0: delay_ms=2.5"
    labs.ask("h1", "ping 10.1.0.2 1")
    assert "expected a key" in labs.ask("h1", "link if0 loss=0.5 los=1", status=1)[0]
    assert labs.ask("h1", "link if0")[0] == "if0: delay_ms=2.5"  # all or nothing
    labs.ask("h1", "link if0 off")
    assert labs.ask("h1", "link if0")[0] == "if0: off"
    labs.ask("h1", "down if0")
    labs.ask("h1", "ping 10.1.0.2 1", status=1)
    labs.ask("h1", "up if0")
    labs.ask("h1", "ping 10.1.0.2 1")
    assert labs.ask("r1", "link if9", status=1) == ['error: "if9": no such interface']


# ---- Panes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def tmux(labs):
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")

    def run(*words):
        return subprocess.run(["tmux", *words], env=labs.env, check=False, text=True,
                              capture_output=True, timeout=30).stdout
    return run


def panes(tmux, session="vnet-linear-r1h2"):
    return [line.split() for line in tmux(
        "list-panes", "-s", "-t", f"={session}:", "-F",
        "#{pane_id} #{pane_title} #{@weir_node} #{pane_dead}").splitlines()]


def test_panes(labs, tmux):
    base = nodes.free_ports(32)
    out = labs.run("up", H1R1H2, "--base-port", base)
    assert "vnet-linear-r1h2" in out
    assert [pane[1:] for pane in panes(tmux)] == [[node, node, "0"] for node in ("h1", "r1", "h2")]
    assert "tmux vnet-linear-r1h2" in labs.run("status")
    labs.ping_until("h1", "10.1.0.2")
    here = {pane[1]: pane[0] for pane in panes(tmux)}
    tmux("send-keys", "-t", here["h2"], "li", "Enter")
    labs.until(lambda: " if0  10.1.0.2/24   up" in tmux("capture-pane", "-p", "-t", here["h2"]),
               "the prompt in the pane")
    tmux("send-keys", "-t", here["h2"], "C-c")
    labs.until(lambda: "h2 has ended" in tmux("capture-pane", "-p", "-t", here["h2"]), "the end")
    tmux("send-keys", "-t", here["h2"], "echo shell-$((40+2))", "Enter")
    labs.until(lambda: "shell-42" in tmux("capture-pane", "-p", "-t", here["h2"]), "a shell")
    assert not labs.rows(status=1)["h2"]["up"]
    assert "if0" in labs.run("attach", "h1", typed="li\n")
    labs.run("down")
    assert "vnet-linear-r1h2" not in tmux("list-sessions")
    labs.nothing_left()


def test_panes_on_a_terminal(labs, tmux):
    """`up` and `attach` become clients of the session; nodes stay when the client goes."""
    env = {**labs.env, "TERM": "xterm", "LANG": "C.UTF-8"}
    base = nodes.free_ports(32)

    def spawn(*words):
        return pexpect.spawn(WEIR, ["lab", *words], env=env, timeout=30 * nodes.SLOW,
                             dimensions=(40, 120), encoding="utf-8", codec_errors="replace")

    def active():
        return tmux("display-message", "-p", "-t", "=vnet-linear-r1h2:", "#{@weir_node}").strip()

    def clients():
        return tmux("list-clients", "-F", "#{client_session}").split()

    child = spawn("up", str(H1R1H2), "--base-port", str(base))
    labs.until(lambda: clients() == ["vnet-linear-r1h2"], "no client")
    tmux("detach-client", "-s", "=vnet-linear-r1h2")
    child.expect(pexpect.EOF)
    child = spawn("attach", "r1")
    labs.until(lambda: clients() and active() == "r1", "r1's pane")
    child.send("li\r")
    child.expect("if1  10.1.0.1/24   up")
    tmux("detach-client", "-s", "=vnet-linear-r1h2")
    child.expect(pexpect.EOF)
    assert all(row["up"] for row in labs.rows(status=0).values())


def test_attach_on_a_terminal(labs):
    labs.up(H1R1H2)
    child = pexpect.spawn(WEIR, ["lab", "attach", "h1"], env={**labs.env, "TERM": "xterm"},
                          timeout=20 * nodes.SLOW, encoding="utf-8")
    child.expect_exact("> ")
    child.send("li\r")
    child.expect_exact(" if0  10.0.0.1/24   up\r\n> ")
    labs.ask("r1", "send 10.0.0.1 hello")
    child.expect_exact("Data:  hello\r\n> ")
    child.send("\x04")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert labs.rows(status=0)["h1"]["up"]


def test_pane_that_ends_at_once(labs, tmux):
    labs.run("up", H1R1H2, "--", "-nonsense", status=1)
    assert re.match(r"weir lab: (h1|r1|h2) ended at once(: v(host|router): unknown flag: -nonsense)?$",
                    labs.errors)
    assert not tmux("list-sessions")
    labs.nothing_left()


def test_down_begins_no_shells(labs, tmux, tmp_path):
    """A node that ends by itself leaves a shell in its pane; nodes of a lab that is taken down do not."""
    shell = tmp_path / "shell"
    shell.write_text(f"#!/bin/sh\necho x >>{tmp_path}/shells\nexec /bin/sh\n")
    shell.chmod(0o755)
    labs.env["SHELL"] = str(shell)
    labs.run("up", H1R1H2)
    labs.run("exec", "h1", "exit")
    labs.until(lambda: (tmp_path / "shells").exists(), "a shell")
    labs.run("down")
    labs.nothing_left()
    assert (tmp_path / "shells").read_text() == "x\n"
    assert not tmux("list-sessions")


def test_two_labs_in_panes(labs, tmux, tmp_path):
    for name in ("one", "two"):
        labs.run("up", H1R1H2, "--dir", tmp_path / name, "--verbose")
        assert "split-window" in labs.errors
    assert len(panes(tmux)) == 3 and len(panes(tmux, "vnet-linear-r1h2-2")) == 3
    labs.run("down", "--dir", tmp_path / "one")
    assert not panes(tmux) and len(panes(tmux, "vnet-linear-r1h2-2")) == 3
    tmux("new-session", "-d", "-s", "vnet-old")
    tmux("new-session", "-d", "-s", "other")
    labs.run("up", H1R1H2, "--clean", "--detach")
    assert tmux("list-sessions", "-F", "#{session_name}").split() == ["other"]
    assert not (tmp_path / "two").exists()
    assert len(labs.rows()) == 3


def test_killed_tmux(labs, tmux):
    # A hang-up kills the helper of a leak check, which the node then awaits for ever.
    labs.env["ASAN_OPTIONS"] = "detect_leaks=0"
    labs.run("up", H1R1H2)
    server = int(tmux("display-message", "-p", "#{pid}"))
    os.kill(server, signal.SIGKILL)
    labs.until(lambda: not any(row["up"] for row in labs.rows().values()), "the nodes are gone")
    labs.run("up", H1R1H2)
    assert all(row["up"] for row in labs.rows().values())
    labs.run("down")
    labs.nothing_left()


@pytest.mark.parametrize("calls", [1, 2, 3, 4, 5])
def test_killed_between_calls_of_tmux(labs, tmux, tmp_path, calls):
    """`up` killed as soon as tmux has done the n-th thing: no session, no node, no shell stays."""
    real = shutil.which("tmux")
    fake = tmp_path / "bin" / "tmux"
    fake.parent.mkdir()
    count = tmp_path / "count"
    fake.write_text(f'#!/bin/sh\necho x >>{count}\n{real} "$@"\nstatus=$?\n'
                    f'[ $(wc -l <{count}) -eq {calls} ] && kill -9 $PPID\nexit $status\n')
    fake.chmod(0o755)
    path = labs.env["PATH"]
    labs.env["PATH"] = f"{fake.parent}:{path}"
    labs.run("up", H1R1H2, status=None)
    labs.env["PATH"] = path
    if calls % 2:
        labs.run("down", status=None)  # before the first pane there is nothing yet
    else:
        labs.run("up", H1R1H2)
        assert len(panes(tmux)) == 3
        labs.run("down")
    assert not tmux("list-sessions")
    labs.nothing_left()


def test_no_tmux(labs, tmp_path):
    labs.env["PATH"] = str(tmp_path)
    labs.run("up", H1R1H2, status=1)
    assert "--detach" in labs.errors
    labs.nothing_left()
