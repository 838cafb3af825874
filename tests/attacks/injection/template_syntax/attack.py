"""The syntax of templates and formats, for a grader that would render the student's words a second time.

Success: something of it is evaluated: 9801547, or a name of the grader's.
"""

from attacks.injection.strict import report_is_broken

SUBMISSION = r"""
def double(x):
    raise ValueError(
        "{{1337*7331}} {{config}} {% include 'style.css' %} {{''.__class__.__mro__}} "
        "${1337*7331} #{1337*7331} <%= 1337*7331 %>"
    )


def total(x, rng):
    raise ValueError("{0.__class__} {report.seed} %(seed)s %s%s%n {self.__init__.__globals__}")


def label(x, centers):
    raise RuntimeError("{# x #} {%raw%}{{ report.seed }}{%endraw%} \\x3cscript\\x3e")
"""


def succeeded(outcome):
    if "{{1337*7331}}" not in outcome.texts["terminal"] or "${1337*7331}" not in outcome.texts["html"]:
        return "the words are not there as they were"
    evaluated = [
        word for word in ("<class", "9801547", "&lt;class") if any(word in text for text in outcome.texts.values())
    ]
    return f"evaluated: {evaluated}" if evaluated else report_is_broken(outcome)
