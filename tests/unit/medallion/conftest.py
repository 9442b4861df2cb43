"""Azure's resource manager for the SDK's own clients: their requests end in an adapter of ours."""

import io
import json
from types import SimpleNamespace

import pytest
import requests
import urllib3

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


class ResourceManager(requests.adapters.HTTPAdapter):
    """Notes every request and gives what `answer` says: a status and a document."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.asked = answer, []

    def send(self, request, **_):
        self.asked.append((request.method, request.url))
        status, document = self.answer(request.method, request.url)
        body, headers = io.BytesIO(json.dumps(document).encode()), {"Content-Type": "application/json"}
        return self.build_response(request, urllib3.HTTPResponse(body, headers, status, preload_content=False))

    def clients(self):
        """What a client of the SDK takes so that it talks to this."""
        from azure.core.pipeline.transport import RequestsTransport

        session = requests.Session()
        session.mount("https://management.azure.com", self)
        token = SimpleNamespace(token="t", expires_on=1 << 40)
        return {
            "credential": SimpleNamespace(get_token=lambda *_, **__: token),
            "transport": RequestsTransport(session=session, session_owner=False),
        }


@pytest.fixture
def resource_manager():
    """Makes a resource manager of a function from method and address to status and document."""
    return ResourceManager
