"""Tables: what was measured, and how it stands against the goals."""

import statistics

OURS = "mailru"
# From which share of the machine on other programs disturb the rates.
MUCH = 0.1
# From which ratio on a figure counts as worse than before.
WORSE = 1.03
NAMES = {
    "raw": "raw socket",
    "curl_alone": "libcurl alone",
    "curl_multi": "libcurl multi",
    "curl_whole": "libcurl+OpenSSL+jansson",
    "aiomailru": "aiomailru",
    "mailru": "libmailru",
    "mailru_queue": "libmailru, queue",
    "mailru_base": "earlier libmailru",
    "mailru_queue_base": "earlier libmailru, queue",
}

# Whose, against whom, in which scenario, at least what rate, at most what CPU time per call; None: no goal.
RATIOS = [
    ("mailru", "curl_alone", "small, 1 thread", 1.2, 0.70),
    ("mailru", "curl_alone", "small, 8 threads", 1.25, 0.62),
    ("mailru", "curl_whole", "small, 8 threads", 2, 0.35),
    ("mailru", "curl_whole", "large, 8 threads", 3, 0.30),
    ("mailru", "curl_alone", "large, 1 thread", None, 1.5),
    ("mailru", "aiomailru", "small, 8 threads", 8, 0.08),
    ("mailru", "raw", "small, 8 threads", 0.65, 1.8),
    ("mailru_queue", "curl_multi", "small, 64 threads", 1.2, 0.85),
    ("mailru_queue", "curl_multi", "small TLS, 64 threads", 1.8, 0.55),
    ("mailru_queue", "curl_multi", "later, 10,000 in flight", 2, 0.35),
    ("mailru_queue", "mailru", "small, 64 threads", 1.2, 0.8),
]

# What, at most how much, in which unit, and how many of the measured unit are one of it.
LIMITS = [
    ("signing a call of 6 parameters", "sign_ns", 1.5, "µs", 1e3),
    ("a session before its first call", "session_bytes", 4, "KB", 1024),
    ("an idle connection", "connection_bytes", 160, "KB", 1024),
    ("an idle TLS connection", "tls_connection_bytes", 160, "KB", 1024),
    ("the stripped library", "library_bytes", 2.5, "MB", 1e6),
    ("a call in flight", "in_flight_bytes", 28, "KB", 1024),
    ("a TLS call in flight", "tls_in_flight_bytes", 40, "KB", 1024),
    ("threads of ours with 2,000 calls in flight", "threads_in_flight", 1, "", 1),
    ("threads of ours left after the calls", "threads_left", 0, "", 1),
    ("dlopen to first answer", "start_ms", 5, "ms", 1),
]


def ratios(slices, other, what, ours=OURS):
    """Ours divided by the other's, round by round: neighbours in time have the same machine."""
    pairs = zip(slices[ours], slices[other])
    return [getattr(one, what) / max(getattr(two, what), 1e-9) for one, two in pairs]


def quartiles(values):
    """The median between the quartiles."""
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3


def spread(values):
    """The median with the quartiles around it."""
    low, middle, high = quartiles(values)
    return f"{middle:5.2f} [{low:.2f}-{high:.2f}]"


def tables(results):
    """One table for each scenario."""
    for scenario, slices in results.items():
        print(f"\n{scenario.name}")
        ours = OURS if OURS in slices else "mailru_queue"
        print(f"  {'':24} {'calls/s':>9} {'CPU µs/call':>12} {'peak MB':>8} {'threads':>7}   "
              f"{NAMES[ours]}: rate     and CPU per call")
        for peer, measured in slices.items():
            rate, cpu, peak, threads = (statistics.median(getattr(one, what) for one in measured)
                                        for what in ("rate", "cpu_us", "peak_kb", "threads"))
            line = f"  {NAMES[peer]:24} {rate:9.0f} {cpu:12.1f} {peak / 1024:8.1f} {threads:7.0f}"
            if peer != ours:
                line += (f"   {spread(ratios(slices, peer, 'rate', ours)):20} "
                         f"{spread(ratios(slices, peer, 'cpu_us', ours))}")
            print(line)


def comparison(results):
    """Each figure in proportion to that of the earlier library: a rate should not be lower, CPU time not higher."""
    print(f"\n{'libmailru to the earlier one':40} {'rate':>20} {'CPU per call':>20}")
    worse = 0
    for scenario, slices in results.items():
        ours = OURS if OURS in slices else "mailru_queue"
        rate, cpu = (ratios(slices, ours + "_base", what, ours) for what in ("rate", "cpu_us"))
        worse += (statistics.median(rate) < 1 / WORSE) + (statistics.median(cpu) > WORSE)
        title = scenario.name + (", queue" if ours != OURS else "")
        print(f"{title:40} {spread(rate):>20} {spread(cpu):>20}")
    print(f"worse by more than {WORSE - 1:.0%}: {worse} of {2 * len(results)}")


def verdict(good):
    """One word."""
    return "met" if good else "MISSED"


def goals(results, probes):
    """What was aimed at, what was measured, the verdict."""
    by_name = {scenario.name: slices for scenario, slices in results.items()}
    print(f"\n{'':70} {'goal':>8} {'measured':>20}  verdict")
    for ours, peer, name, rate_goal, cpu_goal in RATIOS:
        if not {ours, peer} <= by_name.get(name, {}).keys():
            continue
        title = f"{NAMES[ours]} to {NAMES[peer]}, {name}"
        for what, sign, goal in (("rate", "≥", rate_goal), ("CPU", "≤", cpu_goal)):
            if goal is None:
                continue
            measured = ratios(by_name[name], peer, "rate" if what == "rate" else "cpu_us", ours)
            middle = statistics.median(measured)
            good = middle >= goal if what == "rate" else middle <= goal
            print(f"{f'{title}: {what}':70} {f'{sign} {goal}':>8} {spread(measured):>20}  {verdict(good)}")
    for title, key, most, unit, one in LIMITS:
        if probes[key] is None:
            print(f"{title:70} {f'≤ {most} {unit}':>8} {'not measured':>20}  (make run measures it)")
            continue
        value = probes[key] / one
        print(f"{title:70} {f'≤ {most} {unit}':>8} {f'{value:.2f} {unit}':>20}  {verdict(value <= most)}")
