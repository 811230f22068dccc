# SPDX-License-Identifier: MIT
"""stcp-check against our own transport, where every rule must hold, and against those of broken/,
which have one bug each: exactly the rule that is written beside the bug must be broken. What else
fails there may only be `unclear`."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHECK = ROOT / "stcp" / "stcp-check"
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
TRANSPORT = ROOT / "stcp" / "transport.c"
PLAIN = ROOT / "tests" / "stcp" / "plain_transport.c"
BROKEN = ROOT / "tests" / "stcp" / "broken"
PATIENCE = float(os.environ.get("WEIR_SLOW", "1"))
AT_ONCE = 6  # they wait most of the time
# A build with sanitizers has nothing to add: stcp-check compiles what it checks by itself.
pytestmark = pytest.mark.skipif(PATIENCE > 1, reason="checked in the plain build")
BUGS_LEAST = 25
LIMIT_S = 200


class Bug:
    """One block of broken/*.txt."""

    def __init__(self, lines):
        self.fields = {}
        self.places = [[]]
        for line in lines:
            word, _, rest = line.partition(" ")
            if word in ("=", "-", "+"):
                self.places[-1].append((word, rest.strip()))
            elif word == "@":
                self.places.append([])
            else:
                self.fields[word] = rest.strip()
        self.id, self.rule, self.edition = (self.fields[name] for name in ("id", "rule", "edition"))
        assert self.fields["what"]

    def apply(self, text):
        for place in self.places:
            text = replace(text, place, self.id)
        return text


def replace(text, place, name):
    """`text` with the lines of one place gone and come; they must stand there exactly once."""
    lines = text.split("\n")
    bare = [line.strip() for line in lines]
    old = [(sign, line) for sign, line in place if sign != "+"]
    starts = [at for at in range(len(bare))
              if bare[at:at + len(old)] == [line for _, line in old]]
    assert len(starts) == 1, f"{name}: {place} stands {len(starts)} times in transport.c"
    comes = [line for sign, line in place if sign == "+"]
    new = []
    for at, (sign, _) in enumerate(old, starts[0]):
        if sign == "=":
            new.append(lines[at])
        else:  # what comes stands where the first line goes
            new += comes
            comes = []
    return "\n".join(lines[:starts[0]] + new + lines[starts[0] + len(old):])


def read_bugs():
    bugs = []
    for path in sorted(BROKEN.glob("*.txt")):
        text = "\n".join(line for line in path.read_text().split("\n")
                         if not line.startswith("#"))
        bugs += [Bug(block.strip().split("\n")) for block in text.split("\n\n") if block.strip()]
    return bugs


BUGS = read_bugs()
OURS = [(edition, compiler) for compiler in ("gcc", "g++") for edition in ("loss", "reliable")]


PROGRAMS = [None, "window-field-large", "nothing-converted", "last-ack-ignored", "sends-twice",
            "options-delivered"]


def check(*arguments, patience=PATIENCE):
    return subprocess.run([sys.executable, str(CHECK), f"--patience={patience}", *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          timeout=LIMIT_S * PATIENCE, text=True)


def check_programs(place, name):
    """client and server with our transport in its reliable edition, perhaps with a bug."""
    place = place / f"programs-{name}"
    place.mkdir()
    path = place / "transport.c"
    text = TRANSPORT.read_text()
    bug = next((bug for bug in BUGS if bug.id == name), None)
    path.write_text("#define STCP_RELIABLE\n" + (bug.apply(text) if bug else text))
    subprocess.run([str(ROOT / "scripts" / "stcp"), "-o", str(place), str(BUILD), str(path)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [check("--json", f"--program={program}", str(place / program))
            for program in ("client", "server")]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Everything that is to be checked, started at once; name -> future of a finished process."""
    place = tmp_path_factory.mktemp("check")
    futures = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        def start(name, path, *arguments, compiler="gcc"):
            futures[name] = pool.submit(check, "--json", f"--build-dir={place / compiler}",
                                        f"--cc={compiler}", *arguments, str(path))

        start("slow", TRANSPORT, "--only=six-syns")
        for edition, compiler in OURS:
            start((edition, compiler), TRANSPORT, "--quick", f"--edition={edition}",
                  compiler=compiler)
        for compiler in ("gcc", "g++"):
            start(("plain", compiler), PLAIN, "--edition=reliable", compiler=compiler)
        for name in PROGRAMS:
            futures["programs", name] = pool.submit(check_programs, place, name)
        for bug in BUGS:
            path = place / f"{bug.id}.c"
            path.write_text(bug.apply(TRANSPORT.read_text()))
            start(bug.id, path, "--quick", f"--edition={bug.edition}")
        yield futures


def statuses(done):
    assert done.returncode in (0, 1), done.stderr
    return {one["id"]: one["status"] for one in json.loads(done.stdout)["rules"]}


def reasons(done):
    return [f"{one['id']}: {one['status']}: {one['role']}: {one['reason']}"
            for one in json.loads(done.stdout)["rules"] if one["status"] != "held"]


@pytest.mark.parametrize("edition,compiler", OURS)
def test_ours_keeps_every_rule(results, edition, compiler):
    done = results[edition, compiler].result()
    assert set(statuses(done).values()) == {"held"}, reasons(done)
    assert done.returncode == 0 and len(statuses(done)) > 30


@pytest.mark.parametrize("compiler", ["gcc", "g++"])
def test_another_keeps_every_rule(results, compiler):
    done = results["plain", compiler].result()
    assert set(statuses(done).values()) == {"held"}, reasons(done)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.id)
def test_bug_is_found(results, bug):
    done = results[bug.id].result()
    broken = [rule for rule, status in statuses(done).items() if status == "broken"]
    assert broken == [bug.rule], reasons(done)
    assert done.returncode == 1


def test_ours_gives_up_its_syn(results):
    done = results["slow"].result()
    assert statuses(done)["six-syns"] == "held", reasons(done)


def test_there_are_bugs_enough():
    assert len(BUGS) >= BUGS_LEAST
    assert len({bug.id for bug in BUGS}) == len(BUGS)


def test_every_rule_has_its_bug():
    """A rule that nothing can break proves nothing. One is about the layers below; 1 MB, losses and
    the order of FIN and data break only together with simpler rules; six-fins and six-syns are
    six-sends again."""
    listing = check("--list").stdout.splitlines()
    rules = {line.partition(":")[0] for line in listing}
    without = rules - {bug.rule for bug in BUGS}
    assert without == {"lower-layer", "bulk", "bulk-lossy", "fin-behind-data", "six-fins",
                       "six-syns"}


def test_what_does_not_build_has_status_3(tmp_path):
    path = tmp_path / "transport.c"
    path.write_text("int transport_init(void) { return nothing; }\n")
    done = check(str(path))
    assert done.returncode == 3
    assert "nothing" in done.stderr
    assert check("--cc=no-such-compiler", str(TRANSPORT)).returncode == 3
    path.write_text("// a comment of C++\nint transport_init(void);\n")
    assert "--cc g++" in check(str(path)).stderr


@pytest.mark.parametrize("compiler", ["gcc", "g++", "clang"])
def test_driver_compiles_without_a_warning(compiler):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    subprocess.run([compiler, "-ansi", "-pthread", "-D_GNU_SOURCE", "-DLINUX", "-g", "-Wall", "-W",
                    "-D_REENTRANT", "-Werror", f"-I{ROOT / 'stcp'}", "-c", "-o", "/dev/null",
                    str(ROOT / "stcp" / "check" / "driver.c")], check=True)


def test_headers_beside_a_transport_are_not_taken(tmp_path):
    for name in ("mysock.h", "stcp_api.h", "transport.h"):
        (tmp_path / name).write_text("#error the wrong header\n")
    (tmp_path / "transport.c").write_text(TRANSPORT.read_text())
    done = check("--only=byte-order", str(tmp_path / "transport.c"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", [[], ["--edition=other", "x.c"], ["--only=nothing", "x.c"],
                                       ["--program=client", "/nonexistent"], ["/nonexistent.c"],
                                       ["--program=client", "/"], ["/"],
                                       ["--patience=0", "x.c"], ["--program=other", "x"],
                                       ["--mss=0", "x.c"]])
def test_wrong_usage_has_status_2(arguments):
    done = check(*arguments, patience=1)
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_nobody_reads():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, str(CHECK), "--list"], stdout=writer,
                          stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_human_output(tmp_path):
    """The rule's text, what was seen, and the segments before it."""
    path = tmp_path / "transport.c"
    path.write_text(next(bug for bug in BUGS if bug.id == "window-field-large")
                    .apply(TRANSPORT.read_text()))
    done = check("--only=window-field", str(path))
    assert done.returncode == 1
    assert "BROKEN  window-field" in done.stdout
    assert "th_win is 3072 in every segment" in done.stdout
    assert "th_win is 4096, 3072 was due" in done.stdout
    assert "tested >" in done.stdout
    assert "1 broken" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(results, name):
    """The same rules, as far as a program shows them; in one of the two at least."""
    found = results["programs", name].result()
    broken = {rule for done in found for rule, status in statuses(done).items()
              if status == "broken"}
    if name is None:
        assert not broken and all(done.returncode == 0 for done in found), [
            reasons(done) for done in found]
    else:
        bug = next(bug for bug in BUGS if bug.id == name)
        assert broken == {bug.rule}, [reasons(done) for done in found]
