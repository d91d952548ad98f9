"""Runs the benchmarks: interleaved rounds of short slices, then the probes, the tables and the chart."""

import argparse
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

import chart
import report
import work
from server import Server

PEERS = ["raw", "curl_alone", "curl_multi", "curl_whole", "aiomailru", "mailru", "mailru_queue"]
# The library of an earlier commit.
BASE = ["mailru_base", "mailru_queue_base"]


@dataclass(frozen=True)
class Scenario:
    """The same work for several clients."""

    place: str
    # How many calls are in flight: one on each thread, or all of them on the one thread of a client that can.
    threads: int
    tls: bool
    peers: tuple
    # How many calls are measured; None: those of a moment.
    calls: int | None = None
    # It is measured in every so many rounds.
    every: int = 1

    @property
    def name(self):
        """What the tables call it."""
        if set(self.peers) <= {"curl_multi", "mailru_queue"}:
            unit = "in flight"
        else:
            unit = "threads" if self.threads > 1 else "thread"
        return f"{self.place}{' TLS' if self.tls else ''}, {self.threads:,} {unit}"


@dataclass
class Slice:
    """What one slice measured."""

    rate: float
    cpu_us: float
    peak_kb: int
    threads: int


@dataclass
class Setup:
    """How long and how often to measure."""

    build: Path
    quick: bool
    compare: bool = False
    rounds: int = 9
    seconds: float = 0.35
    warm_up: float = 0.1
    results: dict = field(default_factory=dict)

    def scenarios(self):
        """What is measured; without TLS there is also the limit."""
        direct = ("raw", "curl_alone", "curl_whole", "aiomailru", "mailru")
        secure = direct[1:]
        both = ("curl_multi", "mailru_queue")
        if self.compare:
            ours, queues = ("curl_alone", "mailru", "mailru_base"), ("mailru_queue", "mailru_queue_base")
            return [*(Scenario(place, threads, tls, ours) for place, threads, tls in (
                        ("small", 1, False), ("small", 8, False), ("small", 64, False), ("large", 1, False),
                        ("large", 8, False), ("small", 1, True), ("small", 8, True), ("large", 8, True))),
                    Scenario("small", 64, False, queues), Scenario("small", 64, True, queues)]
        if self.quick:
            return [Scenario("small", 1, False, direct), Scenario("small", 8, False, direct),
                    Scenario("small", 64, False, ("raw", "curl_alone", "curl_multi", "mailru", "mailru_queue")),
                    Scenario("large", 1, False, ("curl_alone", "mailru")),
                    Scenario("large", 8, False, ("raw", "curl_whole", "aiomailru", "mailru")),
                    Scenario("small", 8, True, ("curl_alone", "mailru")),
                    Scenario("small", 64, True, ("curl_multi", "mailru_queue", "mailru")),
                    Scenario("later", 1000, False, both, 3000, every=3)]
        return [Scenario("small", 1, False, direct), Scenario("small", 8, False, direct),
                Scenario("small", 64, False, (*direct, *both)), Scenario("small", 512, False, both),
                Scenario("large", 1, False, direct), Scenario("large", 8, False, direct),
                Scenario("large", 64, False, (*direct, *both)),
                Scenario("small", 1, True, secure), Scenario("small", 8, True, secure),
                Scenario("small", 64, True, (*secure, *both)), Scenario("small", 512, True, both),
                Scenario("large", 8, True, secure),
                Scenario("later", 1000, False, both, 3000, every=3), Scenario("later", 1000, True, both, 3000, every=3),
                Scenario("later", 10_000, False, both, 30_000, every=3)]

    def command(self, peer):
        """How to start a client."""
        if peer == "aiomailru":
            return [self.build / "venv/bin/python", "peers/aiomailru_peer.py"]
        return [self.build / peer]

    def run(self, command, environment):
        """Runs a program that prints one JSON object."""
        done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise SystemExit(f"{command[0]} failed: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def slice(self, peer, scenario, environment):
        """Measures one client for a moment, or for so many calls."""
        span = ["calls", scenario.calls] if scenario.calls else ["seconds", self.seconds, self.warm_up]
        measured = self.run([*self.command(peer), scenario.threads, *span], environment)
        calls = max(measured["calls"], 1)
        return Slice(calls / measured["seconds"], (measured["user"] + measured["system"]) * 1e6 / calls,
                     measured["peak_kb"], measured["threads"])


def prove_same_work(setup, server):
    """Each client that signs must have sent the very parameters, and the signature, of the reference."""
    for peer in PEERS + BASE * setup.compare:
        setup.run([*setup.command(peer), 1, "calls", 1], server.environment("noted"))
        queries = server.noted()
        if not queries:
            raise SystemExit(f"{peer} did not call the server")
        for query in queries:
            if decoded(query) != decoded(work.query()):
                raise SystemExit(f"{peer} does other work than the rest: {query}")


def decoded(query):
    """A query's parameters, however they were encoded."""
    return sorted(parse_qsl(query, keep_blank_values=True, strict_parsing=True))


def measure(setup, server):
    """The rounds: in each, every client does every scenario once, in an order drawn by chance."""
    chance = random.Random(1)
    foreign, begun = foreign_seconds(server), time.monotonic()
    for number in range(setup.rounds):
        print(f"round {number + 1} of {setup.rounds}", flush=True)
        for scenario in setup.scenarios():
            if number % scenario.every:
                continue
            environment = server.environment(scenario.place, scenario.tls)
            slices = setup.results.setdefault(scenario, {peer: [] for peer in scenario.peers})
            for peer in chance.sample(scenario.peers, len(scenario.peers)):
                slices[peer].append(setup.slice(peer, scenario, environment))
    return (foreign_seconds(server) - foreign) / (time.monotonic() - begun) / os.cpu_count()


def foreign_seconds(server):
    """The CPU time so far of everything but the clients, the server and this program."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting = fields[3:5]
    own = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    return ((sum(fields) - idle - waiting) / os.sysconf("SC_CLK_TCK") - server.cpu_seconds()
            - sum(each.ru_utime + each.ru_stime for each in own))


def probe(setup, server):
    """What is measured once: memory, threads, the start, the library's size, the signature."""
    footprint, small, slow = setup.build / "footprint", server.environment("small"), server.environment("slow")
    named = server.environment("slow", host="localhost")
    sessions = setup.run([footprint, "sessions", 1000], small)
    plain = setup.run([footprint, "connections", 100], slow)
    secure = setup.run([footprint, "connections", 100], server.environment("slow", tls=True))
    idle = setup.run([setup.build / "mailru_queue", 1, "calls", 1], server.environment("later"))["peak_kb"]
    many = setup.run([setup.build / "mailru_queue", 2000, "calls", 2000], server.environment("later"))
    many_secure = setup.run([setup.build / "mailru_queue", 2000, "calls", 2000], server.environment("later", tls=True))
    threads = max(setup.run([footprint, "connections", 3], each)["threads"] for each in (slow, named))
    starts = [setup.run([setup.build / "startup"], small) for _ in range(9 if setup.quick else 25)]
    return {
        "session_bytes": sessions["heap"],
        "connection_bytes": plain["heap"],
        "connection_resident": plain["resident"],
        "tls_connection_bytes": secure["heap"],
        "in_flight_bytes": (many["peak_kb"] - idle) * 1024 / 2000,
        "tls_in_flight_bytes": (many_secure["peak_kb"] - idle) * 1024 / 2000,
        # Beside those of the program: the one that started and the one that hands in the calls.
        "threads_in_flight": many["threads"] - 2,
        "threads_left": threads - 1,
        "start_ms": statistics.median(start["answer_ms"] for start in starts),
        "library_bytes": (setup.build / "../release/libmailru.so").resolve().stat().st_size,
        "sign_ns": signing(setup.build / "../criterion/sign_6_parameters/new/estimates.json"),
    }


def signing(estimates):
    """What the micro-benchmark said when it last ran; None if it has not."""
    return json.loads(estimates.read_text())["median"]["point_estimate"] if estimates.exists() else None


def main():
    """One command: everything."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--build", type=Path, required=True, help="where the clients were built")
    arguments.add_argument("--quick", action="store_true", help="fewer scenarios, fewer and shorter rounds")
    arguments.add_argument("--compare", action="store_true", help="with the library of an earlier commit instead")
    arguments.add_argument("--rounds", type=int, help="how many rounds")
    chosen = arguments.parse_args()
    setup = Setup(chosen.build, chosen.quick, chosen.compare)
    if chosen.quick:
        setup.rounds, setup.seconds, setup.warm_up = 3, 0.25, 0.05
    setup.rounds = chosen.rounds or setup.rounds
    with Server(setup.build / "server") as server:
        prove_same_work(setup, server)
        foreign = measure(setup, server)
        probes = None if setup.compare else probe(setup, server)
    report.tables(setup.results)
    if setup.compare:
        report.comparison(setup.results)
    else:
        report.goals(setup.results, probes)
    print(f"\nother programs had {max(foreign, 0):.0%} of the machine's CPU time during the rounds"
          + ("; rates are of little worth" if foreign > report.MUCH else ""))
    if not setup.quick and not setup.compare:
        chart.draw(setup.results, Path(__file__).with_name("chart.svg"), foreign)
        chart.draw_in_flight(setup.results, Path(__file__).with_name("in_flight.svg"), foreign)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
