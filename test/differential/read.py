"""Answers how real DVC reads files of values: one JSON request a line in, one JSON answer a line out.

A request is {"name": file name, "text": its text}, an answer {"value": value} or {"refused": why, "crash": bool}. Lists and
texts are as JSON has them; a map is {"map": [[key, value], …]}, numbers are {"int": digits} and {"float": digits}, what
else there is {"date": text} or {"other": type}. The first line out is {"version": …}.
"""

import datetime
import json
import math
import sys
import warnings

import dvc
from dvc.exceptions import DvcException
from dvc.utils.serialize import PARSERS

warnings.simplefilter("ignore")
sys.set_int_max_str_digits(0)


def plain(value, depth=0):
    if depth > 200:
        raise RecursionError
    if isinstance(value, dict):
        return {"map": [[plain(key, depth + 1), plain(item, depth + 1)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, float):
        return {"float": repr(value)} if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, (datetime.date, datetime.time)):
        return {"date": str(value)}
    return {"other": type(value).__name__}


def answer(name, text):
    suffix = name[name.rindex(".") :]
    # DVC opens files as text: every line end is read as \n.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        return {"value": plain(PARSERS[suffix](text, name))}
    except DvcException as error:
        return {"refused": f"{error.__cause__}"[:400], "crash": False}
    except Exception as error:  # DVC itself fell over: refused as well
        return {"refused": f"{type(error).__name__}: {error}"[:400], "crash": True}


def main():
    print(json.dumps({"version": dvc.__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), flush=True)


main()
