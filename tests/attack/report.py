"""The table of figures, written into a page between its markers."""

import datetime
import os
import platform

from .case import ATTACKS

BEGIN, END = "<!-- generated: attack -->", "<!-- end -->"


def write(page, figures, short):
    """Replaces the text between the markers of a page."""
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has no place for the figures: {BEGIN} … {END}")
    page.write_text(before + begin + "\n" + table(figures, short) + end + after)


def table(figures, short):
    """Returns the description of every attack, with the figures of those that were run."""
    form = "the short form" if short else "the whole form"
    day = datetime.date.today().isoformat()
    lines = [f"Measured on {day}, {form}, {os.cpu_count()} cores, {platform.machine()}.", ""]
    for attack in ATTACKS:
        lines += [f"### {attack.name}", "", attack.about, ""]
        own = [figure for figure in figures if figure.attack == attack.name]
        if own:
            lines += ["| figure | seen | threshold |", "| --- | --- | --- |"]
            lines += [f"| {figure.what} | {figure.seen} | {figure.threshold} |" for figure in own]
        else:
            lines.append("Not measured in this run.")
        lines.append("")
    return "\n".join(lines)
