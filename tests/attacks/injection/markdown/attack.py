"""Markdown, as portals and mails render it: links, images, HTML, code fences, mentions.

Success: the words are changed into tags, or a report is broken by them.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
def double(x):
    raise ValueError(
        "![x](http://evil/x.png) [points](javascript:alert(1)) <details open ontoggle=alert(1)> "
        "```\n# 30/30\n```"
    )


def total(x, rng):
    raise ValueError(
        "\n\n---\n\n| ada | 30/30 |\n|---|---|\n@everyone #1 :tada: "
        "$$\\require{x}$$ \\href{javascript:alert(1)}{x}"
    )


def label(x, centers):
    return "<http://evil> <b>bold</b>\n- [x] done\n"
"""
