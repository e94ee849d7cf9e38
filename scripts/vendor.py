"""Lays the browser packages beside the page as ES modules without bare imports, with their fonts and licences."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "web" / "node_modules"
TYPES = ROOT / "web" / "types"  # what is used of each package, for tsc; no browser asks for them
TARGET = ROOT / "src" / "freehold" / "console" / "static" / "vendor"

MODULES = {
    "preact.mjs": "htm/preact/standalone.mjs",  # htm, preact and its hooks in one file
    "marked.mjs": "marked/lib/marked.esm.js",
    "highlight.mjs": "@highlightjs/cdn-assets/es/highlight.min.js",
}
# Published as an ES module only unminified, two to three times as large: the small build, given its exports to fill.
WRAPPED = {
    "purify.mjs": "dompurify/dist/purify.min.js",
    "katex/katex.mjs": "katex/dist/katex.min.js",
}
SCRIPTS = {"mermaid.min.js": "mermaid/dist/mermaid.min.js"}
STYLE = "katex/dist/katex.min.css"
FONTS = "katex/dist/fonts"

_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)
_IMPORT = re.compile(r"""(?:^|[;}\s])import\s*[{*\w"']|\bfrom\s*["']""")
_OLD_FONT = re.compile(r',\s*url\([^)]*\.(?:woff|ttf)\)\s*format\("[a-z]+"\)')


class OtherLayout(Exception):
    """A package is no longer laid out as this script knows it."""


def source(name: str) -> str:
    """Return a file of a package, without the pointer to a map that is not laid here. Raises OtherLayout."""
    path = PACKAGES / name
    if not path.is_file():
        raise OtherLayout(f"{name} is not there")
    return _MAP.sub("", path.read_text("utf-8")).rstrip() + "\n"


def module(name: str) -> str:
    """Return a published ES module; one that imports by a bare name would need an import map, and is refused."""
    text = source(name)
    if "export" not in text or _IMPORT.search(text[:2000]):
        raise OtherLayout(f"{name} exports nothing, or imports something")
    return text


def wrapped(name: str) -> str:
    """Return a UMD build as an ES module whose default export is what it hands to CommonJS."""
    text = source(name)
    if "module.exports" not in text[:2000]:
        raise OtherLayout(f"{name} is no UMD build")
    return f"const module = {{ exports: {{}} }}, exports = module.exports;\n{text}export default module.exports;\n"


def style() -> str:
    """Return KaTeX's style with its WOFF2 fonts only, which every browser reads that knows ES modules."""
    text = _OLD_FONT.sub("", source(STYLE))
    if ".ttf" in text or ".woff2" not in text:
        raise OtherLayout(f"{STYLE} names its fonts otherwise")
    return text


def licences(folder: Path) -> None:
    """Write the licence of every package that is in one of the files: mermaid's holds dozens."""
    locked = json.loads((ROOT / "web" / "package-lock.json").read_text("utf-8"))["packages"]
    for place, about in locked.items():
        if not place or about.get("dev") or about.get("devOptional"):
            continue
        found = sorted(p for p in (ROOT / "web" / place).glob("LICEN[CS]E*") if p.is_file())
        head = (
            f"{place.removeprefix('node_modules/')} {about['version']}: {about.get('license', 'see its package')}\n\n"
        )
        text = "\n".join(p.read_text("utf-8", errors="replace") for p in found)
        name = place.removeprefix("node_modules/").replace("/node_modules/", "--").replace("/", "-")
        (folder / f"{name}.txt").write_text(head + text, "utf-8")


def lay(folder: Path) -> None:
    """Fill `folder`. Raises OtherLayout."""
    for each in ("katex/fonts", "licences"):
        (folder / each).mkdir(parents=True)
    for name, path in MODULES.items():
        (folder / name).write_text(module(path), "utf-8")
    for name, path in WRAPPED.items():
        (folder / name).write_text(wrapped(path), "utf-8")
    for name, path in SCRIPTS.items():
        (folder / name).write_text(source(path), "utf-8")
    (folder / "katex" / "katex.css").write_text(style(), "utf-8")
    fonts = sorted((PACKAGES / FONTS).glob("*.woff2"))
    if not fonts:
        raise OtherLayout(f"{FONTS} holds no WOFF2")
    for font in fonts:
        shutil.copyfile(font, folder / "katex" / "fonts" / font.name)
    for types in TYPES.rglob("*.d.mts"):
        shutil.copyfile(types, folder / types.relative_to(TYPES))
    licences(folder / "licences")


def main() -> int:
    """Write the folder anew, whole or not at all; return the exit code."""
    fresh = TARGET.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        lay(fresh)
    except OtherLayout as e:
        shutil.rmtree(fresh, ignore_errors=True)
        print(f"freehold: a browser package has another layout now: {e}", file=sys.stderr)
        return 1
    shutil.rmtree(TARGET, ignore_errors=True)
    fresh.rename(TARGET)
    return 0


if __name__ == "__main__":
    sys.exit(main())
