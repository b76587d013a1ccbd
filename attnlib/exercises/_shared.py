"""What the exercises of more than one chapter use."""

import numpy as np

from attnlib.checking.exercise import source_of


def recurrent_cell(rng, input_dim, units, joined=None):
    """A random ``gru(inputs, state)`` for exercises that call one; ``joined`` names
    what is joined to the word in its inputs, for the message. By default that is
    nothing.
    """
    expected = f"[word ; {joined}]" if joined else "the word alone,"
    w_input = rng.normal(size=(input_dim, units))
    w_state = rng.normal(size=(units, units))

    def gru(inputs, state):
        inputs, state = np.asarray(inputs), np.asarray(state)
        sizes = np.shape(inputs)[-1], np.shape(state)[-1]
        if sizes != (input_dim, units):
            raise ValueError(
                f"gru(inputs, state): inputs should be {expected} of dimension "
                f"{input_dim} and state of dimension {units}, "
                f"got {sizes[0]} and {sizes[1]}"
            )
        return 0.5 * state + 0.5 * np.tanh(inputs @ w_input + state @ w_state)

    return gru


def gaussian_of_distance(distance, half_width):
    """exp(-distance^2 / (2 sigma^2)) with sigma = D / 2, where D is the half-width."""
    sigma = half_width / 2
    return np.exp(-(distance**2) / (2 * sigma**2))


def window_and_gaussian(scores, centers, half_width):
    """Local attention's window around floor(p) and its Gaussian around p, both
    (batch, target_len, source_len).
    """
    positions = np.arange(scores.shape[-1])
    from_floor = positions - np.floor(centers)[:, :, None]
    window = abs(from_floor) <= half_width
    return window, gaussian_of_distance(positions - centers[:, :, None], half_width)


def passing_parts(namespace, exercises):
    """The functions of a notebook that pass their checks, by name; it prints for each
    exercise whose function a translator will use.
    """
    parts, width = {}, max(20, 2 + max(len(owner.name) for owner in exercises))
    for owner in exercises:
        function = namespace.get(owner.name)
        result = None if function is None else owner.check(function)
        if result is not None and result.passed:
            parts[owner.name] = function
            whose = "the solution" if _is_solution(owner, function) else "yours"
        elif result is not None and result.attempted:
            whose = "ours, because yours does not pass its check"
        else:
            whose = "ours, because yours is not written yet"
        print(f"{owner.name:<{width}}{whose}")
    return parts


def _is_solution(owner, function):
    """Whether a function is the solution that the exercise shows, word by word."""
    try:
        return source_of(function) == owner.source
    except (OSError, TypeError, SyntaxError):  # it has no source
        return False
