"""What needs a process of its own: memory, start-up, wake-ups. Each child prints what it measured as JSON.

A child is `python -m benchmarks.children NAME ARGUMENT…`, in the environment of its parent.
"""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# A child that takes longer hangs (s).
DEADLINE = 300


def measured_by(function: str, *args: object, **environment: str) -> Any:
    """What `function` (a dotted path) answers in a fresh process. RuntimeError with its stderr if it fails."""
    child = subprocess.run(
        [sys.executable, "-m", "benchmarks.children", function, *map(str, args)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    if child.returncode:
        raise RuntimeError(child.stderr.strip())
    return json.loads(child.stdout)


def main() -> None:
    """Run a function by its name, in the child."""
    module, _, function = sys.argv[1].rpartition(".")
    try:
        print(json.dumps(getattr(import_module(module), function)(*sys.argv[2:])), flush=True)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    # What is still queued, and which threads are still there, is of no interest any more.
    os._exit(0)


if __name__ == "__main__":
    main()
