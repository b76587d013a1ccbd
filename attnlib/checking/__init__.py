"""Check a reader's function against an exercise's solution, and say what is wrong.

The four modules:

- ``exercise``: the decorator that turns a solution into an exercise, and the exercise
  itself with ``check``, ``hint``, and ``solution``.
- ``sandbox``: calls the submission (the reader's function) under a time limit, so that
  an infinite loop, ``exit()``, or an error becomes a sentence, and copies its result.
- ``isolation``: saves what a submission may change for the rest of the notebook (the
  functions of NumPy, random generators, warnings, open figures …) and restores it.
- ``compare``: compares a result with the expected one and writes both on a line.

What ``check(submission)`` does, in this order:

1. It stops early if the submission is not a function (or a class, where the solution is
   one), if a function of NumPy has been replaced, if the submission is still a stub, or
   if its parameters do not fit.
2. For each case of the exercise, ``sandbox.run`` calls the submission on fresh
   arguments, inside ``isolation.restore()``.
3. At the first case that fails, it names the problem: an error, a changed argument, or
   what ``compare.difference`` says.
4. If the results of a known mistake are the same there, its message comes first.
5. It returns a ``CheckResult``. It raises nothing.
"""
