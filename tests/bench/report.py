"""Tables: what was measured, and how it stands against the goals."""

import statistics

OURS = "mailru"
# From which share of the machine on other programs disturb the rates.
MUCH = 0.1
NAMES = {
    "raw": "raw socket",
    "curl_alone": "libcurl alone",
    "curl_whole": "libcurl+OpenSSL+jansson",
    "aiomailru": "aiomailru",
    "mailru": "libmailru",
    "mailru_queue": "libmailru, queue",
}

# Against whom, in which scenario, at least what rate, at most what CPU time per call.
RATIOS = [
    ("curl_alone", "small, 1 thread", 1.2, 0.70),
    ("curl_alone", "small, 8 threads", 1.4, 0.60),
    ("curl_whole", "small, 8 threads", 2, 0.35),
    ("curl_whole", "large, 8 threads", 3, 0.30),
    ("aiomailru", "small, 8 threads", 8, 0.08),
    ("raw", "small, 8 threads", 0.65, 1.8),
]

# What, at most how much, in which unit, and how many of the measured unit are one of it.
LIMITS = [
    ("signing a call of 6 parameters", "sign_ns", 1.5, "µs", 1e3),
    ("a session before its first call", "session_bytes", 4, "KB", 1024),
    ("an idle connection", "connection_bytes", 160, "KB", 1024),
    ("an idle TLS connection", "tls_connection_bytes", 160, "KB", 1024),
    ("the stripped library", "library_bytes", 2.5, "MB", 1e6),
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
        print(f"  {'':24} {'calls/s':>9} {'CPU µs/call':>12} {'peak MB':>8}   libmailru's rate     and CPU per call")
        for peer, measured in slices.items():
            rate, cpu, peak = (statistics.median(getattr(one, what) for one in measured)
                               for what in ("rate", "cpu_us", "peak_kb"))
            line = f"  {NAMES[peer]:24} {rate:9.0f} {cpu:12.1f} {peak / 1024:8.1f}"
            if peer != OURS:
                line += f"   {spread(ratios(slices, peer, 'rate')):20} {spread(ratios(slices, peer, 'cpu_us'))}"
            print(line)


def verdict(good):
    """One word."""
    return "met" if good else "MISSED"


def goals(results, probes):
    """What was aimed at, what was measured, the verdict."""
    by_name = {scenario.name: slices for scenario, slices in results.items()}
    print(f"\n{'libmailru against':50} {'goal':>8} {'measured':>20}  verdict")
    for peer, name, rate_goal, cpu_goal in RATIOS:
        rate, cpu = (ratios(by_name[name], peer, what) for what in ("rate", "cpu_us"))
        title = f"{NAMES[peer]}, {name}"
        print(f"{title + ': rate':50} {'≥ ' + str(rate_goal):>8} {spread(rate):>20}  "
              f"{verdict(statistics.median(rate) >= rate_goal)}")
        print(f"{'  CPU per call':50} {'≤ ' + str(cpu_goal):>8} {spread(cpu):>20}  "
              f"{verdict(statistics.median(cpu) <= cpu_goal)}")
    queue = ratios(by_name["small, 64 threads"], OURS, "rate", ours="mailru_queue")
    print(f"{'queue of 64 workers to 64 threads: rate':50} {'≥ 0.9':>8} {spread(queue):>20}  "
          f"{verdict(statistics.median(queue) >= 0.9)}")
    for title, key, most, unit, one in LIMITS:
        if probes[key] is None:
            print(f"{title:50} {f'≤ {most} {unit}':>8} {'not measured':>20}  (make run measures it)")
            continue
        value = probes[key] / one
        print(f"{title:50} {f'≤ {most} {unit}':>8} {f'{value:.2f} {unit}':>20}  {verdict(value <= most)}")
