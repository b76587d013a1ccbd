"""The benchmarks run in their quick size; what they measure is no matter for a test."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_local_attention_quick_run_prints_ratios():
    script = BENCHMARKS / "local_attention.py"
    done = subprocess.run([sys.executable, script, "--quick"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "time, local, 256 against 64 words:" in done.stdout
