"""The results as a table: in the terminal, and on the book's page (through
book/_ext/speed.py).
"""

HEAD = (
    "case",
    "ratio",
    "quartiles",
    "target",
    "ours",
    "peer",
    "of the peer",
    "times the limit",
    "equal",
)
# What the ratios must reach at most, by case and by how a name begins.
TARGETS = {
    ("a", ""): 1.05,
    ("b", "local, "): 1.5,
    ("b", "local against"): 0.125,
    ("c", ""): 0.9,
    ("d", ""): 1.0,
    ("e", "greedy decoding, batches"): 0.667,
    ("e", "greedy decoding, one"): 0.5,
}


def target(row):
    for (case, beginning), most in TARGETS.items():
        if row["case"] == case and row["name"].startswith(beginning):
            return most
    return None


def amount(row, whose=""):
    if f"{whose}megabytes" in row:
        return f"{row[f'{whose}megabytes']:.0f} MB"
    seconds = row[f"{whose}seconds"]
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def cells(row):
    most = target(row)
    low, ratio, high = (
        f"{x:.2f}" if x >= 0.01 else f"{x:.1g}"
        for x in (row["low"], row["ratio"], row["high"])
    )
    peer = row["peer"] + (
        f", {row['threads']} threads" if row.get("threads", 0) > 1 else ""
    )
    return (
        f"({row['case']}) {row['name']}",
        ratio,
        f"{low} to {high}",
        (
            ""
            if most is None
            else f"≤ {most:g}" + ("" if row["ratio"] <= most else ", missed")
        ),
        amount(row),
        peer,
        amount(row, "peer_"),
        f"{row['times_the_limit']:.1f}" if "times_the_limit" in row else "",
        (
            "" if row["case"] in "fg" else "yes" if row["equal"] else "no"
        ),  # there is nothing to compare in those
    )


def about(report):
    """When, where and with what, in sentences."""
    machine, versions = report["machine"], report["versions"]
    others = report["cores_used_by_others"]
    load = (
        "how busy it was is not known"
        if others is None
        else f"{others:g} cores used by other processes"
    )
    lines = [
        (
            f"Measured on {report['date']}: {machine['processor']}, {machine['cores']}"
            f" cores, {machine['system']}; {load}."
        ),
        ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        (
            f"Its matrix product reaches {machine['products_per_second'] / 1e9:.0f}"
            " billion operations a second, its memory"
            f" {machine['bytes_per_second'] / 1e9:.0f} GB a second."
        ),
    ]
    missing = sorted(set("abcdefg") - {row["case"] for row in report["cases"]})
    if missing:
        lines.append(f"Not measured in this run: {', '.join(missing)}.")
    if report["busy"]:
        lines.append("The machine was busy: these times say little.")
    return lines


def as_text(report):
    rows = [HEAD, *map(cells, report["cases"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join(
        [*lines, "", *about(report), f"{report['seconds']} seconds in all."]
    )
