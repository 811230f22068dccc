# SPDX-License-Identifier: MIT
"""stcp-check: plays the other end of STCP connections, and tells rule by rule what is broken.

    wire.py      segments as bytes            build.py     compiling a transport with the driver
    peer.py      the raw peer                 apps.py      what is tested, seen from its application
    case.py      one connection of a test     rule.py      the list of rules, and how they are run
    rules_*.py   the rules                    report.py    what the user reads
    driver.c     an application that does what it is told
"""
