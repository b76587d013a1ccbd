"""Running a submission so that nothing it does can hurt the notebook: a time limit for
infinite loops, and every error in words.

The call stays in the thread that asked for it: no subprocess, no signal, no pickling,
so this works in a kernel, on Windows, and with functions defined in a cell. A second
thread, the watchdog, raises ``TimeUp`` in the first when the time limit is reached.
Only plain values leave this module: the submission's result is copied under the time
limit.

Three things still end the kernel, as they would outside a check: ``os._exit``, a crash
of compiled code, and running out of memory. Only the kernel's variables are lost then;
the notebook stays as it is.
"""

import contextlib
import ctypes
import functools
import io
import linecache
import sys
import threading
import types

import numpy as np

from attnlib.checking import isolation

MAX_PRINTED = 10_000  # characters that are saved of what the submission prints
MAX_ITEMS = 100_000  # numbers or items in a result; the answers have a few dozen
MAX_DEPTH = 5  # of nested lists, tuples, sets, and dicts

# Taken at import: a submission may replace the functions of NumPy, and the checks go on
# with these.
_NDARRAY, _GENERIC = np.ndarray, np.generic


class CheckFailed(Exception):
    """A plain sentence about the submission's result, raised by the ``extract``
    function of an exercise.
    """


class UnsupportedValue:
    """Stands for a returned object that no exercise can use; ``description`` says what
    it is ("a generator").
    """

    def __init__(self, description):
        self.description = description


class Outcome:
    """The outcome of one call: a plain ``result``, or a ``problem`` in words; and what
    was ``printed``.
    """

    def __init__(self, result=None, problem=None, attempted=True, timed_out=False):
        self.result = result
        self.problem = problem
        self.attempted = attempted
        self.timed_out = timed_out
        self.printed = ""


def run(call, submission, time_limit):
    """Call ``call()`` for at most ``time_limit`` seconds and return its Outcome.

    ``call`` is a function without parameters that calls the submission; the submission
    itself tells which file, and so which line of a traceback, is the reader's. Raises
    nothing, whatever the code does. Standard output, NumPy's functions and settings,
    the random generators, the recursion limit, the filters of warnings, and the working
    directory are restored, and figures that the code opened are closed.
    """
    output = _CapturedOutput()
    limited = _TimeLimit(lambda: _describe(call, submission), time_limit, sys.stdout)
    threads_before = isolation.running_threads()
    with (
        isolation.restore(),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        outcome, exceptions = limited.run()
        # The frames that an exception holds may hold generators, whose `finally` blocks
        # run now: under a time limit again.
        _TimeLimit(exceptions.clear, 1, sys.stdout).run()
    patched = isolation.restore_functions()
    if patched:
        problem = (
            f"Your code replaced {patched}. It has been restored; restart the kernel "
            "to be sure."
        )
        outcome = Outcome(problem=problem)
    elif outcome.problem is None and isolation.left_thread_running(
        submission, threads_before
    ):
        problem = (
            "Your code started a thread that is still running. Restart the kernel to "
            "end it."
        )
        outcome = Outcome(problem=problem, timed_out=True)
    outcome.printed = output.text()
    return outcome


class _CapturedOutput(io.TextIOBase):
    """Standard output that saves the first 10,000 characters and counts the rest."""

    def __init__(self):
        self.pieces = []
        self.length = 0

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.length < MAX_PRINTED:
            self.pieces.append(text[: MAX_PRINTED - self.length])
        self.length += len(text)
        return len(text)

    def text(self):
        saved = "".join(self.pieces).rstrip("\n")
        if self.length > MAX_PRINTED:
            saved += f"\n... and {self.length - MAX_PRINTED:,} more characters"
        return saved


# Holds the interpreter's lock during the call, so no other thread can come between.
_raise_in = ctypes.PYFUNCTYPE(None, ctypes.c_ulong, ctypes.py_object)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


class _TimeLimit:
    """One call under a time limit: a watchdog thread stops an infinite (endless) loop.

    The interpreter raises a pending exception only at certain points: a call, the start
    of a function, a jump backward. Code that swallows it (``except BaseException:
    pass`` in a loop) would never end if it came from the watchdog alone. So creating
    the exception, which happens in the submission's thread at the moment it is caught,
    asks for the next one: ``TimeUp.__init__`` is the C function that raises it. The
    handler meets it at its first call or jump, and so does each handler further out.
    """

    def __init__(self, call, time_limit, out):
        self.call = call
        self.time_limit = time_limit
        self.out = out
        self.done = False
        self.thread = threading.get_ident()
        self.time_up = type("TimeUp", (BaseException,), {})
        self.interrupt = functools.partial(_raise_in, self.thread, self.time_up)
        self.time_up.__init__ = staticmethod(self.interrupt)
        self.stop = threading.Event()

    def run(self):
        """The call's Outcome, and a list of the exception that ended it, if any."""
        watchdog = threading.Thread(target=self.watch, daemon=True)
        outcome, exceptions = None, []
        try:
            watchdog.start()
            outcome = self.call()
            self.done = True
        except BaseException as raised:
            self.done = True
            exceptions = [raised]
        self.time_up.__init__ = BaseException.__init__
        # A last TimeUp may be pending. Nothing since the call's end is a point at which
        # it would be raised; it is caught here, at the latest when the watchdog has
        # ended. (Taking it back by SetAsyncExc(thread, NULL) would leave the
        # interpreter's flag up for good.)
        while True:
            try:
                self.stop.set()
                watchdog.join()
                break
            except self.time_up:
                pass
        if exceptions and isinstance(exceptions[0], self.time_up):
            problem = (
                f"Your code was still running after {self.time_limit:g} seconds and "
                "was stopped. Is there an infinite loop?"
            )
            outcome = Outcome(problem=problem, timed_out=True)
        elif exceptions:
            problem = f"Your code raised {type(exceptions[0]).__name__}."
            outcome = Outcome(problem=problem)
        return outcome, exceptions

    def watch(self):
        """The watchdog: once the time is up, interrupts the call until it has ended."""
        if self.stop.wait(self.time_limit):
            return
        for tick in range(sys.maxsize):
            importing = self.importing()
            if self.done:
                return
            if not importing:
                self.interrupt()
            if tick == 100:  # two seconds later it still has not come back to Python
                self.say_that_it_still_runs()
            self.stop.wait(0.02)

    def importing(self):
        """Whether the call is in the middle of an import: a module left half imported
        would break what comes later.
        """
        frame = sys._current_frames().get(self.thread)
        while frame is not None:
            if frame.f_globals.get("__name__") == "importlib._bootstrap":
                return True
            frame = frame.f_back
        return False

    def say_that_it_still_runs(self):
        with contextlib.suppress(Exception):
            self.out.write(
                f"Still running after {self.time_limit + 2:g} seconds, in an import or "
                "in one call into compiled code, which cannot be stopped from here. "
                "Press Interrupt (the square); if that does not help, restart the "
                "kernel.\n"
            )
            self.out.flush()


def _describe(call, submission):
    """The Outcome of ``call()``: its result made plain, its exceptions in words. Runs
    under the time limit.
    """
    try:
        return Outcome(plain(call()))
    except CheckFailed as failure:
        problem = str(failure)
    except SystemExit:
        problem = (
            "Your code asked Python to exit (sys.exit, exit, or quit). Use return "
            "instead."
        )
    except KeyboardInterrupt:
        problem = "Interrupted. Your code had not finished."
    except RecursionError as error:
        problem = "Your code calls itself endlessly (RecursionError)."
        problem += _location(error, submission)
    except Exception as error:
        if type(error) is NotImplementedError:  # a stub's other way to say "not yet"
            return Outcome(attempted=False)
        problem = f"Your code raised {type(error).__name__}: {_text_of(error)}"
        problem += _location(error, submission)
    return Outcome(problem=problem)


def _text_of(error):
    try:
        text = str(error)
    except Exception:
        return "(its message cannot be read)"
    return text if len(text) <= 300 else text[:300] + " ..."


def _location(error, submission):
    """Where in the submission: "in line 3 of its cell: return query @ keys"."""
    code = getattr(submission, "__code__", None)
    trace = error.__traceback__
    line_number = None
    while trace is not None and code is not None:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            line_number = trace.tb_lineno
        trace = trace.tb_next
    if line_number is None:
        return ""
    line = linecache.getline(code.co_filename, line_number).strip()
    quoted = f": {line[:120]}" if line else ""
    return f"\n  in line {line_number} of its cell{quoted}"


def plain(value, depth=0):
    """A copy of ``value``, made of NumPy arrays, numbers, strings, and lists, tuples,
    sets, or dicts of these.

    Anything else comes back as UnsupportedValue, so that no code of the submission (an
    ``__eq__``, a generator) runs later.
    """
    scalars = (bool, int, float, complex, str)
    if value is None or value is Ellipsis or type(value) in scalars:
        return value
    if isinstance(value, _GENERIC):
        item = value.item()
        return plain(item) if type(item) in scalars else _unsupported(value)
    if type(value) is _NDARRAY:
        if value.dtype.kind not in "biufcU":
            return UnsupportedValue(f"an array of dtype {value.dtype}")
        if value.size > MAX_ITEMS:
            return UnsupportedValue(f"an array of shape {value.shape}")
        return value.copy() if value.ndim else value.item()
    if type(value) in (list, tuple, set, frozenset, dict):
        return _plain_collection(value, depth)
    return _unsupported(value)


def _plain_collection(value, depth):
    kind = type(value).__name__
    if depth == MAX_DEPTH:
        return UnsupportedValue(f"a {kind} nested too deeply")
    if len(value) > MAX_ITEMS:
        return UnsupportedValue(f"a {kind} of {len(value):,} items")
    if type(value) is dict:
        return {
            plain(key, depth + 1): plain(item, depth + 1) for key, item in value.items()
        }
    return type(value)(plain(item, depth + 1) for item in value)


def _unsupported(value):
    if isinstance(value, types.GeneratorType):
        return UnsupportedValue("a generator (it uses yield instead of return)")
    if isinstance(value, (types.CoroutineType, types.AsyncGeneratorType)):
        return UnsupportedValue(
            "a coroutine (it is defined with async def instead of def)"
        )
    functions = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
    if isinstance(value, functions):
        return UnsupportedValue(f"the function {getattr(value, '__name__', '')}")
    root = type(value).__module__.partition(".")[0]
    name = type(value).__name__
    without_module = root in ("builtins", "__main__")
    return UnsupportedValue(f"a {name}" if without_module else f"a {root} {name}")
