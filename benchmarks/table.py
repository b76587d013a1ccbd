"""The results as a table: in the terminal, and on the book's page through
book/_ext/benchmark_table.py, which has a brief form, too.
"""

HEAD = (
    "case",
    "ratio",
    "quartiles",
    "target",
    "ours",
    "baseline",
    "baseline's time or memory",
    "multiple of the lower bound",
    "equal",
)
BRIEF_HEAD = ("case", "ours", "baseline", "ratio")
# The highest ratio that reaches the target, by case and by the beginning of the name.
TARGETS = {
    ("a", ""): 1.05,
    ("b", "local, "): 1.5,
    ("b", "local against"): 0.125,
    ("c", ""): 0.9,
    ("d", ""): 1.0,
    ("e", "greedy decoding, batches"): 0.667,
    ("e", "greedy decoding, one"): 0.5,
    ("h", ""): 1.0,
    ("i", "generation of 60 tokens, a batch"): 0.333,
}


def target(row):
    """The target of a row's ratio, or None."""
    for (case, beginning), highest in TARGETS.items():
        if row["case"] == case and row["name"].startswith(beginning):
            return highest
    return None


def amount(row, whose=""):
    """Time or memory, with its unit. `whose` is "" or "baseline_"."""
    if f"{whose}megabytes" in row:
        return f"{row[f'{whose}megabytes']:.0f} MB"
    seconds = row[f"{whose}seconds"]
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def cells(row):
    """The texts of a row, one per column."""
    low, ratio, high = (
        f"{x:.2f}" if x >= 0.01 else f"{x:.1g}"
        for x in (row["low"], row["ratio"], row["high"])
    )
    highest = target(row)
    reached = ""
    if highest is not None:
        missed = "" if row["ratio"] <= highest else ", missed"
        reached = f"≤ {highest:g}{missed}"
    baseline = row["baseline"]
    if row.get("threads", 0) > 1:
        baseline += f", {row['threads']} threads"
    multiple = row.get("multiple_of_lower_bound")
    same = "yes" if row["equal"] else "no"
    return (
        f"({row['case']}) {row['name']}",
        ratio,
        f"{low} to {high}",
        reached,
        amount(row),
        baseline,
        amount(row, "baseline_"),
        "" if multiple is None else f"{multiple:.1f}",
        "" if row["case"] in "fg" else same,  # they compute nothing to compare
    )


def brief_cells(row):
    """The texts of a row of the brief table, one per column."""
    case, ratio, _, _, ours, baseline, amount_of_baseline, *_ = cells(row)
    return case, ours, f"{amount_of_baseline} ({baseline})", ratio


def about(report, letters="abcdefg"):
    """When, where, and with what it was measured, in sentences.

    letters: of the cases that a complete report has.
    """
    machine = report["machine"]
    others = report["cores_used_by_others"]
    load = f"{others:g} cores used by other processes"
    if others is None:
        load = "the load by other processes is unknown"
    products = machine["products_per_second"] / 1e9
    bandwidth = machine["bytes_per_second"] / 1e9
    versions = ", ".join(
        f"{name} {number}" for name, number in report["versions"].items()
    )
    lines = [
        f"Measured on {report['date']}: {machine['processor']}, {machine['cores']}"
        f" cores, {machine['system']}; {load}.",
        f"{versions}.",
        f"Its matrix product reaches {products:.0f} billion operations per second, its"
        f" memory {bandwidth:.0f} GB per second.",
    ]
    missing = sorted(set(letters) - {row["case"] for row in report["cases"]})
    if missing:
        lines.append(f"Not measured in this run: {', '.join(missing)}.")
    if report["busy"]:
        lines.append("The machine was busy, so these times are not reliable.")
    return lines


def of_transformer(report):
    """What the report of `benchmarks.transformer` says, in sentences."""
    epochs, (batch, single) = (
        [row for row in report["cases"] if row["case"] == case] for case in "hi"
    )
    lines = []
    if epochs:
        ratios = sorted(row["ratio"] for row in epochs)
        lines.append(
            f"An epoch of training takes {ratios[0]:.2f} to {ratios[-1]:.2f} times as "
            "long as that of the same Transformer in eager PyTorch."
        )
    return [
        *lines,
        f"With its cache, the Transformer generates {1 / batch['ratio']:.1f} times as "
        f"fast as without for a batch of 128 sentences and 60 tokens each, and "
        f"{1 / single['ratio']:.1f} times as fast for one sentence at a time.",
    ]


def as_text(report, letters="abcdefg"):
    """The table for the terminal."""
    rows = [HEAD, *map(cells, report["cases"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join(
        [*lines, "", *about(report, letters), f"{report['seconds']} seconds in all."]
    )
