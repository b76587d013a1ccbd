"""Check a reader's function against an exercise's solution, and say what is wrong.

The modules:

- ``exercise``: the decorator that turns a solution into an exercise, and the exercise
  itself with ``check``, ``hint``, and ``solution``.
- ``sandbox``: calls the submission (the reader's function) under a time limit, so that
  an infinite loop, ``exit()``, or an error becomes a sentence, and copies its result.
- ``isolation``: neutral settings during a check (of NumPy, Keras, warnings …), and
  back to the old ones afterward; what a submission changes in NumPy, Python, or
  attnlib.reference is put back.
- ``shapes``: says which arrays did not fit, where NumPy raised an error.
- ``compare``: compares a result with the expected one and writes both on a line.

What ``check(submission)`` does, in this order:

1. It stops early if the submission is not a function (or a class, where the solution is
   one), if a function of NumPy has been replaced, if the submission is still a stub, or
   if its parameters do not fit.
2. For each case of the exercise, ``sandbox.run`` calls the submission on fresh
   arguments, inside ``isolation.restore()``. An interrupt ends the check.
3. At the first case that fails, it names the problem: an error, a changed argument, or
   what ``compare.difference`` says.
4. If its values are wrong there, and the same as those of a known mistake in every case
   where that is wrong, the message of the mistake comes first.
5. Where a batch failed, it looks for one sentence that fails alone, to show that.
6. It returns a ``CheckResult``. It raises nothing.
"""
