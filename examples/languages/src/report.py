"""A table of what was learned, and the languages that are taken for others most often: report.md."""

import collections
import csv
import pathlib
import sys


def read(name):
    with open(f"results/{name}.csv", encoding="utf-8", newline="") as file:
        return [(row["actual"], row["predicted"]) for row in csv.DictReader(file)]


def main():
    answers = {name: read(name) for name in sys.argv[1:]}
    languages = sorted({actual for rows in answers.values() for actual, _ in rows})
    lines = [f"| right | {' | '.join(answers)} |", f"| --- |{' ---: |' * len(answers)}"]
    for language in ["all", *languages]:
        shares = []
        for rows in answers.values():
            mine = [actual == predicted for actual, predicted in rows if language in ("all", actual)]
            shares.append(f"{sum(mine) / len(mine):.1%}")
        lines.append(f"| {language} | {' | '.join(shares)} |")
    mistaken = collections.Counter(pair for rows in answers.values() for pair in rows if pair[0] != pair[1])
    lines += ["", "Taken for another most often:", ""]
    lines += [f"- {actual} for {predicted}, {count} times" for (actual, predicted), count in mistaken.most_common(3)]
    pathlib.Path("report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


main()
