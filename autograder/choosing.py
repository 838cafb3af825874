"""Choose the statements that a set of functions needs, and an order in which they can run.

The body of a function sees the last value of a name. What runs at once sees the last one before it or, where a cell
was moved, the last one that there is; and as cells get moved, what is needed at once is made to run first.
"""

from __future__ import annotations

import builtins
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, takewhile

from .cells import BadSubmission
from .statements import Statement

MAX_STEPS = 1_000_000  # far above what people's notebooks take
_BUILTIN = frozenset(dir(builtins)) | {"__file__", "display", "get_ipython"}


def choose(groups: Sequence[Sequence[Statement]], tasks: Iterable[str]) -> list[Statement]:
    """The statements to run, in order.

    ``groups`` are the student's code, and then what counts only for names that no group before it binds.
    """
    chooser = _Chooser(groups, frozenset(tasks))
    chooser.choose()
    return [chooser.statements[i] for i in chooser.ordered()]


class _Chooser:
    """Statements are numbered; those of later groups come first, so that the student's own have the last word."""

    def __init__(self, groups: Sequence[Sequence[Statement]], tasks: frozenset[str]):
        self.tasks = tasks
        self.statements = [s for group in reversed(groups) for s in group]
        self.end = len(self.statements)
        self.own = len(groups[0])
        self.steps = 0
        self.deleters = {name: i for i, s in enumerate(self.statements) for name in s.deletes}  # the last of each name
        self.binders: list[dict[str, list[int]]] = []  # of each group by name, statements that bind it
        self.changers: list[dict[str, list[int]]] = []  # and those that change its value in place
        stop = self.end
        for group in groups:
            self._look_at(range(stop - len(group), stop))
            stop -= len(group)
        self.chosen: set[int] = set()
        self.needs: dict[int, set[int]] = defaultdict(set)  # what has to run before a statement
        self.perhaps: dict[int, set[int]] = defaultdict(set)  # what functions need that it may call
        self.users: dict[str, set[tuple[int, int]]] = defaultdict(set)  # by name: who uses at once whose value

    def _step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            raise BadSubmission("the code is too long or too entangled to be read")

    # ---- Who binds a name, who changes its value ----

    def _look_at(self, group: range) -> None:
        binders: dict[str, list[int]] = defaultdict(list)
        for i in group:
            for name in self.statements[i].binds:
                binders[name].append(i)
        self.changers.append(self._find_changers(group, binders))
        self.binders.append(binders)

    def _find_changers(self, group: range, binders: dict[str, list[int]]) -> dict[str, list[int]]:
        """What calls a task is an experiment, and stays out."""
        changers: dict[str, list[int]] = defaultdict(list)
        inside: dict[str, set[str]] = defaultdict(set)  # what functions bind or change when they are called
        for i in group:
            for name in self.statements[i].defines:
                inside[name] |= self.statements[i].inside
        for name, found in binders.items():
            # `f = memoized(f)` above the first f stands in a cell that was moved: it belongs below the last one.
            moved = list(takewhile(lambda i, name=name: name in self.statements[i].rebinds, found))
            if moved and len(moved) < len(found):
                binders[name] = found[len(moved) :]
                changers[name] += [i for i in moved if not self.statements[i].calls & self.tasks]
        called: dict[str, list[int]] = defaultdict(list)
        for i in group:
            s = self.statements[i]
            if s.calls & self.tasks:
                continue
            by_calls = set().union(*(inside[f] for f in s.calls if f in inside)) if s.is_call else set()
            self._step(len(by_calls))
            for name in (s.changes | by_calls) - s.binds:
                changers[name].append(i)
                if name in by_calls:
                    called[name].append(i)
        for name, found in called.items():
            binders.setdefault(name, found)  # setup() makes it
        return {name: sorted(found) for name, found in changers.items()}

    def _values(self, name: str, before: int) -> list[int]:
        """The statements that give a name the value that it has for what runs ``before``; it is no value of its own."""
        is_builtin = name in _BUILTIN and name not in self.tasks
        for group, binders in enumerate(self.binders[: 1 if is_builtin else None]):
            found = binders.get(name, [])
            if is_builtin and found and self.deleters.get(name, -1) > found[-1]:
                return []  # `del min` gives back what a notebook had taken
            if found and found != [before]:
                # What is no code cell may change only values that come from such cells.
                changers = [c for g in sorted({group, 0}, reverse=True) for c in self.changers[g].get(name, [])]
                return self._values_among(found, changers, name, before)
        return [] if is_builtin else [i for i, s in enumerate(self.statements) if s.is_star]

    def _values_among(self, found: list[int], changers: list[int], name: str, before: int) -> list[int]:
        last = _last(found, before)
        values = [last]
        if name in self.tasks and name not in self.statements[last].defines:
            # `inertia = inertia(x, c, l)` may have made it something else than a function: whatever came before counts.
            start = self._definition(name, before)
            values += start + [i for i in found if (start or [-1])[0] < i < last]
            self._step(len(values))
        if self.statements[last].is_import:
            values += [i for i in found if self.statements[i].is_dotted]
            self._step(len(found))
            return values
        until = self.end if last > before and name not in self.statements[before].changes else before
        values += changers[: bisect_left(changers, min(found[0], before))]  # moved above what they change
        values += changers[bisect_right(changers, last) : bisect_left(changers, until)]
        self._step(len(values))
        return [i for i in values if i != before]

    def _definition(self, name: str, before: int) -> list[int]:
        for binders in self.binders:
            found = [i for i in binders.get(name, []) if name in self.statements[i].defines and i != before]
            self._step(len(found))
            if found:
                return [_last(found, before)]
        return []

    # ---- What is needed ----

    def choose(self) -> None:
        """Fill ``chosen``, and who needs whom."""
        own = range(self.end - self.own, self.end)
        waiting = [(name, self.end, False) for name in sorted(self.tasks)]
        for i in own:
            if self.statements[i].is_star:
                waiting += self._take(i)
        seen = set()
        while waiting:
            name, before, is_deep = want = waiting.pop()
            if want in seen:
                continue
            seen.add(want)
            self._step()
            for i in self._values(name, before):
                self._step()
                waiting += self._take(i)
                if before < self.end:
                    (self.perhaps if is_deep else self.needs)[before].add(i)
                    self.users[name].add((before, i))
                    waiting += [(n, before, True) for n in self.statements[i].later]

    def _take(self, i: int) -> list[tuple[str, int, bool]]:
        """Choose a statement; what it needs, and whether at once."""
        if i in self.chosen:
            return []
        self.chosen.add(i)
        s = self.statements[i]
        return [(n, i, False) for n in s.now] + [(n, self.end, False) for n in s.later]

    # ---- In which order ----

    def ordered(self) -> list[int]:
        """The chosen statements in their own order, except that what is needed at once comes first.

        Where needs go round in a circle, the order of the notebook decides.
        """
        afterwards = self._kept_in_order()
        order: list[int] = []
        done: set[int] = set()
        for start in sorted(self.chosen):
            if start in done:
                continue
            visiting: dict[int, Iterator[tuple[int, bool]]] = {start: self._before(start, afterwards)}
            while visiting:
                current = next(reversed(visiting))
                for i, is_sure in visiting[current]:
                    if i in done or i in visiting or (not is_sure and self._reaches(i, visiting, done)):
                        continue
                    visiting[i] = self._before(i, afterwards)
                    break
                else:
                    del visiting[current]
                    done.add(current)
                    order.append(current)
        return order

    def _before(self, i: int, afterwards: dict[int, set[int]]) -> Iterator[tuple[int, bool]]:
        """What should run before a statement, and whether it has to."""
        yield from ((j, True) for j in sorted(self.needs[i]))
        yield from ((j, False) for j in sorted(afterwards[i] | self.perhaps[i]))

    def _kept_in_order(self) -> dict[int, set[int]]:
        """What gives a name its next value runs after what gave it the value before, and after those who used that."""
        members: dict[str, list[int]] = defaultdict(list)
        for i in sorted(self.chosen):
            for name in self.statements[i].binds | self.statements[i].changes:
                members[name].append(i)
        afterwards: dict[int, set[int]] = defaultdict(set)
        for name, found in members.items():
            for one, other in pairwise(found):
                afterwards[other].add(one)
            for user, value in self.users[name]:
                after = bisect_right(found, value)
                if after < len(found) and found[after] != user:
                    afterwards[found[after]].add(user)
        return afterwards

    def _reaches(self, start: int, targets: dict[int, object], done: set[int]) -> bool:
        """Whether a statement has to run after one of the targets."""
        seen, waiting = {start}, [start]
        while waiting:
            for i in self.needs[waiting.pop()] - seen - done:
                self._step()
                if i in targets:
                    return True
                seen.add(i)
                waiting.append(i)
        return False


def _last(found: list[int], before: int) -> int:
    """The last one before; the last of all others if there is none."""
    place = bisect_left(found, before)
    if place > 0:
        return found[place - 1]
    return found[-1] if found[-1] != before else found[-2]
