"""How far a long cell is: one line that is written over while it runs, and stays,
complete, at the end.
"""

import sys
import time

from attnlib.backend import keras


class Progress:
    """``to(done)`` shows how much is done, at most ten times a second; ``end()`` leaves
    one final line.
    """

    def __init__(self, total, what, verbose="auto"):
        self.total, self.what, self.silent = total, what, not verbose
        self.started = time.perf_counter()
        self.shown, self.width = 0.0, 0

    def write(self, line, end=""):
        if not self.silent:
            sys.stdout.write("\r" + line.ljust(self.width) + end)
            sys.stdout.flush()
            self.width = len(line)

    def to(self, done, note=""):
        now = time.perf_counter()
        if now - self.shown >= 0.1:
            self.shown = now
            self.write(f"{done} of {self.total} {self.what}{note}")

    def end(self, note=""):
        self.write(
            f"{self.total} {self.what} in {time.perf_counter() - self.started:.0f}"
            f" s{note}",
            "\n",
        )


class EpochProgress(keras.callbacks.Callback):
    """The same for a training: epoch and batch with the loss so far, one line at the
    end.
    """

    def on_train_begin(self, logs=None):
        self.epoch, self.logs = 0, None
        self.progress = Progress(self.params["epochs"], "epochs")

    def on_train_batch_end(self, batch, logs=None):
        steps = self.params.get("steps") or "?"
        self.progress.to(self.epoch, f", batch {batch + 1} of {steps}{self.told(logs)}")

    def on_epoch_end(self, epoch, logs=None):
        self.epoch, self.logs = epoch + 1, logs

    def on_train_end(self, logs=None):
        self.progress.total = self.epoch  # fewer than planned where a callback ended it
        self.progress.end(self.told(self.logs))

    @staticmethod
    def told(logs):
        return "".join(
            f", {name.replace('_', ' ')} {float(value):.3f}"
            for name, value in (logs or {}).items()
        )
