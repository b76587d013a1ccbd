"""What a submission may change for the rest of the notebook: saved, made neutral for
the check, and restored.

Two sorts of things are kept apart:

- The *namespaces* of the modules that everything here relies on (NumPy, ``math``,
  ``builtins``, ``attnlib.reference`` …), functions and constants alike. A submission
  that changes one is refused, and what it changed is put back.
- *Settings*: how NumPy treats overflow, the recursion limit, the dtype policy of Keras,
  the working directory, and so on. During a check they have neutral values, whatever
  an earlier cell has set, and afterward their old ones.
"""

import builtins
import contextlib
import functools
import gc
import inspect
import io
import itertools
import linecache
import math
import os
import random
import signal
import sys
import threading
import time
import types
import warnings

import numpy as np

from attnlib import reference

# Taken at import: a submission may replace the functions of NumPy, and the checks go on
# with these.
_ERRSTATE, _PRINTOPTIONS = np.errstate, np.printoptions
_GET_STATE, _SET_STATE = np.random.get_state, np.random.set_state
_MISSING = object()
# What IPython sets; in a web page, calls that go through compiled code would overflow
# the browser's stack, which ends the interpreter.
_RECURSION_LIMIT = 500 if sys.platform == "emscripten" else 3000
_PRINT_SETTINGS = {
    "edgeitems": 3,
    "threshold": 1000,
    "floatmode": "maxprec",
    "precision": 8,
    "suppress": False,
    "linewidth": 75,
    "nanstr": "nan",
    "infstr": "inf",
    "sign": "-",
    "formatter": None,
    "legacy": False,
}

# Modules whose functions and constants a submission may not change, and what they are
# called in a message.
_GUARDED = {
    np: "np",
    np.linalg: "np.linalg",
    np.random: "np.random",
    reference: "ref",
    math: "math",
    builtins: "builtins",
    random: "random",
    itertools: "itertools",
    functools: "functools",
    time: "time",
    os: "os",
}
# These are put back without a word: their variables are settings, or change by use.
_ALSO_RESTORED = (
    sys,
    threading,
    warnings,
    contextlib,
    inspect,
    io,
    linecache,
    types,
    gc,
    signal,
)


class Namespaces:
    """The variables of the modules above, as they are now; ``put_back`` restores them.

    ``put_back`` may run when ``builtins`` has been emptied, so it uses no name from
    there. It adds the changed names of the guarded modules to ``changed``.
    """

    def __init__(self):
        self.changed = []
        self.saved = [
            (name, vars(module), vars(module).copy())
            for module, name in _GUARDED.items()
        ]
        self.saved += [("", vars(m), vars(m).copy()) for m in _ALSO_RESTORED]

    def put_back(self):
        for module_name, current, saved in self.saved:
            for name, value in saved.items():
                if current.get(name, _MISSING) is not value:
                    current[name] = value
                    if module_name and not name.startswith("_"):
                        self.changed.append(module_name + "." + name)


# The functions and constants of NumPy, math, and attnlib.reference, at import.
_ORIGINALS = [
    (_GUARDED[module], vars(module), name, value)
    for module in (np, np.linalg, np.random, math, reference)
    for name, value in list(vars(module).items())
    if not name.startswith("_") and not isinstance(value, types.ModuleType)
]


def patched_name():
    """The name of a function or a constant of NumPy, ``math``, or attnlib.reference
    that has been replaced since this module was imported, or None.
    """
    for module_name, current, name, original in _ORIGINALS:
        if current.get(name, _MISSING) is not original:
            return f"{module_name}.{name}"
    return None


@contextlib.contextmanager
def restore():
    """A context with neutral settings, which restores those that were there before."""
    with contextlib.ExitStack() as stack:
        for make_neutral in _SETTINGS:
            put_back = make_neutral()
            if put_back is not None:
                stack.callback(put_back)
        stack.enter_context(warnings.catch_warnings())
        warnings.resetwarnings()
        stack.enter_context(_ERRSTATE(all="ignore", call=None))
        stack.enter_context(_PRINTOPTIONS(**_PRINT_SETTINGS))
        yield


# Each of the following makes a setting neutral and returns the function that puts back
# the old one, or None.


def _exit_in_a_kernel():
    """In a kernel, ``exit()`` raises nothing and ends the kernel a moment later; inside
    the context it raises SystemExit.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or "ask_exit" in vars(shell):
        return None
    shell.ask_exit = sys.exit
    return functools.partial(delattr, shell, "ask_exit")


def _figures():
    """New figures are closed. Pyplot is not imported for this."""
    saved = _open_figures()

    def put_back():
        for number in _open_figures() - saved:
            sys.modules["matplotlib.pyplot"].close(number)

    return put_back


def _open_figures():
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set() if pyplot is None else set(pyplot.get_fignums())


def _matplotlib_settings():
    """Matplotlib's own defaults, but for the backend; it is not imported for this.

    ``dict.update``, because the values were checked when they were set.
    """
    matplotlib = sys.modules.get("matplotlib")
    parameters = getattr(matplotlib, "rcParams", None)
    if parameters is None:
        return None
    saved = dict(dict.items(parameters))
    keep = ("backend", "interactive", "toolbar", "webagg", "tk.", "macosx", "docstring")
    defaults = dict.items(matplotlib.rcParamsDefault)
    neutral = {name: value for name, value in defaults if not name.startswith(keep)}
    dict.update(parameters, neutral)
    return functools.partial(dict.update, parameters, saved)


def _recursion_limit():
    saved = sys.getrecursionlimit()

    def set_limit(limit):
        with contextlib.suppress(RecursionError):  # the stack may be deeper than that
            sys.setrecursionlimit(limit)

    set_limit(_RECURSION_LIMIT)
    return functools.partial(set_limit, saved)


def _random_generators():
    """The two global ones: a check changes no number that a later cell draws."""
    saved_python, saved_numpy = random.getstate(), _GET_STATE()

    def put_back():
        random.setstate(saved_python)
        _SET_STATE(saved_numpy)

    return put_back


def _working_directory():
    saved = _current_directory()

    def put_back():
        if saved is not None and _current_directory() != saved:
            with contextlib.suppress(OSError):
                os.chdir(saved)

    return put_back


def _current_directory():
    with contextlib.suppress(OSError):  # it may have been deleted
        return os.getcwd()


def _collections_of_python():
    """The contents of ``sys.path``, ``sys.argv``, ``os.environ``, and what is imported:
    modules that are new stay, a module that was replaced or removed comes back.
    """
    lists = [(each, each.copy()) for each in (sys.path, sys.argv)]
    environment, modules = os.environ.copy(), sys.modules.copy()

    def put_back():
        for each, contents in lists:
            each[:] = contents
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        for name, module in modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module

    return put_back


def _alarms():
    """An alarm that the code sets would end the process: it raises an error instead,
    and is called off afterward, with the handlers of all signals put back.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        return None
    alarms = (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF)
    saved = [(number, signal.getsignal(number)) for number in (signal.SIGINT, *alarms)]
    for number in alarms:
        signal.signal(number, _alarm_went_off)

    def put_back():
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        for number, handler in saved:
            if handler is not None:  # None: not set from Python
                signal.signal(number, handler)

    return put_back


def _alarm_went_off(number, frame):
    raise TimeoutError("an alarm that the code had set went off")


def _numpy_buffer():
    return functools.partial(np.setbufsize, np.getbufsize())


def _keras_settings():
    """The defaults of Keras and of TensorFlow's functions; neither is imported for
    this.
    """
    settings = []  # (function that reads, function that sets, neutral value)
    config = getattr(sys.modules.get("keras"), "config", None)
    if hasattr(config, "set_dtype_policy"):
        settings += [
            (config.floatx, config.set_floatx, "float32"),
            (config.epsilon, config.set_epsilon, 1e-7),
            (config.image_data_format, config.set_image_data_format, "channels_last"),
            (config.dtype_policy, config.set_dtype_policy, "float32"),
        ]
    config = getattr(sys.modules.get("tensorflow"), "config", None)
    if hasattr(config, "run_functions_eagerly"):
        eagerly = config.functions_run_eagerly, config.run_functions_eagerly, False
        settings.append(eagerly)
    saved = [(set_value, get()) for get, set_value, _ in settings]
    for _, set_value, neutral in settings:
        set_value(neutral)

    def put_back():
        for set_value, value in saved:
            set_value(value)

    return put_back


def _traces():
    """Debuggers and profilers of this thread, and the garbage collector."""
    trace, profile, collects = sys.gettrace(), sys.getprofile(), gc.isenabled()

    def put_back():
        if sys.gettrace() is not trace:
            sys.settrace(trace)
        if sys.getprofile() is not profile:
            sys.setprofile(profile)
        (gc.enable if collects else gc.disable)()

    return put_back


_SETTINGS = (
    _exit_in_a_kernel,
    _figures,
    _matplotlib_settings,
    _recursion_limit,
    _random_generators,
    _working_directory,
    _collections_of_python,
    _alarms,
    _numpy_buffer,
    _keras_settings,
    _traces,
)


def running_threads():
    """The identifiers of all threads that are running now."""
    return set(sys._current_frames())


def left_thread_running(submission, threads_before):
    """Whether a thread that is not among ``threads_before`` runs code of the
    submission's file. It is given 0.2 seconds to end.
    """
    if type(submission) is not types.FunctionType:
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
