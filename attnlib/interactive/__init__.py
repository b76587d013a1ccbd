"""Interactive figures: plain HTML with its script inside, on a page of the book and in
JupyterLab alike.

- ``attention_map``: which source tokens each target token attends to.
- ``weights``: scores, a temperature, and a mask → the weights of a softmax.
- ``window``: center, half-width, and sigma → the weights of local attention.
- ``cueing``: a cueing experiment that the reader takes.
- ``decoder_step``: one step of a decoder, from the query to the next character.
- ``head_maps``: the attention maps of a Transformer, by layer and head.
- ``heads``: a head of self-attention, built by hand, on a short text.
- ``kv_cache``: keys and values that are kept while a text is written, and their bytes.
- ``online_softmax``: a softmax that reads its scores block by block.
- ``own_words``: a sentence, and what its words contribute to a classification.
- ``sink_window``: which positions reach an output through layers with a window.

None of them needs TensorFlow.
"""

# Each function has the name of its module and takes that name here on purpose:
# attnlib.interactive.weights is the function, not the module.
from attnlib.interactive.attention_map import attention_map
from attnlib.interactive.cueing import cueing
from attnlib.interactive.decoder_step import decoder_step
from attnlib.interactive.head_maps import head_maps
from attnlib.interactive.heads import heads
from attnlib.interactive.kv_cache import kv_cache
from attnlib.interactive.online_softmax import online_softmax
from attnlib.interactive.own_words import own_words
from attnlib.interactive.sink_window import sink_window
from attnlib.interactive.weights import weights
from attnlib.interactive.window import window

__all__ = [
    "attention_map",
    "cueing",
    "decoder_step",
    "head_maps",
    "heads",
    "kv_cache",
    "online_softmax",
    "own_words",
    "sink_window",
    "weights",
    "window",
]
