"""The long runs behind the chapters. From the repository's root:

python -m experiments.length_curve           trains what is missing (up to an hour)
python -m experiments.length_curve --quick --output FOLDER    only to see that it runs
"""
