"""Calls the vendor's library for a test that is written in Go.

A request is a JSON object on a line of standard input, its answer one on a line of
standard output:

    {"id": 1, "call": "validate_checksum", "args": [...]}  ->  {"id": 1, "result": ..., "args": [...]}

"call" names something of the library, or of an object that an earlier request kept:
"NAME.method". "keep" keeps the result by that name. "each" is a list of lists of
arguments and gives a list of results; with "refusals" an exception is one of them,
null. "args" of the answer are the arguments after
the call, since some are changed in place. An exception is told as "error".

Of values, {"$bytes": HEX} is a bytearray, {"$new": CLASS, "with": {...}} an object
of the library, {"$kept": NAME} what was kept, and {"$path": NAME} a path.

Requests are answered side by side, each as soon as it is done. The process ends with
its standard input.
"""

import inspect
import json
import os
import pathlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import paho.mqtt.client
import ulogger_cloud

# The library gives up an upload after ten seconds, which nobody can set and which a busy
# machine may need.
wait = threading.Event.wait
threading.Event.wait = lambda self, timeout=None: wait(self, 120.0 if timeout == 10.0 else timeout)

kept = {}
out = threading.Lock()


class Client(object):
    """A connected client, as a host program lends it to the library."""

    def __new__(cls, port, client_id):
        client = paho.mqtt.client.Client(
            callback_api_version=paho.mqtt.client.CallbackAPIVersion.VERSION2, client_id=client_id
        )
        client.connect("127.0.0.1", port)
        client.loop_start()
        return client


def names():
    """Everything that the library offers: NAME, CLASS.METHOD, and CLASS(PARAMETER)."""
    for name in ulogger_cloud.__all__:
        if name.startswith("_"):
            continue
        yield name
        thing = getattr(ulogger_cloud, name)
        if inspect.isclass(thing):
            for member, method in vars(thing).items():
                if inspect.isfunction(method) and not member.startswith("_"):
                    yield name + "." + member
            thing = thing.__init__
        if callable(thing):
            for parameter in inspect.signature(thing).parameters:
                if parameter != "self":
                    yield "%s(%s)" % (name, parameter)


def value(v):
    if isinstance(v, list):
        return [value(x) for x in v]
    if not isinstance(v, dict):
        return v
    if "$bytes" in v:
        return bytearray.fromhex(v["$bytes"])
    if "$kept" in v:
        return kept[v["$kept"]]
    if "$path" in v:
        return pathlib.Path(v["$path"])
    if "$new" in v:
        return find(v["$new"])(**value(v.get("with", {})))
    return {k: value(x) for k, x in v.items()}


def plain(v):
    if isinstance(v, (bytes, bytearray)):
        return {"$bytes": v.hex()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, ulogger_cloud.LogConfig if hasattr(ulogger_cloud, "LogConfig") else ()):
        return {k: plain(getattr(v, k)) for k in v.__slots__}
    return v if v is None or isinstance(v, (bool, int, float, str)) else repr(v)


def find(name):
    if name == "Client":
        return Client
    if name == "names":
        return lambda: list(names())
    if name == "environ":
        return os.environ.update
    first, _, rest = name.partition(".")
    return getattr(kept[first], rest) if rest else getattr(ulogger_cloud, name)


def call(request, args):
    return find(request["call"])(*args, **value(request.get("with", {})))


def answer(request):
    reply = {"id": request["id"]}
    try:
        if "each" in request:
            reply["result"] = []
            for args in request["each"]:
                args = value(args)
                try:
                    reply["result"].append([plain(call(request, args)), plain(args)])
                except Exception:
                    if not request.get("refusals"):
                        raise
                    reply["result"].append([None, None])
        else:
            args = value(request.get("args", []))
            result = call(request, args)
            if "keep" in request:
                kept[request["keep"]] = result
            reply["result"], reply["args"] = plain(result), plain(args)
    except BaseException as err:
        reply.pop("result", None)
        reply["error"] = "%s: %s" % (type(err).__name__, err)
    line = json.dumps(reply)
    with out:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def main():
    with ThreadPoolExecutor(max_workers=64) as pool:
        for line in sys.stdin:
            pool.submit(answer, json.loads(line))
    for v in kept.values():
        if isinstance(v, paho.mqtt.client.Client):
            v.disconnect()
            v.loop_stop()


main()
