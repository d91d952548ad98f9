"""nginx on a free port of this machine, with the answers of the benchmark.

python3 server.py COMMAND...  runs a command with a server and the BENCH_... variables
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import work

SIZES = {"small": 2_000, "large": 800_000}

# Of Debian's nginx-light: answers after a pause, as many at once as are asked for.
ECHO = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")

CONFIG = """
load_module {echo};
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 32768; }}
http {{
    access_log off;
    log_format query "$request_uri $body_bytes_sent";
    default_type "text/javascript";
    charset utf-8;
    charset_types *;
    root {folder}/answers;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=100;
    open_file_cache_valid 1h;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    large_client_header_buffers 4 64k;
    server {{
        listen 127.0.0.1:{plain} backlog=16384;
        listen 127.0.0.1:{tls} ssl backlog=16384;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        location /small/ {{ try_files /small.json =404; }}
        location /large/ {{ try_files /large.json =404; }}
        location /later/ {{ echo_sleep 1.0; echo_exec /small/; }}
        location /slow/ {{ limit_rate 1k; try_files /small.json =404; }}
        location /noted/ {{ access_log {folder}/noted.log query; try_files /small.json =404; }}
    }}
}}
"""


def free_ports(count):
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def openssl(folder, *arguments):
    """Runs the openssl command in a folder."""
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_certificates(folder):
    """An authority, and a certificate of it for 127.0.0.1."""
    ca = ["-x509", "-days", "3650", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", *ca, "-subj", "/CN=bench authority", "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "san.cnf").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl(folder, "req", *ca[3:], "-subj", "/CN=bench", "-keyout", "server.key", "-out", "server.csr")
    openssl(folder, "x509", "-req", "-days", "3650", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-extfile", "san.cnf", "-out", "server.pem")


class Server:
    """A running nginx; ends with its `with` block."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "answers").mkdir(parents=True)
        for name, size in SIZES.items():
            (self.folder / "answers" / f"{name}.json").write_bytes(work.answer(size))
        make_certificates(self.folder)
        self.plain, self.tls = free_ports(2)
        config = self.folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=self.folder, echo=ECHO, plain=self.plain, tls=self.tls)
                          + ("user root;\n" if os.geteuid() == 0 else ""))
        self.process = subprocess.Popen([nginx(), "-p", self.folder, "-e", self.folder / "error.log", "-c", config])

    def __enter__(self):
        until = time.monotonic() + 10
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.tls), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.02)
        self.process.terminate()
        raise RuntimeError(f"nginx did not start: see {self.folder}/error.log")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=10)

    def environment(self, place, tls=False, host="127.0.0.1"):
        """The variables for clients that call this server for one of its answers."""
        scheme, port = ("https", self.tls) if tls else ("http", self.plain)
        url = f"{scheme}://{host}:{port}/{place}/platform/api"
        return os.environ | work.environment(url, self.folder / "ca.pem" if tls else None)

    def noted(self):
        """The queries that came to the place `noted`, and forgets them; nginx notes after it has answered."""
        log = self.folder / "noted.log"
        until = time.monotonic() + 2
        while not log.read_text() and time.monotonic() < until:
            time.sleep(0.01)
        lines = log.read_text().splitlines()
        log.write_text("")
        return [line.split()[0].partition("?")[2] for line in lines]

    def cpu_seconds(self):
        """The CPU time of nginx and its workers so far."""
        pid = self.process.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in (pid, *workers)]
        return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def nginx():
    """nginx's path; Debian puts it where the PATH of users does not look."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def main():
    """Runs a command beside a server."""
    with tempfile.TemporaryDirectory() as folder, Server(f"{folder}/server") as server:
        # The workers of a root's nginx may be another user's.
        os.chmod(folder, 0o755)
        environment = server.environment(os.environ.get("BENCH_PLACE", "small"))
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
