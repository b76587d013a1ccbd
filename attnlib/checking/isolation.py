"""What a submission may change for the rest of the notebook, saved and restored."""

import contextlib
import os
import random
import sys
import time
import types
import warnings

import numpy as np

from attnlib import reference

# Taken at import: a submission may replace the functions of NumPy, and the checks go on
# with these.
_ERRSTATE, _PRINTOPTIONS = np.errstate, np.printoptions
_GET_STATE, _SET_STATE = np.random.get_state, np.random.set_state
_ORIGINAL_FUNCTIONS = {
    (module, name): value
    for module in (np, np.linalg, np.random, reference)
    for name, value in vars(module).items()
    if callable(value) and not name.startswith("_")
}


@contextlib.contextmanager
def restore():
    """A context that restores what is named below, as it was before."""
    with contextlib.ExitStack() as stack:
        for context in (
            _exit_raises_in_a_kernel,
            _new_figures_closed,
            _recursion_limit,
            _random_generators,
            _working_directory,
        ):
            stack.enter_context(context())
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_ERRSTATE(all="ignore"))
        stack.enter_context(_PRINTOPTIONS())
        yield


@contextlib.contextmanager
def _exit_raises_in_a_kernel():
    """In a kernel, ``exit()`` raises nothing and ends the kernel a moment later; inside
    this context it raises SystemExit.
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
def _new_figures_closed():
    saved = _open_figures()
    yield
    for number in _open_figures() - saved:
        sys.modules["matplotlib.pyplot"].close(number)


def _open_figures():
    """The numbers of pyplot's figures; it is not imported for this."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set() if pyplot is None else set(pyplot.get_fignums())


@contextlib.contextmanager
def _recursion_limit():
    saved = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(saved)


@contextlib.contextmanager
def _random_generators():
    """The two global ones: a check changes no number that a later cell draws."""
    saved_python, saved_numpy = random.getstate(), _GET_STATE()
    yield
    random.setstate(saved_python)
    _SET_STATE(saved_numpy)


@contextlib.contextmanager
def _working_directory():
    saved = _current_directory()
    yield
    if saved is not None and _current_directory() != saved:
        with contextlib.suppress(OSError):
            os.chdir(saved)


def _current_directory():
    with contextlib.suppress(OSError):  # it may have been deleted
        return os.getcwd()


def patched_function():
    """The name of a function of NumPy or of attnlib.reference that has been replaced,
    or None.
    """
    for (module, name), original in _ORIGINAL_FUNCTIONS.items():
        if vars(module).get(name) is not original:
            if module is reference:
                return f"ref.{name}"
            return f"{module.__name__}.{name}".replace("numpy", "np", 1)
    return None


def restore_functions():
    """Restore all of these functions. Returns what ``patched_function`` said before."""
    patched = patched_function()
    if patched:
        for (module, name), original in _ORIGINAL_FUNCTIONS.items():
            setattr(module, name, original)
    return patched


def running_threads():
    """The identifiers of all threads that are running now."""
    return set(sys._current_frames())


def left_thread_running(submission, threads_before):
    """Whether a thread that is not among ``threads_before`` runs code of the
    submission's file. It is given 0.2 seconds to end.
    """
    if not isinstance(submission, types.FunctionType):
        return False
    filename = submission.__code__.co_filename
    for _ in range(10):
        new_frames = [
            frame
            for thread, frame in sys._current_frames().items()
            if thread not in threads_before
        ]
        if not any(_runs_code_of(frame, filename) for frame in new_frames):
            return False
        time.sleep(0.02)
    return True


def _runs_code_of(frame, filename):
    while frame is not None and frame.f_code.co_filename != filename:
        frame = frame.f_back
    return frame is not None
