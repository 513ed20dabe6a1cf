"""`scripts.<module>.<function>`: what stands in the importable package `scripts`."""

import sys

from yao_tasks import handlers
from yao_tasks.process.words import Call


def named(rest: str) -> Call:
    """What `scripts.<rest>` means. LookupError and ImportError for what is no function of a module there."""
    name = f"scripts.{rest}"
    module = name.rpartition(".")[0]
    if module == "scripts":
        raise LookupError(f'"{name}" names no function. Write scripts.<module>.<function>.')
    function = handlers.resolve(name)
    if module not in sys.modules:
        # What a module of scripts happens to have imported (`scripts.task.os.system`) is not the project's own.
        raise LookupError(f'"{name}": "{module}" is no module. Name a function of a module of scripts.')
    return Call(function=function, arguments=None)
