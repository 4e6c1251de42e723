"""The servers that the measured programs speak to, all on loopback. Each ends with the bench."""
import http.server
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-central-1"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, name, child):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if child.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{name} does not answer on port {port}")


def account(endpoint):
    """The variables by which every AWS client finds the server at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_EC2_METADATA_DISABLED": "true",
    }


class Moto:
    """moto as AWS, as the demo starts it."""

    def __init__(self, build, work):
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.child = subprocess.Popen(
            [build / "venv/bin/moto_server", "-H", "127.0.0.1", "-p", str(self.port)],
            env=os.environ | {"MOTO_AMIS_PATH": str(ROOT / "scripts/demo.d/amis.json")},
            stdout=(work / "moto.log").open("w"), stderr=subprocess.STDOUT,
        )
        wait_for(self.port, "moto", self.child)

    def env(self):
        return account(self.endpoint)

    def client(self, service):
        import boto3

        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION,
                            aws_access_key_id="bench", aws_secret_access_key="bench")

    def reset(self):
        """An account in which nothing was ever made."""
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST")).read()

    def stop(self):
        self.child.terminate()
        self.child.wait()


class Sshd:
    """This machine as the host of deploy-app and rsync, through OpenSSH."""

    def __init__(self, work):
        folder = work / "ssh"
        self.home = work / "home"
        folder.mkdir()
        self.home.mkdir()
        self.port = free_port()
        self.user_key, self.known_hosts = folder / "user", folder / "known_hosts"
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        kind, key = (folder / "host.pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        options = {
            "ListenAddress": "127.0.0.1", "PidFile": "none", "UsePAM": "no", "StrictModes": "no",
            "PermitRootLogin": "yes", "AuthorizedKeysFile": folder / "authorized_keys", "SetEnv": f"HOME={self.home}",
        }
        flags = [flag for name, value in options.items() for flag in ("-o", f"{name}={value}")]
        sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin")
        self.child = subprocess.Popen(
            [sshd, "-D", "-e", "-f", "/dev/null", "-p", str(self.port), "-h", folder / "host", *flags],
            stderr=(folder / "log").open("w"),
        )
        wait_for(self.port, "sshd", self.child)

    def shell(self):
        """The `ssh` that rsync starts."""
        return (f"ssh -F none -p {self.port} -i {self.user_key} -o UserKnownHostsFile={self.known_hosts} "
                "-o BatchMode=yes")

    def stop(self):
        self.child.terminate()
        self.child.wait()


class Fake:
    """What moto lacks: an application that is healthy, SignalResource, and a queue of jobs that is always empty.

    `polls` counts how often the queue was asked for jobs."""

    def __init__(self):
        fake = self
        self.polls = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer("text/plain", b"healthy\n")

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.headers.get("x-amz-target", "").endswith(".PollForJobs"):
                    fake.polls += 1
                    self.answer("application/x-amz-json-1.1", b'{"jobs": []}')
                elif b"Action=SignalResource" in body:
                    self.answer("text/xml", b"<SignalResourceResponse><ResponseMetadata><RequestId>1</RequestId>"
                                            b"</ResponseMetadata></SignalResourceResponse>")
                else:
                    self.send_error(501)

            def answer(self, kind, body):
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def env(self):
        return account(self.endpoint)

    def stop(self):
        self.server.shutdown()
