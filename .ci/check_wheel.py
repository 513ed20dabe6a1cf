"""Whether a wheel holds the package as it is in git, and nothing else: `check_wheel.py dist/….whl`."""

import subprocess
import sys
from zipfile import ZipFile

MUST = ("yao_tasks/__init__.py", "yao_tasks/py.typed")


def main(wheel: str) -> int:
    """Say what is wrong; answer the exit code."""
    tracked = subprocess.run(["git", "ls-files", "yao_tasks"], check=True, capture_output=True, text=True)
    wanted = set(tracked.stdout.split("\n")) - {""}
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    for name in sorted({*MUST} - packed | wanted - packed):
        print(f"{wheel} lacks {name}.")
    for name in sorted(packed - wanted):
        print(f"{wheel} holds {name}, which is not in git below yao_tasks/.")
    if packed != wanted or not packed.issuperset(MUST):
        return 1
    print(f"{wheel} holds the {len(packed)} files of yao_tasks/, and nothing else.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
