"""Speed, start-up time, and memory, measured against baselines. From the repository's
root: ``python -m benchmarks.bench``.
"""
