"""What the app adds to the start of Django."""

import json
import os
from pathlib import Path
from time import perf_counter

import django

from benchmarks.children import measured_by
from benchmarks.figures import Scale
from benchmarks.report import Row, spread
from benchmarks.rounds import in_turns, quartiles

FILES = 100
KEYS = {
    "process": "benchmarks.jobs.nothing",
    "worker_nums": 4,
    "size": 1_000,
    "attempts": 0,
    "attempt_after": 0,
}


def startup(scale: Scale) -> Row:
    """`django.setup()` with a hundred definition files, beyond the same without the app."""
    folder = write(FILES, timeout=60)
    rounds = in_turns(
        scale.rounds,
        ours=lambda: measured_by(f"{__name__}.setup", BENCH_DIRS=str(folder)),
        peer=lambda: measured_by(f"{__name__}.setup", BENCH_APPS=""),
    )
    without = [(one + two) / 2 for one, two in zip(rounds.peer, rounds.again, strict=True)]
    beyond = [1000 * (ours - peer) for ours, peer in zip(rounds.ours, without, strict=True)]
    return Row(
        what=f"`django.setup()` with {FILES} definition files",
        ours=f"{quartiles(rounds.ours)[1] * 1000:.0f} ms",
        peer=f"without the app {quartiles(without)[1] * 1000:.0f} ms",
        ratio=f"{spread(rounds.ratios)} as long: **{quartiles(beyond)[1]:.0f} ms more**",
        noise=spread(rounds.noise),
    )


def setup() -> float:
    """In a child: seconds for `django.setup()`."""
    start = perf_counter()
    django.setup()
    return perf_counter() - start


def write(files: int, **keys: object) -> Path:
    """Write so many definition files; answers their folder."""
    folder = Path(os.environ["BENCH_FOLDER"], f"tasks-{files}")
    folder.mkdir(exist_ok=True)
    for number in range(files):
        definition = {"name": f"Task {number}", **KEYS, **keys}
        (folder / f"task_{number}.yao").write_text(json.dumps(definition, indent=2), encoding="utf-8")
    return folder
