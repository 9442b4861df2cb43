# ruff: noqa: N802 - the methods bear the names of the protocol
"""A resource provider of the simulated cloud: `python -m simulator.provider azure-native|databricks|kubernetes ENGINE`.

Speaks the engine's protocol (proto/pulumi/provider.proto of github.com/pulumi/pulumi) and leaves what is special to a
type to its `Package`. Secrets: the engine unwraps them for a provider that does not ask for them, and marks as secret
what comes back under the same path, so that the simulated cloud holds plain values, as a real one does.
"""

import functools
import importlib.metadata
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from concurrent import futures
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from simulator import faults, state
from simulator.kinds import CLASSES, package
from simulator.properties import (
    UNKNOWN,
    Problem,
    differences,
    fields_of,
    from_struct,
    to_struct,
)
from simulator.state import Cloud, CloudError

MESSAGE_BYTES = 400 << 20  # the engine's own limit
T = TypeVar("T")


def _answer(method: Callable[..., T]) -> Callable[..., T]:
    """Turn what the cloud refuses into an error of the protocol, which the engine shows with the resource."""

    @functools.wraps(method)
    def answer(self: "Provider", request: Any, context: grpc.ServicerContext) -> T:
        try:
            return method(self, request, context)
        except (CloudError, OSError, sqlite3.Error) as error:
            context.abort(grpc.StatusCode.UNKNOWN, f"simulated {self.name}: {error}")

    return answer


def _type(request: Any) -> str:
    return request.urn.split("::")[2].rpartition("$")[2]


def _failures(problems: Iterable[Problem]) -> list[provider_pb2.CheckFailure]:
    return [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in problems]


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider process, in the service of one engine."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.package = package(name, {})

    def _operate(self, operation: faults.Operation, type_: str, work: Callable[[Cloud], T]) -> T:
        """Do one operation of the cloud, with the fault that is scheduled for it."""
        fault = self._fault(operation, type_)
        with state.cloud() as cloud:
            result = work(cloud)
            if fault == "kill-before-commit":
                faults.kill()
        if fault == "kill-after-commit":
            faults.kill()
        return result

    def _fault(self, operation: faults.Operation, type_: str) -> faults.FaultKind | None:
        """The fault scheduled for an operation. While the cloud throttles, it is asked as often as the real one is."""
        for _ in range(self.package.retries):
            try:
                return faults.take(operation, type_)
            except faults.ThrottledError:
                time.sleep(faults.RETRY_AFTER)
        try:
            return faults.take(operation, type_)
        except faults.ThrottledError as error:
            raise CloudError(f"{error}: {self.package.throttled}") from None

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=importlib.metadata.version(f"pulumi-{self.name}"))

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()  # every operation is short

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        known = fields_of(f"{self.name}:provider:Provider")
        unknown = [(key, "unknown property") for key in request.news.fields if key not in known and key != "version"]
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(unknown))

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        return self._difference(old, new, self.package.moved(old, new), before=True)

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        self.package = package(self.name, from_struct(request.args))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    @_answer
    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        inputs = self.package.kind(_type(request)).defaults(from_struct(request.news))
        with state.cloud() as cloud:
            problems = self.package.check(cloud, _type(request), inputs)
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=_failures(problems))

    @_answer
    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        kind = self.package.kind(_type(request))
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        before = self.package.delete_before_replace(kind, old, new)
        return self._difference(old, new, kind.replace, before)

    def _difference(self, old: Any, new: Any, replacing: Iterable[str], before: bool) -> provider_pb2.DiffResponse:
        answer = provider_pb2.DiffResponse(hasDetailedDiff=True, changes=provider_pb2.DiffResponse.DIFF_NONE)
        for path, change, was, is_ in differences(old, new):
            if self.package.same(path, was, is_):
                continue
            plain = re.sub(r"\[\d+\]", "", path)
            replaced = any(plain == name or plain.startswith((f"{name}.", f"{name}[")) for name in replacing)
            name = f"{change}_REPLACE" if replaced else change
            answer.detailedDiff[path].kind = provider_pb2.PropertyDiff.Kind.Value(name)
            answer.detailedDiff[path].inputDiff = True
            answer.changes = provider_pb2.DiffResponse.DIFF_SOME
            for names in (answer.diffs, answer.replaces) if replaced else (answer.diffs,):
                names.append(re.split(r"[.\[]", path)[0])
        answer.deleteBeforeReplace = bool(answer.replaces) and before
        return answer

    @_answer
    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        type_, inputs = _type(request), from_struct(request.properties)
        if request.preview:
            unknown = dict.fromkeys(self.package.unknown_before_create(self.package.kind(type_)), UNKNOWN)
            return provider_pb2.CreateResponse(properties=to_struct({**inputs, **unknown}))
        made = self._operate("create", type_, lambda cloud: self.package.create(cloud, type_, inputs))
        return provider_pb2.CreateResponse(id=made.id, properties=to_struct(made.outputs))

    @_answer
    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        type_, inputs = _type(request), from_struct(request.news)
        if request.preview:
            before, asked = from_struct(request.olds), from_struct(request.old_inputs)
            kept = {key: value for key, value in before.items() if key in inputs or key not in asked}
            changed = {key: value for key, value in inputs.items() if value != asked.get(key)}
            unknown = dict.fromkeys(changed.keys() & set(self.package.kind(type_).computed), UNKNOWN)
            return provider_pb2.UpdateResponse(properties=to_struct({**kept, **changed, **unknown}))
        made = self._operate("update", type_, lambda cloud: self.package.update(cloud, type_, request.id, inputs))
        return provider_pb2.UpdateResponse(properties=to_struct(made.outputs))

    @_answer
    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        type_ = _type(request)
        found = self._operate("read", type_, lambda cloud: self.package.read(cloud, type_, request.id))
        if found is None:
            return provider_pb2.ReadResponse()
        states = {"properties": to_struct(found.outputs), "inputs": to_struct(found.inputs)}
        return provider_pb2.ReadResponse(id=found.id, **states)

    @_answer
    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        type_ = _type(request)
        self._operate("delete", type_, lambda cloud: self.package.delete(cloud, type_, request.id))
        return empty_pb2.Empty()

    @_answer
    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        arguments = from_struct(request.args)
        with state.cloud() as cloud:
            found = self.package.invoke(cloud, request.tok, arguments)
        return provider_pb2.InvokeResponse(**{"return": to_struct(found)})


def serve(name: str) -> None:
    """Serve until the engine ends; prints the port, which the engine reads."""
    engine = os.getppid()
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))  # how the engine ends a provider that has nothing to do
    sizes = [(f"grpc.max_{way}_message_length", MESSAGE_BYTES) for way in ("receive", "send")]
    server = grpc.server(futures.ThreadPoolExecutor(16), options=sizes)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(name), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while os.getppid() == engine:  # a killed engine leaves its providers behind
        time.sleep(0.5)


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0] not in CLASSES:
        sys.exit(f"usage: python -m simulator.provider {'|'.join(CLASSES)} [ENGINE ADDRESS]")
    serve(arguments[0])


if __name__ == "__main__":
    main(sys.argv[1:])
