"""Scraps as rows of numbers, in NumPy's format, which needs no NumPy to write: data/features."""

import argparse
import json
import math
import pathlib
import sys
import zlib
from array import array

from ngrams import ngrams, read

OUT = pathlib.Path("data/features")


def save(file, values, kind, shape):
    """A .npy file: numpy.org/neps/nep-0001-npy-format.html"""
    if sys.byteorder == "big":
        values.byteswap()
    sizes = ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "")
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sizes}), }}"
    head = head.ljust(math.ceil((len(head) + 11) / 64) * 64 - 11) + "\n"
    file.write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + values.tobytes())


def row(text, size):
    """How often each n-gram comes, added up where their hashes meet; brought to length 1."""
    counts = [0.0] * size
    for ngram in ngrams(text):
        counts[zlib.crc32(ngram.encode()) % size] += 1
    length = math.sqrt(sum(count * count for count in counts))
    return [count / length for count in counts]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, required=True)
    size = parser.parse_args().size
    OUT.mkdir(parents=True, exist_ok=True)
    languages = sorted({language for _, language in read("train")})
    (OUT / "languages.json").write_text(json.dumps(languages) + "\n")
    for part in ("train", "test"):
        scraps = read(part)
        x = array("f")
        for text, _ in scraps:
            x.extend(row(text, size))
        save(OUT / f"{part}-x.npy", x, "<f4", (len(scraps), size))
        y = array("B", (languages.index(language) for _, language in scraps))
        save(OUT / f"{part}-y.npy", y, "|u1", (len(scraps),))


main()
