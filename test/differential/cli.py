"""Runs DVC's commands, one a line of JSON (`{"cwd": …, "args": […]}`), in one process: each start of it takes a second.
Answers with exit status and standard output, which is taken at the descriptor: DVC holds on to its streams."""

import json
import os
import sys
import tempfile

os.environ["DVC_NO_ANALYTICS"] = "1"
import dvc
from dvc.cli import main

answers = os.fdopen(os.dup(1), "w")


def run(cwd, args):
    os.chdir(cwd)
    with tempfile.TemporaryFile() as output:
        sys.stdout.flush()
        os.dup2(output.fileno(), 1)
        try:
            status = main(args)
        finally:
            sys.stdout.flush()
            os.dup2(2, 1)
        output.seek(0)
        return {"status": status, "stdout": output.read().decode()}


print(json.dumps({"version": dvc.__version__}), file=answers, flush=True)
for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps(run(question["cwd"], question["args"])), file=answers, flush=True)
