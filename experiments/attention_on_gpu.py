"""Time and memory of attention on one GPU, against length. It needs PyTorch.

Causal self-attention of one sequence, in bfloat16, with 16 heads of 64, in three forms:

- "naive": softmax(Q Kᵀ / √d) V as it is written, with all scores in memory;
- "flash": the same function block by block, FlashAttention in PyTorch's
  ``scaled_dot_product_attention``;
- "window": each token attends to the last 1,024, itself included, with PyTorch's
  ``flex_attention``.

Each is a run, by its fields "model" and "length": forward_ms, the median, least, and
greatest of the repetitions, and forward_extra_mb, the most memory beyond queries, keys,
and values (MB of 10**6 bytes; the naive form's mask is there before); train_ms and
train_extra_mb of a forward and a backward pass. Where memory does not suffice, "error"
has the message. max_abs_difference, with "flash", is the greatest distance of its
output from the naive one.

"decode" has, by length of the context, the time of one new token in one layer without
a cache (keys and values of the context are computed again) and with one, projections
included; and the size of the cache with all heads, with a quarter of them, and with the
window.

The committed result is not of this script but of a predecessor with these settings,
as its "provenance" says. ``--quick`` tries the script at tiny sizes, on the CPU too.
"""

import math
import statistics
import sys
import time
from functools import partial

from attnlib import provenance
from experiments._training import parse_arguments, save

HEADS, HEAD_DIM, WINDOW = 16, 64, 1024
LENGTHS = [2**power for power in range(9, 18)]  # 512 … 131,072
NAIVE_UP_TO = 32_768
DECODE_LENGTHS = (1024, 4096, 16_384, 65_536)
QUICK_LENGTHS, QUICK_DECODE_LENGTHS = (64, 128), (64,)
WARM_UP = 3


def load_torch():
    try:
        import torch
    except ImportError:
        sys.exit(
            "experiments.attention_on_gpu needs PyTorch, which nothing else of the"
            " experiments does: pip install -r requirements-bench.txt"
        )
    return torch


def choose_device(torch, quick):
    if torch.cuda.is_available():
        return "cuda"
    if not quick:
        sys.exit(
            "experiments.attention_on_gpu should run where PyTorch finds a GPU"
            " (CUDA), and finds none here: its result stays as it is. --quick tries"
            " the script on the CPU"
        )
    return "cpu"


class Meter:
    """Times a function, and the memory it needs, on a device."""

    def __init__(self, torch, device):
        self.torch, self.gpu = torch, device == "cuda"

    def timed(self, function, repetitions):
        """Median, least, and greatest milliseconds, after three calls that warm up."""
        for _ in range(WARM_UP):
            function()
        times = [self._once(function) for _ in range(repetitions)]
        return [statistics.median(times), min(times), max(times)]

    def _once(self, function):
        if not self.gpu:
            started = time.perf_counter()
            function()
            return 1000 * (time.perf_counter() - started)
        start, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.torch.cuda.synchronize()
        start.record()
        function()
        end.record()
        self.torch.cuda.synchronize()
        return start.elapsed_time(end)

    def measure(self, function, repetitions):
        """Times, and the most extra memory in MB (None on the CPU)."""
        if not self.gpu:
            return self.timed(function, repetitions), None
        cuda = self.torch.cuda
        cuda.empty_cache()
        cuda.reset_peak_memory_stats()
        before = cuda.memory_allocated()
        times = self.timed(function, repetitions)
        return times, (cuda.max_memory_allocated() - before) / 1e6


def forms(torch, length, device):
    """The three functions of query, keys, values (1, heads, length, head_dim)."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    from torch.nn.functional import scaled_dot_product_attention

    made = {}
    if length <= NAIVE_UP_TO:
        causal = torch.ones(length, length, dtype=torch.bool, device=device).tril()

        def naive(query, keys, values):
            scores = query @ keys.transpose(-2, -1) / math.sqrt(HEAD_DIM)
            return scores.masked_fill(~causal, -math.inf).softmax(-1) @ values

        made["naive"] = naive

    def flash(query, keys, values):
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return scaled_dot_product_attention(query, keys, values, is_causal=True)

    def in_reach(batch, head, i, j):
        return (i >= j) & (i - j < WINDOW)

    if device == "cuda":
        torch.compiler.reset()  # each length is compiled by itself
        flex_attention = torch.compile(flex_attention, dynamic=False)
    blocks = create_block_mask(in_reach, None, None, length, length, device=device)
    return made | {"flash": flash, "window": partial(flex_attention, block_mask=blocks)}


def one_form(torch, meter, form, tensors, repetitions):
    """What one form costs, and its output (None if memory does not suffice)."""
    try:
        with torch.no_grad():
            output = form(*tensors)
            times, extra = meter.measure(lambda: form(*tensors), repetitions)
        result = {"forward_ms": times, "forward_extra_mb": extra}
        inputs = [tensor.clone().requires_grad_() for tensor in tensors]
        upstream = torch.randn_like(output)

        def step():
            torch.autograd.grad(form(*inputs), inputs, upstream)

        if not meter.gpu:  # flex_attention has no backward pass on the CPU
            return result | {"train_ms": None, "train_extra_mb": None}, output
        times, extra = meter.measure(step, max(3, repetitions // 2))
        return result | {"train_ms": times, "train_extra_mb": extra}, output
    except torch.OutOfMemoryError as error:
        return {"error": f"OutOfMemoryError: {error}"[:100]}, None


def self_attention(torch, meter, lengths, device, dtype):
    runs = []
    for length in lengths:
        shape = 1, HEADS, length, HEAD_DIM
        tensors = [torch.randn(shape, device=device, dtype=dtype) for _ in range(3)]
        outputs = {}
        for name, form in forms(torch, length, device).items():
            repetitions = 20 if length <= 16_384 else 6
            result, output = one_form(torch, meter, form, tensors, repetitions)
            outputs[name] = output
            run = {"model": name, "length": length} | result
            if name == "flash" and outputs.get("naive") is not None:
                distance = (outputs["naive"].float() - output.float()).abs().max()
                run["max_abs_difference"] = distance.item()
            runs.append(run)
            print(length, name, run.get("forward_ms", "out of memory"), flush=True)
    return runs


def decoding(torch, meter, lengths, device, dtype):
    """One new token in one layer of attention, with its projections."""
    from torch.nn.functional import scaled_dot_product_attention as attention

    width = HEADS * HEAD_DIM
    scale = math.sqrt(width)
    to_query, to_keys, to_values = (
        torch.randn(width, width, device=device, dtype=dtype) / scale for _ in range(3)
    )

    def split(x):  # (1, length, width) -> (1, heads, length, head_dim)
        return x.unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2)

    rows = []
    for length in lengths:
        x = torch.randn(1, length, width, device=device, dtype=dtype)
        keys = split(x @ to_keys).contiguous()
        values = split(x @ to_values).contiguous()

        def without_cache(x=x):
            query, keys, values = (split(x @ w) for w in (to_query, to_keys, to_values))
            return attention(query, keys, values, is_causal=True)[:, :, -1]

        def with_cache(last=x[:, -1:], keys=keys, values=values):
            return attention(split(last @ to_query), keys, values)[:, :, 0]

        with torch.no_grad():
            distance = (without_cache().float() - with_cache().float()).abs().max()
            row = {
                "length": length,
                "without_cache_ms": meter.timed(without_cache, 20),
                "with_cache_ms": meter.timed(with_cache, 20),
                "max_abs_difference": distance.item(),
            }
        token = 2 * width * x.element_size() / 1e6  # keys and values, in MB
        row["cache_mb"] = length * token
        row["cache_mb_quarter_of_heads"] = length * token / 4
        row["cache_mb_window"] = min(length, WINDOW) * token
        rows.append(row)
        print(length, "decode", row["with_cache_ms"], flush=True)
    return rows


def main():
    options = parse_arguments("attention_on_gpu", __doc__)
    torch = load_torch()
    device = choose_device(torch, options.quick)
    torch.manual_seed(0)
    dtype = torch.bfloat16
    meter = Meter(torch, device)
    lengths, decode_lengths = LENGTHS, DECODE_LENGTHS
    if options.quick:
        lengths, decode_lengths = QUICK_LENGTHS, QUICK_DECODE_LENGTHS
    gpu = device == "cuda"
    name = torch.cuda.get_device_name() if gpu else provenance.processor()
    content = {
        "provenance": "Measured by experiments/attention_on_gpu.py of this repository.",
        "device": name,
        "torch": torch.__version__,
        "heads": HEADS,
        "head_dim": HEAD_DIM,
        "window": WINDOW,
        "dtype": str(dtype).removeprefix("torch."),
        "batch": 1,
        "runs": self_attention(torch, meter, lengths, device, dtype),
        "decode": decoding(torch, meter, decode_lengths, device, dtype),
    }
    path = options.output / "attention_on_gpu.json"
    save(path, content)
    print(f"{len(content['runs'])} runs in {path}")


if __name__ == "__main__":
    main()
