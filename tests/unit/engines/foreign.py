"""A server that somebody else wrote, for tests of adoption and commands: speaks just enough HTTP.

`python foreign.py PORT|SOCKET [die|late]`: `die` ends at once, `late` is not healthy before 0.5 s.
"""

from __future__ import annotations

import http.server
import os
import socketserver
import sys
import time

BEGAN = time.monotonic()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        late = "late" in sys.argv and time.monotonic() - BEGAN < 0.5
        body = f"{os.getpid()} {os.environ.get('OWN', '')} {'SECRET' in os.environ}".encode()
        self.send_response(503 if late else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "somebody"


class Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


if __name__ == "__main__":
    print("here I am", flush=True)
    if "die" in sys.argv:
        sys.exit("I cannot work like this")
    where = sys.argv[1]
    if where.isdigit():
        http.server.ThreadingHTTPServer(("127.0.0.1", int(where)), Handler).serve_forever()
    else:
        Unix(where, Handler).serve_forever()
