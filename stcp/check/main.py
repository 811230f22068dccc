# SPDX-License-Identifier: MIT
"""The command line of stcp-check; docs/man/stcp-check.1 describes it."""

import argparse
import os
import pathlib
import sys
import tempfile

from . import report, rules_open, rules_data, rules_close, rules_loss  # noqa: F401 (they add rules)
from .build import BuildError, build
from .rule import HELD, RULES, Run, Setting

STATUS_HELD, STATUS_BROKEN, STATUS_USAGE, STATUS_NO_BUILD = 0, 1, 2, 3
STATUS_INTERRUPTED = 130


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="stcp-check", description="tells rule by rule what an STCP transport keeps and breaks")
    parser.add_argument("--program", choices=("client", "server"),
                        help="PATH is a program that is built already")
    parser.add_argument("--edition", choices=("loss", "reliable"),
                        help="whether it sends again what is lost (default for a transport: "
                        "loss; for a program: reliable)")
    parser.add_argument("--cc", default="gcc", help="the compiler (gcc)")
    parser.add_argument("-D", dest="defines", action="append", default=[], metavar="NAME[=VALUE]",
                        help="for the compiler")
    parser.add_argument("--mss", type=int, default=536, help="bytes of data of a segment (536)")
    parser.add_argument("--window", type=int, default=3072, help="bytes (3072)")
    parser.add_argument("--isn-max", type=int, default=255, help="largest number of a SYN (255)")
    parser.add_argument("--patience", type=float, default=1.0, help="factor for all deadlines (1)")
    parser.add_argument("--quick", action="store_true", help="leave out what takes a minute")
    parser.add_argument("--only", action="append", default=[], metavar="RULE",
                        help="this rule and what it needs")
    parser.add_argument("--build-dir", help="keep what is compiled there, and use it again")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="the text of rules that hold, too")
    parser.add_argument("--list", action="store_true", help="list the rules, and do nothing")
    parser.add_argument("path", nargs="?", metavar="PATH")
    options = parser.parse_args(arguments)
    unknown = set(options.only) - {checked.id for checked in RULES}
    if unknown:
        parser.error(f"no such rule: {', '.join(sorted(unknown))}")
    if not options.list and options.path is None:
        parser.error("what is to be checked?")
    if options.patience <= 0 or min(options.mss, options.window) <= 0:
        parser.error("numbers must be positive")
    if options.list:
        return options
    if options.program and not is_file(options.path, os.X_OK):
        parser.error(f"{options.path} is no program")
    if not options.program and not is_file(options.path, os.R_OK):
        parser.error(f"cannot read {options.path}")
    return options


def is_file(path, access):
    return os.path.isfile(path) and os.access(path, access)


def make_setting(options):
    edition = options.edition or ("reliable" if options.program else "loss")
    return Setting(kind=options.program or "driver", edition=edition, mss=options.mss,
                   window=options.window, isn_max=options.isn_max, patience=options.patience,
                   is_quick=options.quick, only=options.only)


def check(root, options, setting, place):
    if options.program:
        setting.program = os.path.abspath(options.path)
    else:
        flags = [f"-D{name}" for name in options.defines]
        of_edition = ["-DSTCP_RELIABLE"] if setting.edition == "reliable" else []
        setting.program = build(root, options.path, options.cc, flags, of_edition, place)
    if options.json:
        outcomes = Run(setting).run()
        report.print_json(setting, options.path, outcomes)
    else:
        outcomes = Run(setting, lambda one: report.print_outcome(setting, one,
                                                                   options.verbose)).run()
        report.print_sum(outcomes)
    if setting.kind == "driver":
        os.unlink(setting.program)
    return STATUS_HELD if all(one.status == HELD for one in outcomes) else STATUS_BROKEN


def run(options):
    root = pathlib.Path(__file__).resolve().parent.parent
    if options.list:
        for checked in RULES:
            print(f"{checked.id}: {checked.text}")
        return STATUS_HELD
    setting = make_setting(options)
    with tempfile.TemporaryDirectory(prefix="stcp-check-") as own:
        return check(root, options, setting, options.build_dir or own)


def main(arguments=None):
    options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        status = run(options)
        sys.stdout.flush()
        return status
    except BuildError as error:
        print(f"stcp-check: it does not build:\n{error}", file=sys.stderr)
        if "C++ style comments" in str(error):
            print("stcp-check: the course's flags mean C90; --cc g++ compiles it as C++, as courses "
                  "since 2012 do", file=sys.stderr)
        return STATUS_NO_BUILD
    except KeyboardInterrupt:
        return STATUS_INTERRUPTED
    except BrokenPipeError:  # nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STATUS_BROKEN
