"""Puts the README, the benchmarks and the changes into the site, at the places their links name.

In the repository pages lie in docs/ and link to `../recipes/...`; on the site docs/ is the top.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
#: Path in the repository -> page of the site, for pages outside docs/.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "recipes/benchmarks/README.md": "recipes/benchmarks/README.md",
}
_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)(?P<path>[^)#\s]+)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages outside docs/, and whatever in the repository a page, or they, link to."""
    for path, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    unread = list(files.documentation_pages())
    while unread:
        for path in _linked(unread.pop()):
            place = _place(path)
            if (ROOT / path).is_file() and files.get_file_from_path(place) is None:
                added = File.generated(config, place, abs_src_path=str(ROOT / path))
                files.append(added)
                unread.append(added)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point the links of a page, which are right in the repository, to their places on the site."""
    source = _source(page.file)
    here = posixpath.dirname(page.file.src_uri)

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match["path"]))
        return posixpath.relpath(_place(target), here or ".")

    return _LINK.sub(moved, markdown)


def _linked(file: Any) -> list[str]:
    """Return the paths in the repository that a page links to."""
    source = _source(file)
    if not source.endswith(".md"):
        return []
    text = (ROOT / source).read_text(encoding="utf-8")
    folder = posixpath.dirname(source)
    return [posixpath.normpath(posixpath.join(folder, path)) for path in _LINK.findall(text)]


def _source(file: Any) -> str:
    """Return the path of a page in the repository."""
    return Path(file.abs_src_path).relative_to(ROOT).as_posix()


def _place(path: str) -> str:
    """Return where a file of the repository stands on the site."""
    return PAGES.get(path, path.removeprefix("docs/"))
