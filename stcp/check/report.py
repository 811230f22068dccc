# SPDX-License-Identifier: MIT
"""What the user reads."""

import json
import textwrap

from .rule import BROKEN, HELD, UNCLEAR

MARKS = {HELD: "ok", BROKEN: "BROKEN", UNCLEAR: "unclear"}


def print_outcome(setting, outcome, is_verbose):
    text = textwrap.wrap(setting.text(outcome.rule), 84)
    print(f"{MARKS[outcome.status]:8}{outcome.rule.id}")
    if outcome.status == HELD and not is_verbose:
        return
    for line in text:
        print(f"            {line}")
    if outcome.status != HELD:
        where = f"as the {outcome.role} side: " if outcome.status == BROKEN else ""
        for line in textwrap.wrap(where + outcome.reason, 84):
            print(f"          > {line}")
    for line in outcome.trace:
        print(f"            {line}")
    print(end="", flush=True)


def count(outcomes, status):
    return sum(outcome.status == status for outcome in outcomes)


def print_sum(outcomes):
    parts = [f"{count(outcomes, HELD)} of {len(outcomes)} rules hold"]
    if count(outcomes, BROKEN):
        parts.append(f"{count(outcomes, BROKEN)} broken")
    if count(outcomes, UNCLEAR):
        parts.append(f"{count(outcomes, UNCLEAR)} unclear until others are mended")
    print(", ".join(parts))


def print_json(setting, subject, outcomes):
    rules = [{"id": outcome.rule.id, "rule": setting.text(outcome.rule), "status": outcome.status,
              **({"role": outcome.role, "reason": outcome.reason, "trace": outcome.trace}
                 if outcome.status != HELD else {}),
              "seconds": round(outcome.seconds, 3)} for outcome in outcomes]
    print(json.dumps({"subject": subject, "kind": setting.kind, "edition": setting.edition,
                      "held": count(outcomes, HELD), "broken": count(outcomes, BROKEN),
                      "unclear": count(outcomes, UNCLEAR), "rules": rules}, indent=1))
