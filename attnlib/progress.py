"""How far a long cell is: one line, written over as it runs, that stays at the end."""

import sys
import time

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
        seconds = time.perf_counter() - self.started
        self.write(f"{self.total} {self.what} in {seconds:.0f} s{note}", "\n")


class EpochProgress(keras.callbacks.Callback):
    """The same for a training: epoch and batch with the loss so far."""

    def on_train_begin(self, logs=None):
        self.epoch, self.logs = 0, None
        self.progress = Progress(self.params["epochs"], "epochs")

    def on_train_batch_end(self, batch, logs=None):
        steps = self.params.get("steps") or "?"
        note = f", batch {batch + 1} of {steps}{self.format_logs(logs)}"
        self.progress.update(self.epoch, note)

    def on_epoch_end(self, epoch, logs=None):
        self.epoch, self.logs = epoch + 1, logs

    def on_train_end(self, logs=None):
        self.progress.total = self.epoch  # fewer than planned where a callback ended it
        self.progress.close(self.format_logs(self.logs))

    @staticmethod
    def format_logs(logs):
        items = (logs or {}).items()
        return "".join(f", {k.replace('_', ' ')} {float(v):.3f}" for k, v in items)
