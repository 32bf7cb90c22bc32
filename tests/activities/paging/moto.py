"""Amazon's SNS as moto plays it: a real server, in a process and a Python of its own.

Before moto sees a request, botocore checks its signature: moto's own check takes no form from outside its process.

A Python of its own, because botocore, on which moto stands, wants another `python-dateutil` than we do.
"""

import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

PYTHON = "ALLCLEAR_TEST_MOTO_PYTHON"
"""Names a Python that has `moto`, `flask` and `flask-cors`."""
REGION = "eu-west-1"
ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI0K7MDENGobPxRfiCYEXAMPLEKEY"
HOST = f"sns.{REGION}.amazonaws.com"

_SERVER = """
import io, json, sys
from threading import Thread

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sns import sns_backends
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

certificate, key, region, access, secret = sys.argv[1:]
sns = DomainDispatcherApplication(create_backend_app)


def signed(request, body):
    parts = dict(part.split("=", 1) for part in request.headers["Authorization"].partition(" ")[2].split(", "))
    headers = {name: request.headers[name] for name in parts["SignedHeaders"].split(";")}
    it = AWSRequest("POST", request.url, headers, body)
    it.context["timestamp"] = request.headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials(access, secret), "sns", region)
    right = auth.signature(auth.string_to_sign(it, auth.canonical_request(it)), it)
    known = parts["Credential"].partition("/")[0] == access
    return known and {"host", "x-amz-date"} <= set(headers) and parts["Signature"] == right


def serve(environ, start):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    if not signed(Request(environ), body):
        return Response("SignatureDoesNotMatch", 403)(environ, start)
    environ["wsgi.input"] = io.BytesIO(body)
    return sns(environ, start)


server = make_server("127.0.0.1", 0, serve, threaded=True, ssl_context=(certificate, key))
Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
for line in sys.stdin:
    print(json.dumps(list(sns_backends["123456789012"][region].sms_messages.values())), flush=True)
"""


@dataclass
class Moto:
    """A server that answers as SNS does."""

    port: int
    process: "subprocess.Popen[str]"

    def messages(self) -> list[tuple[str, str]]:
        """Return what was sent to telephones: number and text."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return [(number, text) for number, text in json.loads(self.process.stdout.readline())]


@contextmanager
def moto(folder: Path, authority: trustme.CA) -> Iterator[Moto]:
    """Serve SNS with a certificate in Amazon's name; skips where there is no moto."""
    python = os.environ.get(PYTHON, "")
    if not python or not Path(python).exists():
        pytest.skip(f"no moto: {PYTHON} names no Python with `moto`, `flask` and `flask-cors`")
    issued = authority.issue_cert(HOST)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(certificate), append=True)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [python, "-c", _SERVER, str(certificate), str(key), REGION, ACCESS, SECRET],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        try:
            assert process.stdout
            told = process.stdout.readline()
            assert told, (folder / "log").read_text()
            yield Moto(int(told), process)
        finally:
            process.kill()
            process.communicate()
