"""The table of figures, in a page between its markers."""

import datetime
import os
import platform

BEGIN, END = "<!-- generated: attack -->", "<!-- end -->"


def write(page, attacks, figures, short):
    """Replaces what stands between the markers of a page."""
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has no place for the figures: {BEGIN} … {END}")
    page.write_text(before + begin + "\n" + table(attacks, figures, short) + end + after)


def table(attacks, figures, short):
    form = "the short form" if short else "the whole form"
    day = datetime.date.today().isoformat()
    lines = [f"Measured on {day}, {form}, {os.cpu_count()} cores, {platform.machine()}.", ""]
    for attack in attacks:
        lines += [f"### {attack.name}", "", attack.about, "", "| figure | seen | threshold |", "| --- | --- | --- |"]
        for figure in figures:
            if figure.attack == attack.name:
                lines.append(f"| {figure.what} | {figure.seen} | {figure.threshold} |")
        lines.append("")
    return "\n".join(lines)
