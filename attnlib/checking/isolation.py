"""What a learner's code may change for the rest of the notebook, and how it is put
back.
"""

import contextlib
import os
import random
import sys
import time
import types
import warnings

import numpy as np

from attnlib import reference

# Taken now: a learner may replace the functions of numpy, and we go on with these.
_ERRSTATE, _PRINTOPTIONS = np.errstate, np.printoptions
_GET_STATE, _SET_STATE = np.random.get_state, np.random.set_state
_OWN = {
    (module, name): value
    for module in (np, np.linalg, np.random, reference)
    for name, value in vars(module).items()
    if callable(value) and not name.startswith("_")
}


@contextlib.contextmanager
def put_back():
    """A context after which all that is named below is as it was before."""
    with contextlib.ExitStack() as stack:
        for context in (
            _no_kernel_exit,
            _no_figures_left,
            _recursion_limit,
            _random_generators,
            _folder,
        ):
            stack.enter_context(context())
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_ERRSTATE(all="ignore"))
        stack.enter_context(_PRINTOPTIONS())
        yield


@contextlib.contextmanager
def _no_kernel_exit():
    """In a kernel `exit()` raises nothing and ends the kernel a moment later: make it
    raise SystemExit instead.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        yield
        return
    shell.ask_exit = sys.exit
    try:
        yield
    finally:
        del shell.ask_exit


@contextlib.contextmanager
def _no_figures_left():
    before = (
        sys.modules["matplotlib.pyplot"].get_fignums()
        if "matplotlib.pyplot" in sys.modules
        else []
    )
    yield
    if "matplotlib.pyplot" in sys.modules:
        pyplot = sys.modules["matplotlib.pyplot"]
        for number in set(pyplot.get_fignums()).difference(before):
            pyplot.close(number)


@contextlib.contextmanager
def _recursion_limit():
    limit = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(limit)


@contextlib.contextmanager
def _random_generators():
    """The two global ones: a check changes no number that a later cell draws."""
    states = random.getstate(), _GET_STATE()
    yield
    random.setstate(states[0])
    _SET_STATE(states[1])


@contextlib.contextmanager
def _folder():
    before = _working_directory()
    yield
    if before is not None and _working_directory() != before:
        with contextlib.suppress(OSError):
            os.chdir(before)


def _working_directory():
    with contextlib.suppress(OSError):  # it may be gone
        return os.getcwd()


def replaced():
    """The name of a function of numpy or of attnlib.reference that is no longer their
    own, or None.
    """
    for (module, name), value in _OWN.items():
        if vars(module).get(name) is not value:
            return (
                f"ref.{name}"
                if module is reference
                else f"{module.__name__}.{name}".replace("numpy", "np", 1)
            )
    return None


def put_functions_back():
    """As `replaced`; all of them are their own again afterwards."""
    name = replaced()
    if name:
        for (module, own), value in _OWN.items():
            setattr(module, own, value)
    return name


def threads():
    """The numbers of all threads that run now."""
    return set(sys._current_frames())


def left_running(function, before):
    """Whether a thread that was not there `before` runs code of the function's file; it
    is given 0.2 seconds to end.
    """
    if not isinstance(function, types.FunctionType):
        return False
    for _ in range(10):
        frames = (
            frame
            for number, frame in sys._current_frames().items()
            if number not in before
        )
        if not any(_runs(frame, function.__code__.co_filename) for frame in frames):
            return False
        time.sleep(0.02)
    return True


def _runs(frame, file):
    while frame is not None and frame.f_code.co_filename != file:
        frame = frame.f_back
    return frame is not None
