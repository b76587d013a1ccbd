"""Running a learner's function so that nothing it does can hurt the notebook.

The call stays in the thread that asked for it: no subprocess, no signal, no pickling,
so this works in a kernel, on Windows, and with functions defined in a cell. A second
thread, the watchdog, raises `TimeUp` in the first when the
time is over. Only plain values leave this module: what the learner's function returned
is copied inside the guard.

Three things end the kernel all the same, as they would outside of a check: `os._exit`,
a crash of compiled code, and memory that runs out. Nothing is lost then but the
kernel's variables: the notebook stays as it is.
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

KEPT_CHARACTERS = 10_000  # of what the code prints
LARGEST = 100_000  # numbers or items in a result; the answers have a few dozen

# Taken now: a learner may replace the functions of numpy, and we go on with these.
_NDARRAY, _GENERIC = np.ndarray, np.generic


class CheckFailed(Exception):
    """A plain sentence about the learner's result, raised by the `extract` function of
    an exercise.
    """


class UnsupportedValue:
    """Stands for a returned object that no exercise wants; `what` describes it ("a
    generator").
    """

    def __init__(self, what):
        self.what = what


class Outcome:
    """What one guarded call came to: a plain `value`, or a `problem` in words; and what
    was printed.
    """

    def __init__(self, value=None, problem=None, attempted=True, timed_out=False):
        self.value, self.problem, self.attempted, self.timed_out = (
            value,
            problem,
            attempted,
            timed_out,
        )
        self.printed = ""


def run(call, blame, seconds):
    """Call `call()` for at most `seconds` and return its Outcome.

    Blame: the learner's function, whose file tells which line of a traceback is theirs.
    Raises nothing, whatever the code does. Standard output, numpy's functions and
    settings, the random generators, the recursion limit, warnings' filters and the
    working directory are put back, and figures that the code opened closed.
    """
    kept, guard, threads = (
        _Kept(),
        _Guard(lambda: _describe(call, blame), seconds, sys.stdout),
        isolation.threads(),
    )
    with (
        isolation.put_back(),
        contextlib.redirect_stdout(kept),
        contextlib.redirect_stderr(kept),
    ):
        outcome, caught = guard.run()
        # The frames that an exception holds may hold generators, whose last words run
        # now: under a guard again.
        _Guard(caught.clear, 1, sys.stdout).run()
    replaced = isolation.put_functions_back()
    if replaced:
        outcome = Outcome(
            problem=(
                f"Your code replaced {replaced}. It is put back now; restart the kernel"
                " to be sure."
            )
        )
    elif outcome.problem is None and isolation.left_running(blame, threads):
        text = (
            "Your code started a thread that is still running. Restart the kernel to"
            " end it."
        )
        outcome = Outcome(problem=text, timed_out=True)
    outcome.printed = kept.text()
    return outcome


class _Kept(io.TextIOBase):
    """Standard output that keeps the first 10,000 characters and counts the rest."""

    def __init__(self):
        self.pieces, self.length = [], 0

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.length < KEPT_CHARACTERS:
            self.pieces.append(text[: KEPT_CHARACTERS - self.length])
        self.length += len(text)
        return len(text)

    def text(self):
        cut = (
            f"\n... and {self.length - KEPT_CHARACTERS:,} characters more"
            if self.length > KEPT_CHARACTERS
            else ""
        )
        return "".join(self.pieces).rstrip("\n") + cut


# Holds the interpreter's lock during the call, so no other thread can come between.
_raise_in = ctypes.PYFUNCTYPE(None, ctypes.c_ulong, ctypes.py_object)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


class _Guard:
    """One call under a watchdog.

    The interpreter raises a pending exception only at certain points: a call, a
    function's start, a jump back.
    Code that swallows it (`except BaseException: pass` in a loop) would go on for ever
    if it came from the watchdog alone. So creating the exception, which happens in the
    learner's thread at the moment it is caught, asks for the
    next one: `TimeUp.__init__` is the C function that raises it. The handler meets it
    at its first call or jump, and so does each handler further out.
    """

    def __init__(self, call, seconds, out):
        self.call, self.seconds, self.out, self.done = call, seconds, out, False
        self.thread = threading.get_ident()
        self.time_up = type("TimeUp", (BaseException,), {})
        self.interrupt = functools.partial(_raise_in, self.thread, self.time_up)
        self.time_up.__init__ = staticmethod(self.interrupt)
        self.stop = threading.Event()

    def run(self):
        watchdog = threading.Thread(target=self.watch, daemon=True)
        outcome, caught = None, []
        try:
            watchdog.start()
            outcome = self.call()
            self.done = True
        except BaseException as raised:
            self.done = True
            caught = [raised]
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
        if caught and isinstance(caught[0], self.time_up):
            after = f"after {self.seconds:g} seconds"
            text = (
                f"Your code was still running {after}, and was stopped. Does a loop"
                " never end?"
            )
            outcome = Outcome(problem=text, timed_out=True)
        elif caught:
            outcome = Outcome(problem=f"Your code raised {type(caught[0]).__name__}.")
        return outcome, caught

    def watch(self):
        if self.stop.wait(self.seconds):
            return
        for tick in range(sys.maxsize):
            importing = self.importing()
            if self.done:
                return
            if not importing:
                self.interrupt()
            if tick == 100:  # two seconds later it still has not come back to Python
                self.notice()
            self.stop.wait(0.02)

    def importing(self):
        """Whether the call is in the middle of an import: a module half imported would
        break what comes later.
        """
        frame = sys._current_frames().get(self.thread)
        while frame is not None:
            if frame.f_globals.get("__name__") == "importlib._bootstrap":
                return True
            frame = frame.f_back
        return False

    def notice(self):
        with contextlib.suppress(Exception):
            self.out.write(
                f"Still running after {self.seconds + 2:g} seconds, in an import or in"
                " one call into compiled code, which cannot be stopped from here."
                " Press Interrupt (the square); if that does not help, restart the"
                " kernel.\n"
            )
            self.out.flush()


def _describe(call, blame):
    """`call()`, with its value made plain and its exceptions in words. Runs under the
    guard.
    """
    try:
        return Outcome(plain(call()))
    except CheckFailed as finding:
        return Outcome(problem=str(finding))
    except SystemExit:
        return Outcome(
            problem=(
                "Your code asked Python to exit (sys.exit, exit or quit). Use return"
                " instead."
            )
        )
    except KeyboardInterrupt:
        return Outcome(problem="Interrupted. Your code had not finished.")
    except RecursionError as error:
        return Outcome(
            problem="Your code calls itself without end (RecursionError)."
            + _line(error, blame)
        )
    except Exception as error:
        if type(error) is NotImplementedError:  # a stub's other way to say "not yet"
            return Outcome(attempted=False)
        try:
            text = str(error)
        except Exception:
            text = "(its message cannot be read)"
        text = text if len(text) <= 300 else text[:300] + " ..."
        name = type(error).__name__
        return Outcome(problem=f"Your code raised {name}: {text}" + _line(error, blame))


def _line(error, blame):
    """Where in the learner's code: ", in its line 3: `return query @ keys`"."""
    code = getattr(blame, "__code__", None)
    trace, number = error.__traceback__, None
    while trace is not None and code is not None:
        if trace.tb_frame.f_code.co_filename == code.co_filename:
            number = trace.tb_lineno
        trace = trace.tb_next
    if number is None:
        return ""
    source = linecache.getline(code.co_filename, number).strip()
    return f"\n  in line {number} of its cell" + (f": {source[:120]}" if source else "")


def plain(value, depth=0):
    """A copy of `value` made of numpy arrays, numbers, strings, and lists, tuples, sets
    or dicts of these.

    Anything else comes back as UnsupportedValue, so that no code of the learner's (an
    `__eq__`, a generator) runs later.
    """
    if (
        value is None
        or value is Ellipsis
        or type(value) in (bool, int, float, complex, str)
    ):
        return value
    if isinstance(value, _GENERIC):
        return (
            plain(value.item())
            if type(value.item()) in (bool, int, float, complex, str)
            else _unsupported(value)
        )
    if type(value) is _NDARRAY:
        if value.dtype.kind not in "biufcU":
            return UnsupportedValue(f"an array of dtype {value.dtype}")
        if value.size > LARGEST:
            return UnsupportedValue(f"an array of shape {value.shape}")
        return value.copy() if value.ndim else value.item()
    if type(value) in (list, tuple, set, frozenset, dict):
        kind = type(value).__name__
        if depth == 5 or len(value) > LARGEST:
            return UnsupportedValue(
                f"a {kind}"
                f" {'nested too deep' if depth == 5 else f'of {len(value):,} items'}"
            )
        if type(value) is dict:
            return {
                plain(key, depth + 1): plain(item, depth + 1)
                for key, item in value.items()
            }
        return type(value)(plain(item, depth + 1) for item in value)
    return _unsupported(value)


def _unsupported(value):
    if isinstance(value, types.GeneratorType):
        return UnsupportedValue("a generator (it uses yield where return is wanted)")
    if isinstance(value, (types.CoroutineType, types.AsyncGeneratorType)):
        return UnsupportedValue(
            "a coroutine (it is defined with async def; def is wanted)"
        )
    if isinstance(
        value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
    ):
        return UnsupportedValue(f"the function {getattr(value, '__name__', '')}")
    root = type(value).__module__.partition(".")[0]
    name = type(value).__name__
    if root in ("tensorflow", "torch", "jax", "jaxlib", "keras"):
        return UnsupportedValue(f"a {root} {name}")
    return UnsupportedValue(
        f"a {name}" if root in ("builtins", "__main__") else f"a {root} {name}"
    )
