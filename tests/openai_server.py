"""A server on the loopback that speaks OpenAI's chat and embeddings protocol, and fails as told.

    server.script = [status(429), status(500)]      # these answers first, then proper ones
    server.faults = lambda body: status(503) if random() < 0.3 else None
    server.answer = lambda messages, body: "text"   # what the chat model says

Every request is kept in ``server.requests`` as (path, headers, body).
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from skrec.feature_extraction import HashingTextEncoder


class OpenAIServer(ThreadingHTTPServer):
    """Answers with one entry of ``script`` a request, then what ``faults`` says, then properly."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.requests, self.dimension = [], [], 8
        self.faults = lambda body: None
        self.answer = lambda messages, body: "Hello."
        self.refuses = {}  # name of a field of the body: what is said of it, with status 400
        self.n_open = self.most_open = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    @property
    def bodies(self):
        return [body for _, _, body in self.requests]

    def close(self):
        self.shutdown()
        self.server_close()

    def respond(self, path, headers, body):
        """Status, headers and payload of a request."""
        with self.lock:
            self.requests.append((path, headers, body))
            fault = self.script.pop(0) if self.script else self.faults(body)
        for name, message in self.refuses.items():
            if name in body:
                return 400, {}, {"error": {"message": message, "type": "invalid_request_error", "param": name}}
        payload = self.embeddings(body) if path.endswith("/embeddings") else self.completion(body)
        return fault(payload) if fault else (200, {}, payload)

    def embeddings(self, body):
        vectors = HashingTextEncoder(body.get("dimensions", self.dimension)).encode(body["input"]).tolist()
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return {"object": "list", "model": body["model"], "data": data[::-1], "usage": usage}

    def completion(self, body):
        text = self.answer(body["messages"], body)
        n_read = sum(len(message["content"].split()) for message in body["messages"])
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {
                "prompt_tokens": n_read,
                "completion_tokens": len((text or "").split()),
                "total_tokens": n_read + len((text or "").split()),
                "prompt_tokens_details": {"cached_tokens": n_read // 2},
            },
        }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with server.lock:
            server.n_open += 1
            server.most_open = max(server.most_open, server.n_open)
        status_code, headers, payload = server.respond(
            self.path, {name.lower(): value for name, value in self.headers.items()}, body
        )
        with server.lock:
            server.n_open -= 1
        raw = payload if isinstance(payload, bytes | list) else json.dumps(payload).encode()
        parts = raw if isinstance(raw, list) else [raw]
        length = sum(len(part) for part in parts)
        try:
            self.send_response(status_code)
            for name, value in {"content-type": "application/json", "content-length": length, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for part in parts:
                self.wfile.write(part)
                if len(parts) > 1:
                    time.sleep(0.1)
        except OSError:  # the client has gone
            self.close_connection = True


def status(code, body=None, **headers):
    """An answer with this status."""
    body = {"error": {"message": f"status {code}"}} if body is None else body
    return lambda payload: (code, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def changed(change):
    """A proper answer after ``change(payload)``."""

    def answer(payload):
        change(payload)
        return 200, {}, payload

    return answer


def slow(payload):
    time.sleep(1.5)
    return 200, {}, payload


def dripping(payload):
    """An answer that never stops for long and never ends."""
    return 200, {}, [b" "] * 40 + [json.dumps(payload).encode()]


def cut_in_two(payload):
    raw = json.dumps(payload).encode()
    return 200, {}, raw[: len(raw) // 2]


def says(text, finish_reason="stop", **message):
    """A chat completion of this text."""

    def change(payload):
        choice = payload["choices"][0]
        choice["finish_reason"] = finish_reason
        choice["message"] = {"role": "assistant", "content": text, **message}

    return changed(change)
