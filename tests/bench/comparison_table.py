"""Turns kept results into the comparison in docs/PERFORMANCE.md, between two marker lines."""

import re

BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"
DATABASES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}

# Figures that are shown, in this order: name in the results, name for people, and whether more is better.
FIGURES = [
    ("messages_per_second", "messages/s", True),
    ("messages_per_cpu_second", "messages per CPU-second", True),
    ("acknowledged_p50_ms", "acknowledged p50, ms", False),
    ("acknowledged_p99_ms", "acknowledged p99, ms", False),
    ("seen_p50_ms", "seen p50, ms", False),
    ("seen_p95_ms", "seen p95, ms", False),
    ("seen_p99_ms", "seen p99, ms", False),
    ("cpu_ms_per_delivery", "CPU per delivery, ms", False),
    ("cpu_ms_per_sync", "CPU per sync, ms", False),
    ("first_ms", "the very first, ms", False),
    ("answered_p50_ms", "answered p50, ms", False),
    ("answer_kib", "size of the answer, KiB", None),
    ("cpu_ms_per_page", "CPU per page, ms", False),
    ("pages_per_second", "pages/s", True),
    ("cpu_ms_per_upload", "CPU per upload, ms", False),
    ("cpu_ms_per_thumbnail", "CPU per thumbnail, ms", False),
    ("cpu_ms_per_download", "CPU per download, ms", False),
    ("cpu_ms_per_picture", "CPU per picture, all three, ms", False),
    ("cpu_ms_per_login", "CPU per first answer, ms", False),
    ("cpu_ms_per_search", "CPU per search, ms", False),
    ("indexed_after_seconds", "found after the last message, s", None),
    ("cpu_ms_per_join", "CPU per join, ms", False),
    ("cpu_ms_per_push", "CPU per push, ms", False),
    ("in_p50_ms", "accepted → seen by the employee p50, ms", False),
    ("in_p99_ms", "accepted → seen by the employee p99, ms", False),
    ("in_p99_to_plain_send", "the same, to p99 of a plain message", False),
    ("out_p50_ms", "answered → on the visitor's page p50, ms", False),
    ("out_p99_ms", "answered → on the visitor's page p99, ms", False),
    ("out_p99_to_plain_send", "the same, to p99 of a plain message", False),
    ("bridge_mb", "bridge, MB", False),
    ("bridge_peak_mb", "bridge at its highest, MB", False),
    ("cpu_seconds_per_minute", "CPU-seconds per minute", False),
    ("first_answer_median_seconds", "first answer, median, s", False),
    ("server_mb", "server, MB", False),
    ("server_peak_mb", "server at its highest, MB", False),
    ("postgres_mb", "PostgreSQL, MB", None),
]

# Order and headings of scenarios; a number in a scenario's name stands for `{}`.
SCENARIOS = [
    ("memory_at_begin", "Memory, new server"),
    ("send_{}_rooms", "Sending, rooms: {}"),
    ("delivery_{}_members", "Delivery to {} syncing members"),
    ("pagination", "Reading a long room backwards"),
    ("sync_{}_rooms_lazy", "Initial sync, {} rooms, lazy-loaded"),
    ("sync_{}_rooms_full", "Initial sync, {} rooms, all members"),
    ("media", "Media (a picture of 1024 × 768)"),
    ("idle_{}_polls", "{} idle long polls"),
    ("memory_after_run", "Memory after all that"),
    ("start", "Start with the filled database"),
    ("memory_idle_filled", "Memory, idle after that start"),
    ("sliding_{}_rooms", "Sliding sync, first answer, {} rooms"),
    ("join_{}_members", "Joining a room of {}"),
    ("push_{}_members", "Pushing to 100 phones in a room of {}"),
    ("search_rare_in_{}_messages", "Search among {} messages, few hits"),
    ("search_common_in_{}_messages", "Search among {} messages, many hits"),
    ("chat_{}_visitors", "Website chat, {} visitors, 50 messages/s"),
    ("telegram_{}_visitors", "Telegram, {} customers, 50 updates/s"),
]

# What Kontor has to reach: (text, scenario, figure, smallest ratio to Synapse or None, highest value or None).
GOALS = [
    ("messages per CPU-second over 20 rooms: 30 times", "send_20_rooms", "messages_per_cpu_second", 30, None),
    ("messages per CPU-second in one room: 15 times", "send_1_rooms", "messages_per_cpu_second", 15, None),
    ("CPU of an initial sync, 60 rooms, lazy-loaded: 25 times less", "sync_60_rooms_lazy", "cpu_ms_per_sync", 25, None),
    ("CPU of an initial sync, 60 rooms, all members: 25 times less", "sync_60_rooms_full", "cpu_ms_per_sync", 25, None),
    ("delivery to 200 members, p99: at most a tenth", "delivery_200_members", "seen_p99_ms", 10, None),
    ("idle memory of the server: below 50 MB", "memory_idle_filled", "server_mb", None, 50),
    ("memory of the server after all scenarios: below 150 MB", "memory_after_run", "server_mb", None, 150),
    ("first answer with the filled database: below 0.5 s", "start", "first_answer_median_seconds", None, 0.5),
    ("sliding sync's first answer with 2,000 rooms: below 100 ms of CPU", "sliding_2000_rooms", "cpu_ms_per_login", None, 100),
    ("search among 100,000 messages, few hits: below 50 ms of CPU", "search_rare_in_100000_messages", "cpu_ms_per_search", None, 50),
    ("search among 100,000 messages, many hits: below 50 ms of CPU", "search_common_in_100000_messages", "cpu_ms_per_search", None, 50),
    ("website chat, accepted → room: p99 at most 20 times that of a plain message", "chat_1000_visitors", "in_p99_to_plain_send", None, 20),
    ("website chat, room → page: p99 at most 20 times that of a plain message", "chat_1000_visitors", "out_p99_to_plain_send", None, 20),
    ("website chat with 1,000 visitors: the bridge below 60 MB", "chat_1000_visitors", "bridge_peak_mb", None, 60),
    ("Telegram, update → room: p99 at most 20 times that of a plain message", "telegram_1000_visitors", "in_p99_to_plain_send", None, 20),
    ("Telegram, room → provider call: p99 at most 20 times that of a plain message", "telegram_1000_visitors", "out_p99_to_plain_send", None, 20),
    ("Telegram with 1,000 customers: the bridge below 60 MB", "telegram_1000_visitors", "bridge_peak_mb", None, 60),
    ("2,000 idle polls: below 0.5 s of CPU per minute", "idle_2000_polls", "cpu_seconds_per_minute", None, 0.5),
]


def write(document, results):
    """Replaces what stands between the markers; the rest of the page is written by hand."""
    text = document.read_text()
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    table = "\n\n".join([systems(results), goals(results), figures(results)])
    document.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")


def systems(results):
    rows = []
    for name, result in results.items():
        quiet = result["scenarios"].get("machine", {})
        rows.append([name, result["software"], result["measured"], result["machine"], f"{result['scale']:g}",
                     show(quiet.get("cpu_percent_of_others")), show(quiet.get("cpu_percent_stolen")),
                     "; ".join(f"{scenario}: {why}" for scenario, why in result["failures"].items()) or "none"])
    head = ["system", "software", "measured", "machine", "scale", "CPU used by others, %", "CPU stolen, %", "failed"]
    return markdown(head, rows)


def goals(results):
    rows = []
    for text, scenario, figure, least, most in GOALS:
        row = [text]
        for database in DATABASES:
            if least:
                value = ratio(results, database, scenario, figure)
                row.append(verdict(value, f"{show(value)}×", value is not None and value >= least))
            else:
                value = look_up(results, f"kontor-{database}", scenario, figure)
                row.append(verdict(value, show(value), value is not None and value < most))
        rows.append(row)
    return markdown(["goal", *(f"Kontor on {database}" for database in DATABASES.values())], rows)


def verdict(value, shown, reached):
    return "not measured" if value is None else f"{shown}, {'reached' if reached else '**missed**'}"


def figures(results):
    rows = []
    for scenario, heading in ordered_scenarios(results):
        heading = f"**{heading}**"
        for figure, label, _ in FIGURES:
            values = [look_up(results, f"{server}-{database}", scenario, figure)
                      for database in DATABASES for server in ("synapse", "kontor")]
            if any(value is not None for value in values):
                ratios = [ratio(results, database, scenario, figure) for database in DATABASES]
                cells = [show(value) for value in values]
                times = ["" if value is None else f"{show(value)}×" for value in ratios]
                rows.append([heading, label, *cells[:2], times[0], *cells[2:], times[1]])
                heading = ""
    head = ["", "", *(cell for database in DATABASES.values()
                      for cell in (f"Synapse, {database}", f"Kontor, {database}", "better by"))]
    return markdown(head, rows)


def ordered_scenarios(results):
    """Pairs of scenario and heading for everything that any system was measured in."""
    measured = {scenario for result in results.values() for scenario in result["scenarios"]}
    for pattern, heading in SCENARIOS:
        form = re.compile(pattern.format(r"(\d+)"))
        matches = [match for match in map(form.fullmatch, measured) if match]
        for match in sorted(matches, key=lambda match: [int(number) for number in match.groups()]):
            yield match.group(), heading.format(*match.groups())


def look_up(results, system, scenario, figure):
    return results.get(system, {}).get("scenarios", {}).get(scenario, {}).get(figure)


def ratio(results, database, scenario, figure):
    """How many times better Kontor is than Synapse on the same database; None if unknown or no contest."""
    theirs, ours = (look_up(results, f"{server}-{database}", scenario, figure) for server in ("synapse", "kontor"))
    more_is_better = next(better for name, _, better in FIGURES if name == figure)
    if not theirs or not ours or more_is_better is None:
        return None
    if results[f"synapse-{database}"]["scale"] != results[f"kontor-{database}"]["scale"]:
        return None
    return ours / theirs if more_is_better else theirs / ours


def show(value):
    """Three significant digits without an exponent."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
