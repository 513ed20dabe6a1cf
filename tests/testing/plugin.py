"""The package's pytest plugin, found as pytest finds that of an installed package."""

import tomllib
from pathlib import Path

from tests.docs.markdown import ROOT


def installed_plugin(folder: Path) -> Path:
    """Write the package's entry points below the folder; answers what has to be in PYTHONPATH."""
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    info = folder / "site" / "yao_tasks-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: yao-tasks\nVersion: 0\n")
    lines = [f"{name} = {module}\n" for name, module in entries.items()]
    (info / "entry_points.txt").write_text("[pytest11]\n" + "".join(lines))
    return info.parent
