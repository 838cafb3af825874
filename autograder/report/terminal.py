"""A report as text for a terminal: what is right in one line a task, what is not with its message and hint."""

from __future__ import annotations

import textwrap

import click

from ..lesson import CheckResult
from . import Report, number, plain
from . import line as one_line

WIDTH = 100
MARKS = {"passed": ("✓", "green"), "partial": ("◐", "yellow"), "missing": ("·", "bright_black")}  # others: ✗ red


def render(report: Report, *, color: bool = True) -> str:
    """The whole report; escape codes for color only on request."""
    style = click.style if color else lambda text, **_: text
    head = f"{one_line(report.submission)}  {report.points}" + (f"  ({report.title})" if report.title else "")
    lines = [style(head, bold=True)]
    if report.error:
        lines += _wrap(plain(report.error), "  ")
    lines += render_notes(report)
    for task, results in report.tasks().items():
        lines.append(render_task(task, results, style))
    return "\n".join(lines)


def render_notes(report: Report) -> list[str]:
    """What the student should know beside the results."""
    return [line for note in report.notes for line in _wrap(f"note: {plain(note)}", "  ")]


def render_task(task: str, results: list[CheckResult], style=lambda text, **_: text) -> str:
    """One line for the task, then what is not right."""
    points, most = sum(r.points for r in results), sum(r.max_points for r in results)
    status = "passed" if points >= most else "missing" if all(r.status == "missing" for r in results) else "failed"
    status = "partial" if status == "failed" and points > 0 else status
    mark, tint = MARKS.get(status, ("✗", "red"))
    lines = [style(f"  {mark} {task:<24} {number(points):>5} / {number(most)}", fg=tint)]
    if status == "missing":
        lines += _wrap(plain(results[0].message), "      ")
        return "\n".join(lines + (_wrap(f"hint: {plain(results[0].hint)}", "      ") if results[0].hint else []))
    told = None
    for result in results:
        if result.status == "passed":
            continue
        lines += _wrap(f"{result.title} ({number(result.points)}/{number(result.max_points)})", "    - ")
        if told == result.feedback:
            lines.append("      the same as above")
            continue
        told = result.feedback
        for label, text in (("", result.message), ("hint: ", result.hint)):
            if text:
                lines += _wrap(label + plain(text), "      ")
        if result.mistake:
            lines += _wrap(f"This is what you get from: {result.mistake}. To see it: {result.see}", "      → ")
    return "\n".join(lines)


def _wrap(text: str, indent: str) -> list[str]:
    rest = " " * len(indent)
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=rest) or [indent.rstrip()]
