"""Programs of ours that read what strangers wrote, in processes with limits."""

import sys
import time

import pytest

from autograder.apart import COUNT_STATEMENTS, DROP_OUTPUTS, Apart

needs_limits = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")


@pytest.fixture
def own_number():
    program = Apart("import os\nprint(os.getpid(), len(sys.stdin.read()))", seconds=2, memory=300_000_000)
    yield lambda data=b"": [int(word) for word in program(data).split()], program
    program.close()


def test_each_answer_comes_from_a_process_of_its_own(own_number):
    ask, program = own_number
    numbers = set()
    for _ in range(3):
        program.get_ready()
        program.get_ready()  # once is enough
        waiting = program._ready[0].pid
        assert ask(b"12345") == [waiting, 5]
        numbers.add(waiting)
    assert len(numbers) == 3 and ask()[0] not in numbers


def test_a_process_that_waits_can_be_ended(own_number):
    _, program = own_number
    program.get_ready()
    waiting = program._ready[0]
    program.close()
    assert waiting.returncode is not None


def test_a_process_that_waited_is_not_short_of_time(own_number):
    ask, program = own_number
    program.get_ready()
    time.sleep(0.3)
    assert ask(b"1")[1] == 1


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "1 / 0", "import os; os.abort()"])
def test_a_program_that_fails_gives_no_answer(program):
    assert Apart(program, seconds=1, memory=300_000_000)(b"") is None


@needs_limits
@pytest.mark.parametrize("program", ["while True: pass", "x = bytearray(400_000_000)", "import time; time.sleep(9)"])
def test_limits_hold_also_for_a_process_that_stood_ready(program):
    program = Apart(program, seconds=1, memory=300_000_000)
    program.get_ready()
    assert program(b"") is None


def test_statements_are_counted_in_all_cells():
    assert COUNT_STATEMENTS(b'[["x = 1\\ny = 2", "def f():\\n    return 1"], ["z = 3"]]') == b"4\n"


def test_a_notebook_loses_its_outputs_and_nothing_else():
    book = b'{"cells": [{"cell_type": "code", "source": "1", "outputs": ["long"]}], "metadata": {}}'
    assert DROP_OUTPUTS(book) == b'{"cells": [{"cell_type": "code", "source": "1"}]}'
