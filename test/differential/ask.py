"""Answers what real DVC makes of projects: one JSON request a line in, one JSON answer a line out.

A request is {"files": {path: text}}, an answer {"stages": […], "edges": […], "shown": […]} or
{"refused": why, "crash": bool}. Nothing of a project is run. One with a .gitignore is a git repository. A request
with "select", a list of {"targets": […], "cwd", "glob", "single", "downstream", "pipeline", "all"}, is answered by a list of the
stages that repro would look at. The first line out is {"version": …}.
"""

import json
import logging
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile

home = os.path.realpath(tempfile.mkdtemp(prefix="dag-dvc-"))
os.environ.update(
    DVC_NO_ANALYTICS="1",
    DVC_TEST="true",
    DVC_SITE_CACHE_DIR=os.path.join(home, "site"),
    DVC_GLOBAL_CONFIG_DIR=os.path.join(home, "config"),
    DVC_SYSTEM_CONFIG_DIR=os.path.join(home, "config"),
)

import dvc  # noqa: E402
from dvc.dependency import ParamsDependency  # noqa: E402
from dvc.exceptions import DvcException  # noqa: E402
from dvc.repo import Repo  # noqa: E402
from dvc.repo.index import Index  # noqa: E402
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro  # noqa: E402

logging.disable(logging.CRITICAL)


def plain(value):
    """A value as JSON has it; what JSON lacks is named."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53 - 1:
        return {"integer": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {"other": str(value)}


def words(value):
    """What a template drew where text is meant: DVC keeps its type, and shows it as text."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None else str(value)


def inside(root, item):
    return os.path.relpath(item.fs_path, root)


def params_of(root, dep):
    try:
        values = plain(dep.read_params())
    except DvcException:
        values = None
    return {"keys": [words(key) for key in dep.params], "values": values}


def out_of(root, out):
    kind = "metric" if out.metric else "plot" if out.plot else "out"
    return {
        "path": inside(root, out),
        "kind": kind,
        "cache": bool(out.use_cache),
        "persist": bool(out.persist),
        "push": bool(out.can_push),
        "remote": out.remote,
        "desc": words(out.annot.desc),
    }


def all_params_of(root, stage):
    """By file: entries that spell one file in two ways are one, and a file without keys is tracked whole."""
    found = {}
    for dep in stage.deps:
        if not isinstance(dep, ParamsDependency):
            continue
        one, before = params_of(root, dep), found.get(inside(root, dep))
        if before is not None and before["keys"] and one["keys"]:
            one = {"keys": before["keys"] + one["keys"], "values": {**(before["values"] or {}), **(one["values"] or {})}}
        elif before is not None and not before["keys"]:
            one = before
        found[inside(root, dep)] = one
    return found


def stage_of(root, stage):
    tracked = {os.path.normpath(file): plain(values) for file, values in (stage.tracked_vars or {}).items()}
    return {
        "stage": stage.addressing,
        "wdir": os.path.relpath(stage.wdir, root),
        "cmd": [words(one) for one in stage.cmd] if isinstance(stage.cmd, list) else words(stage.cmd),
        "deps": [inside(root, dep) for dep in stage.deps if not isinstance(dep, ParamsDependency)],
        "params": all_params_of(root, stage),
        "outs": [out_of(root, out) for out in stage.outs],
        "used": tracked,
        "frozen": bool(stage.frozen),
        "always": bool(stage.always_changed),
        "desc": words(stage.desc),
        "meta": plain(stage.meta),
    }


def shown_of(root, index):
    """Top-level params, metrics, plots and artifacts: [kind, file, what it says], paths seen from the root."""
    shown = []
    for kind, by_file in (("params", index._params), ("metrics", index._metrics)):
        for file, paths in by_file.items():
            folder = os.path.dirname(file)
            for path in paths:
                at = os.path.relpath(os.path.join(folder, path), root) if isinstance(path, str) else plain(path)
                shown.append([kind, os.path.relpath(file, root), at])
    for file, plots in index._plots.items():
        for plot in plots:
            for name, definition in (plot if isinstance(plot, dict) else {plot: {}}).items():
                shown.append(["plots", os.path.relpath(file, root), [words(name), plain(definition or {})]])
    for file, artifacts in index._artifacts.items():
        for name, artifact in artifacts.items():
            path = os.path.relpath(os.path.join(os.path.dirname(file), str(artifact["path"])), root)
            shown.append(["artifacts", os.path.relpath(file, root), [name, {**plain(artifact), "path": path}]])
    return shown


def answer(root):
    try:
        index = Index.from_repo(Repo(root))
        edges = [[before.addressing, after.addressing] for after, before in index.graph.edges()]
        stages = [stage_of(root, stage) for stage in index.stages]
        return {"stages": stages, "edges": edges, "shown": shown_of(root, index)}
    except DvcException as error:
        cause = error.__cause__
        words = f"{error}" + (f" ({cause})" if cause else "")
        return {"refused": re.sub(r"\x1b\[\d*m", "", words.replace(root, "ROOT")), "crash": False}
    except Exception as error:  # DVC itself fell over: refused as well
        return {"refused": f"{type(error).__name__}: {error}", "crash": True}


def select(root, repo, wanted):
    """The stages that repro would look at, sorted; in the order given with `single`."""
    os.chdir(os.path.join(root, wanted.get("cwd", "")))
    glob, single = wanted.get("glob", False), wanted.get("single", False)
    try:
        targets = wanted["targets"] or ["dvc.yaml"]
        stages = [] if wanted.get("all") else collect_stages(repo, targets, glob=glob)
        if not single:
            flags = {name: wanted.get(name, False) for name in ("pipeline", "downstream")}
            stages = plan_repro(get_active_graph(repo.index.graph), stages, **flags)
    except DvcException as error:
        return {"refused": str(error)}
    names = [f"{stage.path_in_repo}:{stage.name}".removeprefix("dvc.yaml:") for stage in stages]
    return names if single else sorted(names)


def write(root, files):
    for path, text in files.items():
        at = os.path.join(root, path)
        os.makedirs(os.path.dirname(at), exist_ok=True)
        with open(at, "w", encoding="utf-8", newline="") as file:
            file.write(text)


def main():
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else prints
    replies.write(json.dumps({"version": dvc.__version__}) + "\n")
    replies.flush()
    for count, line in enumerate(sys.stdin):
        root = os.path.join(home, f"p{count}")
        request = json.loads(line)
        files = request["files"]
        write(root, {".dvc/config": "[core]\nno_scm = true\n", **files})
        if any(os.path.basename(path) == ".gitignore" for path in files):
            write(root, {".dvc/config": ""})
            subprocess.run(["git", "init", "-q", root], check=True)
        os.chdir(root)
        wanted = request.get("select")
        reply = answer(root) if wanted is None else [select(root, Repo(root), one) for one in wanted]
        os.chdir(home)
        shutil.rmtree(root)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


try:
    main()
finally:
    shutil.rmtree(home, ignore_errors=True)
