"""What servers do to their clients: names, and functions of the socket of a request that has been read."""

import functools
import gzip
import json
import socket
import struct
import zlib

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"


@functools.cache
def bomb(megabytes=300):
    """Gzip of so many megabytes of spaces, made piece by piece."""
    packer, piece = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS), b" " * 2**20
    return b"".join(packer.compress(piece) for _ in range(megabytes)) + packer.flush()


def send(*parts):
    """Send bytes and close."""
    return lambda connection, closed: connection.sendall(b"".join(parts))


def reset_after(*parts):
    """Send bytes and reset the connection."""

    def behave(connection, closed):
        connection.sendall(b"".join(parts))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


def drip(head, piece, pause=0.05):
    """Send a head, then a piece now and then for as long as anyone listens; nothing at all for an empty piece."""

    def behave(connection, closed):
        connection.sendall(head)
        while not closed.wait(pause):
            connection.sendall(piece)

    return behave


def flood(head, piece):
    """Send a head, then a piece as fast as it goes."""

    def behave(connection, closed):
        connection.sendall(head)
        while not closed.is_set():
            connection.sendall(piece)

    return behave


def body(content, status=b"200 OK", **headers):
    """A well-formed answer with this body: bytes, or what becomes JSON."""
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    fields = {"content-type": "application/json", "connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin-1")
    return send(b"HTTP/1.1 ", status, b"\r\n", head, b"content-length: %d\r\n\r\n" % len(content), content)


def says(content, finish_reason="stop", usage=None, **message):
    """A completion with this content."""
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": content}}
    choice["message"] |= message
    return body({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})


def vectors(*data, **fields):
    """Embeddings, each ``(index, embedding)``."""
    entries = [{"object": "embedding", "index": index, "embedding": embedding} for index, embedding in data]
    return body({"object": "list", "model": "m", "data": entries, **fields})


def refuses(status, error=None, **headers):
    """A status with an error of OpenAI's form."""
    error = {"message": "no", "type": "error", "code": None} if error is None else error
    return body({"error": error}, status.encode(), **headers)


def raw_json(text):
    return body(text if isinstance(text, bytes) else text.encode())


ENDLESS = {
    "silence": drip(b"", b""),
    "headers byte by byte": drip(b"HTTP/1.1 200 OK\r\nx-slow: ", b"x"),
    "a header line without an end": flood(b"HTTP/1.1 200 OK\r\nx: ", b"x" * 65536),
    "headers without an end": flood(b"HTTP/1.1 200 OK\r\n", b"x-more: again\r\n" * 4096),
    "100 Continue for ever": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "100 Continue as fast as it goes": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1024),
    "103 Early Hints for ever": drip(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
    "a body byte by byte": drip(OK + b"content-length: 1000000\r\n\r\n", b" "),
    "chunks byte by byte": drip(OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "an error byte by byte": drip(b"HTTP/1.1 500 Oops\r\ncontent-length: 1000000\r\n\r\n", b" "),
    "a body without an end": flood(OK + b"\r\n", b" " * 65536),
    "an error without an end": flood(b"HTTP/1.1 503 Busy\r\n\r\n", b" " * 65536),
    "gzip that unpacks to 300 MB": lambda connection, closed: connection.sendall(
        OK + b"content-encoding: gzip\r\n\r\n" + bomb()
    ),
    "an error of gzip that unpacks to 300 MB": lambda connection, closed: connection.sendall(
        b"HTTP/1.1 500 Oops\r\ncontent-encoding: gzip\r\n\r\n" + bomb()
    ),
}
"""By never coming to an end, or only after more than a machine holds."""

CONNECTIONS = {
    "closes at once": send(b""),
    "resets at once": reset_after(b""),
    "closes in the status line": send(b"HTTP/1."),
    "resets in the headers": reset_after(b"HTTP/1.1 200 OK\r\ncontent-ty"),
    "closes in the headers": send(OK),
    "resets in the body": reset_after(OK + b"content-length: 1000\r\n\r\n{"),
    "closes in the body": send(OK, b'content-length: 1000\r\n\r\n{"choices": ['),
    "a chunk size that is none": send(OK, b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    "a chunk of 2^64 bytes": send(OK, b"transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{}"),
    "a negative chunk": send(OK, b"transfer-encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n"),
    "chunks without the last": send(OK, b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    "more than its length": send(OK, b"content-length: 2\r\n\r\n", b'{}{"choices": []}' * 100),
    "two lengths": send(OK, b"content-length: 2\r\ncontent-length: 9\r\n\r\n{}"),
    "a negative length": send(OK, b"content-length: -1\r\n\r\n{}"),
    "a length in words": send(OK, b"content-length: two\r\n\r\n{}"),
    "no HTTP at all": send(b'{"choices": []}'),
    "SSH": send(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "HTTP/2": send(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18),
    "a status in words": send(b"HTTP/1.1 fine OK\r\n\r\n{}"),
    "status 999": send(b"HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\n{}"),
    "NUL in the headers": send(b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 2\r\n\r\n{}"),
    "half of a gzip": body(gzip.compress(b'{"choices": []}' * 99)[:30], content_encoding="gzip"),
    "gzip that is none": body({"choices": []}, content_encoding="gzip"),
    "gzip twice": body(gzip.compress(gzip.compress(b"{}")), content_encoding="gzip, gzip"),
    "deflate": body(zlib.compress(b"{}"), content_encoding="deflate"),
    "brotli": body(b"\x0b\x01\x80{}\x03", content_encoding="br"),
}
"""By how they speak HTTP."""

BODIES = {
    "an empty body": body(b""),
    "NUL bytes": body(b"\x00" * 1000),
    "a byte order mark": body(b"\xef\xbb\xbf" + b'{"choices": []}'),
    "UTF-16": body('{"choices": []}'.encode("utf-16")),
    "no UTF-8": body(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
    "nested 200,000 deep": body(b"[" * 200_000 + b"]" * 200_000),
    "an integer of 5,000 digits": raw_json('{"usage": {"prompt_tokens": ' + "9" * 5000 + "}}"),
    "a lone surrogate": raw_json('{"choices": [{"message": {"content": "\\ud800"}}]}'),
    "NaN and Infinity": raw_json('{"choices": NaN, "data": Infinity}'),
    "a key twice": raw_json('{"choices": [], "choices": {"a": 1}, "data": 1, "data": []}'),
    "half of a JSON": raw_json('{"choices": [{"message"'),
    "garbage behind the JSON": raw_json('{"choices": []} and more'),
    "a web page": body(b"<html><script>alert(1)</script></html>", content_type="text/html"),
    "plain text": body(b"ok", content_type="text/plain"),
    "an image by its type": body({"choices": []}, content_type="image/png"),
    "server-sent events": body(b'data: {"choices": []}\n\ndata: [DONE]\n\n', content_type="text/event-stream"),
    "null": raw_json("null"),
    "a list": raw_json("[1]"),
    "a string": raw_json('"text"'),
    "a number": raw_json("5"),
    "an error with status 200": body({"error": {"message": "overloaded"}}),
    "nothing of what was asked for": body({"object": "list"}),
    "10,000 choices": body({"choices": [{"message": {"content": str(i)}} for i in range(10_000)]}),
}
"""By what they send with status 200, whatever was asked."""

STATUSES = {
    "204": send(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
    "206": refuses("206 Partial Content"),
    "304": send(b"HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n"),
    "a redirect to itself": refuses("307 Temporary", location="/v1/chat/completions"),
    "a redirect elsewhere": refuses("302 Found", location="http://192.0.2.1/v1"),
    "a redirect to a file": refuses("301 Moved", location="file:///etc/passwd"),
    "400": refuses("400 Bad Request"),
    "400 that names every field": refuses("400 Bad Request", {"message": "temperature seed max_tokens system role"}),
    "400 without a body": body(b"", b"400 Bad Request"),
    "401": refuses("401 Unauthorized"),
    "403 of a web page": body(b"<html>forbidden</html>", b"403 Forbidden", content_type="text/html"),
    "404": refuses("404 Not Found", {"message": "no such model", "code": "model_not_found"}),
    "407": refuses("407 Proxy Authentication Required", proxy_authenticate="Basic"),
    "413": refuses("413 Payload Too Large"),
    "422 with a list": body({"detail": [{"loc": ["body"], "msg": "extra"}]}, b"422 Unprocessable Entity"),
    "429": refuses("429 Too Many Requests"),
    "429 for a year": refuses("429 Too Many Requests", retry_after="31536000"),
    "429 until the year 9999": refuses("429 Too Many Requests", retry_after="Fri, 31 Dec 9999 23:59:59 -9999"),
    "429 for minus one second": refuses("429 Too Many Requests", retry_after="-1"),
    "429 for nan seconds": refuses("429 Too Many Requests", retry_after="nan"),
    "429 without quota": refuses("429 Too Many Requests", {"message": "no", "code": "insufficient_quota"}),
    "an error that is a list": body([["error"]], b"500 Oops"),
    "an error whose code is a list": refuses("500 Oops", {"message": ["a"], "code": [1], "type": {}}),
    "an error nested deep": body(b"[" * 100_000, b"500 Oops"),
    "502 of a gateway": body(b"<html>Bad Gateway</html>", b"502 Bad Gateway", content_type="text/html"),
    "503": refuses("503 Service Unavailable", retry_after="3600"),
    "599": refuses("599 Odd"),
}
"""By their refusals."""

CHATS = {
    "choices that are null": body({"choices": None}),
    "choices that are an object": body({"choices": {"0": {}}}),
    "a choice that is null": body({"choices": [None]}),
    "a message that is text": body({"choices": [{"message": "hello"}]}),
    "no content": says(None),
    "content that is a number": says(5),
    "content that is an object": says({"text": "hello"}),
    "content in parts": says([{"type": "text", "text": '{"order"'}, {"type": "text", "text": ": []}"}]),
    "parts that are no text": says([{"type": "image_url", "image_url": {}}, None, 5, "x", {"type": "text", "text": 7}]),
    "a refusal": says(None, refusal="I cannot."),
    "a tool call": says(None, "tool_calls", tool_calls=[{"id": "1", "type": "function", "function": {"name": "f"}}]),
    "a function call": says(None, "function_call", function_call={"name": "f", "arguments": "{"}),
    "a finish_reason of another kind": says("hello", ["stop"]),
    "end_turn": says('{"order": []}', "end_turn"),
    "cut off at once": says("", "length"),
    "usage in words": says("hello", usage={"prompt_tokens": "many", "completion_tokens": None, "total_tokens": []}),
    "usage below zero": says("hello", usage={"prompt_tokens": -5, "completion_tokens": -(10**9), "total_tokens": 0}),
    "usage beyond belief": says("hello", usage={"prompt_tokens": 10**30, "completion_tokens": 1, "total_tokens": 1}),
    "3 MB of text": says("word " * 600_000),
    "5 MB of text": says("word " * 1_000_000),
    "3 MB of brackets": says("[" * 3_000_000),
    "JSON nested in text": says("[" * 50_000 + "]" * 50_000),
    "an order of numbers": says('{"order": [1, 2, 3]}'),
    "an order of surrogates": says('{"order": ["\\ud800", "\\udfff"]}'),
    "thoughts without an end": says("<think>" + "hm " * 100_000),
}
"""By what they make of a conversation."""

WIDE = [0.5] * 1_000_000
EMBEDDINGS = {
    "data that is null": body({"data": None}),
    "data that is an object": body({"data": {"0": []}}),
    "no vector": vectors(),
    "one vector too few": vectors((0, [1.0, 2.0])),
    "one vector too many": vectors((0, [1.0]), (1, [1.0]), (2, [1.0])),
    "an index twice": vectors((0, [1.0]), (0, [1.0])),
    "an index below zero": vectors((-1, [1.0]), (0, [1.0])),
    "an index in words": vectors(("0", [1.0]), ("1", [1.0])),
    "an index that is a truth value": vectors((False, [1.0]), (True, [1.0])),
    "an index beyond belief": vectors((0, [1.0]), (10**20, [1.0])),
    "widths that differ": vectors((0, [1.0]), (1, [1.0, 2.0])),
    "vectors of width 0": vectors((0, []), (1, [])),
    "NaN in a vector": vectors((0, [float("nan")]), (1, [1.0])),
    "infinity in a vector": vectors((0, [float("inf")]), (1, [1.0])),
    "1e999 in a vector": raw_json('{"data": [{"index": 0, "embedding": [1e999]}, {"index": 1, "embedding": [1]}]}'),
    "an integer of 400 digits": vectors((0, [10**400]), (1, [1])),
    "text in a vector": vectors((0, ["1.0x"]), (1, [1.0])),
    "a vector in base64": vectors((0, "AACAPwAAAEA="), (1, "AACAPwAAAEA=")),
    "a vector of vectors": vectors((0, [[1.0]]), (1, [[1.0]])),
    "a vector that is null": vectors((0, None), (1, None)),
    "a vector that is an object": vectors((0, {"0": 1.0}), (1, {"0": 1.0})),
    "null in a vector": vectors((0, [None]), (1, [1.0])),
    "a million dimensions": vectors((0, WIDE), (1, WIDE)),
}
"""By what they make of two texts."""
