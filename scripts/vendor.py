"""Copies the published ES modules of the browser packages beside the page, their imports made relative."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "web" / "node_modules"
TARGET = ROOT / "src" / "freehold" / "console" / "static" / "vendor"
MODULES = {
    "preact.mjs": "preact/dist/preact.mjs",
    "hooks.mjs": "preact/hooks/dist/hooks.mjs",
    "htm.mjs": "htm/dist/htm.mjs",
}
LICENCES = {"preact.LICENSE": "preact/LICENSE", "htm.LICENSE": "htm/LICENSE"}


def main() -> int:
    """Write the folder anew, whole or not at all; return the exit code."""
    fresh = TARGET.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, source in MODULES.items():
        text = (PACKAGES / source).read_text("utf-8")
        # The published hooks import "preact" by its bare name, which needs an import map, which a strict CSP forbids.
        for quote in "\"'":
            text = text.replace(f"from{quote}preact{quote}", f"from{quote}./preact.mjs{quote}")
            text = text.replace(f"from {quote}preact{quote}", f"from {quote}./preact.mjs{quote}")
        if "sourceMappingURL" in text:
            text = text[: text.rindex("//# sourceMappingURL")]
        (fresh / name).write_text(text, "utf-8")
    if "./preact.mjs" not in (fresh / "hooks.mjs").read_text("utf-8"):
        print(
            "freehold: the package preact has another layout now: its hooks import nothing from it",
            file=sys.stderr,
        )
        return 1
    for name, source in LICENCES.items():
        shutil.copyfile(PACKAGES / source, fresh / name)
    shutil.rmtree(TARGET, ignore_errors=True)
    fresh.rename(TARGET)
    return 0


if __name__ == "__main__":
    sys.exit(main())
