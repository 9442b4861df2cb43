"""The simulated Databricks workspace: an HTTP server that answers what `databricks.sdk.WorkspaceClient` asks.

Jobs and the files of volumes. The jobs are those that the stack deployed to the simulated cloud; `simulator.runs`
carries runs out, `simulator.jobs_endpoints` says what the Jobs API answers.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from simulator.files_api import CHUNK, Download, Files
from simulator.job_rules import RequestError, invalid
from simulator.jobs_endpoints import JobsApi, Request
from simulator.runs import Runs


class Workspace:
    """The workspace of the simulated cloud, served on the loopback interface from `start` to `stop`.

    `session` (`module:name`) is another factory than Spark's for the clusters' sessions; `environment` stands for this
    process's own.
    """

    def __init__(self, session: str | None = None, environment: Mapping[str, str] | None = None):
        self._session, self._environment = session, environment
        self._server: _Server | None = None

    def start(self, home: Path, host: str = "127.0.0.1", port: int = 0) -> str:
        """Serve the workspace whose state lies in `home`; returns its address. Runs of a dead session are ended."""
        home = Path(home).absolute()
        files = Files(home)
        runs = Runs(home, files, self._session, self._environment)
        runs.start()
        self._server = _Server((host, port), files, runs, home)
        serve = {"target": self._server.serve_forever, "kwargs": {"poll_interval": 0.02}}  # how soon `stop` is noticed
        threading.Thread(name="workspace", daemon=True, **serve).start()
        return self._server.url

    def stop(self) -> None:
        """Stop serving; runs that are still going end as interrupted and can be repaired."""
        if self._server is not None:
            self._server.shutdown()
            self._server.runs.stop()
            self._server.server_close()
            self._server.files.close()
            self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], files: Files, runs: Runs, home: Path):
        super().__init__(address, _Handler)
        self.files, self.runs, self.home = files, runs, home
        self.url = f"http://{address[0]}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error of the server's; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Body:
    """The bytes of a request, of known length or in chunks. Raises ConnectionError where the caller goes away."""

    def __init__(self, handler: BaseHTTPRequestHandler):
        self._stream = handler.rfile
        self._chunked = handler.headers.get("Transfer-Encoding", "").lower() == "chunked"
        self._left = 0 if self._chunked else int(handler.headers.get("Content-Length") or 0)

    def read(self, size: int) -> bytes:
        if self._chunked and not self._left:
            self._left = int(self._stream.readline().split(b";")[0] or b"0", 16)
            if not self._left:
                self._chunked = False
                while self._stream.readline().strip():
                    continue
        block = self._stream.read(min(size, self._left))
        if len(block) < min(size, self._left):
            raise ConnectionResetError("the caller went away")
        self._left -= len(block)
        if self._chunked and not self._left:
            self._stream.readline()
        return block

    def drain(self) -> None:
        """Read what is left, so that the connection can serve the next request."""
        while self.read(CHUNK):
            continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        body = _Body(self)
        try:
            self._answer(body)
        except RequestError as error:
            self._refuse(body, error)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 (the workspace's internal error, shown where it is served)
            traceback.print_exc()
            self._refuse(body, RequestError(500, "INTERNAL_ERROR", f"The simulated workspace failed: {error!r}"))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 (names that http.server calls)

    def _answer(self, body: _Body) -> None:
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        path = unquote(address.path)
        if path == "/.well-known/databricks-config":
            body.drain()
            return self._json({"oidc_endpoint": f"{self.server.url}/oidc", "workspace_id": "1"})
        if path.startswith("/storage/"):
            return self._storage(path.removeprefix("/storage/"), body)
        if not self.headers.get("Authorization", "").startswith("Bearer "):
            raise RequestError(401, "UNAUTHENTICATED", "The request has no bearer token.")
        if match := re.fullmatch(r"/api/2\.[12]/jobs/(.+)", path):
            return self._jobs(match.group(1), query, body)
        if match := re.fullmatch(r"/api/2\.0/fs/(files|directories)(/.*)", path):
            serve = self._file if match.group(1) == "files" else self._directory
            return serve(match.group(2), query, body)
        if match := re.fullmatch(r"/api/2\.0/fs/create-(upload-part-urls|download-url|abort-upload-url)", path):
            return self._address(match.group(1), query, body)
        raise RequestError(
            404, "ENDPOINT_NOT_FOUND", f"No API found for '{self.command} {path}' (simulated workspace)."
        )

    def _jobs(self, name: str, query: dict[str, str], body: _Body) -> None:
        api = JobsApi(self.server.runs, self.server.home, self.server.url)
        if (self.command, name) not in api.endpoints:
            raise RequestError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{self.command} jobs/{name}' (simulated).")
        self._json(api.endpoints[self.command, name](Request(query, self._read_json(body))))

    def _file(self, path: str, query: dict[str, str], body: _Body) -> None:
        files = self.server.files
        action = query.get("action")
        if self.command == "PUT":
            files.upload(path, body, query.get("overwrite") != "false")
            self._empty(204)
        elif self.command == "POST" and action == "initiate-upload":
            body.drain()
            token = files.start_session(path, query.get("overwrite") != "false")
            self._json({"multipart_upload": {"session_token": token}})
        elif self.command == "POST" and action == "complete-upload":
            parts = self._read_json(body).get("parts") or []
            files.complete_session(query.get("session_token", ""), [part["part_number"] for part in parts])
            self._json({})
        elif self.command == "DELETE":
            body.drain()
            files.delete(path)
            self._empty(204)
        elif self.command == "HEAD":
            found = files.metadata(path)
            found.stream.close()
            self._headers(found)
        elif self.command == "GET":
            body.drain()
            self._send(path)
        else:
            raise invalid(f"{self.command} is not supported here.")

    def _directory(self, path: str, query: dict[str, str], body: _Body) -> None:
        body.drain()
        files = self.server.files
        if self.command == "GET":
            size = query.get("page_size")
            self._json(files.list_directory(path, int(size) if size else None, query.get("page_token")))
            return
        does = {"PUT": files.create_directory, "DELETE": files.delete_directory, "HEAD": files.require_directory}
        if self.command not in does:
            raise invalid(f"{self.command} is not supported here.")
        does[self.command](path)
        self._empty(200 if self.command == "HEAD" else 204)

    def _address(self, what: str, query: dict[str, str], body: _Body) -> None:
        """Addresses that need no token, as those of a cloud's storage that the real workspace hands out."""
        asked = dict(query) | self._read_json(body)
        storage = f"{self.server.url}/storage"
        if what == "download-url":
            self._json({"url": f"{storage}/{self.server.files.sign(asked['path'])}", "headers": []})
            return
        upload = f"{storage}/uploads/{asked['session_token']}"
        if what == "abort-upload-url":
            self._json({"abort_upload_url": {"url": upload, "headers": []}})
            return
        first = int(asked["start_part_number"])
        parts = [(f"{upload}/{number}", number) for number in range(first, first + int(asked["count"]))]
        self._json({"upload_part_urls": [{"url": url, "part_number": n, "headers": []} for url, n in parts]})

    def _storage(self, name: str, body: _Body) -> None:
        files = self.server.files
        if self.command == "GET":
            body.drain()
            return self._send(files.signed(name))
        match = re.fullmatch(r"uploads/([^/]+)(?:/(\d+))?", name)
        if match and match.group(2) and self.command == "PUT":
            tag = files.upload_part(match.group(1), int(match.group(2)), body)
            return self._empty(200, {"ETag": tag})
        if match and self.command == "DELETE":
            body.drain()
            files.abort_session(match.group(1))
            return self._empty(200)
        raise RequestError(404, "ENDPOINT_NOT_FOUND", "No such address.")

    # --- answers -----------------------------------------------------------------------------------------------------

    def _send(self, path: str) -> None:
        found = self.server.files.download(path, self.headers.get("Range"), self.headers.get("If-Unmodified-Since"))
        with found.stream:
            self._headers(found)
            for block in found.chunks():
                self.wfile.write(block)

    def _headers(self, found: Download) -> None:
        part = found.length != found.size
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {found.first}-{found.last}/{found.size}")
        self.send_header("Content-Type", found.content_type)
        self.send_header("Content-Length", str(found.length))
        self.send_header("Last-Modified", found.modified)
        self.end_headers()

    def _read_json(self, body: _Body) -> dict[str, Any]:
        text = b"".join(iter(lambda: body.read(CHUNK), b""))
        try:
            value = json.loads(text or b"{}")
        except ValueError:
            raise RequestError(400, "MALFORMED_REQUEST", "The request's body is no JSON.") from None
        if not isinstance(value, dict):
            raise RequestError(400, "MALFORMED_REQUEST", "The request's body is no JSON object.")
        return value

    def _json(self, value: dict[str, Any], status: int = 200) -> None:
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _empty(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def _refuse(self, body: _Body, error: RequestError) -> None:
        body.drain()
        self._json({"error_code": error.code, "message": str(error)}, error.status)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Requests are not logged."""
