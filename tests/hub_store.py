"""What the Hub of the tests keeps, and how it answers: one method a route of `HubServer`."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

import yaml

__all__ = ["Answer", "Commit", "HubStore", "Repo", "ServerError", "card_metadata"]

_LFS = ("*.safetensors", "*.png", "*.bin")


@dataclass(frozen=True)
class Answer:
    """Status, body and headers."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class ServerError(Exception):
    """An answer that says no, as the Hub words it."""

    def __init__(self, status: int, message: str, code: str | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.extra = status, message, code, extra

    def answer(self) -> Answer:
        headers = {"X-Error-Message": self.message}
        if self.code:
            headers["X-Error-Code"] = self.code
        body = json.dumps({"error": self.message, **self.extra}).encode()
        return Answer(self.status, body, headers)


@dataclass(frozen=True)
class Commit:
    """The whole tree after a commit: path -> content."""

    oid: str
    summary: str
    files: dict[str, bytes]


@dataclass
class Repo:
    """Branches, each a list of commits, oldest first."""

    private: bool
    branches: dict[str, list[Commit]]

    def at(self, revision: str) -> Commit:
        """Return the newest commit of a branch, or the commit of that name."""
        if revision in self.branches:
            return self.branches[revision][-1]
        for commit in (commit for branch in self.branches.values() for commit in branch):
            if commit.oid == revision:
                return commit
        raise ServerError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def card_metadata(text: str) -> Any:
    """Return the YAML block at the head of a model card."""
    head, _, rest = text.partition("---\n")
    block, mark, _ = rest.partition("\n---\n")
    if head or not mark:
        return None
    return yaml.safe_load(block)


class HubStore:
    """Repositories and large files, in memory."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.uploads: list[str] = []

    def commits(self, repo: str, branch: str = "main") -> list[Commit]:
        """Return the commits of a branch, without the first one, which the Hub makes itself."""
        return self.repos[repo].branches[branch][1:]

    def files(self, repo: str, branch: str = "main") -> dict[str, bytes]:
        """Return path -> content."""
        return self.repos[repo].branches[branch][-1].files

    def add_repo(self, repo: str, *, private: bool = False, **files: bytes) -> Repo:
        """Make a repository as somebody else would have."""
        first = Commit(_oid(repo), "initial commit", {".gitattributes": b"", **files})
        self.repos[repo] = Repo(private, {"main": [first]})
        return self.repos[repo]

    def whoami(self, _: Any, __: str, authorized: bool) -> Answer:
        return _json({"name": self.user, "type": "user", "orgs": []})

    def create(self, data: Any, endpoint: str, authorized: bool) -> Answer:
        owner = data.get("organization") or self.user
        name, private = f"{owner}/{data['name']}", data.get("visibility") == "private"
        if name in self.repos:
            url = f"{endpoint}/{name}"
            raise ServerError(409, "You already created this model repo", url=url)
        self._may_write(name)
        self.add_repo(name, private=private)
        return _json({"url": f"{endpoint}/{name}", "name": name, "id": name})

    def yaml(self, data: Any, _: str, authorized: bool) -> Answer:
        try:
            metadata = card_metadata(data["content"])
        except yaml.YAMLError as error:
            metadata, problem = None, str(error)
        else:
            problem = "empty or missing yaml metadata in repo card"
        if isinstance(metadata, dict):
            return _json({"errors": [], "warnings": []})
        raise ServerError(400, "Invalid metadata", errors=[{"message": problem}], warnings=[])

    def preupload(self, data: Any, _: str, repo: str, revision: str, authorized: bool) -> Answer:
        have = self._find(repo, authorized).at(revision).files
        files = []
        for entry in data["files"]:
            path = entry["path"]
            lfs = any(fnmatch(path, pattern) for pattern in _LFS)
            oid = _name(path, have[path]) if path in have else None
            mode = "lfs" if lfs else "regular"
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return _json({"files": files})

    def branch(self, _: Any, __: str, repo: str, revision: str, authorized: bool) -> Answer:
        found = self._find(repo, authorized)
        if revision in found.branches:
            raise ServerError(409, "Reference already exists")
        found.branches[revision] = list(found.branches["main"])
        return _json({})

    def batch(self, data: Any, endpoint: str, repo: str, authorized: bool) -> Answer:
        self._find(repo, authorized)
        self._may_write(repo)
        objects = []
        for entry in data["objects"]:
            actions = {
                "upload": {"href": f"{endpoint}/lfs/{entry['oid']}?X-Amz-Signature=s3cret"},
                "verify": {"href": f"{endpoint}/{repo}.git/info/lfs/objects/verify"},
            }
            known = entry["oid"] in self.blobs
            objects.append(entry if known else {**entry, "actions": actions})
        return _json({"transfer": "basic", "objects": objects})

    def lfs(self, data: bytes, _: str, oid: str, authorized: bool) -> Answer:
        if hashlib.sha256(data).hexdigest() != oid:
            raise ServerError(400, "The checksum does not match")
        self.blobs[oid] = data
        self.uploads.append(oid)
        return _json({})

    def verify(self, data: Any, _: str, repo: str, authorized: bool) -> Answer:
        if len(self.blobs.get(data["oid"], b"")) != data["size"]:
            raise ServerError(404, "Object not found")
        return _json({})

    def commit(
        self, data: Any, endpoint: str, repo: str, revision: str, authorized: bool
    ) -> Answer:
        found = self._find(repo, authorized)
        self._may_write(repo)
        last = found.at(revision)
        files = dict(last.files)
        for line in data[1:]:
            key, value = line["key"], line["value"]
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.blobs[value["oid"]]
            elif key == "deletedFile" and value["path"] in files:
                del files[value["path"]]
            else:
                raise ServerError(404, "A file with this name doesn't exist", "EntryNotFound")
        summary = data[0]["value"]["summary"]
        made = Commit(_oid(repo, last.oid, json.dumps(data)), summary, files)
        found.branches[revision].append(made)
        return _json({"commitOid": made.oid, "commitUrl": f"{endpoint}/{repo}/commit/{made.oid}"})

    def info(self, _: Any, __: str, repo: str, authorized: bool, revision: str = "main") -> Answer:
        found = self._find(repo, authorized)
        commit = found.at(revision)
        siblings = [{"rfilename": path} for path in commit.files]
        card = card_metadata(commit.files.get("README.md", b"").decode()) or {}
        answer = {"id": repo, "sha": commit.oid, "private": found.private, "siblings": siblings}
        tags = {key: card[key] for key in ("pipeline_tag", "library_name") if key in card}
        return _json({**answer, **tags, "cardData": card, "tags": card.get("tags", [])})

    def tree(
        self, _: Any, __: str, repo: str, revision: str, authorized: bool, path: str = ""
    ) -> Answer:
        files = self._find(repo, authorized).at(revision).files
        start = f"{path}/" if path else ""
        under = {name: data for name, data in files.items() if name.startswith(start)}
        if not under:
            raise ServerError(404, f"{path} does not exist", "EntryNotFound")
        return _json(
            [
                {"type": "file", "path": name, "size": len(data), "oid": _name(name, data)}
                for name, data in under.items()
            ]
        )

    def resolve(
        self, _: Any, __: str, repo: str, revision: str, path: str, authorized: bool
    ) -> Answer:
        commit = self._find(repo, authorized).at(revision)
        if path not in commit.files:
            raise ServerError(404, "Entry not found", "EntryNotFound")
        data = commit.files[path]
        tag = f'"{_name(path, data)}"'
        headers = {"ETag": tag, "X-Linked-Etag": tag, "X-Linked-Size": str(len(data))}
        return Answer(200, data, {**headers, "X-Repo-Commit": commit.oid})

    def _find(self, repo: str, authorized: bool) -> Repo:
        found = self.repos.get(repo)
        if found is None or (found.private and not authorized):
            raise ServerError(404 if authorized else 401, "Repository not found", "RepoNotFound")
        return found

    def _may_write(self, repo: str) -> None:
        if not repo.startswith(f"{self.user}/"):
            raise ServerError(403, f"You don't have the rights to write to {repo}")


def _json(data: Any) -> Answer:
    return Answer(200, json.dumps(data).encode())


def _oid(*parts: str) -> str:
    return hashlib.sha1("\0".join(parts).encode()).hexdigest()


def _name(path: str, data: bytes) -> str:
    """Return what the Hub calls a content: SHA-256 of a large file, git's name of a small one."""
    if any(fnmatch(path, pattern) for pattern in _LFS):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
