"""How far a long cell is: one line, written over as it runs, that stays at the end."""

import sys
import time

import numpy as np

from attnlib.backend import keras


class Progress:
    """``update(done)`` shows how much is done, ten times per second at most.

    ``close()`` leaves one final line.
    """

    def __init__(self, total, what, verbose="auto"):
        self.total, self.what, self.silent = total, what, not verbose
        self.started = time.perf_counter()
        self.last_update, self.width = 0.0, 0

    def write(self, line, end=""):
        if not self.silent:
            sys.stdout.write("\r" + line.ljust(self.width) + end)
            sys.stdout.flush()
            self.width = len(line)

    def update(self, done, note=""):
        now = time.perf_counter()
        if now - self.last_update >= 0.1:
            self.last_update = now
            self.write(f"{done} of {self.total} {self.what}{note}")

    def close(self, note=""):
        self.finish(f"{self.total} {self.what}", note)

    def finish(self, what, note=""):
        seconds = time.perf_counter() - self.started
        self.write(f"{what} in {seconds:.0f} s{note}", "\n")


class EpochProgress(keras.callbacks.Callback):
    """The same for a training: epoch and batch, from 1, with the loss so far.

    A training that goes on with a later epoch shows the numbers of its epochs.
    """

    def on_train_begin(self, logs=None):
        self.first = self.epoch = self.logs = None
        self.progress = Progress(self.params["epochs"], "epochs")

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch + 1
        self.first = self.first or self.epoch

    def on_train_batch_end(self, batch, logs=None):
        steps = self.params.get("steps") or "?"
        note = f", batch {batch + 1} of {steps}{self.format_logs(logs)}"
        self.progress.update(self.epoch, note)

    def on_epoch_end(self, epoch, logs=None):
        self.logs = logs

    def on_train_end(self, logs=None):
        if self.first is None:
            done = "0 epochs"
        elif self.first == self.epoch:
            done = "1 epoch" if self.first == 1 else f"epoch {self.epoch}"
        elif self.first == 1:
            done = (
                f"{self.epoch} epochs"  # fewer than planned where a callback ended it
            )
        else:
            done = f"epochs {self.first} to {self.epoch}"
        self.progress.finish(done, self.format_logs(self.logs))

    @staticmethod
    def format_logs(logs):
        numbers = {k: v for k, v in (logs or {}).items() if not np.shape(v)}
        items = numbers.items()  # a metric may give an array too, or a dict
        return "".join(f", {k.replace('_', ' ')} {float(v):.3f}" for k, v in items)
