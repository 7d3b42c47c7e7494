"""Copies the source of the book to a folder: docs/, and below docs/repository what its pages link to outside of it.

    python3 scripts/book_source.py FOLDER

In the repository a page links to its neighbours as GitHub shows them, `../README.md`. A site has docs/ alone, so such links
lead to the copies. A folder has no page: a link to one becomes its text. Files are only written if they change.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIES = "docs/repository"
# mdBook makes a README the index of its folder, and links to it would lead nowhere.
OVERVIEW = "overview.md"
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
CODE = re.compile(r"^[ \t]*```.*?^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)


def place(name):
    """The path in the book of a file of the repository, both as paths below their roots."""
    if name.startswith("docs/"):
        return name
    path = Path(name)
    path = path.with_name(OVERVIEW) if path.name == "README.md" else path
    return f"{COPIES}/{path.as_posix()}"


def relative(source, target):
    """The link from one file to another."""
    here, there = source.split("/")[:-1], target.split("/")
    common = 0
    while common < min(len(here), len(there) - 1) and here[common] == there[common]:
        common += 1
    return "/".join([".."] * (len(here) - common) + there[common:])


def resolve(name, link):
    """The path below the repository of a link's file."""
    return ((ROOT / name).parent / link).resolve().relative_to(ROOT).as_posix()


class Book:
    """The files of the book by their paths, and the pages that are still to be read."""

    def __init__(self):
        self.files = {}
        self.further = []

    def add(self, name):
        """Adds a file of the repository, and later what it links to."""
        at = place(name)
        if at in self.files:
            return
        self.files[at] = (ROOT / name).read_bytes()
        if name.endswith(".md"):
            self.further.append(name)

    def read(self):
        """Rewrites the links of the pages that were added, which adds more."""
        while self.further:
            name = self.further.pop()
            text = self.files[place(name)].decode()
            parts, end = [], 0
            for code in CODE.finditer(text):
                parts += [self.rewrite(name, text[end : code.start()]), code.group()]
                end = code.end()
            parts.append(self.rewrite(name, text[end:]))
            self.files[place(name)] = "".join(parts).encode()

    def rewrite(self, name, prose):
        def link(found):
            image, words, link = found.groups()
            file, mark, heading = link.partition("#")
            if not file or "://" in link or link.startswith("mailto:"):
                return found.group()
            target = resolve(name, file)
            if (ROOT / target).is_dir():
                return words
            self.add(target)
            return f"{image}[{words}]({relative(place(name), place(target))}{mark}{heading})"

        return LINK.sub(link, prose)


def title(text):
    """The title of a page."""
    return next(line.lstrip("# ") for line in text.splitlines() if line.startswith("# "))


def main(folder):
    book = Book()
    for path in sorted((ROOT / "docs").rglob("*")):
        if path.is_file():
            book.add(path.relative_to(ROOT).as_posix())
    book.read()
    # Pages outside of docs/ are shown as pages too: those that the summary does not name, mdBook would copy as they are.
    further = sorted(at for at in book.files if at.startswith(COPIES) and at.endswith(".md"))
    further = [(title(book.files[at].decode()), at.removeprefix("docs/")) for at in further]
    summary = book.files["docs/SUMMARY.md"].decode() + "\n# The repository\n\n"
    summary += "".join(f"- [{name}]({at})\n" for name, at in further)
    book.files["docs/SUMMARY.md"] = summary.encode()
    book.files["book.toml"] = (ROOT / "book.toml").read_bytes()
    # mdBook watches nothing that git ignores, by the nearest file of this name. The repository's has `/target`.
    book.files[".gitignore"] = b""
    for at, contents in book.files.items():
        path = folder / at
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != contents:
            path.write_bytes(contents)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
