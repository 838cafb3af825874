"""Sends what only the protocol may send: references to arrays, seeds, odd floats, keys twice, as results and by hand.

Success: points, or a grader that stumbles.
"""

from attacks.forging.tools import CHANNEL

LESSON = "many"
PART = 6  # so many sandboxes are started for one submission


def _submission(texts):
    return (
        CHANNEL
        + f"TEXTS = {texts!r}\n"
        + r'''
def double(x):
    """The judge starts a few sandboxes: one text for each."""
    text = TEXTS[int(x.flat[0]) % len(TEXTS)].encode()
    send(struct.pack("<IQ", len(text), 0) + text)
    os._exit(0)
'''
    )


TEXTS = [
    '{"id":1,"result":{"$rng":7},"mutated":[]}',
    '{"id":1,"result":{"$array":"1"},"mutated":[]}',
    '{"id":1,"result":{"$array":["0"]},"mutated":[]}',
    '{"id":1,"result":{"$float":"1e999"},"mutated":["0","0","x"]}',
    '{"id":1,"result":NaN,"mutated":[]}',
    '{"id":1,"id":2,"result":0,"result":1,"mutated":[]}',
    '{"id":true,"result":[1],"mutated":[]}',
    '{"id":1,"result":"\\ud800","mutated":[{}]}',
    '{"id":1,"error":{"type":"Passed","message":"ok","where":{}},"result":1,"mutated":[]}',
    '{"id":1,"error":{"type":"NotImplementedError","message":"","where":{"line":1e400,"code":[]}}}',
    '{"id":1,"error":{"type":"Passed","message":"ok","where":{"function":"","line":-1,"code":"x"}}}',
    '[{"id":1,"result":0,"mutated":[]}]',
]


def build(folder):
    """Files with a part of the texts each."""
    target = folder / "submissions"
    target.mkdir()
    for start in range(0, len(TEXTS), PART):
        (target / f"attack{start}.py").write_text(_submission(TEXTS[start : start + PART]))
    return target
