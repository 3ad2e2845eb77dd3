"""Where things lie: the project's own files, and the data for measuring, which are none of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA_DIR = Path(os.environ.get("TEST_DATA_DIR") or ROOT.parent / "data")


def tracked() -> list[str]:
    """The paths below ROOT of what git keeps; a test outside of a checkout is skipped."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    found = [name for name in listed if (ROOT / name).is_file()]
    if not found:
        pytest.skip("not a git checkout")
    return found
