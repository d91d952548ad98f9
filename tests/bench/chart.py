"""The chart: rate and CPU per call of each client, on a logarithmic scale."""

import matplotlib

import report

COLOURS = {"raw": "#9e9e9e", "curl_alone": "#8fb8de", "curl_multi": "#5aa98f", "curl_whole": "#2f6fb0", "aiomailru": "#e0a030",
           "mailru": "#c0392b", "mailru_queue": "#e59a92"}
SHOWN = ["small, 1 thread", "small, 8 threads", "small, 64 threads", "large, 8 threads", "small TLS, 8 threads",
         "small TLS, 64 threads"]
MEASURES = [("rate", "calls per second (more is better)"), ("cpu_us", "CPU µs per call (less is better)")]


def draw(results, path, foreign):
    """Writes the chart as SVG, the same for the same figures; `foreign`: what part of the machine others had."""
    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "libmailru", "svg.fonttype": "none", "font.size": 9}
    from matplotlib import pyplot

    by_name = {scenario.name: slices for scenario, slices in results.items()}
    figure, axes = pyplot.subplots(2, 1, figsize=(10, 7), constrained_layout=True)
    for axis, (what, title) in zip(axes, MEASURES):
        groups = [name for name in SHOWN if name in by_name]
        for place, name in enumerate(groups):
            width = 0.85 / len(by_name[name])
            for bar, (peer, measured) in enumerate(by_name[name].items()):
                values = [getattr(one, what) for one in measured]
                low, middle, high = report.quartiles(values)
                left = place - 0.425 + (bar + 0.5) * width
                axis.bar(left, middle, width * 0.92, color=COLOURS[peer],
                         yerr=[[middle - low], [high - middle]], error_kw={"lw": 0.6})
                label = f"{middle / 1000:.1f}k" if middle >= 10_000 else f"{middle:.0f}"
                axis.annotate(label, (left, middle), (0, 2), textcoords="offset points", ha="center", fontsize=7)
        axis.set_xticks(range(len(groups)), groups)
        axis.set_yscale("log")
        axis.set_title(title, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    if foreign > report.MUCH:
        figure.suptitle(f"other programs had {foreign:.0%} of the machine meanwhile", fontsize=8)
    handles = [matplotlib.patches.Patch(color=colour, label=report.NAMES[peer]) for peer, colour in COLOURS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=7, frameon=False)
    figure.savefig(path, metadata={"Date": None})


def draw_in_flight(results, path, foreign):
    """Writes the second chart: memory and CPU time of the clients that have many calls in flight on one thread."""
    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "libmailru", "svg.fonttype": "none", "font.size": 9}
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.6), constrained_layout=True)
    for axis, (what, title) in zip(axes, [("peak_kb", "peak memory of the process, MB"), ("cpu_us", "CPU µs per call")]):
        for peer in ("curl_multi", "mailru_queue"):
            for tls, style in ((False, "-"), (True, "--")):
                points = sorted((scenario.threads, report.quartiles([getattr(one, what) for one in slices[peer]]))
                                for scenario, slices in results.items()
                                if peer in slices and scenario.tls == tls and scenario.place != "large")
                scale = 1024 if what == "peak_kb" else 1
                low, middle, high = ([values[at] / scale for _, values in points] for at in range(3))
                spreads = [[one - two for one, two in zip(middle, low)], [one - two for one, two in zip(high, middle)]]
                axis.errorbar([number for number, _ in points], middle, yerr=spreads, fmt=style + "o", markersize=3,
                              color=COLOURS[peer], label=report.NAMES[peer] + (", TLS" if tls else ""))
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("calls in flight (from 1,000 on, answers come after a second)")
        axis.set_title(title, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    if foreign > report.MUCH:
        figure.suptitle(f"other programs had {foreign:.0%} of the machine meanwhile", fontsize=8)
    axes[0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
