"""The raw REPL, byte by byte, as on a board."""

import os
import select
import termios
import tty

import pytest

from tools.virtualboard import VirtualBoard

GREETING = b"raw REPL; CTRL-B to exit\r\n>"


class Line:
    """A serial line to a board: write bytes, and expect bytes."""

    def __init__(self, path):
        self._line = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._line)
        termios.tcflush(self._line, termios.TCIOFLUSH)
        self.data = b""

    def write(self, data):
        os.write(self._line, data)
        return self

    def until(self, end):
        """Everything up to and with `end`."""
        while end not in self.data:
            assert select.select([self._line], [], [], 20)[0], self.data
            self.data += os.read(self._line, 1000)
        found, self.data = self.data.split(end, 1)
        return found + end

    def silence(self, seconds=0.2):
        """Everything that comes until nothing does."""
        while select.select([self._line], [], [], seconds)[0]:
            self.data += os.read(self._line, 1000)
        found, self.data = self.data, b""
        return found

    def close(self):
        os.close(self._line)


@pytest.fixture(scope="module")
def prompt(make_board):
    return make_board(files={"boot.py": "print('boot')", "main.py": ""}, wait=False)


@pytest.fixture
def line(prompt):
    """A line whose board has just entered the raw REPL."""
    line = Line(prompt.serial)
    line.write(b"\r\x02")
    line.until(b">>> ")
    line.silence()
    line.write(b"\x01").until(GREETING)
    yield line
    line.write(b"\x03\x02").until(b">>> ")
    line.close()


def test_a_program_runs_and_its_output_is_framed(line):
    assert line.write(b"print(6 * 7)\x04").until(b"\x04>") == b"OK42\r\n\x04\x04>"


def test_programs_keep_their_names_for_the_next(line):
    assert line.write(b"a = 1\x04").until(b"\x04>") == b"OK\x04\x04>"
    assert line.write(b"print(a + 1)\x04").until(b"\x04>") == b"OK2\r\n\x04\x04>"
    line.write(b"\x02").until(b">>> ")
    assert line.write(b"a\r").until(b">>> ") == b"a\r\n1\r\n>>> "


def test_a_traceback_comes_after_the_output(line):
    answer = line.write(b"print(1)\n1 / 0\x04").until(b"\x04>")
    assert answer == (
        b"OK1\r\n\x04Traceback (most recent call last):\r\n"
        b'  File "<stdin>", line 2, in <module>\r\n'
        b"ZeroDivisionError: divide by zero\r\n\x04>"
    )


def test_a_program_that_does_not_compile_is_a_syntax_error(line):
    answer = line.write(b"print(1\x04").until(b"\x04>")
    assert answer.startswith(b"OK\x04Traceback") and b"SyntaxError" in answer


def test_a_program_may_print_any_byte(line):
    code = b"import sys\nsys.stdout.buffer.write(b'\\x1e\\x1era\\x1e\\x04>\\xff')\x04"
    assert line.write(code).until(b"\x04\x04>") == b"OK\x1e\x1era\x1e\x04>\xff\x04\x04>"


def test_ctrl_c_interrupts_a_program(line):
    line.write(b"print('on')\nwhile True: pass\x04").until(b"on\r\n")
    answer = line.write(b"\x03").until(b"\x04>")
    assert answer.startswith(b"\x04Traceback")
    assert answer.endswith(b"KeyboardInterrupt: \r\n\x04>")


def test_ctrl_c_forgets_what_was_typed(line):
    assert line.write(b"print(1)\x03print(2)\x04").until(b"\x04>") == b"OK2\r\n\x04\x04>"


def test_a_program_reads_what_is_typed_while_it_runs(line):
    line.write(b"print(input('? '))\x04").until(b"? ")
    assert line.write(b"answer\r").until(b"\x04\x04>").endswith(b"answer\r\n\x04\x04>")


def test_raw_paste_takes_a_program_window_by_window(line):
    program = b"data = b'" + b"x" * 1000 + b"'\nprint(len(data))\n"
    line.write(b"\x05A\x01")
    assert line.until(b"R\x01\x80\x00\x01") == b"R\x01\x80\x00\x01"
    window = 256  # one, and the one that was asked for
    while program:
        part, program = program[:window], program[window:]
        window -= len(line.write(part) and part)
        if program:
            line.until(b"\x01")
            window += 128
    answer = line.write(b"\x04").until(b"\x04\x04>").lstrip(b"\x01")
    assert answer == b"\x041000\r\n\x04\x04>"


def test_raw_paste_can_be_given_up(line):
    line.write(b"\x05A\x01").until(b"R\x01\x80\x00\x01")
    assert line.write(b"print(1)\x03").until(b">") == b"\x04\x04\x04>"
    assert line.write(b"print(2)\x04").until(b"\x04>") == b"OK2\r\n\x04\x04>"


def test_ctrl_b_greets_like_the_friendly_prompt(line):
    answer = line.write(b"\x02").until(b">>> ")
    assert answer.startswith(b"\r\nMicroPython ")
    assert answer.endswith(b'Type "help()" for more information.\r\n>>> ')
    assert line.silence() == b""


def test_ctrl_a_greets_again(line):
    assert line.write(b"\x01").until(b">") == GREETING


def test_ctrl_d_is_a_soft_reset_that_stays_in_the_raw_repl(line):
    answer = line.write(b"\x04").until(GREETING)
    assert answer == b"OK\r\nMPY: soft reboot\r\nboot\r\n" + GREETING
    assert line.write(b"print(1)\x04").until(b"\x04>") == b"OK1\r\n\x04\x04>"


def test_sys_exit_is_a_soft_reset(line):
    line.write(b"import sys\nsys.exit()\x04")
    assert line.until(GREETING).startswith(b"OK")


def test_a_reset_leaves_the_raw_repl(line):
    line.write(b"import machine\nmachine.reset()\x04")
    line.until(b">>> ")
    line.write(b"\x01").until(GREETING)


def test_ctrl_a_within_a_line_is_an_editing_key(line):
    line.write(b"\x02").until(b">>> ")
    line.silence()
    line.write(b"1 + 1\x01")
    assert GREETING not in line.silence()
    line.write(b"\x03").until(b">>> ")


def test_many_programs_one_after_another_are_answered_in_order(line):
    for number in range(50):
        answer = line.write(b"print(%d)\x04" % number).until(b"\x04>")
        assert answer == b"OK%d\r\n\x04\x04>" % number


def test_exec_raises_what_the_program_raised(prompt):
    with pytest.raises(RuntimeError, match="ValueError: wrong"):
        prompt.exec("raise ValueError('wrong')")
    assert isinstance(prompt, VirtualBoard)


def test_lines_that_are_typed_at_once_are_run_one_after_another(line):
    line.write(b"\x02").until(b">>> ")
    line.write(b"import time\ra = time\rprint(1)\rif 1:\r    print(2)\r\r")
    assert line.until(b"\r\n2\r\n").count(b">>> ") == 3
    line.until(b">>> ")
