"""An averaged perceptron over n-grams. It saves itself after each epoch, and goes on from there when it was ended."""

import argparse
import csv
import json
import os
import pathlib
import random
from collections import defaultdict

from ngrams import ngrams, read


class Perceptron:
    def __init__(self):
        # By n-gram, then by language: the weight; how much it summed up to; when it was last changed.
        self.weights = defaultdict(dict)
        self.sums = defaultdict(dict)
        self.changed = defaultdict(dict)
        self.seen = 0

    def guess(self, grams, languages):
        scores = dict.fromkeys(languages, 0.0)
        for gram in grams:
            for language, weight in self.weights.get(gram, {}).items():
                scores[language] += weight
        return max(languages, key=lambda language: (scores[language], language))

    def learn(self, grams, language, languages):
        """Whether it had guessed right."""
        self.seen += 1
        guessed = self.guess(grams, languages)
        if guessed == language:
            return True
        for gram in grams:
            self.add(gram, language, 1.0)
            self.add(gram, guessed, -1.0)
        return False

    def add(self, gram, language, value):
        weight = self.weights[gram].get(language, 0.0)
        since = self.seen - self.changed[gram].get(language, 0)
        self.sums[gram][language] = self.sums[gram].get(language, 0.0) + since * weight
        self.changed[gram][language] = self.seen
        self.weights[gram][language] = weight + value

    def averaged(self):
        mean = Perceptron()
        for gram, weights in self.weights.items():
            for language, weight in weights.items():
                total = self.sums[gram][language] + (self.seen - self.changed[gram][language]) * weight
                mean.weights[gram][language] = total / self.seen
        return mean

    def save(self, file, epoch):
        """Beside, then in its place: whoever reads it finds it whole."""
        parts = {"epoch": epoch, "seen": self.seen, "weights": self.weights, "sums": self.sums, "changed": self.changed}
        with open(f"{file}.new", "w", encoding="utf-8") as out:
            json.dump(parts, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(f"{file}.new", file)

    def load(self, file):
        parts = json.loads(file.read_text(encoding="utf-8"))
        self.seen = parts["seen"]
        for name in ("weights", "sums", "changed"):
            getattr(self, name).update(parts[name])
        return parts["epoch"]


def metric(name, value, step):
    """A line for `dag metrics show --follow`; nothing where this runs without dag."""
    file = os.environ.get("DAG_METRICS")
    if file:
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps({"name": name, "value": value, "step": step}) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    args = parser.parse_args()
    train = [(ngrams(text), language) for text, language in read("train")]
    languages = sorted({language for _, language in train})
    checkpoint = pathlib.Path(os.environ.get("DAG_CHECKPOINT_DIR", ".")) / "perceptron.json"

    perceptron = Perceptron()
    done = perceptron.load(checkpoint) if checkpoint.exists() else 0
    if done > 0:
        print(f"goes on behind epoch {done}", flush=True)
    for epoch in range(done + 1, args.epochs + 1):
        order = random.Random(args.seed * 1000 + epoch).sample(train, len(train))
        right = sum(perceptron.learn(grams, language, languages) for grams, language in order)
        metric("train_accuracy", right / len(train), epoch)
        print(f"epoch {epoch}: {right / len(train):.1%} right", flush=True)
        perceptron.save(checkpoint, epoch)
    if "DAG_CHECKPOINT_DIR" not in os.environ:
        checkpoint.unlink(missing_ok=True)

    mean = perceptron.averaged()
    answers = [(language, mean.guess(ngrams(text), languages)) for text, language in read("test")]
    accuracy = sum(actual == predicted for actual, predicted in answers) / len(answers)
    pathlib.Path("results").mkdir(exist_ok=True)
    with open("results/perceptron.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("actual", "predicted"))
        writer.writerows(answers)
    pathlib.Path("results/perceptron.json").write_text(json.dumps({"accuracy": round(accuracy, 6)}) + "\n")
    metric("accuracy", accuracy, args.epochs)


main()
