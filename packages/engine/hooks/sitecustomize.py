# Loaded by every Python process of a traced stage where nothing better than a language's own hooks can be had: notes each
# file that the process opens, once, as a line of JSON in DAG_TRACE_LOG.
import os
import sys


def _dag_trace():
    log = os.environ.get("DAG_TRACE_LOG")
    if not log or sys.version_info < (3, 8):
        return
    import json

    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0))
    program = os.path.basename(sys.executable or "python")
    told = set()
    standard = os.path.dirname(os.__file__)

    def say(**record):
        line = json.dumps(record)
        if line in told:
            return
        told.add(line)
        try:
            os.write(handle, line.encode() + b"\n")
        except OSError:
            pass

    def name(path):
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        return os.path.join(os.getcwd(), path) if isinstance(path, str) else None

    def tell(kind, path, **more):
        path = name(path)
        if path is not None:
            say(kind=kind, path=path, program=program, **more)

    def opened(path, mode, flags):
        if isinstance(mode, str):
            writes = any(one in mode for one in "wax+")
        else:
            writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        if writes:
            tell("write", path, isNew=isinstance(mode, str) and "x" in mode)
        else:
            tell("read", path)

    def hook(event, args):
        try:
            if event == "open":
                opened(*args)
            elif event in ("os.listdir", "os.scandir"):
                tell("list", args[0] if args[0] is not None else ".")
            elif event == "os.remove":
                tell("delete", args[0])
            elif event == "os.rename":
                tell("move", args[1], **{"from": name(args[0])})
            elif event == "os.link":
                tell("read", args[0])
                tell("write", args[1], isNew=True)
            elif event == "os.symlink":
                tell("write", args[1], isNew=True)
            elif event == "os.truncate":
                tell("write", args[0], isNew=False)
            elif event == "socket.connect":
                address = args[1]
                if isinstance(address, tuple):
                    say(kind="connect", to="%s:%s" % address[:2], program=program)
            elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.spawn"):
                say(kind="spawn", text=str(args[0]), pid=os.getpid(), at=str(len(told)))
            elif event == "ctypes.dlopen":
                say(kind="native", text=str(args[0]))
            elif event == "import" and isinstance(args[1], str) and not args[1].startswith(standard):
                if args[1].endswith((".so", ".pyd", ".dylib")):
                    say(kind="native", text=args[1])
        except Exception:
            pass

    sys.addaudithook(hook)
    say(kind="began", text=program, pid=os.getpid())


def _dag_next():
    # The one that this one hides is run as Python would have.
    import importlib.machinery
    import importlib.util

    here = os.path.dirname(os.path.abspath(__file__))
    rest = [one for one in sys.path if os.path.abspath(one or ".") != here]
    sys.path[:] = rest
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


try:
    _dag_trace()
finally:
    _dag_next()
