"""What must not leave the machine inside a text: access tokens, passwords, local paths."""

from __future__ import annotations

import re

__all__ = ["conceal_paths", "is_absolute_path", "last_name", "redact"]

_TOKEN = re.compile(r"hf_[A-Za-z0-9]{10,}")
_URL_PASSWORD = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+@")
_START = r"(?:file://)?(?:~?/|[A-Za-z]:[\\/](?!/))"
_ABSOLUTE = re.compile(rf"{_START}[^/\s]?")
_QUOTED = re.compile(rf"(?P<quote>['\"])(?P<path>{_START}[^'\"\n]+)(?P=quote)")
# Not after a letter, digit, dot, colon or slash: "and/or" and the inside of a URL are no paths.
_BARE = re.compile(rf"(?<![\w.:/\\~<-])(?P<path>{_START}(?:\\ |[^\s'\"`,;()<>|\[\]])+)")


def redact(text: str) -> str:
    """Replace what looks like a Hub token, or a password inside a URL, by asterisks.

    Args:
        text: any text that is about to be written, shown or uploaded.

    Examples:
        >>> redact("hf-tl publish --token hf_abcdefghijkl")
        'hf-tl publish --token hf_***'
        >>> redact("https://me:secret@mirror.example/simple")
        'https://***@mirror.example/simple'
    """
    return _URL_PASSWORD.sub("***@", _TOKEN.sub("hf_***", text))


def is_absolute_path(name: str) -> bool:
    """Return whether the whole name is an absolute path (also below `~` or a Windows drive)."""
    return _ABSOLUTE.match(name) is not None


def last_name(path: str) -> str:
    """Return the last part of a path, on any system.

    Examples:
        >>> last_name("C:/Users/me/flowers"), last_name("/home/me/flowers/")
        ('flowers', 'flowers')
    """
    parts = [part for part in re.split(r"[\\/]+", path.removeprefix("file://")) if part]
    return parts[-1] if parts else path


def conceal_paths(text: str) -> str:
    """Cut every absolute path in a text down to its last name.

    Examples:
        >>> conceal_paths("hf-tl run --data /home/me/flowers --output-dir=~/runs/a")
        'hf-tl run --data flowers --output-dir=a'
        >>> conceal_paths("see https://huggingface.co/docs and/or ask")
        'see https://huggingface.co/docs and/or ask'
    """
    quoted = _QUOTED.sub(
        lambda found: found["quote"] + last_name(found["path"]) + found["quote"], text
    )
    return _BARE.sub(lambda found: last_name(found["path"].replace("\\ ", " ")), quoted)
