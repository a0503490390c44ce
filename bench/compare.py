#!/usr/bin/env python3
"""Times commands against each other, interleaved A B A B, so that a drifting machine touches all alike.

usage: compare.py RUNS NAME=COMMAND NAME=COMMAND ...      (the first NAME's p10 is divided by each other's)
Prints a table, and one line of JSON behind it.
"""
import json
import os
import shlex
import sys
import time


def once(argv):
    began = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    return status, wall, usage.ru_utime + usage.ru_stime


def main():
    runs = int(sys.argv[1])
    commands = [(name, shlex.split(text)) for name, text in (a.split("=", 1) for a in sys.argv[2:])]
    samples = {name: [] for name, _ in commands}
    failed = {name: 0 for name, _ in commands}
    for i in range(-3, runs):  # three to warm up
        for name, argv in commands:
            status, *sample = once(argv)
            failed[name] += status != 0
            if i >= 0:
                samples[name].append(sample)
    first = None
    out = []
    print(f"  {'':24} {'min ms':>8} {'p10 ms':>8} {'median':>8} {'cpu ms':>8}  ratio of p10s")
    for name, _ in commands:
        walls = sorted(s[0] * 1e3 for s in samples[name])
        p10, median = walls[len(walls) // 10], walls[len(walls) // 2]
        cpu = sorted(s[1] * 1e3 for s in samples[name])[len(walls) // 2]
        first = first or p10
        note = f"  ({failed[name]} failed)" if failed[name] else ""
        print(f"  {name:24} {walls[0]:8.2f} {p10:8.2f} {median:8.2f} {cpu:8.2f}  {first / p10:.2f} x{note}")
        out.append({"name": name, "min": walls[0], "p10": p10, "median": median, "cpu": cpu,
                    "ratio": first / p10, "failed": failed[name]})
    print("  " + json.dumps(out))


main()
