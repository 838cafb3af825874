"""HTML and scripts in the messages and types of errors, in code that tracebacks quote, and in returned strings.

Success: a tag, an attribute or a script of the student's is on the page.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
PAYLOAD = (
    "<script>document.title='owned'</script><img src=x onerror=alert(1)><svg/onload=alert(2)>"
    "</style></title></textarea><iframe src='javascript:alert(3)'></iframe><!-- --><![CDATA["
    "<a href=javascript:alert(4)>x</a>"
    "&lt;script&gt;&#60;script&#62; <math><mtext></p><style>*{display:none}</style><meta http-equiv=refresh content=0>"
)


def double(x):
    raise ValueError(PAYLOAD)


def total(x, rng):
    raise type("<img src=x onerror=alert(5)>", (Exception,), {})("<base href=//evil>")  # <script>alert(6)</script>


def label(x, centers):
    return PAYLOAD
"""
