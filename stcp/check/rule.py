# SPDX-License-Identifier: MIT
"""The list of rules, and how they are run.

A rule is a function that plays one connection and raises Broken. It is run for each role that the
tested side can have. `needs` are rules without which nothing can be said about it: if one of them
does not hold and this one fails as well, it is unclear, since the cause is most likely the other's.
So one mistake makes one rule broken. Without its handshake nothing is run at all.

A rule that fails is run once more, and is broken only if it fails again: the machine may have been
busy."""

import copy
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from .case import Case
from .peer import Broken, Unclear

HELD, BROKEN, UNCLEAR = "held", "broken", "unclear"
ROLES = ("passive", "active")
ALL = ("driver", "client", "server")
DRIVER_SERVER = ("driver", "server")
WORKERS = 8
HURRY = 0.25  # of the patience, for what will be unclear if it fails


class Rule:
    def __init__(self, function, text, needs, roles, editions, kinds, is_slow):
        self.id = function.__name__.strip("_").replace("_", "-")
        self.function = function
        self.text = text
        self.needs = needs
        self.roles = roles
        self.editions = editions
        self.kinds = kinds
        self.is_slow = is_slow


RULES = []


def rule(text, needs=(), roles=ROLES, editions=("reliable", "loss"), kinds=("driver",),
         is_slow=False):
    """Makes a function(case) a rule, in the order in which they are told."""
    def add(function):
        RULES.append(Rule(function, text, tuple(needs), roles, editions, kinds, is_slow))
        return function
    return add


class Outcome:
    def __init__(self, checked, status=HELD, reason="", role="", trace=()):
        self.rule = checked
        self.status, self.reason, self.role = status, reason, role
        self.trace = list(trace)
        self.seconds = 0.0


class Setting:
    """What is tested, and what is expected of it."""

    def __init__(self, **values):
        self.kind = "driver"
        self.program = None
        self.edition = "loss"
        self.mss, self.window, self.isn_max = 536, 3072, 255
        self.patience = 1.0
        self.is_quick = False
        self.only = ()
        self.__dict__.update(values)

    def roles(self):
        return {"client": ("active",), "server": ("passive",)}.get(self.kind, ROLES)

    def text(self, checked):
        """A rule's text, with the numbers that are expected here."""
        numbers = {"536": self.mss, "3072": self.window, "255": self.isn_max}
        return re.sub(r"\b(536|3072|255)\b", lambda found: str(numbers[found[0]]), checked.text)

    def applies(self, checked):
        return (self.edition in checked.editions and self.kind in checked.kinds
                and not (self.is_quick and checked.is_slow)
                and bool(set(self.roles()) & set(checked.roles)))


def play(setting, checked, role):
    """One attempt; what was seen, or None."""
    try:
        with Case(setting, role) as case:
            checked.function(case)
    except Broken as error:
        return error
    return None


class Run:
    """All rules of a setting; each (rule, role) is a job."""

    def __init__(self, setting, on_outcome=lambda outcome: None):
        self.setting = setting
        self.on_outcome = on_outcome
        self.rules = [checked for checked in RULES if setting.applies(checked)]
        if setting.only:
            wanted = set(setting.only)
            for checked in reversed(self.by_needs()):
                if checked.id in wanted:
                    wanted.update(checked.needs)
                    wanted.update(self.handshakes(checked))
            self.rules = [checked for checked in self.rules if checked.id in wanted]
        self.jobs = {}
        self.alone = threading.Lock()

    @staticmethod
    def handshakes(checked):
        if checked.id.startswith(("open-", "byte-order")):
            return ["byte-order"] if checked.id != "byte-order" else []
        return [f"open-{role}" for role in checked.roles]

    def closure(self, needs):
        """`needs` and what those need."""
        found = {}
        rest = list(needs)
        while rest:
            need = rest.pop()
            if need not in found:
                found[need] = True
                rest += next(checked.needs for checked in RULES if checked.id == need)
        return found

    def failed_needs(self, needs, role):
        """Those of `needs` that do not hold; in this role, if they are run in it."""
        failed = []
        for need in self.closure(needs):
            # Numbers that are not converted spoil both roles, even if they are seen in one.
            same = None if need == "byte-order" else self.jobs.get((need, role))
            jobs = [same] if same else [self.jobs.get((need, other)) for other in ROLES]
            failures = (BROKEN,) if need == "byte-order" else (BROKEN, UNCLEAR)
            if any(job and job.result().status in failures for job in jobs):
                failed.append(need)
        return failed

    def hurried(self, checked, role):
        """The setting; with less patience if it is known that a failure would tell nothing."""
        jobs = [self.jobs.get((need, role)) for need in self.closure(checked.needs)]
        if not any(job and job.done() and job.result().status != HELD for job in jobs):
            return self.setting
        setting = copy.copy(self.setting)
        setting.patience *= HURRY
        return setting

    def judge(self, checked, role):
        started = time.monotonic()
        outcome = self.attempt(checked, role)
        outcome.seconds = time.monotonic() - started
        outcome.role = role
        return outcome

    def attempt(self, checked, role):
        first = [name for name in self.handshakes(checked)
                 if name in ("byte-order", f"open-{role}")]
        blocked = self.failed_needs(first, role)
        if blocked:
            return Outcome(checked, UNCLEAR, f"first {blocked[0]} must hold")
        try:
            error = play(self.hurried(checked, role), checked, role)
            if error is None:
                return Outcome(checked)
            blocked = self.failed_needs(checked.needs, role)
            if blocked:
                return Outcome(checked, UNCLEAR, f"it fails, but so does {blocked[0]}")
            if self.is_broken_elsewhere(checked, role):
                return Outcome(checked, BROKEN, str(error), trace=getattr(error, "trace", ()))
            with self.alone:
                again = play(self.setting, checked, role)
            if again is None:
                return Outcome(checked)
            return Outcome(checked, BROKEN, str(again), trace=getattr(again, "trace", ()))
        except Unclear as error:
            return Outcome(checked, UNCLEAR, str(error))

    def by_needs(self):
        """The rules, each behind those that it needs."""
        known = {checked.id: checked for checked in self.rules}
        order = {}

        def add(checked):
            for need in list(checked.needs) + self.handshakes(checked):
                if need in known and need not in order:
                    add(known[need])
            order[checked.id] = checked

        for checked in self.rules:
            if checked.id not in order:
                add(checked)
        return list(order.values())

    def is_broken_elsewhere(self, checked, role):
        """Whether it is known that the rule does not hold in another role."""
        jobs = [self.jobs.get((checked.id, other)) for other in ROLES if other != role]
        return any(job and job.done() and job.result().status == BROKEN for job in jobs)

    def run(self):
        """Outcomes by rule, in order."""
        outcomes = []
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            # A job may wait for those that it needs, so they come before it.
            for checked in self.by_needs():
                for role in self.setting.roles():
                    if role in checked.roles:
                        self.jobs[checked.id, role] = pool.submit(self.judge, checked, role)
            try:
                self.collect(outcomes)
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return outcomes

    def collect(self, outcomes):
        for checked in self.rules:
            results = [self.jobs[checked.id, role].result() for role in ROLES
                       if (checked.id, role) in self.jobs]
            outcome = min(results, key=lambda one: (BROKEN, UNCLEAR, HELD).index(one.status))
            outcome.seconds = max(one.seconds for one in results)
            outcomes.append(outcome)
            self.on_outcome(outcome)
