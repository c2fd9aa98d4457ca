"""What both ways of learning look at."""

import csv


def read(part):
    """The scraps of data/PART.csv with their languages."""
    with open(f"data/{part}.csv", encoding="utf-8", newline="") as file:
        return [(row["text"], row["language"]) for row in csv.DictReader(file)]


def ngrams(text):
    """One, two and three letters side by side, with a space before and behind each word."""
    text = f" {text.lower()} "
    return [text[i : i + n] for n in (1, 2, 3) for i in range(len(text) - n + 1)]
