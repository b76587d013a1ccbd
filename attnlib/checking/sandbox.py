"""Running a submission so that nothing it does can hurt the notebook: a time limit for
infinite loops, and every error in words.

The call stays in the thread that asked for it: no subprocess, no signal, no pickling,
so this works in a kernel, on Windows, and with functions defined in a cell. A second
thread, the watchdog, raises ``TimeUp`` in the first when the time limit is reached; the
time that an import takes does not count. In a web page, where Python has no threads,
the watchdog is a function that ``sys.monitoring`` calls at each jump and each start of
a function. Only plain values leave this module: the submission's result is copied under
the time limit.

Some code cannot be stopped from here. ``os._exit``, a crash of compiled code, and
running out of memory end the kernel, as they would outside a check. One long call into
compiled code runs to its end: if it lets other threads run, the check says so after two
more seconds, and Interrupt ends it; if it holds the interpreter's lock, as
``sum(itertools.repeat(0))`` does, nothing can be shown, and only a restart of the
kernel helps. Only the kernel's variables are lost then; the notebook stays as it is.
In a web page, the button Stop ends all of these, and no threads can be started, so the
messages about them speak of the kernel alone.
"""

import _thread
import contextlib
import functools
import io
import linecache
import sys
import time
import types

import numpy as np

from attnlib.checking import isolation, shapes

MAX_PRINTED = 10_000  # characters that are saved of what the submission prints
MAX_ITEMS = 100_000  # numbers or items in a result; the answers have a few dozen
MAX_DEPTH = 5  # of nested lists, tuples, sets, and dicts
INTERRUPTED = "Interrupted. Your code had not finished."
TICK = 0.02  # seconds between two looks of the watchdog

# Taken at import: a submission may replace the functions of NumPy and of Python, and
# the checks go on with these.
_NDARRAY, _GENERIC, _MASKED = np.ndarray, np.generic, np.ma.MaskedArray
_EVERY_EXCEPTION = BaseException
_now, _current_frames, _frame = time.monotonic, sys._current_frames, sys._getframe
_monitoring = getattr(sys, "monitoring", None)  # since Python 3.12
_NEVER = float("inf")


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
    """The outcome of one call: a plain ``result``, or a ``problem`` in words; what was
    ``printed``; and the ``seconds`` that it took, without imports.

    ``is_finding``: the problem is a sentence of the exercise itself (``CheckFailed``).
    ``is_final``: there is no sense in calling the code again, because it was stopped
    (``timed_out``), or the reader interrupted it.
    """

    def __init__(
        self,
        result=None,
        problem=None,
        attempted=True,
        timed_out=False,
        interrupted=False,
        is_finding=False,
    ):
        self.result = result
        self.problem = problem
        self.attempted = attempted
        self.timed_out = timed_out
        self.interrupted = interrupted
        self.is_finding = is_finding
        self.seconds = 0.0
        self.printed = ""

    @property
    def is_final(self):
        return self.timed_out or self.interrupted


def run(call, submission, time_limit):
    """Call ``call()`` for at most ``time_limit`` seconds and return its Outcome.

    ``call`` is a function without parameters that calls the submission; the submission
    itself tells which file, and so which line of a traceback, is the reader's. Raises
    nothing, whatever the code does. It runs under the neutral settings of
    ``isolation.restore``; these, standard output, and the functions and constants of
    NumPy, Python, and attnlib.reference are as before afterward, and figures that the
    code opened are closed.
    """
    output, out = _CapturedOutput(), sys.stdout
    limited_call = functools.partial(describe, call, submission)
    threads_before = isolation.running_threads()
    with (
        isolation.restore(),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        namespaces = isolation.Namespaces()
        limited = _time_limit(limited_call, time_limit, out, namespaces.put_back)
        outcome, exceptions = limited.run()
        # The frames that an exception holds may hold generators, whose `finally` blocks
        # run now: under a time limit again.
        _time_limit(exceptions.clear, 1, out, namespaces.put_back).run()
    if namespaces.changed and not outcome.interrupted:
        problem = f"Your code changed {namespaces.changed[0]}. It has been put back."
        outcome = Outcome(problem=problem)
    elif (
        outcome.problem is None or outcome.is_finding
    ) and isolation.left_thread_running(submission, threads_before):
        problem = (
            "Your code started a thread that is still running. Restart the kernel to "
            "end it."
        )
        outcome = Outcome(problem=problem, timed_out=True)
    outcome.printed = output.text()
    outcome.seconds = limited.seconds
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


def _where_it_is(frame):
    """Whether a frame is in the middle of an import (a module left half imported would
    break what comes later), and whether it is in this file itself: writing for compiled
    code, perhaps, which could not pass an exception on.
    """
    in_machine = frame is not None and frame.f_code is _CapturedOutput.write.__code__
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True, in_machine
        frame = frame.f_back
    return False, in_machine


class _TimeLimit:
    """One call under a time limit, which stops an infinite (endless) loop: what both
    watchdogs share.

    Until ``put_back`` has run, ``builtins`` may be empty and the functions of every
    module replaced. So nothing before that call uses a name of ``builtins``.
    """

    def __init__(self, call, time_limit, out, put_back):
        self.call = call
        self.time_limit = time_limit
        self.out = out
        self.put_back = put_back
        self.seconds = self.seconds_of_imports = 0.0
        self.time_up = type("TimeUp", (BaseException,), {})

    def conclude(self, outcome, exceptions, started):
        """The call's Outcome, and ``exceptions``: a list of the exception that ended
        it, if any.
        """
        self.put_back()
        self.seconds = _now() - started - self.seconds_of_imports
        if exceptions and type(exceptions[0]) is self.time_up:
            problem = (
                f"Your code was still running after {self.time_limit:g} seconds and "
                "was stopped. Is there an infinite loop?"
            )
            outcome = Outcome(problem=problem, timed_out=True)
        elif exceptions and type(exceptions[0]) is KeyboardInterrupt:
            outcome = Outcome(problem=INTERRUPTED, interrupted=True)
        elif exceptions:
            problem = f"Your code raised {type(exceptions[0]).__name__}."
            outcome = Outcome(problem=problem)
        return outcome, exceptions


class _TimeLimitByThread(_TimeLimit):
    """The watchdog is a thread.

    The interpreter raises a pending exception only at certain points: a call, the start
    of a function, a jump backward. Code that swallows it (``except BaseException:
    pass`` in a loop) would never end if it came from the watchdog alone. So creating
    the exception, which happens in the submission's thread at the moment it is caught,
    asks for the next one: ``TimeUp.__init__`` is the C function that raises it. The
    handler meets it at its first call or jump, and so does each handler further out.

    The watchdog waits on a lock, which needs neither ``builtins`` nor any module.
    """

    def __init__(self, call, time_limit, out, put_back):
        super().__init__(call, time_limit, out, put_back)
        self.done = False
        self.thread = _thread.get_ident()
        self.interrupt = functools.partial(_raise_in, self.thread, self.time_up)
        self.time_up.__init__ = staticmethod(self.interrupt)
        self.plain_init = BaseException.__init__
        self.over, self.watched = _thread.allocate_lock(), _thread.allocate_lock()
        self.over.acquire()
        self.watched.acquire()

    def run(self):
        """The call's Outcome, and a list of the exception that ended it, if any."""
        outcome, exceptions, started = None, [], _now()
        try:
            _thread.start_new_thread(self.watch, ())
            outcome = self.call()
            self.done = True
        except _EVERY_EXCEPTION as raised:
            self.done = True
            exceptions = [raised]
        self.time_up.__init__ = self.plain_init
        # A last TimeUp may be pending. Nothing since the call's end is a point at which
        # it would be raised; it is caught here, at the latest when the watchdog has
        # ended. (Taking it back by SetAsyncExc(thread, NULL) would leave the
        # interpreter's flag up for good.)
        released = False
        while True:
            try:
                if not released:
                    released = True
                    self.over.release()
                self.watched.acquire()
                break
            except _EVERY_EXCEPTION as raised:
                if raised.__class__ is not self.time_up:  # an interrupt
                    exceptions = [raised]
        return self.conclude(outcome, exceptions, started)

    def watch(self):
        """The watchdog: once the time is up, interrupts the call until it has ended."""
        overtime, said = 0, False
        started = last_look = _now()
        while not self.over.acquire(True, TICK):
            now = _now()
            importing, in_machine = _where_it_is(_current_frames().get(self.thread))
            if importing:
                self.seconds_of_imports += now - last_look
            last_look = now
            used = now - started - self.seconds_of_imports
            if not self.done and used > self.time_limit:
                overtime += 1
                if not importing and not in_machine:
                    self.interrupt()
            long_import = importing and now - started > 12 * self.time_limit
            if not said and (overtime >= 100 or long_import):  # 100 ticks: 2 seconds
                said = True
                self.say_that_it_still_runs(now - started)
        self.watched.release()

    def say_that_it_still_runs(self, seconds):
        try:
            self.out.write(
                f"Still running after {seconds:.0f} seconds, in an import or in one "
                "call into compiled code, which cannot be stopped from here. Press "
                "Interrupt (the square); if that does not help, restart the kernel.\n"
            )
            self.out.flush()
        except _EVERY_EXCEPTION:
            pass


class _TimeLimitByEvents(_TimeLimit):
    """The watchdog is a function that the interpreter itself calls (``sys.monitoring``)
    at each jump, at each start of a function, and wherever a generator goes on.

    It needs no threads, and so works in a web page. Once the time is up, it raises
    ``TimeUp`` at every such event, so code that swallows one meets the next. It cannot
    stop one long call into compiled code, and says nothing about one. Within the check
    of another exercise, which a submission may call, the time limit of the outer call
    applies.
    """

    TOOL = 4  # no debugger, coverage tool, profiler, or optimizer has this number
    EVENTS = (
        ()
        if _monitoring is None
        else (
            _monitoring.events.JUMP,
            _monitoring.events.PY_START,
            _monitoring.events.PY_RESUME,
        )
    )

    def run(self):
        """The call's Outcome, and a list of the exception that ended it, if any."""
        outcome, exceptions, started = None, [], _now()
        self.started = self.last_look = started
        self.next_look = started + TICK
        watches = self.start_watching()
        try:
            outcome = self.call()
            self.next_look = _NEVER  # from here on, no event raises anything
        except _EVERY_EXCEPTION as raised:
            self.next_look = _NEVER
            exceptions = [raised]
        if watches:
            self.stop_watching()
        return self.conclude(outcome, exceptions, started)

    def start_watching(self):
        """Ask for the events, and return whether they were free to have."""
        if _monitoring.get_tool(self.TOOL) is not None:
            return False
        _monitoring.use_tool_id(self.TOOL, "attnlib")
        for event in self.EVENTS:
            _monitoring.register_callback(self.TOOL, event, self.look)
        _monitoring.set_events(self.TOOL, sum(self.EVENTS))
        return True

    def stop_watching(self):
        try:
            _monitoring.set_events(self.TOOL, 0)
        except _EVERY_EXCEPTION:  # the submission itself has given the tool back
            return
        for event in self.EVENTS:
            _monitoring.register_callback(self.TOOL, event, None)
        _monitoring.free_tool_id(self.TOOL)

    def look(self, *event):
        """The watchdog: look at the clock and, every TICK, at where the call is."""
        now = _now()
        if now < self.next_look:
            return
        importing, in_machine = _where_it_is(_frame(1))
        if importing:
            self.seconds_of_imports += now - self.last_look
        self.last_look = now
        is_over = now - self.started - self.seconds_of_imports > self.time_limit
        if is_over and not importing and not in_machine:
            raise self.time_up  # and at the next event again
        self.next_look = now + TICK


_HAS_THREADS = sys.platform not in ("emscripten", "wasi")
_time_limit = _TimeLimitByThread if _HAS_THREADS else _TimeLimitByEvents

if _HAS_THREADS:
    import ctypes  # which a Python in a web page may lack

    # Holds the interpreter's lock during the call, so no other thread can come between.
    _raise_in = ctypes.PYFUNCTYPE(None, ctypes.c_ulong, ctypes.py_object)(
        ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
    )


def describe(call, submission):
    """The Outcome of ``call()``: its result made plain, its exceptions in words. Runs
    under the time limit.
    """
    try:
        return Outcome(plain(call()))
    except CheckFailed as failure:
        return Outcome(problem=str(failure), is_finding=True)
    except KeyboardInterrupt:
        return Outcome(problem=INTERRUPTED, interrupted=True)
    except SystemExit:
        problem = (
            "Your code asked Python to exit (sys.exit, exit, or quit). Use return "
            "instead."
        )
    except RecursionError as error:
        problem = "Your code calls itself endlessly (RecursionError)."
        problem += _location(error, submission)
    except Exception as error:
        if type(error) is NotImplementedError:  # a stub's other way to say "not yet"
            return Outcome(attempted=False)
        problem = f"Your code raised {type(error).__name__}: {text_of(error)}"
        problem += _location(error, submission)
    return Outcome(problem=problem)


def text_of(error):
    """The text of an exception, cut, whatever its ``__str__`` does."""
    try:
        text = str(error)
    except Exception:
        return "(its message cannot be read)"
    return text if len(text) <= 300 else text[:300] + " ..."


def frame_of(error, submission):
    """The innermost entry of a traceback that is in the submission's own file, or None;
    of a class, the file of its methods.
    """
    trace, own = None, _filename_of(submission)
    entry = error.__traceback__
    while entry is not None and own is not None:
        if entry.tb_frame.f_code.co_filename == own:
            if trace is None or not _ends_at_start(error, entry):
                trace = entry
        entry = entry.tb_next
    return trace


def _ends_at_start(error, entry):
    """Whether the one call too many was the watchdog's, at the start of a function: it
    is the call of that function that is endless.
    """
    code = entry.tb_frame.f_code
    return type(error) is RecursionError and entry.tb_lineno == code.co_firstlineno


def _filename_of(submission):
    if issubclass(type(submission), type):
        functions = [f for f in vars(submission).values() if hasattr(f, "__code__")]
        submission = functions[0] if functions else None
    code = getattr(submission, "__code__", None)
    return getattr(code, "co_filename", None)


def _location(error, submission):
    """Where in the submission: "in line 3 of your cell: return query @ keys"; and the
    shapes of the arrays there, where they are what did not fit.
    """
    trace = frame_of(error, submission)
    if trace is None:
        return ""
    filename = trace.tb_frame.f_code.co_filename
    line = linecache.getline(filename, trace.tb_lineno).strip()
    quoted = f": {line[:120]}" if line else ""
    where = shapes.in_words(trace) if type(error) is ValueError else ""
    return f"\n  in line {trace.tb_lineno} of your cell{quoted}{where}"


def plain(value, depth=0):
    """A copy of ``value``, made of NumPy arrays, numbers, strings, and lists, tuples,
    sets, or dicts of these. A subclass of one (a named tuple, a ``np.matrix``) becomes
    that one.

    Anything else comes back as UnsupportedValue, so that no code of the submission (an
    ``__eq__``, a generator) runs later.
    """
    if value is None or value is Ellipsis or type(value) is bool:
        return value
    own = type(value)
    if issubclass(own, _GENERIC):
        item = value.item()
        return _unsupported(value) if isinstance(item, _GENERIC) else plain(item)
    for kind, copy in _SCALARS.items():
        if issubclass(own, kind):
            return copy(value)
    if issubclass(own, _NDARRAY) and not issubclass(own, _MASKED):
        return _plain_array(_NDARRAY.view(value, _NDARRAY))
    for kind in (list, tuple, set, frozenset, dict):
        if issubclass(own, kind):
            return _plain_collection(value, kind, depth)
    return _unsupported(value)


_SCALARS = {
    int: int.__int__,
    float: float.__float__,
    complex: complex.__complex__,
    str: str.__str__,
}


def _plain_array(array):
    if array.dtype.kind not in "biufcU":
        return UnsupportedValue(f"an array of dtype {array.dtype}")
    if array.size > MAX_ITEMS:
        return UnsupportedValue(f"an array of shape {array.shape}")
    return array.copy() if array.ndim else array.item()


def _plain_collection(value, kind, depth):
    if depth == MAX_DEPTH:
        return UnsupportedValue(f"a {kind.__name__} nested too deeply")
    size = kind.__len__(value)
    if size > MAX_ITEMS:
        return UnsupportedValue(f"a {kind.__name__} of {size:,} items")
    if kind is dict:
        return {
            plain(key, depth + 1): plain(item, depth + 1)
            for key, item in dict.items(value)
        }
    return kind(plain(item, depth + 1) for item in kind.__iter__(value))


def _unsupported(value):
    own = type(value)
    if own is types.GeneratorType:
        return UnsupportedValue("a generator (it uses yield instead of return)")
    if own in (types.CoroutineType, types.AsyncGeneratorType):
        return UnsupportedValue(
            "a coroutine (it is defined with async def instead of def)"
        )
    functions = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
    if own in functions:
        return UnsupportedValue(f"the function {getattr(value, '__name__', '')}")
    root = own.__module__.partition(".")[0]
    without_module = root in ("builtins", "__main__")
    name = own.__name__
    words = name if without_module else f"{root} {name}"
    article = "an" if words[0] in "aeiouAEIOU" else "a"
    return UnsupportedValue(f"{article} {words}")
