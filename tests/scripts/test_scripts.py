# SPDX-License-Identifier: MIT
"""The project's own scripts, each on a small tree of its own, so that every rule is seen to bite."""

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

ROW = "MUST-1\tMUST\t9293\t3.1\tsomething is so\t{status}\t{reason}\n"
HEADER = "id\tlevel\trfc\tsection\tsummary\tstatus\treason\n"


class Tree:
    """A copy of one script beside files that a test makes up."""

    def __init__(self, path, script):
        self.path = path
        self.script = path / "scripts" / script
        self.script.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "scripts" / script, self.script)

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *arguments):
        return subprocess.run([sys.executable, str(self.script), *map(str, arguments)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              cwd=self.path, stdin=subprocess.DEVNULL, check=False, timeout=60)


@pytest.fixture
def tree(tmp_path):
    return lambda script: Tree(tmp_path, script)


# ---- run-tests ---------------------------------------------------------------------------------

def run_tests(tree, programs, *options):
    """Runs programs (name: shell text) as ctest's tests; the finished process."""
    build = tree.path / "build"
    build.mkdir(exist_ok=True)
    listing = ["set_directory_properties()\n"]
    for name, text in programs.items():
        program = tree.write(f"build/{name}", "#!/bin/sh\n" + text)
        program.chmod(0o755)
        listing.append(f'add_test({name} "{program}")\n'
                       f'set_tests_properties({name} PROPERTIES TIMEOUT 2)\n')
    tree.write("build/CTestTestfile.cmake", "".join(listing[1:]))
    return tree.run(build, *options)


@pytest.mark.parametrize("text, last, status", [
    ("echo 1..2; echo ok 1 - a; echo ok 2 - b", "2 passed, 0 failed", 0),
    ("echo 1..1; echo ok 1; echo 1..1; echo ok 1", "2 passed, 0 failed", 0),
    ("echo 1..2; echo ok 1; echo 'not ok 2 # SKIP b'", "1 passed, 0 failed, 1 skipped", 0),
    ("echo 1..1; echo 'not ok 1 # SKIP b'", "0 passed, 0 failed, 1 skipped", 1),
    ("echo 1..2; echo ok 1; echo not ok 2; exit 1", "1 passed, 1 failed", 1),
    ("echo 1..2; echo ok 1", "1 passed, 1 failed", 1),
    ("echo 1..1; echo ok 1; exit 3", "1 passed, 1 failed", 1),
    ("echo 1..1; echo ok 1; kill -SEGV $$", "1 passed, 1 failed", 1),
    ("echo hello", "0 passed, 1 failed", 1),
    ("exit 0", "0 passed, 1 failed", 1),
    ("echo 1..0", "0 passed, 0 failed", 1),
    ("echo 1..1; echo 'Bail out! no'; exit 0", "0 passed, 2 failed", 1),
])
def test_run_tests_counts(tree, text, last, status):
    done = run_tests(tree("run-tests"), {"one": text})
    assert done.stdout.splitlines()[-1] == last, done.stdout
    assert done.returncode == status


def test_run_tests_shows_failures_and_adds_up(tree):
    done = run_tests(tree("run-tests"), {
        "good": "echo 1..1; echo ok 1",
        "bad": "echo why it failed; echo 1..1; echo not ok 1; exit 1"})
    assert done.stdout.splitlines()[-1] == "1 passed, 1 failed"
    assert "why it failed" in done.stdout
    assert re.search(r"^failed: bad$", done.stdout, re.MULTILINE)


def test_run_tests_ends_what_does_not_end(tree):
    done = run_tests(tree("run-tests"),
                     {"stuck": "echo 1..1; echo ok 1; exec tail -f /dev/null"})
    assert done.stdout.splitlines()[-1] == "1 passed, 1 failed"
    assert "still running after 2 s" in done.stdout


def test_run_tests_with_no_test_fails(tree):
    done = run_tests(tree("run-tests"), {"one": "echo 1..1; echo ok 1"}, "--only", "nothing")
    assert done.stdout.splitlines()[-1] == "0 passed, 0 failed"
    assert done.returncode == 1


def test_run_tests_counts_pytest_cases(tree):
    here = tree("run-tests")
    here.write("tests/e2e/test_x.py", """import os
import pytest
def test_good():
    assert os.environ["WEIR_BUILD"].endswith("build")
def test_bad():
    assert 1 == 2
def test_skipped():
    pytest.skip("no")
""")
    done = run_tests(here, {"one": "echo 1..1; echo ok 1"})
    assert done.stdout.splitlines()[-1] == "2 passed, 1 failed, 1 skipped", done.stdout
    assert "assert 1 == 2" in done.stdout


def test_run_tests_counts_a_pytest_file_that_does_not_import(tree):
    here = tree("run-tests")
    here.write("tests/e2e/test_x.py", "import no_such_module\n")
    done = run_tests(here, {})
    assert done.returncode == 1
    assert re.fullmatch(r"0 passed, [1-9] failed", done.stdout.splitlines()[-1])


# ---- check-layers ------------------------------------------------------------------------------

def layers(tree, name, text):
    """The offences of one file in an otherwise empty tree; no objects are looked at."""
    here = tree("check-layers")
    shutil.copy(ROOT / "layers.txt", here.path / "layers.txt")
    here.write("include/weir/types.h", "")
    here.write("src/base/seq.h", "")
    here.write("src/net/net.h", "")
    here.write("src/tcp/tcp.h", "")
    here.write("src/tcp/cc.h", "")
    here.write(name, text)
    done = here.run(here.path / "nowhere")
    return [line for line in done.stdout.splitlines()[:-1] if "no objects" not in line]


@pytest.mark.parametrize("name, text", [
    ("src/tcp/x.c", "#include <base/seq.h>\n#include <weir/types.h>\n#include <string.h>\n"),
    ("src/stack/x.c", "#include <net/net.h>\n#include <tcp/tcp.h>\n"),
    ("src/tcp/cc/x.c", "#include <tcp/cc.h>\n"),
    ("tests/unit/tcp/x.c", "#include <net/net.h>\n#include <time.h>\n"),
    ("src/host/x.c", "void f(void)\n{\n    clock_gettime(0, 0);\n}\n"),
    ("src/tcp/x.c", "/* printf(\"x\"); */\nconst char *s = \"printf(1)\";\n"),
    ("src/tcp/x.c", "int x = timer.time(1) + runtime(2);\n"),
])
def test_layers_allow(tree, name, text):
    assert layers(tree, name, text) == []


@pytest.mark.parametrize("name, text, words", [
    ("src/tcp/x.c", "#include <net/net.h>\n", "src/tcp/x.c:1: tcp may not include net/net.h"),
    ("src/base/x.c", "\n#include <tcp/tcp.h>\n", "src/base/x.c:2: base may not include"),
    ("src/tcp/cc/x.c", "#include <tcp/tcp.h>\n", "tcp/cc may not include tcp/tcp.h"),
    ("cmd/x.c", "#include <net/net.h>\n", "cmd may not include"),
    ("lab/x.c", "#include \"../src/base/seq.h\"\n", "lab may not include"),
    ("examples/x.c", "#include <base/seq.h>\n", "examples may not include"),
    ("src/tcp/x.c", "#include <pthread.h>\n", "tcp is core and may not include <pthread.h>"),
    ("src/net/x.c", "int f(void) {\n    return time(0);\n}\n", "src/net/x.c:2: the core may not call"),
    ("src/link/x.c", "void f(void) { printf(1); }\n", "the library may not print: printf()"),
    ("src/host/x.c", "void f(void) { usleep(1); }\n", "nothing may sleep: usleep()"),
    ("cmd/x.c", "void f(void) { sleep(1); }\n", "nothing may sleep: sleep()"),
    ("src/other/x.c", "\n", "other/x.c: lies in no layer"),
])
def test_layers_refuse(tree, name, text, words):
    offences = layers(tree, name, text)
    assert len(offences) == 1 and words in offences[0], offences


@pytest.mark.parametrize("text, found", [
    ("int visible;\n", True),
    ("static int hidden = 1; int *f(void); int *f(void) { return &hidden; }\n", True),
    ("int *f(void); int *f(void) { static int kept; return &kept; }\n", True),
    ("static _Thread_local int t; int *f(void); int *f(void) { return &t; }\n", True),
    ("extern int x; int *const table[] = {&x}; const int one = 1;\n", False),
])
def test_layers_find_mutable_data(tree, text, found):
    here = tree("check-layers")
    shutil.copy(ROOT / "layers.txt", here.path / "layers.txt")
    source = here.write("x.c", text)
    target = here.path / "build/CMakeFiles/weir_objects.dir/src/base/x.c.o"
    target.parent.mkdir(parents=True)
    subprocess.run(["gcc", "-fPIC", "-c", str(source), "-o", str(target)], check=True)
    done = here.run(here.path / "build")
    assert ("src/base/x.c: mutable data" in done.stdout) == found, done.stdout
    assert done.returncode == (1 if found else 0)


# ---- rfc-trace ---------------------------------------------------------------------------------

def trace(tree, rows, test="", code="", ids="rfc9293: MUST-1\n"):
    here = tree("rfc-trace")
    here.write("docs/rfc/rfc9293.tsv", HEADER + rows)
    here.write("docs/rfc/ids.txt", ids)
    here.write("tests/unit/x.c", test)
    here.write("src/tcp/x.c", code)
    return here.run()


DONE = ROW.format(status="done", reason="")


@pytest.mark.parametrize("citation", [
    "/* RFC 9293 3.1 [MUST-1] */",
    "/* RFC 9293 3.1 [MUST-1, MUST-1]. */",
    "/* as RFC 9293\n * 3.1 [MUST-1,\n * MUST-1] says */",
])
def test_trace_joins(tree, citation):
    done = trace(tree, DONE, test=citation)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("rows, test, code, ids, words", [
    (DONE, "", "", None, "MUST-1 is done, but no test cites it"),
    (DONE, "", "/* RFC 9293 3.1 [MUST-1] */", None, "no test cites it"),
    (DONE, "/* RFC 9293 3.1 [MUST-1] */", "/* RFC 9293 3.1 [MUST-2] */", None,
     "src/tcp/x.c:1: unknown label MUST-2"),
    (DONE, "/* RFC 793 3.1 [MUST-1] */", "", None, "MUST-1 is of RFC 9293, not 793"),
    (ROW.format(status="excepted", reason=""), "", "", None, "excepted without a reason"),
    (ROW.format(status="perhaps", reason="x"), "", "", None, "status 'perhaps' is none of"),
    (DONE + DONE, "/* RFC 9293 3.1 [MUST-1] */", "", None, "MUST-1 stands twice"),
    (DONE, "/* RFC 9293 3.1 [MUST-1] */", "", "rfc9293: MUST-1..2\n", "no row MUST-2"),
    (DONE, "/* RFC 9293 3.1 [MUST-1] */", "", "rfc9293: SHLD-1\n", "MUST-1 is not in ids.txt"),
])
def test_trace_complains(tree, rows, test, code, ids, words):
    done = trace(tree, rows, test, code, ids or "rfc9293: MUST-1\n")
    assert words in done.stdout
    assert done.returncode == 1


def test_trace_takes_an_exception_with_a_reason(tree):
    done = trace(tree, ROW.format(status="excepted", reason="because"))
    assert done.returncode == 0, done.stdout


# ---- metrics -----------------------------------------------------------------------------------

def test_metrics_measure(tree):
    here = tree("metrics")
    body = "    x++;\n" * 80
    here.write("src/base/x.c", "/* one */\nint f(int a, int b,\n      int c, int d, int e, int (*g)(int, int))\n"
                               "{\n    if (a) {\n        if (b) {\n            if (c) {\n"
                               "                if (d) {\n                    \"}\";\n"
                               "                }\n            }\n        }\n    }\n" + body + "}\n")
    done = here.run()
    assert done.returncode == 0
    assert "   93  src/base/x.c:2 f" in done.stdout, done.stdout
    assert "    6  src/base/x.c:2 f" in done.stdout
    assert "    4  src/base/x.c:2 f" in done.stdout


# ---- install-deps ------------------------------------------------------------------------------

def install_deps(tmp_path, uid, programs=(), apt=None, sudo=None):
    """Runs install-deps where only some programs exist; apt and sudo are shell texts, or absent."""
    folder = tmp_path / "bin"
    folder.mkdir()
    fakes = {"id": f"echo {uid}", "gcc": "exit 1"}
    fakes.update({name: "exit 0" for name in programs})
    fakes.update({name: text for name, text in (("apt-get", apt), ("sudo", sudo)) if text})
    for name in ("sh", "env", "true"):
        (folder / name).symlink_to(shutil.which(name))
    for name, text in fakes.items():
        program = folder / name
        program.write_text("#!/bin/sh\n" + text + "\n")
        program.chmod(0o755)
    return subprocess.run([str(folder / "sh"), str(ROOT / "scripts/install-deps"), "build"],
                          env={"PATH": str(folder), "LOG": str(tmp_path / "log")},
                          cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, stdin=subprocess.DEVNULL, check=False, timeout=60)


LOG_APT = 'echo "$@" >> "$LOG"'
COMMAND = "    sudo apt-get update && sudo apt-get install -y --no-install-recommends "


@pytest.mark.parametrize("uid, apt, sudo", [
    (1000, LOG_APT, None),
    (1000, LOG_APT, "exit 1"),
    (1000, None, None),
    (0, None, None),
])
def test_install_deps_prints_the_command(tmp_path, uid, apt, sudo):
    done = install_deps(tmp_path, uid, apt=apt, sudo=sudo)
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith(COMMAND) and "cmake" in last and "libcmocka-dev" in last
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("uid, sudo", [(0, None), (1000, 'shift; exec "$@"')])
def test_install_deps_installs(tmp_path, uid, sudo):
    done = install_deps(tmp_path, uid, apt=LOG_APT, sudo=sudo)
    log = (tmp_path / "log").read_text().splitlines()
    assert log[0] == "update -q"
    assert log[1].startswith("install -y -q --no-install-recommends ") and "ninja-build" in log[1]
    assert done.returncode == 1  # the packages of this test never come


def test_install_deps_is_quiet_when_all_is_there():
    done = subprocess.run([str(ROOT / "scripts/install-deps"), "build"], check=False, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (done.returncode, done.stdout) == (0, "")


# ---- mutants -----------------------------------------------------------------------------------

SUM = """int sum(int a, int b);

int sum(int a, int b)
{
    if (a > 100)
        return 100;
    return a + b;
}
"""

SUM_TEST = """int sum(int a, int b);

int main(void)
{
    return sum(2, 3) != 5;
}
"""

SUM_CMAKE = """cmake_minimum_required(VERSION 3.20)
project(sum C)
enable_testing()
add_executable(test_sum test.c src/sum/sum.c)
add_test(NAME unit/sum/test_sum COMMAND test_sum WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
"""


def bug(name, lines, file="src/sum/sum.c"):
    return f"id {name}\nwhat Something is wrong.\nfile {file}\n{lines}\n"


def mutants(tree, bugs, *options, source=SUM):
    """Runs the script over a project of one file and one test."""
    tree = tree("mutants")
    tree.write("src/sum/sum.c", source)
    tree.write("test.c", SUM_TEST)
    tree.write("CMakeLists.txt", SUM_CMAKE)
    tree.write("tests/mutants/all.txt", "# bugs\n\n" + "\n".join(bugs))
    subprocess.run("git init -q . && git add -A", shell=True, cwd=tree.path, check=True)
    done = tree.run(*options)
    return done, tree


WRONG_SIGN = bug("wrong-sign", "- return a + b;\n+ return a - b;")
WRONG_CAP = bug("wrong-cap", "= if (a > 100)\n- return 100;\n+ return 101;")
NO_CAP = bug("no-cap", "- if (a > 100)\n- return 100;")
NO_C = bug("no-c", "- return a + b;\n+ return c;")


@pytest.mark.parametrize("bugs, last, status", [
    ([WRONG_SIGN], "1 caught, 0 survived, 0 did not build", 0),
    ([WRONG_SIGN, WRONG_CAP], "1 caught, 1 survived, 0 did not build", 1),
    ([NO_CAP], "0 caught, 1 survived, 0 did not build", 1),
    ([WRONG_SIGN, NO_C], "1 caught, 0 survived, 1 did not build", 2),
])
def test_mutants_judge(tree, bugs, last, status):
    done, made = mutants(tree, bugs)
    assert done.stdout.splitlines()[-1] == last
    assert done.returncode == status
    report = (made.path / "out/mutants/report.txt").read_text()
    assert report.splitlines()[-1] == last
    assert ("unit    unit/sum/test_sum: status 1" in report) == (WRONG_SIGN in bugs)
    # Neither the sources nor their copy keep a bug.
    assert (made.path / "src/sum/sum.c").read_text() == SUM
    assert (made.path / "out/mutants/tree/src/sum/sum.c").read_text() == SUM


def test_mutants_try_the_one_that_is_asked_for(tree):
    done, _ = mutants(tree, [WRONG_CAP, WRONG_SIGN], "--only", "wrong-s*")
    assert "wrong-cap" not in done.stdout
    assert done.returncode == 0


def test_mutants_want_suites_that_pass(tree):
    done, _ = mutants(tree, [WRONG_CAP], source=SUM.replace("a + b", "a * b"))
    assert "unit/sum/test_sum fails without a bug: status 1" in done.stdout
    assert done.returncode == 2


@pytest.mark.parametrize("bugs, words", [
    ([WRONG_SIGN, WRONG_SIGN], "wrong-sign stands twice"),
    ([bug("x", "- return b + a;\n+ return a;")], "x: the text stands 0 times in src/sum/sum.c"),
    ([bug("x", "- a\n+ b", file="test.c")], "test.c is no source of ours"),
    ([bug("x", "- a\n+ b", file="src/none.c")], "src/none.c is no source of ours"),
    ([bug("x", "- return a + b;\n+ return a + b;")], "x: changes nothing"),
    ([bug("x", "+ return a + b;")], "nothing goes"),
    ([bug("x", "* return a + b;")], "what is '*'?"),
    (["id x\nfile src/sum/sum.c\n- return a + b;\n"], "an id, a what and a file"),
])
def test_mutants_look_at_their_data(tree, bugs, words):
    done, _ = mutants(tree, bugs, "--check")
    assert words in done.stdout
    assert done.returncode == 2


def test_mutants_of_a_line_that_stands_twice_want_context(tree):
    twice = SUM.replace("return 100;", "return a + b;")
    done, made = mutants(tree, [WRONG_SIGN], "--check", source=twice)
    assert "stands 2 times" in done.stdout
    done, _ = mutants(lambda script: made, [bug("x", "= if (a > 100)\n- return a + b;\n+ return 7;")],
                      "--check", source=twice)
    assert done.stdout == "1 bugs\n"


def test_mutants_are_listed(tree):
    done, _ = mutants(tree, [WRONG_SIGN, WRONG_CAP], "--list")
    assert re.search(r"^wrong-cap +src/sum/sum.c +Something is wrong.$", done.stdout, re.MULTILINE)
    assert done.stdout.splitlines()[-1] == "2 bugs"
